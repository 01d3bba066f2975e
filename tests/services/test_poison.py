"""Invariant: no record ends a fold. It takes effect whole or not at all, and one that takes none halts what adds risk
until a person accepts it.

The folder `before_bounds` was written by the program as it was before its links had bounds, and is never written again:
a label of 300,000 characters, the number 2^63-1, a strategy called "maker 2", texts of tens of thousands.
"""

import gzip
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from common.actor.snapshots import Foldable
from common.journal import OsFiles, Reader, Record, verify
from common.left_out import JOURNAL, SKIP, LeftOut, Unfoldable
from common.messages import (
    HIGHEST_NUMBER,
    Answer,
    Ask,
    Attempt,
    CancelRequest,
    Discrepancy,
    Expired,
    Inbound,
    Kind,
    NewOrder,
    NewOrderRequest,
    OperatorAct,
    Outbound,
    Payload,
    Reason,
    Refused,
    SessionChanged,
    SessionState,
    StateHash,
    Terms,
    Trade,
    Verdict,
    encode,
)
from common.orders import fold as orders_fold
from common.orders.books import Books
from common.orders.fold import Fold
from common.orders.index_file import IndexFile
from common.orders.snapshots import dump_books, load_books
from common.soundness import decoder, is_sound
from common.venues.generic.dialect import Generic
from scripts.simulation.setting import folded_orders, folded_risk
from services.risk.state import RiskState
from services.session.emergency import hand_over_begins
from services.session.recovery import Folded, load_folded
from tests.common.orders.test_index import SMALL
from tests.services.orders.harness import D, Forgetful, Ring, accepted, report, settings
from tests.services.risk.rig import Rig
from tests.services.session.harness import World, generic_config

STORED = Path(__file__).parents[1] / "common" / "journal" / "before_bounds"
HUGE = (1 << 64) - 1
NAN = Decimal("NaN")
ONE = D(1)


def new_order(number: int = 1, qty: Decimal = ONE) -> NewOrder:
    """An order that somebody sent."""
    return NewOrder(
        Attempt(9, number), "s", number, "generic", "BTCUSDT", Terms("1", "2", qty, D(100)), f"x-{number}", 1 << 62
    )  # fmt: skip


def outbound(command: NewOrder, number: int = 1) -> Outbound:
    """The order's record."""
    return Outbound("generic", 1, 1, number, "D", b"raw", command, opens=True)


POISON: dict[str, tuple[int, Any]] = {
    "bytes that are none": (Kind.OUTBOUND, b"\xc1"),
    "a text that is none": (Kind.INBOUND, b"\x93\xa7inbound\xa2\xff\xff"),
    "another record's": (Kind.OUTBOUND, encode(StateHash("orders", 1, b""))),
    "an order for no number": (Kind.OUTBOUND, outbound(new_order(qty=NAN))),
    "an order for a number that no product bears": (Kind.OUTBOUND, outbound(new_order(qty=D("1E+999999")))),
    "a number without a successor": (Kind.OUTBOUND, outbound(new_order(), HUGE)),
    "an attempt below zero": (Kind.OUTBOUND, outbound(msgspec.structs.replace(new_order(), attempt=Attempt(-1, -1)))),
    "a fill of no number": (Kind.INBOUND, Inbound("generic", 1, 1, 9, "8", b"r", report(
        new_order(), "F", "1", qty="sNaN", key="t1"))),
    "a fill at infinity": (Kind.INBOUND, Inbound("generic", 1, 1, 9, "8", b"r", report(
        new_order(), "F", "1", qty="1", px="Infinity", key="t1"))),
    "trades of no number": (Kind.ANSWER, Answer("generic", Ask("generic", 1, "trades", "BTCUSDT"), False, trades=(
        Trade("BTCUSDT", "7", "V", "1", D("Infinity"), D(1), D(0), "USDT", 1),))),
    "a verdict of no number": (Kind.VERDICT, Verdict("s", 1, "2", NAN, "p", "t")),
}  # fmt: skip


