"""What a session reads of the log: at its start its own records, folded, and later how far a hand-over went.

Other writers' records are passed over without a look at their payload. What is folded is what a snapshot holds.

A session is live once it has folded everything up to its own epoch and what emergency files hold beyond it. Under the
kill latch the journal is waited for as long as an append would be; then the log's files are read without it, and the
emergency file is the journal from the first record on.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from common.actor.core import Core, Exit
from common.actor.links import Follower
from common.actor.unread import status_of_unread
from common.contracts import Contract
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.journal.errors import JournalError
from common.journal.frames import Record
from common.left_out import LeftOut, Row, Unfoldable
from common.messages import Attempt, Kind, Payload, SessionChanged, SessionState
from common.orders.names import FIRST_EPOCH
from common.venues.dialect import Dialect
from common.venues.nonces import Nonces
from services.session.history import History, Sent
from services.session.open_orders import OpenOrder
from services.session.records import OWN_KINDS, Records


class _Dump(msgspec.Struct, array_like=True, frozen=True):
    """The folded state as bytes. Fields are only ever appended, with defaults."""

    lsn: int
    highest_epoch: int
    generation: int
    connection: int
    next_outbound: int
    next_inbound: int
    state: SessionState
    sender_comp_id: str
    halted: str
    logged_out_by_hand: bool
    latched: bool
    reset_wanted: bool
    first_kept: int
    sent: list[tuple[int, bytes, Attempt | None, str, bool]]
    orders: list[OpenOrder]
    attempts: list[tuple[str, Attempt]]
    unused: list[tuple[str, str]]  # Held names once; fields go by their place.
    handed_over: list[tuple[str, int]]
    handed_over_whole: list[str]
    handing_over: str
    logon_ns: int = 0
    numbers_began: int = 0
    venue_told: tuple[int, dict[str, tuple[str, str]]] = (0, {})
    lost_from: int = 0
    left_out: list[Row] = []
    named: Attempt = Attempt(FIRST_EPOCH + 1, 0)
    nonce_ms: int = 0
    contracts_told: dict[str, Contract] = {}
    venue_log: str = ""
    nonces: Nonces | None = None


_AS_IT_STANDS = (
    "generation", "connection", "next_outbound", "next_inbound", "state", "sender_comp_id", "halted",
    "logged_out_by_hand", "latched", "reset_wanted", "first_kept",
)  # fmt: skip
"""What of a history stands in its dump by the same name, in the order of that."""

FOLD_VERSION = 3
"""See `common.actor.snapshots.Foldable`."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Dump).decode


_NOT_TELLING = frozenset({SessionState.NUMBERS_SET, SessionState.LATCHED, SessionState.UNLATCHED})
"""Steps that set the numbers, or that frame a hand-over."""


class Numbers(NamedTuple):
    """A generation, and the next MsgSeqNum(34) out and in."""

    generation: int
    next_outbound: int
    next_inbound: int

    def __str__(self) -> str:
        return f"generation {self.generation} next out {self.next_outbound} in {self.next_inbound}"


