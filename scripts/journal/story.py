"""One order's whole story: every record about it, in words, with the time that each step took."""

from typing import NamedTuple

from common.fix.wire import parse_utc_timestamp, split
from common.instant import NS_PER_MS
from common.journal import Reader, Record
from common.messages import (
    AmendOrder,
    Answer,
    CancelOrder,
    ExecutionReport,
    Inbound,
    NewOrder,
    Outbound,
    Payload,
    QueryOrder,
)
from scripts.journal.select import Filter, OrderTrail, select
from scripts.journal.words import document, line

_SENDING_TIME = b"52"


class Step(NamedTuple):
    """A record of the story. `after_ns`: since the story's record before; `venue_ns`: the message's own
    SendingTime(52), 0 where it has none."""

    record: Record
    payload: Payload | None
    what: str
    after_ns: int
    venue_ns: int

    def document(self) -> dict[str, object]:
        """For JSON."""
        return {
            "what": self.what,
            "after_ms": self.after_ns / NS_PER_MS,
            "sending_time_ns": self.venue_ns,
            **document(self.record, self.payload),
        }

    def text(self) -> str:
        """On two lines: what happened and when, then the record."""
        took = f"+{self.after_ns / NS_PER_MS:.3f} ms"
        wire = ""
        if self.venue_ns and isinstance(self.payload, Inbound):
            wire = f", sent by the venue {(self.record.stamp_ns - self.venue_ns) / NS_PER_MS:.3f} ms before"
        return f"{took:>16}  {self.what}{wire}\n{line(self.record, self.payload)}"


def story(reader: Reader, trail: OrderTrail) -> list[Step]:
    """Every record about the order, in order. Raises JournalError."""
    steps: list[Step] = []
    for record, payload in select(reader, Filter(trail=trail), reader.first_lsn(), None):
        after_ns = record.stamp_ns - steps[-1].record.stamp_ns if steps else 0
        steps.append(Step(record, payload, _what(payload), after_ns, _sending_ns(payload)))
    return steps


def _what(payload: Payload | None) -> str:
    match payload:
        case Outbound(command=NewOrder() as command):
            price = f" at {command.price}" if command.price is not None else ""
            return f"order {command.strategy}/{command.number} sent to {command.venue}: {_deal(command)}{price}"
        case Outbound(command=AmendOrder() as command):
            return f"amendment sent: {command.order_qty} at {command.price}"
        case Outbound(command=CancelOrder()):
            return "cancel sent"
        case Outbound(command=QueryOrder()):
            return "status asked"
        case Inbound(event=ExecutionReport() as event):
            fill = f": {event.last_qty} at {event.last_px}" if event.last_qty else ""
            return f"the venue reports ExecType(150)={event.exec_type} OrdStatus(39)={event.ord_status}{fill}"
        case Answer():
            return f"the venue's REST side about {payload.ask.what}"
        case None:
            return "a record that this version does not read"
    return type(payload).__name__


def _deal(command: NewOrder) -> str:
    side = "buy" if command.side == "1" else "sell"
    return f"{side} {command.order_qty} {command.symbol}"


def _sending_ns(payload: Payload | None) -> int:
    if not isinstance(payload, Inbound | Outbound):
        return 0
    try:
        return parse_utc_timestamp(split(payload.raw)[_SENDING_TIME])
    except (KeyError, ValueError):
        return 0