@pytest.fixture
def ring() -> Ring:
    """An order manager with an order that rests."""
    ring = Ring()
    ring.go_live()
    ring.open("generic")
    ring.hello()
    accepted(ring, 1)
    return ring


def raising(monkeypatch: pytest.MonkeyPatch, at: type) -> None:
    """From now on the fold of orders raises at each record of that kind, having done half of its work."""
    original = orders_fold.Fold._discrepancy

    def half(self: Fold, record: Record, payload: Any) -> None:
        original(self, record, payload)
        raise KeyError("nobody thought of it")

    monkeypatch.setattr(at, "_discrepancy", half)


# ---- values that are none ----


@pytest.mark.parametrize("kind, payload", POISON.values(), ids=POISON.keys())
def test_no_such_record_ends_orders_or_has_half_an_effect(ring: Ring, kind: int, payload: Any) -> None:
    digest, positions = ring.core.books.digest(), dict(ring.core.books.positions)
    ring.record("session@generic", kind, payload)
    assert ring.exit is None
    lsn = ring.core.books.lsn
    assert list(ring.core.books.left_out.unaccepted) == [lsn]
    assert (ring.core.books.digest(), ring.core.books.positions) == (digest, positions)
    ring.request(NewOrderRequest(0, 2, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))))
    refused = ring.clients[b"p"][-1]
    assert (refused.outcome, refused.reason) == ("refused", Reason.HALTED)
    assert f"fixring journal skip {lsn}" in refused.text
    ring.request(CancelRequest(0, 3, 1))
    assert ring.commands[-1].target_number == 1, "a cancel passes"
    ring.record(JOURNAL, Kind.OPERATOR, OperatorAct(JOURNAL, SKIP, "p", str(lsn)))
    assert not ring.core.books.left_out.halts
    ring.new(4)
    loaded = load_books(dump_books(ring.core.books), {n: v.facts for n, v in settings().accounts.items()})
    assert loaded.digest() == ring.core.books.digest()
    assert loaded.left_out.dump() == ring.core.books.left_out.dump()


@pytest.mark.parametrize("kind, payload", POISON.values(), ids=POISON.keys())
def test_no_such_record_ends_risk(kind: int, payload: Any) -> None:
    rig = Rig()
    digest = rig.state.digest()
    rig.record(kind, msgspec.Raw(payload) if isinstance(payload, bytes) else payload)
    lsn = rig.state.lsn
    assert rig.state.digest() == digest
    rig.command(rig.orders.new())
    assert not rig.sent
    assert rig.refused[-1].reason is Reason.HALTED
    assert f"record {lsn} of the log has no effect" in rig.refused[-1].text
    rig.record(Kind.OPERATOR, OperatorAct(JOURNAL, SKIP, "p", str(lsn)))
    rig.command(rig.orders.new())
    assert len(rig.sent) == 1


def record_of(lsn: int, kind: int, payload: Any, writer: str = "session@generic") -> Record:
    """A record as the log has it."""
    return Record(lsn, lsn, kind, writer, 1, lsn, 1, 0, payload if isinstance(payload, bytes) else encode(payload))


@pytest.mark.parametrize("kind, payload", POISON.values(), ids=POISON.keys())
def test_no_such_record_ends_a_session_s_fold(kind: int, payload: Any) -> None:
    folded = Folded("session@generic", "generic", Generic())
    folded.apply(record_of(1, Kind.OUTBOUND, outbound(new_order(7), 4)))
    before = folded.history.next_outbound
    folded.apply(record_of(2, kind, payload))
    assert folded.history.next_outbound == before
    assert folded.left_out.halts == (kind not in (Kind.ANSWER, Kind.VERDICT))
    loaded = load_folded(folded.dump(), "session@generic", "generic", Generic())
    assert (loaded.digest(), loaded.left_out.dump()) == (folded.digest(), folded.left_out.dump())


def test_a_state_hash_that_is_none_is_passed_over(ring: Ring) -> None:
    ring.record("orders", Kind.STATE_HASH, b"\xc1")
    ring.new(2)


