"""What the session reads of the log: at its start its own records, and later how far a hand-over went.

A session is live once it has folded everything up to its own epoch and what emergency files hold beyond it. Under the
kill latch the journal is waited for as long as an append would be; then the log's files are read without it, and the
emergency file is the journal from the first record on.
"""

from collections.abc import Sequence

from common.actor.core import Core, Exit
from common.actor.links import Follower
from common.actor.unread import status_of_unread
from common.instant import NS_PER_S, Instant
from common.journal.errors import JournalError
from common.journal.frames import Record
from services.session.records import Records
from services.session.recovery import Folded

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
                return self._go_live_alone(now)
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
                    hand_overs.see(payload)
        if not self._follower.caught_up or not self._records.emergency.active:
            return False
        hand_overs.new_epoch()
        return True

    def _go_live(self, now: Instant) -> bool:
        """The log is folded up to our epoch: hand over what files hold, and begin."""
        try:
            self._fold_waiting()
            self._records.hand_over(now)
        except (JournalError, OSError) as error:
            return self._unreadable(error)
        return self._begin()

    def _go_live_alone(self, now: Instant) -> bool:
        """Under the latch, without the journal: the emergency file is the journal from here on."""
        try:
            self._fold_waiting()
        except (JournalError, OSError) as error:
            return self._unreadable(error)
        epoch = max(self._folded.highest_epoch + 1, now.wall_ns // NS_PER_S)
        emergency = self._records.emergency
        emergency.prepare(epoch, self._folded.history.hand_overs.done)
        if emergency.failure:
            mend = "cancel over REST; nothing leaves here"
            self._core.note("error", "emergency", why=emergency.failure, mend=mend)
        self._records.begin_alone(now)
        return self._begin()

    def _fold_waiting(self) -> None:
        self._records.fold_waiting()
        lost = self._records.lost
        if lost is not None:
            self._core.note("warning", "inbound_lost", first=lost[0], last=lost[1])

    def _unreadable(self, error: Exception) -> bool:
        text = f"{self._core.name}: an emergency file cannot be read: {error}"
        self._core.effects.append(Exit(status_of_unread(error), text))
        return False

    def _begin(self) -> bool:
        self.live = True
        self._alone_ns = None
        return True

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
