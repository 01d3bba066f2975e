"""What an order list may be, whatever its orders are by themselves.

Each order of a list counts in full at worst, with all others: two of which one cancels the other count as both, since
nobody but the venue knows which one is gone until it says so, and a pending one counts before it is placed. One that
the first order's fill pays counts as if nothing of that went to fees.
"""

from common.messages import ONE_CANCELS_OTHER, ONE_TRIGGERS_OTHER, SIDE_BUY, SIDE_SELL, NewOrder, Reason, Terms
from services.risk.limits import GOOD_TILL_CANCEL, LIMIT, Refusal


def why_no_list(order: NewOrder) -> Refusal | None:
    """Why no venue has such a list; None where there is no list, or nothing speaks against it."""
    terms, contingency = [each.terms for each in order.orders], order.contingency
    if any(each.paid for each in terms):
        unpaid = _why_not_paid(terms, contingency)
        if unpaid is not None:
            return unpaid
    if len(terms) == 1:
        return None if not contingency else _no("a list has two orders or three")
    if contingency == ONE_CANCELS_OTHER:
        return _why_no_pair(*terms) if len(terms) == 2 else _no("of two orders one cancels the other: no more")
    if contingency != ONE_TRIGGERS_OTHER:
        return _no("several orders say how one is contingent on the other")
    first, *pending = terms
    if first.ord_type != LIMIT:
        return _no("the order that triggers others is a limit order")
    if len(pending) == 1:
        return None if _may_wait(pending[0]) else _no("a pending order has its price, and is good till cancelled")
    return _why_no_pair(*pending)


def _why_not_paid(terms: list[Terms], contingency: str) -> Refusal | None:
    """What the first order of a list buys is what the others sell."""
    first, *pending = terms
    if contingency != ONE_TRIGGERS_OTHER or first.paid or not pending or not all(each.paid for each in pending):
        return _no("an order that is paid is a pending one of a list, with all that are pending in it")
    if first.side != SIDE_BUY or any(each.side != SIDE_SELL for each in pending):
        return _no("an order that is paid sells what the first one of its list buys")
    if any(each.order_qty != first.order_qty for each in pending):
        return _no("an order that is paid has the quantity of the first one of its list, at most")
    return None


def _why_no_pair(one: Terms, other: Terms) -> Refusal | None:
    """Of two orders one cancels the other: a limit order that never takes and a stop order, or a stop order and one
    that takes profit."""
    if (one.side, one.order_qty) != (other.side, other.order_qty):
        return _no("two orders of which one cancels the other have the same side and quantity")
    if not (_may_wait(one) and _may_wait(other)):
        return _no("each order has its price and is good till cancelled")
    stops = [each for each in (one, other) if each.is_stop and not each.take_profit]
    limits = [each for each in (one, other) if not each.is_stop]
    if len(stops) != 1 or not all(each.is_post_only for each in limits):
        return _no("one of the two is a post-only limit order, or takes profit, and the other is a stop order")
    return None


def _may_wait(terms: Terms) -> bool:
    at = terms.stop_px if terms.is_stop else terms.price
    return at is not None and terms.time_in_force == GOOD_TILL_CANCEL


def _no(why: str) -> Refusal:
    return Refusal(Reason.UNSUPPORTED, why)
