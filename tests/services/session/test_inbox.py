"""What the venue says is journaled whatever bytes it is made of, and names the trade or attempt that it is of."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import msgspec
import orjson
import pytest

from common.fix.wire import encode, split
from common.journal.files import OsFiles
from common.messages import (
    MAX_RECORD_BYTES,
    MAX_TEXT_CHARACTERS,
    Attempt,
    ExecutionReport,
    Inbound,
    Kind,
    QueryOrder,
    RequestRejected,
    SessionChanged,
    SessionState,
    Unreadable,
    VenueEvent,
)
from common.venues.generic.dialect import Generic
from services.session.recovery import load_folded
from tests.journals import decode_payload
from tests.services.session.harness import World, generic_config
from tests.services.session.test_kill import accept, away_and_killed

FILL = "37=91|11=7-1|17={key}|150=F|39=1|55=BTCUSDT|54=1|38=0.5|32=0.1|31=9|14=0.1|151=0.4|6=9|"


def inbounds(world: World) -> list[Inbound]:
    """The venue's messages in the log."""
    return [p for p in world.journal.payloads(Kind.INBOUND) if isinstance(p, Inbound)]


def reports(world: World) -> list[ExecutionReport]:
    """The reports in the log, as they were understood."""
    return [p.event for p in inbounds(world) if isinstance(p.event, ExecutionReport)]


def keys(world: World) -> list[tuple[str, str]]:
    """The trades' identities in the log."""
    return [(event.trade_key, event.reference_trade_key) for event in reports(world)]


@pytest.mark.parametrize(
    ("msg_type", "body"),
    [
        ("8", b"37=9|11=7-1|17=r1|150=8|39=8|103=0|55=BTCUSDT|54=1|38=0.5|14=0|151=0|6=0|58=Cours refus\xe9|"),
        ("8", b"37=9\xff|11=7-1|17=n1|150=0|39=0|55=BTCUSDT|54=1|38=0.5|14=0|151=0.5|6=0|"),
        ("8", b"37=9|11=gui\xff|17=n\xff|150=0|39=0|55=B\xff|54=1|38=0.5|14=0|151=0.5|6=0|"),
        ("9", b"37=NONE|11=7-2\xff|41=7-1|39=8|434=1|102=1|58=\xed\xa0\x80|"),
        ("j", b"45=2|372=D|379=\xff|380=3|58=\xff|"),
        ("3", b"45=2|372=\xff|373=5|58=\xff|"),
        ("B", b"148=\xff|33=1|58=x|"),
        ("r", b"37=1|11=\xff|530=1|531=0|532=99|55=\xff|58=\xff|"),
        ("U\xff", b"58=\xff|"),
        ("5", b"58=Session ferm\xe9e|"),
        ("1", b"112=\xe9|"),
        ("0", b"112=\xe9|"),
    ],
)
def test_bytes_that_are_no_text_are_journaled_and_the_session_goes_on(world: World, msg_type: str, body: bytes) -> None:
    world.ready()
    world.command(world.new_order(1))
    before = len(inbounds(world))
    world.venue_says_bytes(msg_type, body)
    assert any(body.split(b"|")[-2] in inbound.raw for inbound in inbounds(world)[before:])
    for note in world.notes:
        orjson.dumps(note.fields)
    orjson.dumps(world.core.status(world.now))
    world.crash()
    world.advance(8000)
    assert world.core.status(world.now)["state"] == "reconciling", "a new life reads it and is logged on again"


def test_an_unreadable_fill_is_journaled_raw_and_shown_and_what_follows_is_heard(world: World) -> None:
    world.ready()
    world.command(world.new_order(1))
    accept(world, 1)
    world.venue_says("8", FILL.format(key="f1").replace("32=0.1", "32=1E999999"))
    last = inbounds(world)[-1]
    assert b"32=1E999999" in last.raw and isinstance(last.event, Unreadable)
    assert (last.event.cl_ord_id, last.event.order_id, last.event.symbol) == ("7-1", "91", "BTCUSDT")
    (note,) = [note for note in world.notes if note.event == "unreadable"]
    assert note.level == "error" and "LastQty(32)" in str(note.fields["why"])
    assert world.core.status(world.now)["unreadable"] == 1
    assert [order.cl_ord_id for order in world.core.history.orders.all()] == ["7-1"]
    world.venue_says("8", FILL.format(key="f2"))
    assert reports(world)[-1].exec_id == "f2"


