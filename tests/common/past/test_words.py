"""Records in words: every kind there ever was, secrets masked, nothing that steers a terminal."""

from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from common.journal import OsFiles, Record, iterate
from common.messages import (
    Announced,
    AssetRate,
    AssetRates,
    Attempt,
    Booked,
    CancelAll,
    DayBegan,
    DayPrice,
    ExecutionReport,
    FilledByHand,
    Inbound,
    Kind,
    LostOrder,
    NewOrder,
    Outbound,
    Payload,
    RateRefused,
    Reason,
    RefusedAttempt,
    Terms,
    Unanswered,
    Unreadable,
    encode,
)
from common.past.words import document, kind_name, line, payload_of

STORED = Path(__file__).parents[2] / "common" / "journal" / "first_format"

SUMMARIES = """\
EPOCH       journal begins epoch 1767225600
EPOCH       session@generic begins epoch 1767225600
SESSION     generic connecting connection 1 generation 1 next out 1 in 1
OUTBOUND    generation 1 MsgSeqNum(34)=1 > Logon(A)
INBOUND     generation 1 MsgSeqNum(34)=1 < Logon(A)
SESSION     generic opened connection 1 generation 1 next out 2 in 2
OUTBOUND    generation 1 MsgSeqNum(34)=2 attempt 1767225600/1 > NewOrderSingle(D)
INBOUND     generation 1 MsgSeqNum(34)=2 < ExecutionReport(8)
INBOUND     generation 1 MsgSeqNum(34)=3 < ExecutionReport(8)
OUTBOUND    generation 1 MsgSeqNum(34)=3 attempt 1767225600/2 > OrderCancelRequest(F)
WITHDRAWN   generic MsgSeqNum(34)=3: late
OUTBOUND    generation 1 MsgSeqNum(34)=3 filler > Heartbeat(0)
GAP_FILLED  generic MsgSeqNum(34) 3 to 3: 1 commands
INBOUND     generation 1 MsgSeqNum(34)=4 < OrderCancelReject(9)
INBOUND     generation 1 MsgSeqNum(34)=5 < BusinessMessageReject(j)
INBOUND     generation 1 MsgSeqNum(34)=6 < OrderMassCancelReport(r)
INBOUND     generation 1 MsgSeqNum(34)=7 < News(B)
OPERATOR    session@generic kill by root/1 drill
EPOCH       orders begins epoch 1767225600
REFUSED     maker/3 by orders: bad_tick price 1.005
EXPIRED     maker/4 deadline 20260101-00:00:00.000000
DISCREPANCY generic order 77: ours open, theirs filled; asked again
VERDICT     maker/1 ended with OrdStatus(39)=4 by root/1: the venue said so by telephone
STATE_HASH  orders at 10000: 0102030405060708
EPOCH       account@generic begins epoch 1767225600
ANSWER      generic order toxvb9-1 answered
TICK
EPOCH       journal begins epoch 1767225601
TICK        low disk
"""

SINCE: dict[Kind, tuple[Payload, str]] = {
    Kind.RATE_REFUSED: (
        RateRefused(
            "risk", Reason.STRATEGY_RATE, "over 5", "maker",
            (RefusedAttempt(8, Attempt(1, 1), 1), RefusedAttempt(9, Attempt(1, 2), 1)),
        ),
        "maker 8 to 9, 2 commands: strategy_rate over 5",
    ),
    Kind.FILLED_BY_HAND: (
        FilledByHand("maker", 3, Decimal("0.5"), Decimal(100), "root/1", "on their page"),
        "maker/3 filled 0.5 at 100 by root/1: on their page",
    ),
    Kind.DAY_BEGAN: (
        DayBegan("2026-01-02", "Asia/Tokyo", 1, (DayPrice("generic", "BTCUSDT", Decimal(100), 3),)),
        "2026-01-02 Asia/Tokyo, 1 prices",
    ),
    Kind.ASSET_RATES: (
        AssetRates("USDT", (AssetRate("BTC", Decimal(60000), 3), AssetRate("BNB", Decimal("600.5"), 4))),
        "in USDT: BTC 60000, BNB 600.5",
    ),
    Kind.BOOKED: (
        Booked("generic", "BTCUSDT", "maker", Decimal(2), Decimal(100), "root/1", "ours", True, "old"),
        "generic: 2 BTCUSDT at 100 from old to maker by root/1: ours",
    ),
    Kind.LOST_ORDER: (
        LostOrder(
            "host-a, record 7 (0000abcd)",
            Outbound(
                "generic", 1, 1, 7, "D", b"",
                NewOrder(Attempt(1, 1), "maker", 5, "generic", "BTCUSDT", Terms("1", "2", Decimal(1)), "toxvb9-5", 1),
            ),
            1, 1,
        ),
        "host-a, record 7 (0000abcd): maker/5 as toxvb9-5",
    ),
    Kind.CANCEL_ALL: (
        CancelAll("maker", 7, "generic", "", "*"), "maker/7 cancels everybody's orders, generic"
    ),
    Kind.UNANSWERED: (
        Unanswered("generic", "maker", 1, Attempt(1767225600, 1), 5010), "maker/1 at generic: no answer for 5010 ms"
    ),
}  # fmt: skip
"""The kinds that a journal of the first format does not have."""


