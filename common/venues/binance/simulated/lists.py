"""Order lists as the simulated Binance takes them: NewOrderList(E) read, and ListStatus(N) written.

Source: binance-spot-api-docs, fix-api.md, NewOrderList(E) and ListStatus(N). Which order cancels or releases which is
told by instructions; none but those of OCO, OTO and OTOCO are taken. With OPO(25046) the pending orders have no
OrderQty(38): the first one, which buys, pays what they sell (faqs/opo.md).
"""

from collections.abc import Sequence
from typing import NamedTuple

from common.exchange.order import LIMIT, Terms
from common.fix.wire import utc_timestamp
from common.venues.binance.simulated import wire
from common.venues.binance.simulated.wire import Fields, Rejection

ONE_CANCELS, ONE_TRIGGERS = "1", "2"
EXEC_STARTED, ALL_DONE_TYPE, RESPONSE = "4", "5", "2"
EXECUTING, ALL_DONE, REJECTED = "3", "6", "7"
ACTIVATED, PARTIALLY_FILLED, FILLED = "1", "2", "3"
RELEASE, CANCEL = "1", "2"
_OUTSIDE = frozenset({b"25014", b"1385", b"25046", b"10"})
_INSTRUCTION = (b"25011", b"25012", b"25013")
MOST_ORDERS = 3
LEGS = {ONE_CANCELS: (2,), ONE_TRIGGERS: (2, 3)}

Instruction = tuple[str, str, str]


class ListedLeg(NamedTuple):
    """An order of the group NoOrders(73): its fields, and its instructions."""

    fields: Fields
    instructions: tuple[Instruction, ...]


def legs_of(f: Fields, pairs: list[list[bytes]]) -> list[ListedLeg]:
    """The orders of a NewOrderList(E). Raises Rejection."""
    kind = wire.text(f, 1385)
    if kind not in LEGS:
        raise Rejection(wire.ILLEGAL_CHARACTERS, "ContingencyType(1385) must be '1' or '2'.", 5, 1385)
    legs: list[list[list[bytes]]] = []
    begun = False
    for pair in pairs:
        if pair[0] == b"73":
            begun = True
        elif begun and pair[0] == b"11":
            legs.append([pair])
        elif begun and pair[0] in _OUTSIDE:
            begun = False
        elif begun and not legs:
            raise Rejection(wire.GROUP_ORDER, "A repeating group begins with ClOrdID(11).", 15, 73)
        elif begun:
            legs[-1].append(pair)
    if wire.text(f, 73) != str(len(legs)) or len(legs) not in LEGS[kind]:
        raise Rejection(wire.GROUP_COUNT, "Incorrect NumInGroup count for repeating group.", 16, 73)
    return [_leg(leg) for leg in legs]


def paid(legs: Sequence[ListedLeg]) -> list[ListedLeg]:
    """The orders of a list with OPO(25046), the pending ones with the first one's quantity for their own. Raises
    Rejection."""
    first, *pending = legs
    for leg in pending:
        if b"38" in leg.fields:
            raise Rejection(wire.NOT_REQUIRED, "Parameter '38' sent when not required.", 2, 38)
        if (first.fields.get(b"54"), leg.fields.get(b"54")) != (b"1", b"2"):
            raise _no_list("The first order of the list buys what the pending orders sell.")
    qty = first.fields.get(b"38", b"")
    return [first, *(leg._replace(fields={**leg.fields, b"38": qty}) for leg in pending)]


def _leg(pairs: list[list[bytes]]) -> ListedLeg:
    own = [pair for pair in pairs if pair[0] not in (b"25010", *_INSTRUCTION)]
    if len({tag for tag, _ in own}) < len(own):
        raise Rejection(wire.TAG_TWICE, "A tag appears more than once in an order.", 13, 73)
    told = [value.decode() for tag, value in pairs if tag in _INSTRUCTION]
    count = dict(own_pair for own_pair in pairs if own_pair[0] == b"25010").get(b"25010", b"0")
    if not count.isdigit() or len(told) != 3 * int(count):
        raise Rejection(wire.GROUP_COUNT, "Incorrect NumInGroup count for repeating group.", 16, 25010)
    rows = [tuple(told[at : at + 3]) for at in range(0, len(told), 3)]
    return ListedLeg({pair[0]: pair[1] for pair in own}, tuple((row[0], row[1], row[2]) for row in rows))