def test_a_fill_with_an_odd_field_counts_and_the_field_is_shown(world: World) -> None:
    world.ready()
    world.command(world.new_order(1))
    accept(world, 1)
    world.venue_says("8", FILL.format(key="f1") + "60=20270115-08:00:50Z|")
    assert reports(world)[-1].last_qty == Decimal("0.1") and reports(world)[-1].unread == ("TransactTime(60)",)
    (note,) = [note for note in world.notes if note.event == "unread"]
    assert note.fields["fields"] == ["TransactTime(60)"]
    status = world.core.status(world.now)
    assert (status["unread"], status["unreadable"]) == (1, 0)


@pytest.mark.parametrize("odd", ["354=4|355=\xc3\xbcber|", "58=a|b|", "58=a=b|x1=3|", "95=9|96=x|"])
def test_a_report_that_cannot_be_cut_takes_its_number_and_names_its_order(world: World, odd: str) -> None:
    world.ready()
    world.command(world.new_order(1))
    accept(world, 1)
    expected = world.core.history.next_inbound
    world.venue_says_bytes("8", (FILL.format(key="f1") + odd).encode("latin-1"))
    assert world.core.history.next_inbound == expected + 1
    last = inbounds(world)[-1]
    assert last.msg_seq_num == expected and odd.split("|")[1].encode("latin-1") in last.raw
    assert isinstance(last.event, Unreadable) and last.event.cl_ord_id == "7-1"
    assert world.core.status(world.now)["unreadable"] == 1
    world.venue_says("8", FILL.format(key="f2"))
    assert reports(world)[-1].exec_id == "f2", "what follows is heard"
    world.crash()
    world.advance(8000)
    assert world.core.status(world.now)["state"] == "reconciling"


def test_a_rejection_that_cannot_be_cut_names_the_message_it_rejects(world: World) -> None:
    world.ready()
    world.command(world.new_order(1))
    number = world.venue.heard[-1][b"34"].decode()
    world.venue_says_bytes("3", f"45={number}|372=D|373=99|354=1|355=no|".encode())
    event = inbounds(world)[-1].event
    assert isinstance(event, Unreadable) and (event.attempt, event.cl_ord_id) == (Attempt(7, 1), "7-1")
    assert len(world.core.history.orders) == 1


def test_a_report_that_is_rejected_names_its_order(world: World) -> None:
    world.ready()
    world.command(world.new_order(1))
    number = world.venue.next_outbound
    body = f"35=8|34={number}|49=GENERIC|56=FIXRING|52=yesterday|{FILL.format(key='f1')}"
    world.to_session(encode(b"FIX.4.4", body.replace("|", "\x01").encode()))
    world.settle()
    event = inbounds(world)[-1].event
    assert isinstance(event, Unreadable) and event.cl_ord_id == "7-1"


def unnumbered(world: World) -> None:
    """A fill whose MsgSeqNum(34) has 19 digits."""
    body = f"35=8|34={'9' * 19}|49=GENERIC|56=FIXRING|52=20270115-08:00:50.000|{FILL.format(key='f1')}"
    world.to_session(encode(b"FIX.4.4", body.replace("|", "\x01").encode()))
    world.settle()
    world.advance(1000)


def test_a_number_that_cannot_be_read_and_comes_again_halts_the_session_until_a_person_sets_it(world: World) -> None:
    world.ready()
    world.command(world.new_order(1))
    accept(world, 1)
    unnumbered(world)
    last = next(p for p in reversed(inbounds(world)) if p.msg_type == "8")
    assert last.msg_seq_num == 0 and b"34=" + b"9" * 19 in last.raw and isinstance(last.event, Unreadable)
    assert world.core.status(world.now)["state"] != "halted", "once may be a slip"
    expected = world.core.history.next_inbound
    unnumbered(world)
    assert world.core.status(world.now)["state"] == "halted"
    assert "MsgSeqNum(34)=0" in str(world.core.status(world.now)["halted"])
    connects = len(world.connects)
    world.advance(60_000)
    assert len(world.connects) == connects
    assert world.control("set_seq", next_inbound=expected + 1).ok
    world.venue.next_outbound = expected + 1
    world.control("logon")
    world.advance(200)
    assert world.core.status(world.now)["state"] == "reconciling"


def test_a_gap_fill_that_says_no_number_is_journaled_and_halts_the_session_in_the_end(world: World) -> None:
    world.ready()
    expected = world.core.history.next_inbound
    body = f"35=4|34={expected}|43=Y|49=GENERIC|56=FIXRING|52=20270115-08:00:50.000|123=Y|36={'9' * 19}|"
    raw = encode(b"FIX.4.4", body.replace("|", "\x01").encode())
    for _ in range(2):
        world.to_session(raw)
        world.settle()
    assert [p.msg_seq_num for p in inbounds(world) if p.raw == raw] == [0, 0]
    world.cut()
    assert world.core.status(world.now)["state"] == "halted"


