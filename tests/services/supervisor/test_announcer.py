"""What a person is told: who is not ready yet, and whose fill it was."""

from decimal import Decimal

import pytest
from msgspec import structs

from common.config import load
from common.journal.frames import Record
from common.messages import (
    AmendOrder,
    Attempt,
    ExecutionReport,
    Inbound,
    Kind,
    NewOrder,
    Outbound,
    QueryRequest,
    Side,
    Terms,
    encode,
)
from common.restrictions import Restriction
from common.venues.venue import Confidence
from services.supervisor import announcer
from services.supervisor.announcer import FillLines, ready_block, waiting_for
from tests.common.venues.little_known import little_known
from tests.services.orders.harness import Ring, accepted


def record(lsn: int, kind: Kind, payload: Outbound | Inbound) -> Record:
    return Record(lsn, 0, kind, "session@binance", 1, lsn, 1, 0, encode(payload))


def sent(lsn: int, cl_ord_id: str, number: int) -> Record:
    order = NewOrder(
        attempt=Attempt(1, number),
        strategy="maker",
        number=number,
        venue="binance",
        symbol="BTCUSDT",
        terms=Terms("1", "2", Decimal("0.5"), Decimal(65000)),
        cl_ord_id=cl_ord_id,
        deadline_ns=0,
    )
    return record(lsn, Kind.OUTBOUND, Outbound("binance", 1, 1, lsn, "D", b"", order))


def reported(
    lsn: int, cl_ord_id: str, last_qty: str, side: Side = "1", *, exec_type: str = "F", px: str = "65000.00",
    key: str = "", copy: str = "",
) -> Record:  # fmt: skip
    report = ExecutionReport(
        cl_ord_id=cl_ord_id,
        orig_cl_ord_id="",
        order_id="7",
        exec_id="9",
        exec_type=exec_type,
        ord_status="1",
        symbol="BTCUSDT",
        side=side,
        order_qty=Decimal("0.5"),
        price=Decimal(65000),
        last_qty=Decimal(last_qty),
        last_px=Decimal(px),
        cum_qty=None,
        leaves_qty=None,
        fee_qty=Decimal("0.00010"),
        fee_asset="BTC",
        trade_key=key,
    )
    told = Inbound(copy or "binance", 1, 1, lsn, "8", b"", report, account="binance", venue="binance")
    return record(lsn, Kind.INBOUND, structs.replace(told, drop_copy=bool(copy)))


def test_a_fill_is_one_line_with_the_order_s_name() -> None:
    fills = FillLines()
    assert fills.lines([sent(1, "A-1", 5), reported(2, "A-1", "0")]) == []
    assert fills.lines([reported(3, "A-1", "0.100")]) == [
        "fill: maker/5 buys 0.1 BTCUSDT at 65000 on binance, fee 0.0001 BTC (LSN 3)"
    ]


def test_a_fill_that_a_drop_copy_tells_too_is_one_line() -> None:
    fills = FillLines()
    told = fills.lines([reported(1, "A-1", "0.1", key="7", copy="dc"), reported(2, "A-1", "0.1", key="7")])
    assert len(told) == 1 and "LSN 1" in told[0]
    assert len(fills.lines([reported(3, "A-1", "0.1", key="8"), reported(4, "A-1", "0.1", key="8", copy="dc")])) == 1


def test_a_bust_and_a_correction_are_no_fills() -> None:
    assert FillLines().lines([reported(n, "A-1", "0.1", exec_type=word) for n, word in ((1, "H"), (2, "G"))]) == []


def test_a_fill_without_its_price_says_so() -> None:
    assert "0.1 BTCUSDT at an unknown price on binance" in FillLines().lines([reported(1, "A-1", "0.1", px="0")])[0]


def test_a_fill_without_its_instrument_and_side_has_its_order_s() -> None:
    fills = FillLines()
    fills.lines([sent(1, "A-1", 5)])
    odd = reported(2, "A-1", "0.1", "")  # type: ignore[arg-type]
    assert "maker/5 buys 0.1 BTCUSDT" in fills.lines([odd])[0]
    assert "A-9 trades 0.1 BTCUSDT" in FillLines().lines([reported(2, "A-9", "0.1", "")])[0]  # type: ignore[arg-type]


def amended(lsn: int, cl_ord_id: str, target_number: int) -> Record:
    order = AmendOrder(
        attempt=Attempt(1, 99),
        strategy="maker",
        number=99,
        venue="binance",
        symbol="BTCUSDT",
        terms=Terms("1", "2", Decimal("0.5"), Decimal(65001)),
        cl_ord_id=cl_ord_id,
        orig_cl_ord_id="A-1",
        order_id="7",
        target_strategy="maker",
        target_number=target_number,
        former_order_qty=Decimal("0.5"),
        former_price=Decimal(65000),
        cum_qty=Decimal(0),
        deadline_ns=0,
    )
    return record(lsn, Kind.OUTBOUND, Outbound("binance", 1, 1, lsn, "G", b"", order))


def test_an_amended_order_keeps_its_name() -> None:
    fills = FillLines()
    assert fills.lines([sent(1, "A-1", 5), amended(2, "A-2", 5)]) == []
    assert fills.lines([reported(3, "A-2", "0.1")])[0].startswith("fill: maker/5 buys 0.1 BTCUSDT")


def test_an_order_from_before_is_called_by_its_cl_ord_id() -> None:
    assert FillLines().lines([reported(3, "A-9", "1", "2")]) == [
        "fill: A-9 sells 1 BTCUSDT at 65000 on binance, fee 0.0001 BTC (LSN 3)"
    ]


def test_ready_means_every_actor_answers_and_every_session_is_reconciled() -> None:
    config = load(environ={})
    statuses = {actor.name: {"state": "live"} for actor in config.actors()}
    assert waiting_for(config, statuses) == ["session@binance (live)", "session@generic (live)"]
    for name in ("session@binance", "session@generic"):
        statuses[name] = {"state": "ready"}
    assert waiting_for(config, statuses) == []
    statuses["risk"] = {"state": "restarting"}
    del statuses["journal"]
    assert waiting_for(config, statuses) == ["journal (not answering)", "risk (restarting)"]


def test_the_block_shows_the_environment_and_ends_with_ready() -> None:
    config = load(environ={})
    block = ready_block(config)
    assert "SIMULATED" in block[1]
    assert str(config.journal_folder) in "\n".join(block)
    assert block[-1] == "READY"


def test_the_block_says_of_which_venue_little_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "generic (simulated)" in ready_block(load(environ={}))[2]
    little_known(monkeypatch, announcer, "generic", Confidence.ASSUMED)
    assert "generic (simulated, assumed)" in ready_block(load(environ={}))[2]


def test_a_stack_that_is_restricted_is_not_called_ready() -> None:
    block = ready_block(load(environ={}), [Restriction("risk", "halted", "HALTED firm")])
    assert "READY" not in block and "RESTRICTED risk: HALTED firm" in block


def test_a_fill_of_an_order_from_before_the_start_has_its_name() -> None:
    ring = Ring()
    ring.go_live()
    ring.open("generic")
    ring.hello("maker")
    order = accepted(ring, 7)
    ring.entry(b"p", QueryRequest("orders"))
    fills = FillLines()
    fills.know(ring.clients[b"p"][-1].orders)
    assert fills.lines([reported(9, order.cl_ord_id, "0.1")])[0].startswith("fill: maker/7 buys 0.1 BTCUSDT")