def test_what_is_only_compared_may_be_any_number() -> None:
    request = NewOrderRequest(HUGE, HUGE, "v", "s", Terms("1", "2", NAN, D("1E-999999")))
    assert is_sound(Refused("orders", Reason.NONE, "", "s", HUGE, None, None, request))
    assert is_sound(Refused("risk", Reason.NONE, "", "s", 1, Attempt(1, 1), new_order(qty=NAN)))
    assert not is_sound(Expired("s", 1, Attempt(1, HUGE), 1))
    assert not is_sound(outbound(new_order(), HIGHEST_NUMBER + 1))
    assert decoder(Payload)(encode(outbound(new_order()))) == outbound(new_order())


# ---- a fold that raises ----


def test_a_fold_that_raises_begins_anew_without_the_record(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, orders_fold.Fold)
    # The handlers of a fold are bound when it is made: the next life has the one that raises.
    ring.start()
    ring.go_live()
    ring.hello()
    epoch = ring.epoch
    ring.record("orders", Kind.DISCREPANCY, Discrepancy("generic", "s", "o", "t", 1, "a"))
    lsn = next(r.lsn for r in reversed(ring.journal.records) if r.kind == Kind.DISCREPANCY)
    assert ring.exit is None
    assert ring.epoch == epoch + 1, "a life of its own, as after a crash"
    assert ring.core.books.discrepancies == 0
    assert "KeyError" in ring.core.books.left_out.text
    ring.go_live()
    ring.hello()
    assert ring.core.books.open_count() == 1
    ring.request(NewOrderRequest(0, 2, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))))
    assert ring.clients[b"p"][-1].reason is Reason.HALTED
    ring.record(JOURNAL, Kind.OPERATOR, OperatorAct(JOURNAL, SKIP, "p", str(lsn)))
    ring.new(3)


def test_a_fold_that_raises_while_more_of_the_log_is_being_read_begins_anew(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring.record("orders", Kind.DISCREPANCY, Discrepancy("generic", "s", "o", "t", 1, "a"))
    for number in range(2, 8):
        accepted(ring, number)
    raising(monkeypatch, orders_fold.Fold)
    ring.chunk = 2
    ring.start()
    while ring.read_on():
        assert ring.exit is None
    ring.chunk = None
    ring.go_live()
    assert "KeyError" in ring.core.books.left_out.text and ring.core.books.open_count() == 7


def test_risk_that_raises_begins_anew_without_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def half(self: Any, record: Record, verdict: Verdict) -> None:
        self.books.discrepancies = 99
        raise ZeroDivisionError("nobody thought of it")

    monkeypatch.setattr(orders_fold.Fold, "_verdict", half)
    rig = Rig()
    rig.record(Kind.VERDICT, Verdict("s", 1, "2", D(1), "p", "t"))
    assert not rig.state.books.discrepancies
    assert "ZeroDivisionError" in rig.state.books.left_out.text
    rig.log_tick(ms=1100)
    rig.top()
    rig.command(rig.orders.new())
    assert rig.refused[-1].reason is Reason.HALTED
    assert any(note.event == "unfoldable" for note in rig.notes)


def session_that_raises(monkeypatch: pytest.MonkeyPatch, folder: Path) -> tuple[World, int]:
    """A session with an order at its venue, and the record of it, at which its fold raises from now on."""
    world = World(OsFiles(), generic_config(str(folder / "emergency")))
    world.ready()
    world.command(world.new_order(1))

    def half(self: Any, *arguments: Any, **named: Any) -> None:
        raise KeyError("nobody thought of it")

    monkeypatch.setattr("services.session.open_orders.OpenOrders.order_sent", half)
    return world, next(r.lsn for r in reversed(world.journal.records) if r.kind == Kind.OUTBOUND)


def test_a_session_whose_fold_raises_begins_anew_with_the_record_s_number_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world, lsn = session_that_raises(monkeypatch, tmp_path)
    epoch, next_outbound = world.core.records.epoch, world.core.history.next_outbound
    world.crash()
    monkeypatch.undo()
    assert world.exit is None
    assert world.core.records.epoch == epoch + 2, "a life of its own, as after a crash"
    assert world.core.history.next_outbound >= next_outbound
    world.advance(2000)
    world.open_gate()
    world.command(world.new_order(2))
    refused = world.journal.payloads(Kind.REFUSED)[-1]
    assert isinstance(refused, Refused) and refused.reason is Reason.HALTED
    assert f"fixring journal skip {lsn}" in refused.value
    assert world.control("skip", lsn=lsn).ok
    world.command(world.new_order(3))
    numbers = [p.msg_seq_num for p in world.journal.payloads(Kind.OUTBOUND) if isinstance(p, Outbound)]
    assert len(numbers) == len(set(numbers))
    assert world.venue.heard[-1][b"35"] == b"D"


def test_a_latched_session_whose_fold_raises_cancels_without_the_journal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world, lsn = session_that_raises(monkeypatch, tmp_path)
    world.control("kill")
    world.journal.dead = True
    world.crash()
    world.advance(2000)
    assert world.exit is None
    assert world.core.status(world.now)["left_out_lsns"] == [lsn]
    assert world.core.emergency.active and world.core.kill.latched


def test_what_a_living_session_cannot_fold_is_in_the_log_and_left_out_by_the_next_life(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path / "emergency")))
    world.ready()
    order = world.new_order(1)
    world.command(order)

    def half(self: Any, *arguments: Any, **named: Any) -> None:
        raise KeyError("nobody thought of it")

    monkeypatch.setattr("services.session.open_orders.OpenOrders.hear_event", half)
    inbound = world.core.history.next_inbound
    world.venue_says("8", f"37=91|11={order.cl_ord_id}|17=e1|150=0|39=0|55=BTCUSDT|54=1|38=0.5|14=0|151=0.5|6=0|")
    assert world.exit is not None and "nobody thought of it" in world.exit.text
    world.exit = None
    world.crash()
    assert world.exit is None and world.core.history.next_inbound > inbound
    record = world.journal.records[list(world.core.folded.left_out.unaccepted)[0] - 1]
    assert record.kind == Kind.INBOUND


