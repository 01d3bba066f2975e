"""The words of FIX on an order, OrdStatus(39) and ExecType(150), and what one report says by them alone.

Here are the single answers, which need no fold: is it over, which of ClOrdID(11) and OrigClOrdID(41) names the order,
does it show that an order may be open, is it a fill. Whoever keeps a table of orders of his own, as a session does,
asks here, and nobody else compares these words with a literal.
"""

from typing import Final

from common.messages import CancelRejected, ExecutionReport

PENDING_NEW, NEW, PARTIAL, FILLED, DONE_FOR_DAY = "A", "0", "1", "2", "3"
CANCELED, PENDING_CANCEL, STOPPED, REJECTED, SUSPENDED = "4", "6", "7", "8", "9"
ORDER_STATUS = "I"
CALCULATED, EXPIRED, ACCEPTED_FOR_BIDDING, PENDING_REPLACE, REPLACED = "B", "C", "D", "E", "5"
RESTATED, TRADE_CORRECT, TRADE_CANCEL = "D", "G", "H"
TRIGGERED: Final = "L"

TERMINAL_WORDS = frozenset({FILLED, CANCELED, REJECTED, EXPIRED})
"""OrdStatus(39) of an order that is over."""

FILLS: Final = frozenset("12F")
"""ExecType(150) of one more fill. A bust (H) and a correction (G) have LastQty(32) too, and are none."""

CHANGES_OF_FILLS: Final = frozenset({TRADE_CORRECT, TRADE_CANCEL})
"""ExecType(150) of what changes a fill that was told before."""

_ACKNOWLEDGES: Final = frozenset({PENDING_NEW, PENDING_CANCEL, PENDING_REPLACE})
"""ExecType(150) of a request that has arrived, and no more."""

_OF_THE_ORIGINAL: Final = frozenset({CANCELED, PENDING_CANCEL})
"""ExecType(150) of reports whose OrigClOrdID(41) names the order before ClOrdID(11) does."""


def is_over(report: ExecutionReport) -> bool:
    """Whether the report says that its order is over."""
    return report.ord_status in TERMINAL_WORDS


def shows_open(report: ExecutionReport) -> bool:
    """Whether a report of an order that nobody knows shows that it may be open. That a request has arrived may be told
    behind the end of its order, and what a new order tells beside it is to come."""
    return not is_over(report) and report.exec_type not in _ACKNOWLEDGES


def came_too_late(answer: CancelRejected | ExecutionReport) -> bool:
    """Whether the venue refuses a request since its order has ended: OrdStatus(39) filled, canceled or expired.

    Rejected is said of an order that the venue does not know, too."""
    return answer.ord_status in TERMINAL_WORDS and answer.ord_status != REJECTED and not answer.unknown_order


def names_of_order(report: ExecutionReport) -> tuple[str, str]:
    """The names by which a report's order may be known, in the order in which they are to be tried.

    A cancel's report names the order in OrigClOrdID(41); the one that cancels the old half of an amendment bears the
    new order's name in ClOrdID(11), so with those the original name comes first.
    """
    if report.exec_type in _OF_THE_ORIGINAL:
        return report.orig_cl_ord_id, report.cl_ord_id
    return report.cl_ord_id, report.orig_cl_ord_id


def tells_replaced(report: ExecutionReport) -> bool:
    """Whether the report accepts an amendment in place."""
    return report.exec_type == REPLACED


def is_suspended(report: ExecutionReport) -> bool:
    """Whether the report is of an order that is suspended: at a venue that says so, one that waits for its stop
    price."""
    return report.ord_status == SUSPENDED


def tells_awake(report: ExecutionReport) -> bool:
    """Whether the report shows that a stop order's stop price was reached: it was triggered, or filled."""
    return report.exec_type == TRIGGERED or report.exec_type in FILLS or report.sleeps is False


def triggers(report: ExecutionReport) -> bool:
    """Whether a report of New on a stop order says that it was triggered: at a venue that tells so by a second one, of
    the limit order that it is from then on."""
    return report.exec_type == NEW and report.sleeps is False


def tells_trade(report: ExecutionReport) -> bool:
    """Whether the report tells of a fill that has a name, or of what becomes of one."""
    return bool(report.trade_key) and (report.exec_type in FILLS or report.exec_type in CHANGES_OF_FILLS)


def tells_end(report: ExecutionReport) -> bool:
    """Whether the report is of an order's end without a fill: it was cancelled, or it expired."""
    return report.exec_type in (CANCELED, EXPIRED)


def rejects_request(report: ExecutionReport, *names: str) -> bool:
    """Whether a report of Rejected refuses a request about an order, and not the order itself: it bears another
    ClOrdID(11) than the `names` that the order goes by."""
    return report.exec_type == REJECTED and report.cl_ord_id not in ("", *names)


def word_of_change(report: ExecutionReport, *, is_fill: bool) -> str:
    """ExecType(150) under which a change of fills is told: a price or a fee that is told later is a correction."""
    return report.exec_type if is_fill or report.exec_type == TRADE_CANCEL else TRADE_CORRECT
