"""Which records: by LSN, time, writer, kind, session, order and text; in a folder, to its end or following it."""

import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from common.instant import NS_PER_MS, NS_PER_S
from common.journal import OsFiles, Reader, Record
from common.messages import (
    AmendOrder,
    Answer,
    Attempt,
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
    lost_number,
)
from common.orders.words import tells_end
from common.past.words import fix_text, kind_name, payload_of

_RELATIVE = re.compile(r"-(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_NS_PER_US = 1000
_UNITS_NS = {"ms": NS_PER_MS, "s": NS_PER_S, "m": 60 * NS_PER_S, "h": 3600 * NS_PER_S, "d": 86_400 * NS_PER_S}


class Point(NamedTuple):
    """A place in the log: an LSN, or a time (Unix ns). Exactly one is set."""

    lsn: int | None = None
    stamp_ns: int | None = None


def parse_point(text: str, now_ns: int) -> Point:
    """An LSN ("4711"), a UTC time ("2026-05-01T12:00:00"), or one so long ago ("-90s", "-5m", "-2h").

    Raises ValueError for anything else.
    """
    if text.isdigit():
        return Point(lsn=int(text))
    ago = _RELATIVE.fullmatch(text)
    if ago is not None:
        return Point(stamp_ns=now_ns - int(Decimal(ago[1]) * _UNITS_NS[ago[2]]))
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no LSN, no UTC time such as 2026-05-01T12:00:00, and not like -5m") from error
    since = (when if when.tzinfo else when.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return Point(stamp_ns=since // timedelta(microseconds=1) * 1000)


def first_lsn_at(reader: Reader, point: Point | None) -> int:
    """The first record that the range from `point` on holds: at that LSN, or stamped then or later."""
    first = reader.first_lsn()
    if point is None:
        return first
    if point.lsn is not None:
        return max(first, point.lsn)
    return reader.first_at(point.stamp_ns or 0)


def last_lsn_at(reader: Reader, point: Point | None) -> int | None:
    """The last record of the range up to `point`; None for no end. A time ends with its microsecond, since that is what
    a printed stamp was cut to.
    """
    if point is None:
        return None
    if point.lsn is not None:
        return point.lsn
    cut_ns = (point.stamp_ns or 0) // _NS_PER_US * _NS_PER_US
    return reader.first_at(cut_ns + _NS_PER_US) - 1


@dataclass
class OrderTrail:
    """Follows one order through the log, from its name (strategy, number) or one of its ClOrdID(11)s.

    Requests about it, their attempts and names are learnt as they pass, in LSN order.
    """

    name: tuple[str, int] | None
    ids: set[str] = field(default_factory=set)
    attempts: set[Attempt] = field(default_factory=set)
    order_ids: set[str] = field(default_factory=set)
    records: int = 0
    """How many records of the whole log are about it."""

    @classmethod
    def of(cls, text: str, reader: Reader) -> "OrderTrail":
        """`STRATEGY/NUMBER`, else a ClOrdID(11) of the order or of any request about it. Raises JournalError.

        Reads the whole log, so that a range of it can be asked about an order that was sent before.
        """
        strategy, _, number = text.rpartition("/")
        trail = cls((strategy, int(number))) if strategy and number.isdigit() else cls._by_request(text, reader)
        for record, payload in select(reader, Filter(), reader.first_lsn(), None):
            trail.records += trail.concerns(payload, record.lsn)
        return trail

    @classmethod
    def _by_request(cls, text: str, reader: Reader) -> "OrderTrail":
        for _, payload in select(reader, Filter(kinds=frozenset({"OUTBOUND", "REFUSED"})), reader.first_lsn(), None):
            command = payload.command if isinstance(payload, Outbound | Refused) else None
            match command:
                case NewOrder():
                    for each in command.orders:
                        if each.cl_ord_id == text:
                            return cls((each.strategy, each.number))
                case AmendOrder() | CancelOrder() if command.cl_ord_id == text:
                    return cls((command.target_strategy, command.target_number))
        return cls(None, {text})

    def concerns(self, payload: Payload | None, lsn: int) -> bool:
        """Whether the record `lsn` is about the order; learns from it."""
        match payload:
            case Outbound():
                return self._command(payload.command)
            case Inbound():
                # Each of them: by one that is about the order another name of it may be learnt.
                about = [self._event(event) for event in payload.events]
                return any(about)
            case Refused():
                # Both are asked: the command teaches the names and attempts that later records use.
                return self._command(payload.command) or self._named(payload.strategy, payload.number)
            case Withdrawn():
                return payload.attempt in self.attempts
            case GapFilled():
                return not self.attempts.isdisjoint(payload.attempts)
            case RateRefused():
                return any(self._named(payload.strategy, each.number) for each in payload.attempts)
            case LostOrder():
                return self._lost(payload, lsn)
            case Expired() | Verdict() | FilledByHand() | Unanswered() | CancelAll():
                return self._named(payload.strategy, payload.number)
            case Answer():
                return self._answer(payload)
            case Discrepancy():
                return self.name is not None and payload.subject == f"{self.name[0]}/{self.name[1]}"
        return False

    def _named(self, strategy: str, number: int) -> bool:
        return (strategy, number) == self.name

    def _command(self, command: object) -> bool:
        match command:
            case NewOrder():
                found = [each for each in command.orders if self._named(each.strategy, each.number)]
                self.ids.update(each.cl_ord_id for each in found)
                # The message of a list is that of each of its orders.
                self.attempts.update(attempt for each in found for attempt in (each.attempt, command.attempt))
                return bool(found)
            case AmendOrder() | CancelOrder():
                ours = (
                    self._named(command.target_strategy, command.target_number)
                    or self._named(command.strategy, command.number)
                    or not self.ids.isdisjoint((command.cl_ord_id, command.orig_cl_ord_id))
                )
            case QueryOrder():
                ours = command.cl_ord_id in self.ids
            case _:
                return False
        if ours:
            self.ids.add(command.cl_ord_id)
            self.attempts.add(command.attempt)
        return ours

    def _lost(self, lost: LostOrder, lsn: int) -> bool:
        """An order that begins with that record, whose message another host's log has."""
        command = lost.sent.command
        for number, each in enumerate(command.orders if isinstance(command, NewOrder) else (), lost_number(lsn)):
            if self._named(each.strategy, number) or each.cl_ord_id in self.ids:
                self.name = (each.strategy, number)
                self.ids.add(each.cl_ord_id)
                for amendment in lost.amendments:
                    self._command(amendment.command)
                return True
        return False

    def _event(self, event: OneEvent) -> bool:
        match event:
            case ExecutionReport() | CancelRejected():
                names = {event.cl_ord_id, event.orig_cl_ord_id} - {""}
                if isinstance(event, ExecutionReport) and tells_end(event) and event.orig_cl_ord_id:
                    # A cancel's name stands in the report of each order of a list.
                    names = {event.orig_cl_ord_id}
                ours = not self.ids.isdisjoint(names)
                if ours and event.order_id:
                    self.order_ids.add(event.order_id)
                return ours
            case RequestRejected():
                return event.attempt in self.attempts or event.cl_ord_id in self.ids
        return False

    def _answer(self, payload: Answer) -> bool:
        ask = payload.ask
        return ask.cl_ord_id in self.ids or bool(ask.order_id and ask.order_id in self.order_ids)


@dataclass
class Filter:
    """What a record must be to be shown; an empty part admits everything."""

    writer: str = ""
    kinds: frozenset[str] = frozenset()
    session: str = ""
    trail: OrderTrail | None = None
    pattern: re.Pattern[str] | None = None
    ticks: bool = False

    def admits(self, record: Record, payload: Payload | None) -> bool:
        """Whether the record is to be shown."""
        kind = kind_name(record.kind)
        if kind == "TICK" and not self.ticks and "TICK" not in self.kinds:
            return False
        if self.writer and record.writer != self.writer:
            return False
        if self.kinds and kind not in self.kinds:
            return False
        name = self.session.removeprefix("session@")
        if name and name != getattr(payload, "session", "") and record.writer != f"session@{name}":
            return False
        if self.trail is not None and not self.trail.concerns(payload, record.lsn):
            return False
        return self.pattern is None or self.pattern.search(fix_text(payload)) is not None

    @property
    def admits_all(self) -> bool:
        """Nothing but ticks is left out."""
        return not (self.writer or self.kinds or self.session or self.trail or self.pattern)


Shown = tuple[Record, Payload | None]


def select(reader: Reader, wanted: Filter, from_lsn: int, upto_lsn: int | None) -> Iterator[Shown]:
    """The admitted records of a range, in order, to the end of what is there. Raises JournalError."""
    lsn = from_lsn
    limit = (1 << 64) - 1 if upto_lsn is None else upto_lsn
    while lsn <= limit:
        records = reader.read(lsn, limit)
        if not records:
            return
        for record in records:
            payload = payload_of(record)
            if wanted.admits(record, payload):
                yield record, payload
        lsn = records[-1].lsn + 1


def sources(reader: Reader) -> tuple[set[str], set[str]]:
    """The sessions and the writers that the log holds anything of. Reads all of it; raises JournalError."""
    sessions: set[str] = set()
    writers: set[str] = set()
    for record, payload in select(reader, Filter(ticks=True), reader.first_lsn(), None):
        writers.add(record.writer)
        sessions.add(getattr(payload, "session", ""))
    sessions |= {name.removeprefix("session@") for name in writers if name.startswith("session@")}
    return sessions - {""}, writers


def last(reader: Reader, wanted: Filter, count: int, from_lsn: int, upto_lsn: int | None) -> list[Shown]:
    """The last `count` admitted records of a range."""
    if wanted.admits_all and upto_lsn is None and not wanted.ticks:
        # Ticks are at most ten a second; look back a little further, and from the start where that was not enough.
        near = max(from_lsn, reader.durable_lsn() - 20 * count)
        found = deque(select(reader, wanted, near, None), maxlen=count)
        if len(found) == count or near == from_lsn:
            return list(found)
    return list(deque(select(reader, wanted, from_lsn, upto_lsn), maxlen=count))


def follow(reader: Reader, wanted: Filter, from_lsn: int, pause: Callable[[], None]) -> Iterator[Shown]:
    """Records as the journal confirms them, without end; `pause` waits between looks."""
    lsn = from_lsn
    while True:
        upto = reader.durable_lsn()
        while lsn <= upto:
            records = reader.read(lsn, upto)
            if not records:
                break
            for record in records:
                payload = payload_of(record)
                if wanted.admits(record, payload):
                    yield record, payload
            lsn = records[-1].lsn + 1
        pause()


def open_reader(folder: str) -> Reader:
    """A reader of a journal's folder on this machine."""
    return Reader(folder, OsFiles())
