"""A journal record in words and as a JSON-ready document. Secrets in FIX messages are masked in both."""

import enum
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec

from common.decimals import short
from common.fix.dictionary import Dictionary
from common.fix.text import masked, pretty
from common.fix.wire import utc_timestamp
from common.journal import EPOCH, TERM, TICK, BadFrame, Record
from common.journal.terms import TermBegan, term_of
from common.messages import (
    OFFSET_BASIS_POINTS,
    PAYLOADS,
    UNDECODABLE,
    Answer,
    AssetRates,
    Attempt,
    Booked,
    CancelAll,
    DayBegan,
    Discrepancy,
    ExecutionReport,
    Expired,
    FilledByHand,
    GapFilled,
    Inbound,
    Kind,
    LostOrder,
    NewOrder,
    OneEvent,
    OperatorAct,
    Outbound,
    Payload,
    RateRefused,
    Refused,
    SessionChanged,
    StateHash,
    Terms,
    Unanswered,
    Unreadable,
    Verdict,
    Withdrawn,
    flat_fields,
)
from common.printable import printable

_OWN_KINDS = {TICK: "TICK", EPOCH: "EPOCH", TERM: "TERM"}
KIND_NAMES = frozenset({*_OWN_KINDS.values(), *(kind.name for kind in Kind)})
"""Every kind that this version knows, as `kind_name` has them."""

_DECODERS: dict[int, Callable[[bytes], Any]] = {
    kind: msgspec.msgpack.Decoder(payload).decode for kind, payload in PAYLOADS.items()
}


def kind_name(kind: int) -> str:
    """The kind's name; its number where this version knows none."""
    try:
        return _OWN_KINDS.get(kind) or Kind(kind).name
    except ValueError:
        return str(kind)


def payload_of(record: Record) -> Payload | None:
    """The record's payload; None for the journal's own kinds, kinds unknown here, and bytes that do not decode."""
    decode = _DECODERS.get(record.kind)
    if decode is None:
        return None
    try:
        payload: Payload = decode(record.payload)
    except UNDECODABLE:
        return None
    return payload


def time_text(stamp_ns: int) -> str:
    """A stamp as UTC, to the microsecond, in FIX's own form."""
    return utc_timestamp(stamp_ns, 6).decode()


def trigger_text(terms: Terms) -> str:
    """What wakes an order that sleeps, such as "stop 60000" or "target 70000 trailing 100 bips"; "" of any other."""
    if not terms.is_stop:
        return ""
    parts = []
    if terms.stop_px is not None:
        parts.append(f"{'target' if terms.take_profit else 'stop'} {short(terms.stop_px)}")
    if terms.peg_offset is not None:
        unit = " bips" if terms.peg_offset_type == OFFSET_BASIS_POINTS else ""
        parts.append(f"trailing {short(terms.peg_offset)}{unit}")
    return " ".join(parts)


Dictionaries = Callable[[str], Dictionary | None]
"""The dictionary of a session's venue, by the session's name; None for that of the standard."""


def standard(session: str) -> None:
    """The standard's dictionary for every session."""


def line(record: Record, payload: Payload | None, dictionaries: Dictionaries = standard) -> str:
    """The record on one line: LSN, time, writer, kind, and what it says."""
    head = f"{record.lsn:>9} {time_text(record.stamp_ns)} {record.writer:<16} {kind_name(record.kind):<11}"
    text = f"{head} {_summary(record, payload, dictionaries)}".rstrip()
    return printable(text)


