"""FIX 4.4, Appendix D "Order State Change Matrices", played as tables: what each report leaves behind.

A row is one message: what is said, then OrdStatus(39), CumQty(14) and LeavesQty(151) as the matrix has them. One
thing is shown differently on purpose: an order with nothing left is FILLED for us, where the matrix still says
"Pending Cancel" or "Pending Replace" until the request is answered.
"""

from decimal import Decimal
from typing import NamedTuple

import pytest

from common.messages import Attempt, ExecutionReport, NewOrder, OrderStatus, Terms
from common.orders.ledger import FillLedger
from common.orders.order_state import Order, Request, RequestKind

S = OrderStatus
NAMES = {
    S.PENDING_NEW: "A", S.NEW: "0", S.PARTIALLY_FILLED: "1", S.FILLED: "2", S.DONE_FOR_DAY: "3", S.CANCELED: "4",
    S.PENDING_CANCEL: "6", S.REJECTED: "8", S.SUSPENDED: "9", S.EXPIRED: "C", S.PENDING_REPLACE: "E",
}  # fmt: skip


class Row(NamedTuple):
    """`say` is ExecType(150) and OrdStatus(39) ("F1"), or "F"/"G" for our cancel/replace request, or "9" for its
    rejection. `ref` is ExecRefID(19)'s trade; `ours` the status where it is not the matrix's.
    """

    say: str
    status: str
    cum: int
    leaves: int
    last: int = 0
    qty: int = 0
    ref: str = ""
    key: str = ""
    ours: str = ""


def play(rows: list[Row], order_qty: int = 10_000) -> None:
    command = NewOrder(Attempt(1, 1), "s", 1, "v", "SYM", Terms("1", "2", Decimal(order_qty), Decimal(10)), "X", 0)
    order, ledger = Order.sent(command, 1, 1, 1), FillLedger()
    for number, row in enumerate(rows):
        where = f"row {number + 1}: {row}"
        if row.say in ("cancel", "replace"):
            name = f"{row.say}{number}"
            kind = RequestKind.CANCEL if row.say == "cancel" else RequestKind.AMEND
            order.request_sent(Request(kind, Attempt(1, number), "s", 2, name, Decimal(row.qty), None))
        elif row.say == "9":
            pending = next(iter(order.requests), "none")
            order.request_ended(pending)
        else:
            exec_type, ord_status = row.say[0], row.say[1]
            answered = next(iter(order.requests), "X") if exec_type in "456E" else order.legs[0].cl_ord_id
            report = ExecutionReport(
                answered, order.legs[0].cl_ord_id if answered != "X" else "", "V", str(number), exec_type, ord_status,
                "SYM", "1", Decimal(row.qty or int(order.order_qty)), None, Decimal(row.last), Decimal(10),
                Decimal(row.cum), Decimal(row.leaves), row.key or (f"t{number}" if exec_type in "FGH" else ""),
                reference_trade_key=row.ref,
            )  # fmt: skip
            change = ledger.report("v", order.legs[0].owner, report)
            if change is not None:
                order.legs[0].fill(change)
            order.hear_report(order.legs[0], report)
        assert NAMES[order.status] == (row.ours or row.status), where
        assert order.cum_qty == row.cum, where
        assert order.leaves_qty == row.leaves, where


