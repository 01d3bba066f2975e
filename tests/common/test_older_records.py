"""What older code wrote reads as if today's code had written it."""

from decimal import Decimal

import msgspec
import pytest

from common.messages import (
    AmendOrder,
    Answer,
    Ask,
    Attempt,
    CancelOrder,
    Inbound,
    Kind,
    NewOrder,
    Outbound,
    Reason,
    Refused,
    SessionChanged,
    SessionState,
    encode,
)
from common.soundness import DECODERS

ATTEMPT = Attempt(5, 1)
ONE = Decimal(1)
NEW = NewOrder(ATTEMPT, "hand", 1, "binance", "BTCUSDT", "1", "2", ONE, ONE, "1", False, "5-1", 9)
AMEND = AmendOrder(
    ATTEMPT, "hand", 2, "binance", "BTCUSDT", "1", "2", ONE, ONE, "1", False, "5-2", "5-1", "", "hand", 1, ONE, ONE,
    Decimal(0), 9,
)  # fmt: skip
CANCEL = CancelOrder(ATTEMPT, "hand", 3, "binance", "BTCUSDT", "1", "5-3", "5-1", "", "hand", 1, ONE)


def stored(payload: msgspec.Struct, fields: int, **within: int) -> bytes:
    """The payload with its tag and first `fields` fields alone, as it was before the later ones came; `within` says the
    same of what a field holds."""
    plain = msgspec.msgpack.decode(encode(payload))[: fields + 1]
    for name, count in within.items():
        at = payload.__struct_fields__.index(name) + 1
        plain[at] = plain[at] and plain[at][: count + 1]
    return encode(plain)


@pytest.mark.parametrize(
    ("msg_type", "command", "opens"),
    [
        ("D", NEW, True), ("XCN", AMEND, True), ("XAK", AMEND, False), ("G", AMEND, False), ("F", CANCEL, False),
        ("0", None, False),
    ],
)  # fmt: skip
def test_an_older_session_left_it_to_the_reader_to_tell_what_opens_an_order(
    msg_type: str, command: NewOrder | AmendOrder | CancelOrder | None, opens: bool
) -> None:
    record = stored(Outbound("binance", 1, 1, 7, msg_type, b"raw", command), 9)
    assert DECODERS[Kind.OUTBOUND](record).opens is opens


def test_what_the_session_wrote_stands_whatever_the_type_of_the_message() -> None:
    record = Outbound("binance", 1, 1, 7, "XNEW", b"raw", AMEND, opens=True)
    assert DECODERS[Kind.OUTBOUND](encode(record)) == record


def test_the_venue_and_the_account_of_an_older_record_are_its_session() -> None:
    found = [
        DECODERS[Kind.OUTBOUND](stored(Outbound("binance", 1, 1, 7, "D", b"raw", NEW), 9, command=15)),
        DECODERS[Kind.INBOUND](stored(Inbound("binance", 1, 1, 7, "8", b"raw"), 8)),
        DECODERS[Kind.SESSION](stored(SessionChanged("binance", 1, 1, SessionState.OPENED, 1, 1), 10)),
    ]
    assert {(each.session, each.account, each.venue) for each in found} == {("binance",) * 3}
    command = found[0].command
    assert (command.venue, command.account, command.session) == ("binance",) * 3


def test_the_account_of_an_older_answer_and_of_an_older_refusal_is_the_venue() -> None:
    answer = DECODERS[Kind.ANSWER](stored(Answer("binance", Ask("binance", 1, "time"), False), 11, ask=10))
    assert (answer.account, answer.ask.account) == ("binance", "binance")
    refused = Refused("risk", Reason.KILLED, "", "hand", 1, ATTEMPT, NEW)
    read = DECODERS[Kind.REFUSED](stored(refused, 10, command=15))
    assert (read.command.account, read.command.session) == ("binance", "binance")