def stored() -> list[Record]:
    return list(iterate(STORED, OsFiles()))


def test_every_kind_in_words() -> None:
    lines = [line(record, payload_of(record)) for record in stored()]
    for lsn, (shown, summary) in enumerate(zip(lines, SUMMARIES.splitlines(), strict=True), 1):
        assert shown.startswith(f"{lsn:>9} 20260101-00:00:0")
        assert shown[52:].startswith(summary)


def test_every_kind_has_its_place_in_the_stored_journal() -> None:
    kinds = {record.kind for record in stored()}
    assert kinds >= set(Kind) - set(SINCE)


def test_a_kind_that_came_later_in_words() -> None:
    for kind, (payload, summary) in SINCE.items():
        record = record_of(kind, encode(payload))
        assert line(record, payload_of(record)).endswith(summary)


def test_every_payload_of_the_first_format_decodes_and_is_json() -> None:
    for record in stored():
        payload = payload_of(record)
        assert (payload is not None) == (record.kind >= 16)
        told = orjson.loads(orjson.dumps(document(record, payload)))
        assert told["lsn"] == record.lsn
        assert told["kind"] == kind_name(record.kind)
    assert told["payload"] == "01"


def test_amounts_are_text_and_messages_are_readable() -> None:
    record = stored()[6]
    told = document(record, payload_of(record))["payload"]
    assert isinstance(told, dict)
    assert told["raw"].startswith("8=FIX.4.4|9=")
    assert told["command"]["price"] == "65000.00"
    assert told["command"]["attempt"] == {"epoch": 1767225600, "counter": 1}
    assert told["command"]["type"] == "new_order"


def record_of(kind: int, payload: bytes) -> Record:
    return Record(1, 0, kind, "session@x", 1, 1, 1, 0, payload)


def test_secrets_are_masked() -> None:
    raw = b"8=FIX.4.4\x019=48\x0135=A\x0149=ME\x01553=someone\x01554=hunter2\x0196=c2lnbmF0dXJl\x0110=000\x01"
    record = record_of(Kind.OUTBOUND, encode(Outbound("x", 1, 1, 1, "A", raw)))
    payload = payload_of(record)
    for text in (line(record, payload), orjson.dumps(document(record, payload)).decode()):
        assert "hunter2" not in text
        assert "c2lnbmF0dXJl" not in text


def test_a_venues_text_does_not_steer_the_terminal() -> None:
    record = record_of(Kind.INBOUND, encode(Inbound("x", 1, 1, 1, "B", b"8=FIX", Announced("\x1b[2J"))))
    assert line(record, payload_of(record)).isprintable()


@pytest.mark.parametrize(("kind", "payload"), [(99, b"\x01\x02"), (Kind.OUTBOUND, b"\xc1"), (Kind.SESSION, b"")])
def test_what_this_version_does_not_read_is_counted_in_bytes(kind: int, payload: bytes) -> None:
    record = record_of(kind, payload)
    assert payload_of(record) is None
    assert f"{len(payload)} bytes that this version does not read" in line(record, None)
    assert document(record, None)["payload"] == payload.hex()


def test_what_of_a_message_could_not_be_read_is_shown() -> None:
    raw = b"8=FIX.4.4\x019=5\x0135=8\x0110=000\x01"
    fill = ExecutionReport(
        "1", "", "9", "x", "F", "1", "B", "1", None, None, Decimal(1), Decimal(1), None, None,
        unread=("TransactTime(60)", "Price(44)"),
    )  # fmt: skip
    shown: dict[str, ExecutionReport | Unreadable] = {
        "[unread: TransactTime(60), Price(44)]": fill,
        "[unreadable: LastQty(32) is no number]": Unreadable("1", "", "9", "B", "LastQty(32) is no number"),
    }
    for words, event in shown.items():
        payload = Inbound("generic", 1, 1, 7, "8", raw, event)
        record = Record(1, 0, Kind.INBOUND, "session@generic", 1, 1, 1, 0, encode(payload))
        assert f"MsgSeqNum(34)=7 < {words} " in line(record, payload_of(record))
