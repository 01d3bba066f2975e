"""What an order may still do at worst, by the same books as what is believed of it, and more pessimistic.

Rules:

1. It is counted per order of the venue (a *leg*): the largest of its terms, what was told and is not believed and the
   unanswered amendments included, less what the ledger of fills has. A replacement that is a cancel and a new order is
   a leg of its own from the moment it was sent, so old and new both count.
2. A leg that is ended still counts what the venue told as CumQty(14) and the ledger does not have: those fills are to
   come.
3. A leg ends by the venue's word, by a withdrawal, by proof that its message never had an effect, or by an operator's
   verdict (`Leg.concluded`). Silence ends nothing.
4. An amendment that the order's end has overtaken (`Order.lingering`) counts until it is answered, withdrawn or proved
   lost: nobody waits for it, and the venue may carry it out all the same.
5. An order of somebody else on the account counts what is left of it, for the firm alone; on both sides where its side
   is not told. One whose quantity nobody has told counts nothing until REST or a report tells it, and is shown.
"""

from decimal import Decimal

import msgspec

from common.messages import SIDE_BUY, RestOrder
from common.orders.belief import SIDES
from common.orders.leg import Leg
from common.orders.numbers import ZERO, is_plausible
from common.orders.order_state import Order, RequestKind
from common.orders.words import FILLED, TERMINAL_WORDS


class AtWorst(msgspec.Struct, frozen=True, gc=False):
    """How much of an order may still trade, over all legs, and how many orders of the venue may be open for it."""

    qty: Decimal
    open_orders: int


class StrangerAtWorst(msgspec.Struct, frozen=True, gc=False):
    """How much somebody else's order may still buy and sell."""

    buy: Decimal
    sell: Decimal


NOTHING = AtWorst(ZERO, 0)
NO_STRANGER = StrangerAtWorst(ZERO, ZERO)


def at_worst(order: Order) -> AtWorst:
    """What the order may still do on its side."""
    legs = order.legs
    if len(legs) == 1 and not order.requests and not order.lingering:
        leg = legs[0]
        if leg.word in TERMINAL_WORDS or leg.concluded:
            # Nearly every one that ends has told of no fill that is not known.
            return NOTHING if leg.told_cum_qty <= leg.cum_qty else AtWorst(leg.told_cum_qty - leg.cum_qty, 0)
        left = leg.worst_qty - leg.cum_qty
        return AtWorst(left if left > ZERO else ZERO, 1)
    qty, open_orders = ZERO, 0
    for leg in legs:
        left, is_open = _leg_at_worst(order, leg)
        qty += left
        open_orders += is_open
    for request in order.lingering.values():
        if request.kind is RequestKind.REPLACE:
            qty += request.order_qty
            open_orders += 1
    return AtWorst(qty, open_orders)


def _leg_at_worst(order: Order, leg: Leg) -> tuple[Decimal, bool]:
    """What is left of the leg, and whether it may be open."""
    amendments = [] if leg.word in TERMINAL_WORDS and leg.word != FILLED else order.amendments(leg)
    most = max([leg.worst_qty if leg.is_open else leg.filled_qty, *(each.order_qty for each in amendments)])
    return max(most - leg.cum_qty, ZERO), leg.is_open or bool(amendments)


def least_qty(order: Order, cl_ord_id: str) -> Decimal | None:
    """The smallest OrderQty(38) that the leg of this ClOrdID(11) may turn out to have, however its amendments are
    answered; None where it is not open."""
    owner = order.owner_of(cl_ord_id)
    leg = next(leg for leg in order.legs if leg.owner == owner)
    if not _leg_at_worst(order, leg)[1]:
        return None
    return min([leg.least_qty, *(each.order_qty for each in order.amendments(leg))])


def stranger_at_worst(order: RestOrder) -> StrangerAtWorst:
    """What is left of an order on the account that is not ours, by side."""
    if not (is_plausible(order.order_qty) and is_plausible(order.cum_qty)):
        return NO_STRANGER
    left = max(order.order_qty - max(order.cum_qty, ZERO), ZERO)
    side = SIDES.get(order.side, "")
    return StrangerAtWorst(left if side in ("", SIDE_BUY) else ZERO, left if side != SIDE_BUY else ZERO)
