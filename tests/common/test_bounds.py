"""Invariant: whatever a link or a venue can send makes only records that the journal takes, and bounds nest.

Each Struct is taken at its maxima: every text as long as the link lets it be, in characters of four bytes, every
number the highest, every quantity with as many digits as the message has room for.
"""

from decimal import Decimal
from typing import Any, get_args

import msgspec
import pytest
from msgspec import inspect

from common.journal.frames import MAX_PAYLOAD_BYTES, frame_bytes
from common.journal.reader import READ_BYTES
from common.messages import (
    HIGHEST_NUMBER,
    MAX_ENTRY_BYTES,
    MAX_FIX_MESSAGE_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_RECORD_BYTES,
    MAX_REQUEST_BYTES,
    MAX_TEXT_CHARACTERS,
    MOST_FURTHER_ORDERS,
    POST_ONLY,
    PRINTABLE,
    UNDECODABLE,
    AmendOrder,
    AmendRequest,
    AnyEntryRequest,
    Append,
    Attempt,
    BoundedAlive,
    BoundedAmendRequest,
    BoundedCancelAllRequest,
    BoundedCancelRequest,
    BoundedEntryRequest,
    BoundedHello,
    BoundedNewOrderRequest,
    BoundedQueryRequest,
    CancelOrder,
    CommandOutcome,
    Decision,
    Door,
    GapFilled,
    Inbound,
    ListedOrder,
    NewOrder,
    NewOrderRequest,
    Outbound,
    QueryAnswer,
    QueryOrder,
    QueryRequest,
    RateRefused,
    Reason,
    Refused,
    RefusedAttempt,
    StatusChanged,
    Terms,
    encode,
)
from common.request_identity import asked_terms, command_identity
from common.venues import reading
from services.journal.core import BATCH_BYTES, CHUNK_BYTES
from services.risk.refusals import BATCH_COMMANDS
from services.session.history import KEPT_SENT
from tests.services.orders.harness import D, Ring

WIDE = "\U0001f4b0"
"""A character of four bytes."""

BOUNDED = get_args(BoundedEntryRequest)
DOOR = Door(BoundedEntryRequest, MAX_ENTRY_BYTES)
ONE = D(1)
COMMANDS = (NewOrder, AmendOrder, CancelOrder, QueryOrder)


def at_most(kind: inspect.Type, text_characters: int, number: int, quantity: Decimal) -> Any:
    """The largest value of a type."""
    match kind:
        case inspect.StrType() if kind.pattern not in (None, PRINTABLE):
            return "a" * (kind.max_length or 0)
        case inspect.StrType():
            return WIDE * (text_characters if kind.max_length is None else kind.max_length)
        case inspect.BytesType():
            # A digest, of orders' own making.
            return b"\xff" * 8
        case inspect.IntType():
            return number if kind.le is None else kind.le
        case inspect.DecimalType():
            return quantity
        case inspect.LiteralType():
            return kind.values[-1]
        case inspect.BoolType():
            return True
        case inspect.UnionType():
            return at_most(next(t for t in kind.types if not isinstance(t, inspect.NoneType)), text_characters, number,
                           quantity)  # fmt: skip
        case inspect.VarTupleType():
            each = at_most(kind.item_type, text_characters, number, quantity)
            return (each,) * (MOST_FURTHER_ORDERS if kind.max_length is None else kind.max_length)
        case inspect.StructType():
            return largest(kind.cls, text_characters, number, quantity)
    raise AssertionError(kind)


def largest(cls: type[Any], text_characters: int, number: int = (1 << 64) - 1, quantity: Decimal = ONE) -> Any:
    """A Struct at its maxima, with texts of so many characters where the Struct itself sets no bound."""
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)
    return cls(*(at_most(field.type, text_characters, number, quantity) for field in info.fields))


def command_of(max_bytes: int, cls: type[Any]) -> Any:
    """The command whose texts just fit into `max_bytes`."""
    characters = 1
    while len(encode(largest(cls, characters + 1))) <= max_bytes:
        characters += 1
    return largest(cls, characters)


def test_bounds_nest() -> None:
    assert MAX_RECORD_BYTES == MAX_PAYLOAD_BYTES
    assert MAX_ENTRY_BYTES < MAX_REQUEST_BYTES < MAX_RECORD_BYTES < MAX_MESSAGE_BYTES
    for chunk_bytes in (CHUNK_BYTES, READ_BYTES):
        assert chunk_bytes + frame_bytes(MAX_RECORD_BYTES) < MAX_MESSAGE_BYTES
    assert BATCH_BYTES + MAX_MESSAGE_BYTES < 32 * MAX_MESSAGE_BYTES
    append = Append("w" * 32, HIGHEST_NUMBER, HIGHEST_NUMBER, [(0xFFFF, bytes(MAX_RECORD_BYTES))])
    assert len(encode(append)) < MAX_MESSAGE_BYTES - MAX_RECORD_BYTES // 2


