"""What must hold of one host of several, of which only one may go on at a time.

Each host has its own: it is told the records of that host's log, those that it has followed included. At a takeover it
takes over what the former host's knew of the world: what was told, and what has reached the venues.
"""

from collections import defaultdict
from collections.abc import Mapping

import msgspec

from common.actor.core import Publish, Send, Write
from common.config import Config
from common.fix.wire import split
from common.instant import NS_PER_MS, NS_PER_S
from common.journal.frames import TERM, Record, parse
from common.messages import (
    AFTER_ALL_EVENTS,
    AmendOrder,
    Appended,
    EpochGranted,
    Hello,
    NewOrder,
    OrderEvent,
    Outbound,
    Payload,
    ReadChunk,
    Welcome,
)
from scripts.simulation.checkers import Checkers, without_secrets
from scripts.simulation.copy_view import CopyView
from scripts.simulation.invariants import Violation
from scripts.simulation.process import Process
from scripts.simulation.witness import DurableRecord

_payload = msgspec.msgpack.Decoder(Payload)

_ADDS_RISK = (NewOrder, AmendOrder)
UNDER_WAY_RECORDS = 100
UNDER_WAY_NS = NS_PER_S + 250 * NS_PER_MS
"""A command that adds risk lives so long at most, from before the copy was too far behind."""

EventPlace = tuple[int, int, int]
"""The term, the record and the index that name an event."""


class Shared:
    """What is one for all hosts: the copy, what events said, and what was written under which number."""

    def __init__(self, copy: CopyView, *, waits: bool) -> None:
        """`waits`: everything waits for the copy."""
        self.copy = copy
        self.waits = waits
        self.events: dict[EventPlace, OrderEvent] = {}
        self.written: dict[tuple[str, int, int], bytes] = {}