def _summary(record: Record, payload: Payload | None, dictionaries: Dictionaries) -> str:
    match payload:
        case Outbound():
            mark = " filler" if payload.filler else ""
            number = f"generation {payload.generation} MsgSeqNum(34)={payload.msg_seq_num}{mark}"
            return f"{number} {_attempt_of(payload)}> {_in_words(payload, dictionaries)}"
        case Inbound():
            number = f"generation {payload.generation} MsgSeqNum(34)={payload.msg_seq_num}"
            not_read = "".join(_not_read(event) for event in payload.events)
            return f"{number} < {not_read}{_in_words(payload, dictionaries)}"
        case SessionChanged():
            return (
                f"{payload.session} {payload.state.value} connection {payload.connection} generation "
                f"{payload.generation} next out {payload.next_outbound} in {payload.next_inbound} {payload.text}"
            ).rstrip()
        case Refused():
            name = f"{payload.strategy}/{payload.number}"
            return f"{name} by {payload.by}: {payload.reason.value} {payload.text}".rstrip()
        case Withdrawn():
            return f"{payload.session} MsgSeqNum(34)={payload.msg_seq_num}: {payload.reason.value}"
        case GapFilled():
            return f"{payload.session} MsgSeqNum(34) {payload.begin} to {payload.end}: {len(payload.attempts)} commands"
        case Answer():
            what = "failed" if payload.failed else "not found" if payload.not_found else "answered"
            return f"{payload.venue} {payload.ask.what} {payload.ask.cl_ord_id} {what} {payload.text}".rstrip()
        case Discrepancy():
            return f"{payload.venue} {payload.subject}: ours {payload.ours}, theirs {payload.theirs}; {payload.action}"
        case StateHash():
            version = f" (version {payload.fold_version})" if payload.fold_version else ""
            return f"{payload.actor} at {payload.at_lsn}: {payload.digest.hex()}{version}"
        case OperatorAct():
            return f"{payload.actor} {payload.act} by {payload.by} {payload.text}".rstrip()
        case Expired():
            return f"{payload.strategy}/{payload.number} deadline {time_text(payload.deadline_ns)}"
        case Verdict():
            ended = f"ended with OrdStatus(39)={payload.ord_status}"
            return f"{payload.strategy}/{payload.number} {ended} by {payload.by}: {payload.text}"
        case FilledByHand():
            deal = f"{payload.qty} at {payload.px}"
            return f"{payload.strategy}/{payload.number} filled {deal} by {payload.by}: {payload.text}"
        case DayBegan():
            return f"{payload.day} {payload.zone}, {len(payload.prices)} prices"
        case AssetRates():
            rates = ", ".join(f"{each.asset} {each.rate}" for each in payload.rates)
            return f"in {payload.currency}: {rates}"
        case LostOrder():
            command = payload.sent.command
            orders = command.orders if isinstance(command, NewOrder) else ()
            sent = ", ".join(f"{each.strategy}/{each.number} as {each.cl_ord_id}" for each in orders)
            return f"{payload.frame}: {sent}"
        case Booked():
            source = f" from {payload.from_strategy or 'nobody'}" if payload.is_transfer else ""
            deal = f"{payload.qty} {payload.symbol} at {payload.px}{source}"
            return f"{payload.account}: {deal} to {payload.strategy or 'nobody'} by {payload.by}: {payload.text}"
        case RateRefused():
            numbers = [each.number for each in payload.attempts]
            span = f"{min(numbers)} to {max(numbers)}" if numbers else "none"
            return f"{payload.strategy} {span}, {len(numbers)} commands: {payload.reason.value} {payload.text}"
        case CancelAll():
            where = " ".join(each for each in (payload.venue, payload.symbol) if each) or "everywhere"
            whose = "everybody's orders" if payload.target_strategy == "*" else payload.target_strategy or "own orders"
            return f"{payload.strategy}/{payload.number} cancels {whose}, {where} {payload.text}".rstrip()
        case Unanswered():
            return f"{payload.strategy}/{payload.number} at {payload.venue}: no answer for {payload.silent_ms} ms"
    return _own_summary(record)


def _not_read(event: OneEvent) -> str:
    """What of a message could not be read, where it could not."""
    match event:
        case Unreadable():
            return f"[unreadable: {event.why}] "
        case ExecutionReport(unread=fields) if fields:
            return f"[unread: {', '.join(fields)}] "
    return ""


def _in_words(payload: Outbound | Inbound, dictionaries: Dictionaries) -> str:
    return pretty(payload.raw, dictionaries(payload.session))


def _own_summary(record: Record) -> str:
    if record.kind == EPOCH:
        return f"{record.writer} begins epoch {record.writer_epoch}"
    if record.kind == TICK:
        return "low disk" if record.payload[:1] == b"\1" else ""
    if record.kind == TERM:
        with suppress(BadFrame):
            return term_text(term_of(record))
    return f"{len(record.payload)} bytes that this version does not read"


def term_text(began: TermBegan) -> str:
    """Who took the journal over, from which record on and when."""
    return (
        f"{began.by} took it over for {began.host} with term {began.term}, behind record {began.lsn}, at "
        f"{time_text(began.wall_ns)} UTC"
    )


def _attempt_of(payload: Outbound) -> str:
    attempt = getattr(payload.command, "attempt", None)
    return f"attempt {attempt.epoch}/{attempt.counter} " if isinstance(attempt, Attempt) else ""


def document(record: Record, payload: Payload | None) -> dict[str, object]:
    """The record for a machine; the payload's fields by name, FIX messages as text with `|` for SOH."""
    body: object = plain(payload) if payload is not None else record.payload.hex()
    return {
        "lsn": record.lsn,
        "time": time_text(record.stamp_ns),
        "stamp_ns": record.stamp_ns,
        "kind": kind_name(record.kind),
        "writer": record.writer,
        "writer_epoch": record.writer_epoch,
        "append_number": record.append_number,
        "journal_epoch": record.journal_epoch,
        "payload": body,
    }


def plain(value: object) -> object:
    """Any payload value as what JSON has: decimals as text, FIX bytes readable, other bytes in hexadecimal."""
    match value:
        case msgspec.Struct():
            tag = value.__struct_config__.tag
            fields = {name: plain(field) for name, field in flat_fields(value).items()}
            return {"type": tag, **fields} if tag is not None else fields
        case Decimal():
            return str(value)
        case enum.Enum():
            return value.value
        case bytes():
            return masked(value).decode("latin-1") if value.startswith(b"8=FIX") else value.hex()
        case tuple() | list():
            return [plain(part) for part in value]
        case dict():
            return {str(key): plain(part) for key, part in value.items()}
    return value


def fix_text(payload: Payload | None) -> str:
    """The FIX message in a payload, secrets masked; "" where there is none."""
    return masked(payload.raw).decode("latin-1") if isinstance(payload, Outbound | Inbound) else ""