@pytest.mark.parametrize("state", [SessionState.CONNECTING, SessionState.LOGGED_ON])
def test_what_a_record_that_is_left_out_tells_of_numbers_is_kept(state: SessionState) -> None:
    folded = Folded("session@generic", "generic", Generic(), LeftOut((), [Unfoldable(2, KeyError("x"))]))
    folded.apply(record_of(1, Kind.OUTBOUND, outbound(new_order(7), 4)))
    folded.apply(record_of(2, Kind.SESSION, SessionChanged("generic", 2, 5, state, 1, 1, "us")))
    history = folded.history
    assert (history.generation, history.connection) == (2, 5)
    assert (history.next_outbound, history.next_inbound, dict(history.sent)) == (1, 1, {})


def test_a_record_that_is_left_out_of_what_an_emergency_file_holds_is_counted_as_handed_over() -> None:
    folded = Folded("session@generic", "generic", Generic(), LeftOut({2}))
    begins = SessionChanged("generic", 1, 1, SessionState.LATCHED, 1, 1, "us", hand_over_begins("f", 0))
    for lsn, kind, payload in ((1, Kind.SESSION, begins), (2, Kind.OUTBOUND, outbound(new_order(7), 4))):
        folded.apply(record_of(lsn, kind, payload))
    assert folded.history.hand_overs.done == {"f": 1}
    assert folded.history.next_outbound == 5


def test_a_session_halts_what_adds_risk_until_it_hears_that_the_record_is_accepted(tmp_path: Path) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path / "emergency")))
    world.ready()
    world.journal.write(world.core.name, Kind.INBOUND, b"\xc1", world.core.records.epoch, 99)
    lsn = len(world.journal.records)
    world.crash()
    world.advance(2000)
    world.open_gate()
    world.command(world.new_order(1))
    refused = world.journal.payloads(Kind.REFUSED)[-1]
    assert isinstance(refused, Refused) and refused.reason is Reason.HALTED
    assert world.core.status(world.now)["left_out_lsns"] == [lsn]
    assert world.control("skip", lsn=lsn).ok
    world.command(world.new_order(2))
    sent = [p.command for p in world.journal.payloads(Kind.OUTBOUND) if isinstance(p, Outbound)]
    assert any(isinstance(command, NewOrder) for command in sent)