def test_a_number_that_cannot_be_read_twice_in_a_long_time_halts_nothing(world: World) -> None:
    world.ready()
    unnumbered(world)
    world.advance(3_700_000)
    unnumbered(world)
    assert world.core.status(world.now)["state"] == "reconciling"


def test_the_rejection_of_a_status_request_names_the_attempt_and_not_the_order(world: World) -> None:
    world.ready()
    world.command(world.new_order(1))
    world.command(QueryOrder(Attempt(7, 9), "generic", "BTCUSDT", "1", "7-1", "", 1))
    asked = world.venue.heard[-1]
    assert asked[b"35"] == b"H"
    for fields in ("372=H|380=4|", "379=7-1|380=4|"):
        world.venue_says("j", f"45={asked[b'34'].decode()}|{fields}")
        event = inbounds(world)[-1].event
        assert isinstance(event, RequestRejected)
        assert (event.attempt, event.cl_ord_id) == (Attempt(7, 9), "")
    assert len(world.core.history.orders) == 1


def test_the_rejection_of_an_order_names_it_as_we_sent_it(world: World) -> None:
    world.ready()
    world.command(world.new_order(1))
    number = world.venue.heard[-1][b"34"].decode()
    world.venue_says("j", f"45={number}|372=D|379=other|380=4|")
    event = inbounds(world)[-1].event
    assert isinstance(event, RequestRejected) and (event.attempt, event.cl_ord_id) == (Attempt(7, 1), "7-1")


def test_an_exec_id_is_a_trades_identity_only_since_the_numbers_began(world: World) -> None:
    world.ready()
    world.command(world.new_order(1))
    accept(world, 1)
    world.venue_says("8", FILL.format(key="1"))
    world.venue_says("8", FILL.format(key="2").replace("150=F", "19=1|150=H"))
    assert keys(world) == [("", ""), ("1/1", ""), ("1/2", "1/1")]
    assert reports(world)[-1].exec_id == "2"
    world.control("logout")
    world.control("reset")
    world.control("logon")
    world.advance(200)
    world.venue_says("8", FILL.format(key="1"))
    assert keys(world)[-1] == ("2/1", "")


def test_what_the_venue_repeats_after_numbers_were_set_by_hand_is_the_same_trade(world: World) -> None:
    world.ready()
    world.command(world.new_order(1))
    accept(world, 1)
    number = world.venue.next_outbound
    world.venue_says("8", FILL.format(key="1"))
    world.control("logout")
    assert world.control("set_seq", next_inbound=number).ok
    world.control("logon")
    world.advance(200)
    again = [p for p in inbounds(world) if p.poss_dup and b"17=1\x01" in p.raw]
    assert [p.generation for p in again] == [2], "it was resent"
    assert keys(world)[-1] == ("1/1", "")
    folded = world.core.folded
    loaded = load_folded(folded.dump(), world.core.name, "generic", world.dialect)
    assert loaded.history.numbers_began == 1 and loaded.digest() == folded.digest()


def test_both_numbers_set_to_one_by_hand_are_a_new_beginning(world: World) -> None:
    world.ready()
    world.control("logout")
    assert world.control("set_seq", next_outbound=1, next_inbound=1).ok
    assert world.core.history.numbers_began == world.core.history.generation == 2


def test_a_trade_has_the_same_identity_in_the_emergency_file(tmp_path: Path) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path / "emergency")))
    away_and_killed(world)
    world.advance(600)
    assert world.core.emergency.active
    world.venue_says("8", FILL.format(key="t2"))
    world.journal.dead = False
    world.advance(1000)
    assert {key for key, _ in keys(world)} >= {"1/t1", "1/t2"}


def test_numbers_set_by_hand_while_the_journal_was_away_begin_no_other_trades(tmp_path: Path) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path / "emergency")))
    world.ready()
    world.command(world.new_order(1))
    accept(world, 1)
    number = world.venue.next_outbound
    world.venue_says("8", FILL.format(key="t1"))
    world.control("logout")
    world.journal.dead = True
    assert world.control("set_seq", next_inbound=number).ok
    world.control("kill")
    world.advance(1000)
    assert world.core.emergency.active and world.core.history.numbers_began == 1
    world.crash()
    world.journal.dead = False
    world.start()
    world.advance(1000)
    assert (world.core.history.generation, world.core.history.numbers_began) == (2, 1)
    world.control("logout")
    assert world.control("set_seq", next_inbound=number).ok
    world.control("logon")
    world.advance(1000)
    assert keys(world)[-1] == ("1/t1", "") and [p.generation for p in inbounds(world) if b"17=t1" in p.raw][-1] == 3