MATRICES = {
    "A.1.a filled order": [
        Row("A" "A", "A", 0, 10_000),
        Row("00", "0", 0, 10_000),
        Row("F1", "1", 2000, 8000, 2000),
        Row("F1", "1", 3000, 7000, 1000),
        Row("F2", "2", 10_000, 0, 7000),
    ],
    "A.1.b part-filled day order, done for day": [
        Row("00", "0", 0, 10_000),
        Row("F1", "1", 2000, 8000, 2000),
        Row("F1", "1", 3000, 7000, 1000),
        Row("33", "3", 3000, 0),
    ],
    "B.1.a cancel request for a zero-filled order": [
        Row("00", "0", 0, 10_000),
        Row("cancel", "6", 0, 10_000),
        Row("66", "6", 0, 10_000),
        Row("44", "4", 0, 0),
    ],
    "B.1.b part-filled order, executions while the cancel is active": [
        Row("00", "0", 0, 10_000),
        Row("F1", "1", 2000, 8000, 2000),
        Row("cancel", "6", 2000, 8000),
        Row("F1", "6", 5000, 5000, 3000),
        Row("66", "6", 5000, 5000),
        Row("F6", "6", 6000, 4000, 1000),
        Row("44", "4", 6000, 0),
    ],
    "B.1.c order filled before the cancel is accepted": [
        Row("00", "0", 0, 10_000),
        Row("F1", "1", 2000, 8000, 2000),
        Row("cancel", "6", 2000, 8000),
        Row("66", "6", 2000, 8000),
        Row("F6", "6", 5000, 5000, 3000),
        Row("F6", "6", 10_000, 0, 5000, ours="2"),
        Row("9", "2", 10_000, 0),
    ],
    "B.1.d cancel request rejected": [
        Row("00", "0", 0, 10_000),
        Row("cancel", "6", 0, 10_000),
        Row("9", "0", 0, 10_000),
        Row("F1", "1", 1000, 9000, 1000),
    ],
    "C.1.a zero-filled order, quantity increased": [
        Row("00", "0", 0, 10_000),
        Row("replace", "E", 0, 10_000, qty=11_000),
        Row("EE", "E", 0, 10_000),
        Row("50", "0", 0, 11_000, qty=11_000),
        Row("F1", "1", 1000, 10_000, 1000),
        Row("F1", "1", 3000, 8000, 2000),
    ],
    "C.1.b part-filled order, then quantity increased while executing": [
        Row("00", "0", 0, 10_000),
        Row("F1", "1", 1000, 9000, 1000),
        Row("replace", "E", 1000, 9000, qty=12_000),
        Row("EE", "E", 1000, 9000),
        Row("FE", "E", 1100, 8900, 100),
        Row("51", "1", 1100, 10_900, qty=12_000),
        Row("F2", "2", 12_000, 0, 10_900),
    ],
    "C.1.c filled order, quantity increased: it opens again": [
        Row("00", "0", 0, 10_000),
        Row("F2", "2", 10_000, 0, 10_000),
        Row("51", "1", 10_000, 2000, qty=12_000),
        Row("F2", "2", 12_000, 0, 2000),
    ],
    "C.2.a quantity not changed, price changed": [
        Row("00", "0", 0, 10_000),
        Row("replace", "E", 0, 10_000, qty=10_000),
        Row("50", "0", 0, 10_000),
        Row("F1", "1", 1000, 9000, 1000),
    ],
    "C.3.a filled while the replace is pending, replace rejected": [
        Row("00", "0", 0, 10_000),
        Row("replace", "E", 0, 10_000, qty=8000),
        Row("F2", "E", 10_000, 0, 10_000, ours="2"),
    ],
    "C.3.b decrease to the filled quantity: nothing is left": [
        Row("00", "0", 0, 10_000),
        Row("F1", "1", 5000, 5000, 5000),
        Row("replace", "E", 5000, 5000, qty=5000),
        Row("52", "2", 5000, 0, qty=5000),
    ],
    "D.1.a replace requests chained, the second after the first": [
        Row("00", "0", 0, 10_000),
        Row("replace", "E", 0, 10_000, qty=11_000),
        Row("50", "0", 0, 11_000, qty=11_000),
        Row("replace", "E", 0, 11_000, qty=12_000),
        Row("50", "0", 0, 12_000, qty=12_000),
    ],
    "E.1.a GTC order partially filled, restated next day": [
        Row("00", "0", 0, 10_000),
        Row("F1", "1", 2000, 8000, 2000),
        Row("33", "3", 2000, 0),
        Row("D1", "1", 2000, 8000),
        Row("F2", "2", 10_000, 0, 8000),
    ],
    "E.1.b restated with a smaller quantity (stock split, broker option)": [
        Row("00", "0", 0, 10_000),
        Row("D0", "0", 0, 9000, qty=9000),
    ],
    "F.1.a order rejected": [Row("88", "8", 0, 0)],
    "F.1.b pending new, then rejected": [Row("AA", "A", 0, 10_000), Row("88", "8", 0, 0)],
    "G.1.a order status says what is so": [
        Row("00", "0", 0, 10_000),
        Row("I0", "0", 0, 10_000),
        Row("F1", "1", 2000, 8000, 2000),
        Row("I1", "1", 2000, 8000),
        Row("F2", "2", 10_000, 0, 8000),
        Row("I2", "2", 10_000, 0),
    ],
    "H.1.a GTC order over two days, cancelled on the second": [
        Row("00", "0", 0, 10_000),
        Row("F1", "1", 2000, 8000, 2000),
        Row("33", "3", 2000, 0),
        Row("D1", "1", 2000, 8000),
        Row("cancel", "6", 2000, 8000),
        Row("44", "4", 2000, 0),
    ],
    "H.1.c GTC order expires": [Row("00", "0", 0, 10_000), Row("F1", "1", 5000, 5000, 5000), Row("CC", "C", 5000, 0)],
    "I.1.a fill or kill that cannot be filled": [Row("00", "0", 0, 10_000), Row("44", "4", 0, 0)],
    "I.1.b immediate or cancel, partly filled": [
        Row("00", "0", 0, 10_000),
        Row("F1", "1", 1000, 9000, 1000),
        Row("CC", "C", 1000, 0),
    ],
    "J.1.a filled order, then a bust and a correction": [
        Row("00", "0", 0, 10_000),
        Row("F1", "1", 1000, 9000, 1000, key="one"),
        Row("F2", "2", 10_000, 0, 9000, key="two"),
        Row("H1", "1", 9000, 1000, ref="one"),
        Row("F2", "2", 10_000, 0, 1000),
        Row("G1", "1", 9500, 500, 8500, ref="two", key="three"),
        Row("G1", "1", 9400, 600, 8400, ref="three"),
    ],
    "J.1.b cancelled order, then busts and a new trade: it stays cancelled": [
        Row("00", "0", 0, 10_000),
        Row("F1", "1", 5000, 5000, 5000, key="one"),
        Row("cancel", "6", 5000, 5000),
        Row("44", "4", 5000, 0),
        Row("H4", "4", 0, 0, ref="one"),
        Row("F4", "4", 4000, 0, 4000),
    ],
    "K.1.a trading halt: suspended, then reinstated": [
        Row("00", "0", 0, 10_000),
        Row("99", "9", 0, 10_000),
        Row("D0", "0", 0, 10_000),
        Row("F1", "1", 1000, 9000, 1000),
    ],
    "L.1.a stopped, then executed": [
        Row("00", "0", 0, 10_000),
        Row("77", "9", 0, 10_000),
        Row("F2", "2", 10_000, 0, 10_000),
    ],
}  # fmt: skip


@pytest.mark.parametrize("matrix", MATRICES)
def test_matrix(matrix: str) -> None:
    play(MATRICES[matrix])