# ---- what a person has accepted ----


def test_a_skipped_record_is_left_out_by_every_fold_and_halts_none() -> None:
    record = record_of(5, Kind.OUTBOUND, outbound(new_order()))
    books = load_books(dump_books(Ring().core.books), {}, LeftOut({5}))
    Fold(books).apply(record)
    assert not books.orders and not books.left_out.halts
    state = RiskState(Books({}, left_out=LeftOut({5})))
    state.apply(record)
    assert not state.books.orders and not state.books.left_out.halts


def test_a_snapshot_that_has_folded_what_is_skipped_is_not_used() -> None:
    ring = Ring()
    data = dump_books(ring.core.books)
    load_books(data, {}, LeftOut({ring.core.books.lsn + 1}))
    with pytest.raises(ValueError, match="record 1 is skipped"):
        load_books(data, {}, LeftOut({1}))


def test_what_was_left_out_stays_so_over_snapshots_until_it_is_accepted() -> None:
    left_out = LeftOut()
    left_out.add(3, "why")
    again = LeftOut()
    again.load(left_out.dump(), 9)
    assert again.halts and again.unaccepted == {3: "why"}
    accepted = LeftOut({3})
    accepted.load(left_out.dump(), 9)
    assert not accepted.halts and not accepted.text
    again.hear(OperatorAct(JOURNAL, SKIP, "p", "no number"))
    again.hear(OperatorAct("risk", SKIP, "p", "3"))
    assert again.halts
    assert 7 in LeftOut((), [Unfoldable(7, KeyError("x"))])


# ---- a journal of before the bounds ----


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """The stored journal as files."""
    folder = tmp_path / "journal"
    folder.mkdir()
    shutil.copy(STORED / "mark", folder)
    for packed in STORED.glob("*.gz"):
        (folder / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    return folder


def test_a_journal_of_before_the_bounds_replays(before: Path, tmp_path: Path) -> None:
    last = verify(before, OsFiles()).last_lsn
    records = Reader(before, OsFiles()).read(1, last, 1 << 24)
    assert len(records) == last
    orders, risk = folded_orders(), folded_risk()
    states: dict[str, Foldable] = {"orders": orders, "risk": risk}
    states["session"] = Folded("session@generic", "generic", Generic())
    for record in records:
        for state in states.values():
            state.apply(record)
    assert not orders.books.left_out.dump() and not risk.books.left_out.dump()
    assert orders.books.positions["generic", "BTCUSDT"].quantity == 2
    assert risk.exposure.firm["generic", "BTCUSDT"].position == 2
    assert orders.books.names.highest == {"maker 2": 3, "maker": HIGHEST_NUMBER}
    assert len(orders.books.orders["maker 2", 1].label) == 300_000


def test_what_a_journal_of_before_the_bounds_holds_leaves_memory_for_the_index_and_is_found(
    before: Path, tmp_path: Path
) -> None:
    index = IndexFile(tmp_path / "i" / "orders.sqlite")
    ring = Forgetful(index, SMALL)
    for record in Reader(before, OsFiles()).read(1, 1 << 30, 1 << 24):
        if record.kind >= Kind.OUTBOUND:
            ring.record(record.writer, record.kind, record.payload)
    for number in range(1, 11):
        command = ring.new(number)
        ring.sent(command)
        ring.report(command, "F", "2", qty="1", key=f"t{number}")
    index.write(ring.core.books.lsn)
    index.close()
    again = IndexFile(tmp_path / "i" / "orders.sqlite")
    old, highest = again.order("maker 2", 1), again.order("maker", HIGHEST_NUMBER)
    assert old is not None and len(old.label) == 300_000
    assert highest is not None and highest.cum_qty == 1
    again.close()
