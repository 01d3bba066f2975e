"""The torture's own checks find what they are there to find: each case is a lie that one of them must notice."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from common.exchange.order import Terms as ExchangeTerms
from common.journal.files import OsFiles
from common.journal.frames import Entry
from common.journal.log import Log
from common.messages import (
    Attempt,
    Decision,
    Inbound,
    Kind,
    NewOrder,
    OrderStatus,
    Outbound,
    Reason,
    Refused,
    Terms,
    Withdrawn,
    encode,
)
from scripts.simulation.truth import TrueOrder
from scripts.torture.audit import Exchange, JournalAudit, compare_command, compare_sent
from scripts.torture.book import Told

STAMP_NS = 1_700_000_000_000_000_000
WRITER = "session@generic"
LOGOUT = b"8=FIX.4.4\x019=60\x0135=5\x0134=9\x0158=MsgSeqNum too low, expecting 7 but received 3\x0110=000\x01"


TERMS = ExchangeTerms("desk", "FIXRING", "c-1", "BTCUSDT", "1", "2", Decimal(1), Decimal(100))


class Written:
    """A journal on the disk, one record a call."""

    def __init__(self, folder: Path) -> None:
        self.log = Log.open(str(folder), OsFiles(), wall_ns=STAMP_NS, segment_bytes=1 << 16, durability="process")
        self.audit = JournalAudit(folder)
        self.number = 0

    def add(self, kind: Kind, payload: msgspec.Struct, after_ms: int = 0) -> None:
        self.number += 1
        entry = Entry(kind, WRITER, self.log.epoch, self.number, encode(payload))
        self.log.append([entry], self.log.last_stamp_ns + after_ms * 1_000_000)

    def read(self) -> list[str]:
        self.audit.read()
        # This log begins in the middle of the writer's life: it wrote no epoch record.
        return [found for found in self.audit.differences if "epoch" not in found] + self.audit.complaints


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path / "journal")


def order(number: int, counter: int) -> NewOrder:
    return NewOrder(
        Attempt(1, counter), "load", number, "generic", "BTCUSDT", Terms("1", "2", Decimal(1), Decimal(100)),
        f"c-{counter}", STAMP_NS + 10_000_000_000, decision=Decision(),
    )  # fmt: skip


def outbound(number: int, command: NewOrder | None = None, **fields: Any) -> Outbound:
    return Outbound("generic", 1, 1, number, "D" if command else "0", b"raw", command, **fields)


def test_a_number_used_twice_is_found_and_a_filler_is_none(written: Written) -> None:
    written.add(Kind.OUTBOUND, outbound(5))
    written.add(Kind.OUTBOUND, outbound(5, filler=True))
    assert written.read() == []
    written.add(Kind.OUTBOUND, outbound(5))
    assert len(written.read()) == 1


def test_a_name_sent_twice_is_found(written: Written) -> None:
    written.add(Kind.OUTBOUND, outbound(5, order(1, 1)))
    written.add(Kind.OUTBOUND, outbound(6, order(1, 1)))
    assert [found[-15:] for found in written.read()] == ["was sent before"]


def test_other_bytes_under_an_inbound_number_are_found(written: Written) -> None:
    for raw, poss_dup in ((b"a", False), (b"a", False), (b"b", True), (b"c", False)):
        written.add(Kind.INBOUND, Inbound("generic", 1, 1, 7, "8", raw, poss_dup=poss_dup))
    assert len(written.read()) == 1


def test_a_logout_over_a_low_number_is_found(written: Written) -> None:
    written.add(Kind.INBOUND, Inbound("generic", 1, 1, 9, "5", LOGOUT))
    assert "too low" in written.read()[0]


@pytest.mark.parametrize(
    ("records", "outcome"),
    [
        (["sent"], "sent"),
        (["sent", "withdrawn"], "withdrawn"),
        (["refused", "void"], "refused"),
        (["void", "withdrawn"], ""),
        (["void", "refused"], ""),
        ([], ""),
    ],
)
def test_the_log_decides_once(written: Written, records: list[str], outcome: str) -> None:
    command = order(1, 1)
    for record in records:
        match record:
            case "sent":
                written.add(Kind.OUTBOUND, outbound(5, command))
            case "void":
                written.add(Kind.OUTBOUND, outbound(5, command), after_ms=11_000)
            case "withdrawn":
                written.add(Kind.WITHDRAWN, Withdrawn("generic", 1, 1, 5, command.attempt, Reason.LATE))
            case "refused":
                refused = Refused("risk", Reason.POSITION_LIMIT, "", "load", 1, command.attempt, command)
                written.add(Kind.REFUSED, refused)
    written.read()
    logged = written.audit.commands.get(("load", 1))
    assert ("" if logged is None else logged.outcome) == outcome


def told(**fields: Any) -> Told:
    return Told("load", 1, **{"kind": "new", "venue": "generic", "outcome": "sent", **fields})


def at_exchange(tmp_path: Path, cum_qty: str = "0", ord_status: str = "4", *, is_open: bool = False) -> Exchange:
    exchange = Exchange("generic", tmp_path)
    true = TrueOrder(77, TERMS)
    true.cum_qty, true.ord_status, true.open = Decimal(cum_qty), ord_status, is_open
    exchange.truth.orders[77] = true
    exchange.accepted("generic", true)
    return exchange


@pytest.mark.parametrize(
    ("lie", "exchange_has"),
    [
        ({"outcome": "expired"}, {}),
        ({"outcome": ""}, {}),
        ({"status": OrderStatus.FILLED}, {}),
        ({"status": OrderStatus.CANCELED}, {"is_open": True}),
        ({"status": OrderStatus.CANCELED, "cum_qty": Decimal("0.5")}, {}),
        ({"status": OrderStatus.CANCELED, "cum_qty": Decimal("0.5")}, {"cum_qty": "0.5"}),
    ],
)
def test_what_the_load_was_told_is_held_against_the_exchange(
    written: Written, tmp_path: Path, lie: dict[str, Any], exchange_has: dict[str, Any]
) -> None:
    written.add(Kind.OUTBOUND, outbound(5, order(1, 1)))
    written.read()
    logged = written.audit.commands["load", 1]
    assert list(compare_command(told(**lie), logged, at_exchange(tmp_path, **exchange_has)))


def test_the_truth_is_no_difference(written: Written, tmp_path: Path) -> None:
    written.add(Kind.OUTBOUND, outbound(5, order(1, 1)))
    written.read()
    logged = written.audit.commands["load", 1]
    half = Decimal("0.5")
    true = told(status=OrderStatus.CANCELED, cum_qty=half, fills={"t": half})
    exchange = at_exchange(tmp_path, "0.5")
    assert not list(compare_command(true, logged, exchange))
    assert not list(compare_sent(written.audit, exchange))


def test_an_order_that_the_journal_never_sent_is_found(written: Written, tmp_path: Path) -> None:
    written.read()
    assert len(list(compare_sent(written.audit, at_exchange(tmp_path)))) == 1


def test_an_order_that_the_exchange_took_twice_is_found(tmp_path: Path) -> None:
    exchange = at_exchange(tmp_path)
    exchange.accepted("generic", TrueOrder(78, TERMS))
    assert len(exchange.differences) == 1
