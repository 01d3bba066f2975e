"""Bugs of order lists and of orders that the market wakes: what takes the place of what.

`planted` has their rows, beside all others.
"""

from typing import Any, Final

from common.orders import fold as orders_fold
from common.orders.worst import NOTHING
from services.risk import state as risk_state
from services.risk.exposure import InFlight

EXPIRED: Final = "C"
SUSPENDED: Final = "9"


def _rivals_stay(original: Any) -> Any:
    """What the venue ends since another order of the list trades is never heard of."""

    def report(self: Any, *arguments: Any) -> None:
        record, inbound, report = arguments
        order = self._find(inbound.account, report)
        if order is None or not order.list_number or report.ord_status != EXPIRED:
            original(self, record, inbound, report)

    return report


def _nothing_of_the_later(original: Any) -> Any:
    return lambda order: NOTHING if order.number > order.list_number > 0 else original(order)


def _nothing_of_the_pending(original: Any) -> Any:
    return lambda order: NOTHING if order.list_number and order.legs[0].word == SUSPENDED else original(order)


def _nothing_once_woken(original: Any) -> Any:
    return lambda order: NOTHING if order.terms.is_stop and order.triggered else original(order)


def _reserve_the_first(original: Any) -> Any:
    def reserve(self: Any, *arguments: Any) -> None:
        command, reservation = arguments
        if reservation.cl_ord_id == command.cl_ord_id:
            original(self, command, reservation)

    return reserve


RIVALS_STAY = ((orders_fold.Fold, "_report", _rivals_stay),)
PAIR_COUNTS_ONCE = ((risk_state, "at_worst", _nothing_of_the_later),)
PENDING_COUNTS_NOTHING = ((risk_state, "at_worst", _nothing_of_the_pending),)
WOKEN_IS_RELEASED = ((risk_state, "at_worst", _nothing_once_woken),)
LIST_RESERVES_ONE = ((InFlight, "reserve", _reserve_the_first),)