class Folded:
    """A session's history with its place in the log. `lsn` is the last record folded, 0 none."""

    def __init__(self, writer: str, session: str, dialect: Dialect, left_out: LeftOut | None = None) -> None:
        """`writer` is the session's name in the log; `left_out` says which records to leave out."""
        self.fold_version = FOLD_VERSION
        self._writer = writer
        self.left_out = LeftOut() if left_out is None else left_out
        self.history = History(session, dialect)
        self.highest_epoch = 0
        self.lsn = 0

    def apply(self, record: Record) -> None:
        """Fold the next record. One of its own that is left out only uses up its number, one that cannot be read has no
        effect.

        Raises Unfoldable: the state is of no use then.
        """
        self.lsn = record.lsn
        if record.writer != self._writer:
            return
        self.see_epoch(record)
        payload = self.read_own(record)
        if payload is None:
            return
        if self.left_out and record.lsn in self.left_out:
            self.history.use_number(payload)
            return
        try:
            self.history.fold_payload(payload, record.stamp_ns)
        except Exception as error:
            raise Unfoldable(record.lsn, error) from error

    def read_own(self, record: Record) -> Payload | None:
        """The payload of a record of this session; None where it has none, or one that cannot be read, as is noted."""
        if record.kind not in OWN_KINDS:
            return None
        return self.left_out.decode(record)

    def numbers_told(self, record: Record) -> tuple[Numbers, Numbers] | None:
        """What the next record says of the session's numbers, and what this state has: the same, if the fold is right.

        A session tells them with each step. None for any other record, for its first word, and inside a hand-over:
        its records tell of the past.
        """
        if record.writer != self._writer or record.kind != Kind.SESSION:
            return None
        told, history = self.read_own(record), self.history
        if not isinstance(told, SessionChanged) or told.state in _NOT_TELLING:
            return None
        if not history.generation or history.hand_overs.under_way:
            return None
        ours = Numbers(history.generation, history.next_outbound, history.next_inbound)
        if told.state is SessionState.CONNECTING and told.generation == history.generation + 1:
            # A connection that resets the numbers begins a generation by this very record.
            ours = Numbers(told.generation, 1, 1)
        return Numbers(told.generation, told.next_outbound, told.next_inbound), ours

    def see_epoch(self, record: Record) -> None:
        """A record of this writer under a later epoch is another life's."""
        if record.writer_epoch > self.highest_epoch:
            self.highest_epoch = record.writer_epoch
            self.history.hand_overs.new_epoch()

    def digest(self) -> bytes:
        """The hash of the folded state, of what an older version's snapshot holds too."""
        return blake2b(_encode(self._fields()), digest_size=16).digest()

    def dump(self) -> bytes:
        """The folded state as bytes."""
        return _encode(
            (
                *self._fields(),
                self.history.venue_told,
                self.history.hand_overs.lost_from,
                self.left_out.dump(),
                self.history.named,
                self.history.nonces.latest_ms,
                self.history.contracts_told,
                self.history.venue_log,
                self.history.nonces,
            )
        )

    def _fields(self) -> tuple[object, ...]:
        h = self.history
        orders, attempts = h.orders.dump()
        return (
            self.lsn,
            self.highest_epoch,
            *(getattr(h, name) for name in _AS_IT_STANDS),
            [(number, *sent) for number, sent in h.sent.items()],
            orders,
            attempts,
            [],
            *h.hand_overs.dump(),
            h.logon_ns,
            h.numbers_began,
        )


