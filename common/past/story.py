"""One order's whole story: every record about it, in words, with the time that each step took."""

from typing import NamedTuple

from common.decimals import short
from common.fix.wire import parse_utc_timestamp, split
from common.instant import NS_PER_MS
from common.journal import Reader, Record
from common.messages import (
    ONE_CANCELS_OTHER,
    AmendOrder,
    Answer,
    CancelAll,
    CancelOrder,
    CancelRejected,
    Discrepancy,
    ExecutionReport,
    Expired,
    FilledByHand,
    GapFilled,
    Inbound,
    LostOrder,
    NewOrder,
    OneEvent,
    Outbound,
    Payload,
    QueryOrder,
    RateRefused,
    Refused,
    RequestRejected,
    Unanswered,
    Verdict,
    Withdrawn,
)
from common.past.select import Filter, OrderTrail, select
from common.past.words import Dictionaries, document, line, standard, trigger_text

_SENDING_TIME = b"52"


class Step(NamedTuple):
    """A record of the story. `after_ns`: since the story's record before; `since_ns`: since its first; `venue_ns`: the
    message's own SendingTime(52), 0 where it has none.

    `answers` is the ClOrdID(11) of the request that the venue answers here for the first time, `answer_ns` the time
    from that request's record to this one.
    """

    record: Record
    payload: Payload | None
    what: str
    after_ns: int
    since_ns: int
    venue_ns: int
    answers: str = ""
    answer_ns: int = 0

    def document(self) -> dict[str, object]:
        """For JSON."""
        return {
            "what": self.what,
            "after_ms": self.after_ns / NS_PER_MS,
            "since_first_ms": self.since_ns / NS_PER_MS,
            "sending_time_ns": self.venue_ns,
            "answers": self.answers,
            "answered_in_ms": self.answer_ns / NS_PER_MS if self.answers else None,
            **document(self.record, self.payload),
        }

    def text(self, dictionaries: Dictionaries = standard) -> str:
        """What happened and when; the record; what risk saw. Each on a line of its own."""
        took = f"+{self.after_ns / NS_PER_MS:.3f} ms"
        lines = [f"{took:>16}  {self.what}{self._latencies()}", line(self.record, self.payload, dictionaries)]
        seen = risk_saw(self.payload)
        return "\n".join([*lines, f"{'':>16}  {seen}"] if seen else lines)

    def _latencies(self) -> str:
        parts = []
        if self.answers:
            parts.append(f"{self.answer_ns / NS_PER_MS:.3f} ms after {self.answers} was recorded")
        if self.venue_ns:
            whose = "sent by the venue" if isinstance(self.payload, Inbound) else "encoded"
            ago_ns = self.record.stamp_ns - self.venue_ns
            parts.append(f"{whose} {ago_ns / NS_PER_MS:.3f} ms before this record")
        return "".join(f", {part}" for part in parts)


def story(reader: Reader, trail: OrderTrail) -> list[Step]:
    """Every record about the order, in order. Raises JournalError."""
    steps: list[Step] = []
    asked_ns: dict[str, int] = {}
    first_ns = before_ns = 0
    for record, payload in select(reader, Filter(trail=trail), reader.first_lsn(), None):
        first_ns, before_ns = first_ns or record.stamp_ns, before_ns or record.stamp_ns
        if isinstance(payload, Outbound) and isinstance(payload.command, NewOrder | AmendOrder | CancelOrder):
            asked_ns[payload.command.cl_ord_id] = record.stamp_ns
        events = payload.events if isinstance(payload, Inbound) else ()
        answers = next((name for event in events if (name := getattr(event, "cl_ord_id", "")) in asked_ns), "")
        asked = asked_ns.pop(answers, None)
        steps.append(
            Step(
                record, payload, _what(payload), record.stamp_ns - before_ns, record.stamp_ns - first_ns,
                _sending_ns(payload), *(() if asked is None else (answers, record.stamp_ns - asked)),
            )
        )  # fmt: skip
        before_ns = record.stamp_ns
    return steps


