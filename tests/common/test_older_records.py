"""What older code wrote reads as if today's code had written it."""

from decimal import Decimal

import msgspec
import pytest

from common.messages import (
    POST_ONLY,
    AmendOrder,
    Answer,
    AnyEntryRequest,
    Ask,
    Attempt,
    CancelOrder,
    Inbound,
    Kind,
    NewOrder,
    NewOrderRequest,
    Outbound,
    Reason,
    Refused,
    SessionChanged,
    SessionState,
    Terms,
    encode,
    upgraded,
)
from common.request_identity import request_identity
from common.soundness import DECODERS

ATTEMPT = Attempt(5, 1)
ONE = Decimal(1)
NEW = NewOrder(ATTEMPT, "hand", 1, "binance", "BTCUSDT", Terms("1", "2", ONE, ONE), "5-1", 9)
AMEND = AmendOrder(
    ATTEMPT, "hand", 2, "binance", "BTCUSDT", Terms("1", "2", ONE, ONE), "5-2", "5-1", "", "hand", 1, ONE, ONE,
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


TERMS = Terms("1", "2", Decimal("0.5"), Decimal(60_000), "3", POST_ONLY)
IN_A_ROW = ["1", "2", "0.5", "60000", "3", True]


def in_a_row(message: msgspec.Struct, tag: str) -> bytes:
    """The message as code wrote it that had no terms."""
    _, *values = msgspec.msgpack.decode(encode(message))
    at = message.__struct_fields__.index("terms")
    return encode([tag, *values[:at], *IN_A_ROW, *values[at + 1 :]])


@pytest.mark.parametrize(("command", "tag"), [(NEW, "new"), (AMEND, "amend")])
def test_terms_that_stood_in_a_row_are_read_as_terms(command: NewOrder | AmendOrder, tag: str) -> None:
    wanted = msgspec.structs.replace(command, terms=TERMS)
    row = msgspec.msgpack.decode(in_a_row(command, tag))
    outbound = msgspec.msgpack.decode(encode(Outbound("binance", 1, 1, 7, "D", b"raw", wanted)))
    refused = msgspec.msgpack.decode(encode(Refused("risk", Reason.KILLED, "", "hand", 1, ATTEMPT, wanted)))
    outbound[outbound.index(msgspec.msgpack.decode(encode(wanted)))] = row
    refused[refused.index(msgspec.msgpack.decode(encode(wanted)))] = row
    assert DECODERS[Kind.OUTBOUND](encode(outbound)).command == wanted
    assert DECODERS[Kind.REFUSED](encode(refused)).command == wanted


def test_a_request_of_an_older_client_is_today_s_and_its_repeat_by_a_newer_one_is_the_same() -> None:
    today = NewOrderRequest(5, 1, "binance", "BTCUSDT", TERMS, "label")
    read = upgraded(msgspec.msgpack.decode(in_a_row(today, "new?"), type=AnyEntryRequest))
    assert read == today and request_identity(read) == request_identity(today)
    refused = Refused("orders", Reason.HALTED, "", "hand", 1, None, None, today)
    stored_row = msgspec.msgpack.decode(encode(refused))
    stored_row[8] = msgspec.msgpack.decode(in_a_row(today, "new?"))
    assert DECODERS[Kind.REFUSED](encode(stored_row)) == refused


def test_the_identity_of_an_order_is_the_one_that_older_code_gave_it() -> None:
    """A repeat after an upgrade is known by what the log of before it has."""
    order = NewOrderRequest(5, 1, "binance", "BTCUSDT", TERMS, "label")
    assert request_identity(order).hex() == "6e66dfc8a94d751241"


def test_the_account_of_an_older_answer_and_of_an_older_refusal_is_the_venue() -> None:
    answer = DECODERS[Kind.ANSWER](stored(Answer("binance", Ask("binance", 1, "time"), False), 11, ask=10))
    assert (answer.account, answer.ask.account) == ("binance", "binance")
    refused = Refused("risk", Reason.KILLED, "", "hand", 1, ATTEMPT, NEW)
    read = DECODERS[Kind.REFUSED](stored(refused, 10, command=15))
    assert (read.command.account, read.command.session) == ("binance", "binance")
