"""The replicator's worker: it compares the stream with the log, publishes what follows, and reads it all again.

Everything here blocks. What it decides follows from what the log and the stream hold.
"""

from collections.abc import Callable
from contextlib import suppress

import msgspec

from common.actor.unread import status_of_unread
from common.exit_status import ExitStatus
from common.journal import JournalError
from common.journal.errors import Gone, NotThere
from common.journal.frames import Link, end_of, parse
from common.journal.reader import Reader
from common.journal.terms import FIRST_TERM
from common.past.words import term_text
from common.replication.chain import Chain
from common.replication.errors import Away, Fenced, Forked, NoStream, StreamBroken
from common.replication.message import MESSAGE_BYTES, Batch, Stored, batch_of
from common.replication.port import ReplicatedLog
from common.replication.publisher import Publisher
from common.replication.succession import successor
from services.replicator.words import CannotGoOn, Checked, CheckOn, Copied, CopyOn, NotNow, Place, Result

CHECKED_MESSAGES = 256
"""Read again in one piece of work, so that copying never waits long for it."""

RE_SEED = "nothing is written over: keep this journal's folder, and have a person decide which of the two goes on"
FENCED = "this host must not go on; its folder is kept, and fixring standby follows the other one in a new one"


class Copier:
    """One journal and its stream."""

    def __init__(
        self, open_stream: Callable[[str], ReplicatedLog], reader: Reader, fence_off: Callable[[str], None]
    ) -> None:
        """`open_stream` is given the journal's identity; `reader` reads the journal's folder. `fence_off` is told who
        has taken the journal over, and sees that this host's next start hears it too; it raises OSError.
        """
        self._open_stream = open_stream
        self._fence_off = fence_off
        self._term = FIRST_TERM
        self._reader = reader
        self._log: ReplicatedLog | None = None
        self._publisher: Publisher | None = None
        self._end = Copied(0, 0, 0)
        self._check = Chain()

    def work(self, call: msgspec.Struct) -> msgspec.Struct:
        """Do one piece of work; what goes wrong is an answer too."""
        try:
            return self._work(call)
        except Away as error:
            return NotNow(str(error), self._unclear, isinstance(error, NoStream))
        except Fenced as error:
            return CannotGoOn(ExitStatus.FENCED, f"fenced: {self._fenced(error)}; {FENCED}")
        except Forked as error:
            return CannotGoOn(ExitStatus.INTEGRITY, f"{error}; {RE_SEED}")
        except StreamBroken as error:
            return CannotGoOn(ExitStatus.INTEGRITY, str(error))
        except JournalError as error:
            return CannotGoOn(status_of_unread(error), f"reading the log: {error}")

    def _work(self, call: msgspec.Struct) -> Result:
        match call:
            case Place():
                return self._place(call)
            case CopyOn():
                return self._copy_on(call.upto_lsn)
            case CheckOn():
                return self._check_on(anew=call.anew)
        raise TypeError(f"{call!r} is no work of the replicator's")

    @property
    def _unclear(self) -> int:
        return self._publisher.unclear if self._publisher is not None else 0

    # ---- where the stream ends ----

    def _place(self, call: Place) -> Copied:
        self._term = call.term
        log = self._log = self._open_stream(call.journal_id)
        log.check()
        sequence = log.last_sequence()
        self._end = self._compared(log, sequence, call.durable_lsn) if sequence else Copied(0, 0, 0)
        first = self._reader.first_lsn()
        if first > self._end.lsn + 1:
            raise Forked(
                f"{log.name} ends with record {self._end.lsn}, and the oldest one kept of the log is {first}: what is "
                "between them cannot be copied"
            )
        self._publisher, self._check = Publisher(log, sequence, self._is_ours), Chain()
        return self._end

    def _compared(self, log: ReplicatedLog, sequence: int, durable_lsn: int) -> Copied:
        """The end of the stream, which the log must hold as it stands there. Raises Away, Fenced, Forked."""
        batch = self._last_counted(log, sequence).batch
        if batch.term > self._term:
            raise Fenced(sequence, batch.term, f"this host's is {self._term}")
        if batch.last_lsn > durable_lsn:
            raise Forked(f"{log.name} has records up to {batch.last_lsn}, and the log ends with {durable_lsn}")
        try:
            own = self._reader.link_at(batch.last_lsn)
        except Gone as error:
            raise Forked(f"{log.name} ends with record {batch.last_lsn}, and {error}") from error
        if own != end_of(batch.block):
            raise Forked(f"{log.name}: record {batch.last_lsn}, its last, is not what the log has there")
        return Copied(sequence, batch.last_lsn, parse(batch.block)[-1].stamp_ns)

    def _last_counted(self, log: ReplicatedLog, sequence: int) -> Stored:
        """The last message but those of a term below ours, which nobody counts. Raises Away, Forked."""
        for at in range(sequence, 0, -1):
            found = log.message_at(at)
            if found is None:
                raise Away(f"{log.name}: the leader does not know message {at} any more")
            if found.batch.term >= self._term:
                return found
        raise Forked(f"{log.name} has no message of term {self._term}, which the log is in")

    def _fenced(self, error: Fenced) -> str:
        """Who goes on, as far as the stream tells it, written down beside the log."""
        text = str(error)
        if self._log is not None:
            with suppress(Away, StreamBroken):
                began = successor(self._log, self._term, error.sequence)
                text = text if began is None else term_text(began)
        try:
            self._fence_off(text)
        except OSError as failed:
            text = f"{text}; that could not be written down beside the journal: {failed}"
        return text

    # ---- copying ----

    def _copy_on(self, upto_lsn: int) -> Copied:
        publisher = self._publisher
        assert publisher is not None, "the stream's end is found before anything is copied"
        batch = publisher.open_batch
        if batch is None:
            block = self._reader.read_block(self._end.lsn + 1, upto_lsn, MESSAGE_BYTES)
            if not block:
                raise Away(f"record {self._end.lsn + 1} is not to be read yet")
            batch = batch_of(self._term, block)
        batch = publisher.publish(batch)
        stamp_ns = parse(batch.block)[-1].stamp_ns
        self._end = Copied(
            publisher.sequence, batch.last_lsn, stamp_ns, publisher.unclear, publisher.was_answered
        )  # fmt: skip
        return self._end

    def _is_ours(self, batch: Batch) -> bool:
        """Whether the log holds these very frames. The checksums are a chain: the last one speaks for all."""
        try:
            return self._reader.link_at(batch.last_lsn) == end_of(batch.block)
        except NotThere:
            return False

    # ---- reading again ----

    def _check_on(self, *, anew: bool) -> Checked:
        assert self._log is not None, "the stream's end is found before anything is read again"
        chain = self._check = Chain() if anew else self._check
        most = min(CHECKED_MESSAGES, self._end.sequence - chain.sequence)
        for found in self._log.messages(chain.sequence + 1, most) if most > 0 else ():
            before = chain.end
            chain.take(found)
            self._hold_against_log(before, chain)
        return Checked(chain.sequence, chain.sequence >= self._end.sequence)

    def _hold_against_log(self, before: Link, chain: Chain) -> None:
        """The checksums are a chain: where the last one is the log's, so is everything before it. Raises Forked."""
        try:
            own = self._reader.link_at(chain.end.lsn)
        except Gone:
            return
        if own != chain.end:
            raise Forked(f"message {chain.sequence} of the stream, behind record {before.lsn}, is not what the log has")