def risk_saw(payload: Payload | None) -> str:
    """Risk's decision with what it was made on, where the record carries it; else ""."""
    if isinstance(payload, Refused):
        parts = [f"value {payload.value}"] * bool(payload.value) + [f"limit {payload.limit}"] * bool(payload.limit)
        return f"{payload.by} saw: {', '.join(parts)}" if parts else ""
    command = payload.command if isinstance(payload, Outbound) else None
    decision = command.decision if isinstance(command, NewOrder | AmendOrder) else None
    if decision is None:
        return ""
    parts = []
    if decision.reference_price is not None:
        age = f"{decision.reference_age_ns / NS_PER_MS:.3f} ms old"
        parts.append(f"reference price {short(decision.reference_price)}, {age}")
    if decision.notional is not None:
        parts.append(f"value {short(decision.notional)}")
    if decision.position_worst is not None:
        limit = "no limit" if decision.position_limit is None else f"limit {short(decision.position_limit)}"
        parts.append(f"position at worst {short(decision.position_worst)}, {limit}")
    parts.append(f"open orders {decision.open_orders}")
    return f"risk approved: {'; '.join(parts)}"


def _said(event: OneEvent) -> str:
    match event:
        case ExecutionReport():
            fill = f": {event.last_qty} at {event.last_px}" if event.last_qty else ""
            return f"the venue reports ExecType(150)={event.exec_type} OrdStatus(39)={event.ord_status}{fill}"
        case CancelRejected():
            return f"the venue refuses {event.cl_ord_id}"
        case RequestRejected():
            return "the venue rejects the message"
    return ""


def _what(payload: Payload | None) -> str:
    match payload:
        case Outbound(command=NewOrder() as command):
            return f"order {command.strategy}/{command.number} sent to {command.venue}: {deals_text(command)}"
        case Outbound(command=AmendOrder() as command):
            return f"amendment sent: {command.order_qty} at {command.price}"
        case Outbound(command=CancelOrder()):
            return "cancel sent"
        case Outbound(command=QueryOrder()):
            return "status asked"
        case Inbound():
            return "; ".join(text for event in payload.events if (text := _said(event)))
        case Withdrawn():
            return f"withdrawn before it left: {payload.reason.value}"
        case GapFilled():
            return "never received by the venue, and not sent again"
        case Expired():
            return "its deadline passed before it was sent"
        case Verdict():
            return f"settled by {payload.by}"
        case FilledByHand():
            return f"{payload.qty} at {payload.px} booked by {payload.by}"
        case LostOrder():
            deal = f": {deals_text(payload.sent.command)}" if isinstance(payload.sent.command, NewOrder) else ""
            return f"sent by a host whose log was lost{deal}"
        case RateRefused():
            return f"refused by {payload.by} with others, {payload.reason.value}"
        case CancelAll():
            return "all that it names is to be cancelled"
        case Unanswered():
            return f"no answer of the venue for {payload.silent_ms} ms: not known from here on"
        case Refused():
            deal = f": {deals_text(payload.command)}" if isinstance(payload.command, NewOrder) else ""
            return f"refused by {payload.by}, {payload.reason.value}{deal}"
        case Discrepancy():
            return f"differs from the venue's word: {payload.action}"
        case Answer():
            return f"the venue's REST side about {payload.ask.what}"
        case None:
            return "a record that this version does not read"
    return type(payload).__name__


def deals_text(command: NewOrder) -> str:
    """What is to be dealt, and for a list what else with it."""
    between = " or " if command.contingency == ONE_CANCELS_OTHER else ", then "
    first, *further = map(_deal, command.orders)
    return f"{first}{between}{' or '.join(further)}" if further else first


def _deal(command: NewOrder) -> str:
    side = "buy" if command.side == "1" else "sell"
    price = f" at {command.price}" if command.price is not None else " pegged" if command.terms.is_pegged else ""
    most = "at most " if command.terms.paid else ""
    return f"{side} {most}{command.order_qty} {command.symbol}{price} {trigger_text(command.terms)}".rstrip()


def _sending_ns(payload: Payload | None) -> int:
    if not isinstance(payload, Inbound | Outbound):
        return 0
    try:
        return parse_utc_timestamp(split(payload.raw)[_SENDING_TIME])
    except (KeyError, ValueError):
        return 0