def test_a_record_that_is_left_out_and_set_the_numbers_by_hand_begins_no_other_trades(world: World) -> None:
    world.ready()
    history = world.core.history
    change = msgspec.structs.replace(history.change(SessionState.NUMBERS_SET, "by_hand"), generation=2, next_inbound=2)
    history.use_number(change)
    assert (history.generation, history.numbers_began) == (2, 1)


def test_a_fill_that_came_behind_a_gap_and_was_gap_filled_is_in_the_log_before_the_jump(world: World) -> None:
    world.ready()
    world.command(world.new_order(1))
    accept(world, 1)
    expected = world.core.history.next_inbound
    world.venue.fills_alone = True
    assert world.venue.fix is not None
    world.venue.fix.next_outbound += 1  # a number that the venue used for nothing
    world.venue_says("8", FILL.format(key="t1"))
    assert keys(world) == [("", ""), ("1/t1", "")] and world.core.history.next_inbound == expected + 2
    kinds = [record.kind for record in world.journal.records if record.writer == world.core.name]
    assert kinds[-2:] == [Kind.INBOUND, Kind.SESSION]
    assert world.core.status(world.now)["state"] == "ready"


def test_a_report_that_a_dead_connection_had_told_behind_a_gap_is_named(world: World) -> None:
    world.ready()
    world.command(world.new_order(1))
    assert world.venue.fix is not None
    world.swallow = True
    world.venue.fix.next_outbound += 1
    world.venue_says("8", FILL.format(key="t1"))
    world.cut()
    assert [note.event for note in world.notes if note.event == "early_lost"] == ["early_lost"]


def test_a_report_with_texts_of_half_a_million_bytes_makes_a_record_that_the_journal_takes(world: World) -> None:
    world.ready()
    world.command(world.new_order(1))
    long = b"\xff" * 530_000
    line = b"37=9|11=7-1|17=n1|150=0|39=0|55=BTCUSDT|54=1|38=0.5|14=0|151=0.5|6=0|58=" + long + b"|"
    world.venue_says_bytes("8", line)
    record = world.journal.records[-1]
    assert len(record.payload) < MAX_RECORD_BYTES
    told = decode_payload(record.payload)
    assert isinstance(told, Inbound)
    assert long in told.raw
    assert isinstance(told.event, ExecutionReport)
    assert 0 < len(told.event.text) < 10_000


def test_a_last_word_of_half_a_million_bytes_is_cut_in_the_step_that_it_explains(world: World) -> None:
    world.ready()
    world.venue_says("5", "58=" + "x" * 530_000 + "|")
    assert all(len(record.payload) < MAX_RECORD_BYTES for record in world.journal.records)
    texts = [p.text for p in world.journal.payloads(Kind.SESSION) if isinstance(p, SessionChanged)]
    assert max(map(len, texts)) <= MAX_TEXT_CHARACTERS


def test_a_rejection_without_a_number_is_known_by_the_request_s_name(tmp_path: Path) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path)), Nameless())
    world.ready()
    order = world.new_order(1)
    world.command(order)
    assert len(world.core.history.orders) == 1
    world.venue_says("j", "45=0|372=D|379=7-1|380=0|58=no money|")
    event = world.journal.payloads(Kind.INBOUND)[-1]
    assert isinstance(event, Inbound) and isinstance(event.event, RequestRejected)
    assert event.event.attempt == order.attempt
    assert len(world.core.history.orders) == 0, "it opened nothing: the kill switch has nothing to cancel"


class Nameless(Generic):
    """A venue whose BusinessMessageReject(j) has BusinessRejectRefID(379) and no number."""

    def decode(self, msg_type: str, raw: bytes, fields: Mapping[bytes, bytes] | None = None) -> VenueEvent | None:
        """See `Dialect`."""
        if msg_type != "j":
            return super().decode(msg_type, raw, fields)
        return RequestRejected(0, None, split(raw)[b"379"].decode())


def test_an_acknowledgement_behind_the_order_s_end_opens_nothing(tmp_path: Path) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path)))
    world.ready()
    world.command(world.new_order(1))
    world.venue_says("8", "37=91|11=7-1|17=a|150=F|39=2|55=BTCUSDT|54=1|38=0.5|14=0.5|151=0|32=0.5|31=9|6=9|")
    for pending in "A6E":
        line = f"37=91|11=7-1|17=b{pending}|150={pending}|39={pending}|55=BTCUSDT|54=1|38=0.5|14=0|151=0.5|6=0|"
        world.venue_says("8", line)
    assert len(world.core.history.orders) == 0