@pytest.mark.parametrize("cls", BOUNDED)
def test_a_request_at_its_maxima_is_taken(cls: type[Any]) -> None:
    request = largest(cls, 0)
    assert DOOR.decode(encode(request)) == request


@pytest.mark.parametrize("cls", BOUNDED)
def test_a_request_beyond_its_bounds_is_not_taken_and_yet_read_in_a_record(cls: type[Any]) -> None:
    base: Any = cls.__base__
    assert cls.__struct_fields__ == base.__struct_fields__
    assert cls.__struct_config__.tag == base.__struct_config__.tag
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)
    for at, field in enumerate(info.fields):
        values = [at_most(f.type, 0, HIGHEST_NUMBER, D(1)) for f in info.fields]
        if isinstance(field.type, inspect.IntType):
            values[at] += 1
        elif isinstance(field.type, inspect.StrType):
            values[at] += WIDE
        else:
            continue
        beyond = encode(cls(*values))
        with pytest.raises(UNDECODABLE):
            DOOR.decode(beyond)
        assert isinstance(msgspec.msgpack.decode(beyond, type=AnyEntryRequest), base)


@pytest.mark.parametrize("cls", [c for c in BOUNDED if c not in (BoundedHello, BoundedQueryRequest, BoundedAlive)])
def test_the_refusal_of_a_request_at_its_maxima_fits(cls: type[Any]) -> None:
    digits = MAX_ENTRY_BYTES - len(encode(largest(cls, 0)))
    request = largest(cls, 0, quantity=Decimal("9" * max(1, digits // 18 - 8)))
    assert DOOR.decode(encode(request)) == request
    text = WIDE * MAX_TEXT_CHARACTERS
    refused = Refused("orders", Reason.NAME_REUSED, text, WIDE * 64, HIGHEST_NUMBER, None, None, request, text, text)
    assert len(encode(refused)) < MAX_REQUEST_BYTES


@pytest.mark.parametrize("cls", COMMANDS)
def test_whatever_becomes_of_a_command_of_the_ring_fits(cls: type[Any]) -> None:
    command, text = command_of(MAX_REQUEST_BYTES, cls), WIDE * MAX_TEXT_CHARACTERS
    attempt = Attempt(HIGHEST_NUMBER, HIGHEST_NUMBER)
    refused = Refused("w" * 32, Reason.NAME_REUSED, text, WIDE * 4096, 1, attempt, command, None, text, text)
    outbound = Outbound(WIDE * 64, 1, 1, 1, "XCN", bytes(8 * MAX_REQUEST_BYTES), command)
    assert len(encode(refused)) < MAX_RECORD_BYTES
    assert len(encode(outbound)) < MAX_RECORD_BYTES


def test_what_a_client_s_request_becomes_is_a_command_that_the_ring_takes() -> None:
    request = largest(BoundedNewOrderRequest, 0)
    number = Decimal("9" * 18 + "." + "9" * 18)
    decision = Decision(number, HIGHEST_NUMBER, number, number, number, 1, HIGHEST_NUMBER)
    command = NewOrder(
        Attempt(HIGHEST_NUMBER, HIGHEST_NUMBER), WIDE * 64, request.number, request.venue, request.symbol,
        msgspec.structs.replace(request.terms, order_qty=number, price=number, instructions=POST_ONLY), "x" * 32,
        HIGHEST_NUMBER, request.label, decision, further=tuple(
            ListedOrder(terms, Attempt(HIGHEST_NUMBER, HIGHEST_NUMBER), "x" * 32)
            for terms in (msgspec.structs.replace(each, order_qty=number, price=number) for each in request.further)
        ),
    )  # fmt: skip
    assert len(command.further) == MOST_FURTHER_ORDERS and len(encode(command)) < MAX_ENTRY_BYTES


def test_a_list_of_more_orders_than_there_may_be_is_not_taken() -> None:
    request = largest(BoundedNewOrderRequest, 0)
    longer = msgspec.structs.replace(request, further=(*request.further, request.terms))
    with pytest.raises(UNDECODABLE):
        DOOR.decode(encode(longer))


def test_a_report_with_every_text_as_long_as_its_message_fits() -> None:
    fields = {b"%d" % tag: b"\xff" * MAX_FIX_MESSAGE_BYTES for tag in range(1, 17)}
    texts = [reading.text(fields, tag) for tag in fields]
    event = Refused("", Reason.NONE, "".join(texts), "", 0, None)
    inbound = Inbound(WIDE * 64, 1, 1, 1, "8", bytes(MAX_FIX_MESSAGE_BYTES + 64))
    assert len(encode(inbound)) + len(encode(event)) < MAX_RECORD_BYTES


def test_a_gap_of_every_kept_number_fits() -> None:
    attempts = tuple(Attempt(HIGHEST_NUMBER, HIGHEST_NUMBER) for _ in range(KEPT_SENT))
    assert len(encode(GapFilled(WIDE * 64, 1, 1, 1, KEPT_SENT, attempts))) < MAX_RECORD_BYTES


def test_a_batch_of_refusals_fits() -> None:
    attempt, text = Attempt(HIGHEST_NUMBER, HIGHEST_NUMBER), WIDE * MAX_TEXT_CHARACTERS
    command = largest(AmendOrder, 64, HIGHEST_NUMBER)
    identity = command_identity(msgspec.structs.replace(command, asked=asked_terms(AmendRequest(1, 1, 1, D(1), D(1)))))
    attempts = (RefusedAttempt(HIGHEST_NUMBER, attempt, HIGHEST_NUMBER, identity),) * BATCH_COMMANDS
    assert len(encode(RateRefused("w" * 32, Reason.STRATEGY_RATE, text, WIDE * 64, attempts, text))) < MAX_RECORD_BYTES


# ---- what is not taken is answered ----


def not_taken(ring: Ring, request: Any) -> list[Any]:
    """What the client is told of a message that the door does not let in."""
    data = encode(request)
    with pytest.raises(UNDECODABLE) as refused:
        DOOR.decode(data)
    before = len(ring.clients[b"p"])
    ring.core.not_read("entry", b"p", data, str(refused.value), ring.now)
    ring.settle()
    return ring.clients[b"p"][before:]


@pytest.fixture
def ring() -> Ring:
    ring = Ring()
    ring.go_live()
    ring.hello()
    return ring


@pytest.mark.parametrize(
    "beyond",
    [
        NewOrderRequest(0, 7, "generic", "BTCUSDT", Terms("1", "2", D(1), D(1)), label="x" * 1_100_000),
        NewOrderRequest(0, 7, "generic", "x" * 352_000, Terms("1", "2", D(1), D(1))),
        NewOrderRequest(0, 7, "generic", "BTCUSDT", Terms("1", "2", Decimal("9" * 5000), D(1))),
        BoundedAmendRequest(0, 7, 1 << 63),
        BoundedCancelRequest(0, 7, 1 << 63),
        BoundedCancelAllRequest(0, 7, "x" * 65),
    ],
)
def test_a_command_beyond_the_bounds_is_refused_by_name_and_leaves_a_small_record(ring: Ring, beyond: Any) -> None:
    logged = len(ring.journal.records)
    (answer,) = not_taken(ring, msgspec.structs.replace(beyond, epoch=ring.epoch))
    assert isinstance(answer, CommandOutcome)
    assert (answer.number, answer.outcome, answer.reason) == (7, "refused", Reason.OUT_OF_BOUNDS)
    assert 0 < len(answer.text) <= MAX_TEXT_CHARACTERS
    (record,) = ring.journal.records[logged:]
    assert len(record.payload) < MAX_ENTRY_BYTES
    (again,) = not_taken(ring, msgspec.structs.replace(beyond, epoch=ring.epoch))
    assert (again.outcome, again.reason, again.repeat) == ("refused", Reason.OUT_OF_BOUNDS, True)
    ring.request(NewOrderRequest(0, 7, "generic", "BTCUSDT", Terms("1", "2", D(1), D(1))))
    told = ring.clients[b"p"][-1]
    assert (told.number, told.outcome, told.reason) == (7, "refused", Reason.NAME_REUSED), "it has one body"


def test_a_command_beyond_the_bounds_is_no_decision_where_none_can_be_taken(ring: Ring) -> None:
    beyond = NewOrderRequest(0, 7, "generic", "BTCUSDT", Terms("1", "2", D(1), D(1)), label="x" * 200)
    (stale,) = not_taken(ring, beyond)
    assert isinstance(stale, StatusChanged)
    first = ring.new(3)
    (reused,) = not_taken(ring, msgspec.structs.replace(beyond, epoch=ring.epoch, number=1 << 63))
    assert (reused.number, reused.reason) == (1 << 63, Reason.OUT_OF_BOUNDS)
    assert not_taken(ring, msgspec.structs.replace(beyond, epoch=ring.epoch, number=3)) == [], "it is under way"
    ring.sent(first)
    (reused,) = not_taken(ring, msgspec.structs.replace(beyond, epoch=ring.epoch, number=3))
    assert (reused.number, reused.reason) == (3, Reason.NAME_REUSED)
    ring.journal_away = True
    ring.pass_time(1000)
    (told,) = not_taken(ring, msgspec.structs.replace(beyond, epoch=ring.epoch, number=9))
    assert told == StatusChanged("journal_away", 9, ring.epoch)


def test_a_question_for_a_number_that_nothing_has_is_answered(ring: Ring) -> None:
    (answer,) = not_taken(ring, QueryRequest("order", "x", 1 << 63, token=5))
    assert isinstance(answer, QueryAnswer)
    assert answer.token == 5
    assert "Expected `int`" in msgspec.json.decode(answer.detail)["error"]


def test_what_means_nothing_is_answered_with_nothing(ring: Ring) -> None:
    told = {peer: list(messages) for peer, messages in ring.clients.items()}
    ring.core.not_read("entry", b"p", b"\x93\xa1x\x01", "no such tag", ring.now)
    ring.core.not_read("journal", b"", b"\x93\xa1x\x01", "no such tag", ring.now)
    ring.settle()
    assert ring.clients == told