def with_roles(kind: str, legs: Sequence[ListedLeg], orders: Sequence[Terms], list_id: int, name: str) -> list[Terms]:
    """The orders as those of a list, their roles by the instructions. Raises Rejection where these make none."""
    named = [terms._replace(list_id=list_id, cl_list_id=name) for terms in orders]
    if kind == ONE_CANCELS:
        _check_pair(legs, named, 0)
        return [terms._replace(exclusive=True) for terms in named]
    first, *pending = named
    if legs[0].instructions or first.ord_type != LIMIT:
        raise _no_list("The first order of the list is a limit order without instructions.")
    for leg in legs[1:]:
        released = leg.instructions[:1]
        # The document prints the action CANCEL for those that a pair is released by.
        actions = (RELEASE,) if len(pending) == 1 else (RELEASE, CANCEL)
        if not released or released[0][:2] != (FILLED, "0") or released[0][2] not in actions:
            raise _no_list("A pending order is released by the first one.")
    if len(pending) == 2:
        _check_pair([leg._replace(instructions=leg.instructions[1:]) for leg in legs[1:]], pending, 1)
    return [first, *(terms._replace(pending=True, exclusive=len(pending) == 2) for terms in pending)]


def _check_pair(legs: Sequence[ListedLeg], pair: Sequence[Terms], first: int) -> None:
    """Two orders of which one cancels the other, the one below first. Raises Rejection."""
    for index, leg in enumerate(legs):
        other = pair[1 - index]
        by = PARTIALLY_FILLED if other.ord_type == LIMIT else ACTIVATED
        if leg.instructions != ((by, str(first + 1 - index), CANCEL),):
            raise _no_list("The instructions of the list are none that there are.")
    below, above = (terms.price if terms.ord_type == LIMIT else terms.stop_px for terms in pair)
    is_pair = {terms.side for terms in pair} == {pair[0].side} and pair[0].order_qty == pair[1].order_qty
    limits = [terms for terms in pair if terms.ord_type == LIMIT]
    if not is_pair or len(limits) == 2 or not all(terms.post_only for terms in limits):
        raise _no_list("The orders of the list are no pair.")
    if below is not None and above is not None and below >= above:
        raise _no_list("The relationship of the prices for the orders is not correct.")


def _no_list(text: str) -> Rejection:
    return Rejection(wire.INVALID_MESSAGE, text, 5, 73)


def status(
    kind: str, orders: Sequence[tuple[Terms, int]], words: tuple[str, str], stamp_ns: int, why: tuple[int, str] | None
) -> bytes:
    """A ListStatus(N): `orders` with their OrderID(37), 0 for none; `words` are ListStatusType(429) and
    ListOrderStatus(431), `why` the code and text of a refusal."""
    first = orders[0][0]
    list_id = f"66={first.list_id}\x01" if why is None else ""
    refused = "" if why is None else f"1386=99\x0125016={why[0]}\x0158={why[1]}\x01"
    legs = "".join(
        f"11={terms.cl_ord_id}\x0155={terms.symbol}\x01"
        f"{f'37={order_id}{chr(1)}' if order_id else ''}"
        f"{'' if why is None else f'103=99{chr(1)}25016={why[0]}{chr(1)}58={why[1]}{chr(1)}'}"
        for terms, order_id in orders
    )
    return (
        f"55={first.symbol}\x01{list_id}25014={first.cl_list_id}\x011385={kind}\x01429={words[0]}\x01"
        f"431={words[1]}\x01{refused}60={utc_timestamp(stamp_ns, 6).decode()}\x0173={len(orders)}\x01{legs}"
    ).encode()


def kind_of(orders: Sequence[tuple[Terms, int]]) -> str:
    """ContingencyType(1385) of the list of these orders."""
    return ONE_TRIGGERS if any(terms.pending for terms, _ in orders) else ONE_CANCELS