def load_folded(
    data: bytes, writer: str, session: str, dialect: Dialect, left_out: LeftOut | None = None
) -> Folded:
    """The folded state from bytes. Raises msgspec.DecodeError where they are of another form, ValueError where it has
    folded what is to be left out.
    """
    dump = _decode(data)
    folded = Folded(writer, session, dialect, left_out)
    folded.left_out.load(dump.left_out, dump.lsn)
    folded.lsn, folded.highest_epoch = dump.lsn, dump.highest_epoch
    h = folded.history
    for name in (*_AS_IT_STANDS, "logon_ns", "venue_told", "contracts_told", "named", "venue_log"):
        setattr(h, name, getattr(dump, name))
    # A snapshot of a time without this field does not tell it: as if no number had been set by hand.
    h.numbers_began = dump.numbers_began or dump.generation
    former_ms = max(dump.nonce_ms, dump.logon_ns // NS_PER_MS)
    h.nonces = dump.nonces or Nonces(former_ms, former_ms)
    for number, raw, attempt, cl_ord_id, risky in dump.sent:
        h.sent[number] = Sent(raw, attempt, cl_ord_id, risky)
    h.orders.load(dump.orders, dump.attempts)
    h.hand_overs.load(dump.handed_over, dump.handed_over_whole, dump.handing_over, dump.lost_from)
    return folded


END_OF_LOG = 1 << 62


class TakingUp:
    """See the module. `live` from the moment on that everything is folded."""

    def __init__(self, core: Core, folded: Folded, records: Records, former: "TakingUp | None" = None) -> None:
        """`core` takes the effects and notes; `folded` is what a snapshot holds of the log. What `former` has asked for
        is still to come.
        """
        self._core = core
        self._folded = folded
        self._records = records
        self._follower: Follower = Follower(core, folded.lsn, None if former is None else former._follower)
        self.live = False
        self.reading_alone = False
        self._alone_ns: int | None = None

    def wait_for_journal(self, from_boot_ns: int) -> None:
        """Under the latch: from then on the log is read without the journal, unless it has granted an epoch."""
        if self._alone_ns is None:
            self._alone_ns = from_boot_ns

    def granted(self, lsn: int) -> bool:
        """The journal has granted an epoch at `lsn`; whether a live session may hand over at once."""
        if self.live and self._records.unsure_from_lsn is not None:
            # An earlier hand-over was not acknowledged to its end. The log says where to go on.
            self._follower.cursor = self._follower.seen = self._records.unsure_from_lsn
            self._follower.read_to(lsn)
            return False
        if not self.live and not self.reading_alone:
            self._follower.read_to(lsn)
        return self.live

    def read(self, records: Sequence[Record], now: Instant) -> bool:
        """The log's next records; whether the session is live with them or, being live, may hand over now.

        Raises Unfoldable: what was folded is of no use then.
        """
        fresh = self._follower.take_read(records, now)
        if self.live:
            return self._read_hand_over(fresh)
        for record in fresh:
            self._folded.apply(record)
        if self.reading_alone and not records:
            # The end of what can be read without the journal.
            self.reading_alone = False
            self._follower.seen = self._follower.cursor
            grant = self._records.appender.grant
            if grant is None:
                return self._go_live(now)
            self._follower.read_to(grant.lsn)
        if self._follower.caught_up and not self.reading_alone and self._records.appender.granted:
            return self._go_live(now)
        return False

    def _read_hand_over(self, records: Sequence[Record]) -> bool:
        """What the log holds since an unacknowledged hand-over began: how far it went, nothing else, is news."""
        hand_overs = self._folded.history.hand_overs
        for record in records:
            if record.writer == self._core.name:
                self._folded.see_epoch(record)
                payload = self._folded.read_own(record)
                if payload is not None:
                    hand_overs.see_record(payload)
        if not self._follower.caught_up or not self._records.emergency.active:
            return False
        hand_overs.new_epoch()
        return True

    def _go_live(self, now: Instant) -> bool:
        """The log is folded up to our epoch, or, under the latch, as far as it can be read without the journal: hand
        over what files hold, or go on without it; whether that could be."""
        try:
            self._records.fold_waiting()
            lost = self._records.lost
            if lost is not None:
                self._core.note("warning", "inbound_lost", first=lost[0], last=lost[1])
            if self._records.appender.granted:
                self._records.hand_over(now)
            else:
                self._begin_alone(now)
        except (JournalError, OSError) as error:
            text = f"{self._core.name}: an emergency file cannot be read: {error}"
            self._core.effects.append(Exit(status_of_unread(error), text))
            return False
        self.live, self._alone_ns = True, None
        return True

    def _begin_alone(self, now: Instant) -> None:
        """The emergency file is the journal from here on."""
        epoch = max(self._folded.highest_epoch + 1, now.wall_ns // NS_PER_S)
        emergency = self._records.emergency
        emergency.prepare(epoch, self._folded.history.hand_overs.done)
        if emergency.failure:
            mend = "cancel over REST; nothing leaves here"
            self._core.note("error", "emergency", why=emergency.failure, mend=mend)
        self._records.begin_alone(now)

    def next_deadlines_ns(self) -> tuple[int | None, int | None]:
        """When `timer` has something to do, in boot time: a chunk is asked for again, the journal waited for no
        longer.
        """
        return self._follower.next_deadline_ns(), self._alone_ns

    def timer(self, now: Instant) -> None:
        """Ask again for what was not read; read what the log's files hold, which needs no journal."""
        self._follower.timer(now)
        if self._alone_ns is not None and now.boot_ns >= self._alone_ns:
            self._alone_ns = None
            if not self._records.appender.granted:
                self.reading_alone = True
                self._follower.read_to(END_OF_LOG)