class TakeoverCheckers(Checkers):
    """See the module. `term` is that of the host's log."""

    def __init__(self, config: Config, shared: Shared) -> None:
        """Of a host whose folder is empty."""
        super().__init__(config)
        self.shared = shared
        self.term = 1
        self._silent_since_ns = 1 << 63
        self._silent_for = ""
        self.told_lsn = 0
        self._emergency_keys: set[tuple[str, bytes]] = set()
        self._opened_by_kill: defaultdict[tuple[str, int], bool] = defaultdict(bool)
        self._hellos: dict[str, Hello] = {}

    # ---- the log

    def learned(self, record: Record) -> None:
        """See `Checkers`."""
        super().learned(record)
        if record.kind == TERM:
            self.term = record.writer_epoch

    def _follow_writer(self, record: Record) -> None:
        if record.kind != TERM:
            super()._follow_writer(record)

    def learned_emergency(self, record: Record) -> None:
        """See `Checkers`."""
        super().learned_emergency(record)
        if record.kind >= 16:
            payload = _payload.decode(record.payload)
            if isinstance(payload, Outbound):
                self._emergency_keys.add((payload.session, without_secrets(payload.raw)))

    # ---- what leaves a process

    def published(self, process: Process, effect: Publish) -> None:
        """See `Checkers`."""
        super().published(process, effect)
        if process.name == "journal" and effect.link == "stream":
            self._tells(parse(effect.data)[-1].lsn, "publishes")

    def sending(self, process: Process, effect: Send) -> None:
        """See `Checkers`."""
        message = effect.message
        if process.name == "journal":
            self._check_journal(message)
        elif process.name == "orders" and isinstance(message, OrderEvent):
            self._check_name(message)
        elif process.name == "orders" and isinstance(message, Welcome):
            self._check_resumed(message)
        super().sending(process, effect)

    def _check_journal(self, message: msgspec.Struct) -> None:
        match message:
            case Appended():
                self._tells(message.lsn, "acknowledges")
            case EpochGranted():
                self._tells(message.lsn, "grants")
            case ReadChunk() if message.block:
                self._tells(parse(message.block)[-1].lsn, "refills")

    def _tells(self, lsn: int, how: str) -> None:
        self.told_lsn = max(self.told_lsn, lsn)
        if self.shared.waits and lsn and lsn <= self.witness.last_lsn and not self._is_copied(lsn):
            copied = len(self.shared.copy.records)
            raise Violation("released-first", f"the journal {how} record {lsn}, and the copy ends with {copied}")

    def _is_copied(self, lsn: int) -> bool:
        found: DurableRecord = self.witness.records[lsn - 1]
        return self.shared.copy.holds(found)

    def _check_name(self, event: OrderEvent) -> None:
        if event.index >= AFTER_ALL_EVENTS:
            return
        place = (self.shared.copy.term_at(event.lsn, self.term), event.lsn, event.index)
        former = self.shared.events.setdefault(place, event)
        if former != event:
            raise Violation("one-event-a-name", f"{former} was told, and now {event}")

    def hello(self, hello: Hello) -> None:
        """Orders is about to read it."""
        self._hellos[hello.strategy] = hello

    def _check_resumed(self, welcome: Welcome) -> None:
        hello = self._hellos[welcome.strategy]
        if welcome.resumed and not self.shared.copy.has_place(max(1, hello.term), hello.last_lsn, self.term):
            detail = f"{hello} is told to resume in term {self.term}, of {self.shared.copy.terms}"
            raise Violation("resumed-in-its-term", detail)

    def writing(self, process: Process, effect: Write) -> None:
        """See `Checkers`."""
        super().writing(process, effect)
        if process.name.startswith("session@"):
            self._check_written(process, effect)

    def _check_written(self, process: Process, effect: Write) -> None:
        venue, now_ns = process.name.partition("@")[2], process.world.scheduler.now_ns
        fields, key = split(effect.data), (venue, without_secrets(effect.data))
        if self._is_of_kill(venue, effect.connection, key, fields):
            return
        if now_ns >= self._silent_since_ns:
            raise Violation("fenced-is-silent", f"{venue}: {effect.data!r} leaves a host that {self._silent_for}")
        if not self.shared.waits or fields.get(b"43") == b"Y":
            return
        logged = self.logged(*key)
        if not self._is_copied(logged.lsn):
            raise Violation("wire-is-released", f"{venue}: record {logged.lsn} leaves, and the copy does not hold it")
        place = (venue, logged.payload.generation, logged.payload.msg_seq_num)
        former = self.shared.written.setdefault(place, key[1])
        if former != key[1]:
            raise Violation("one-content", f"{place} was {former!r}, and now {effect.data!r}")

    def _is_of_kill(
        self, venue: str, connection: int, key: tuple[str, bytes], fields: Mapping[bytes, bytes]
    ) -> bool:
        """A person's kill on a host that does not know that it is fenced cancels all the same: its messages are in the
        emergency file, and on a connection that it has opened the venue may ask for what it misses."""
        is_in_file = key in self._emergency_keys
        if fields[b"35"] == b"A":
            self._opened_by_kill[venue, connection] = is_in_file
        return is_in_file or (fields.get(b"43") == b"Y" and self._opened_by_kill[venue, connection])

    def be_silent(self, why: str, from_ns: int) -> None:
        """From then on nothing may leave this host, which `why`."""
        if from_ns < self._silent_since_ns:
            self._silent_since_ns, self._silent_for = from_ns, why

    # ---- takeovers

    def succeed(self, former: "TakeoverCheckers", base_lsn: int) -> int:
        """Go on where the former host's ended: of what was told, what stands at or before record `base_lsn`, on which
        the term stands, as far as both logs have the same there. Returns the last such record.
        """
        if self.shared.waits and former.told_lsn > base_lsn:
            detail = f"record {former.told_lsn} was told, and the log goes on behind {base_lsn}"
            raise Violation("quorum-loses-nothing", detail)
        fork_lsn = self._forked_at(former, base_lsn)
        self.take_over_from(former, fork_lsn)
        return fork_lsn

    def _forked_at(self, former: "TakeoverCheckers", base_lsn: int) -> int:
        """The last record that both logs have: a takeover before, which was broken off, may have begun a term, and
        that is a record of this log alone."""
        ours, theirs = self.witness.records, former.witness.records
        fork_lsn = min(base_lsn, len(ours), len(theirs))
        while fork_lsn and ours[fork_lsn - 1].record != theirs[fork_lsn - 1].record:
            fork_lsn -= 1
        return fork_lsn

    def check_lost(self, base_lsn: int, lag_records: int, lag_ns: int) -> None:
        """What this host has sent that adds risk, and its successor's log lacks, is of the time when the copy was not
        too far behind, or was under way then. Raises Violation."""
        base = self.witness.records[base_lsn - 1].record if base_lsn else None
        for each in self.witness.records[base_lsn:]:
            record = each.record
            payload = _payload.decode(record.payload) if record.kind >= 16 else None
            if base is None or not isinstance(payload, Outbound) or not isinstance(payload.command, _ADDS_RISK):
                continue
            if record.stamp_ns > payload.command.deadline_ns:
                # It is void, and never leaves.
                continue
            behind = record.lsn - base.lsn, record.stamp_ns - base.stamp_ns
            if behind[0] > lag_records + UNDER_WAY_RECORDS and behind[1] > UNDER_WAY_NS:
                raise Violation("lost-within-bound", f"{payload.command.cl_ord_id} is {behind[0]} records behind")
            if behind[1] > lag_ns + UNDER_WAY_NS:
                raise Violation("lost-within-bound", f"{payload.command.cl_ord_id} is {behind[1] / 1e9:.3f} s behind")
