"""A log that follows another host's: the same frames under the same identity, added as they come from the copy.

Its folder has the claim `following` from before its first segment on, so that nothing of this host's own is written
behind what it follows before somebody has taken the journal over. Otherwise it is a journal like any: readers,
snapshots and `verify` take it as they take others.
"""

from common.journal.claims import FOLLOWING, claim_text, write_claim
from common.journal.errors import BadFrame, LogFailed, OtherJournal
from common.journal.files import Files, Folder
from common.journal.frames import Stop, walk
from common.journal.log import SEGMENT_BYTES, Log
from common.journal.segments import first_lsns


class FollowedLog(Log):
    """See the module. Made by `FollowedLog.begin`."""

    @classmethod
    def begin(
        cls,
        folder: Folder,
        files: Files,
        identity: bytes,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        trusted_lsn: int = 0,
    ) -> "FollowedLog":
        """Lock the folder (made where missing) and go on from what it holds of the journal `identity`.

        `segment_bytes` and `trusted_lsn` are as for `Log.open`. Raises OtherJournal where it holds another one, or one
        that follows nobody; else what `Log.open` does.
        """
        return cls._opened(folder, files, segment_bytes, "disk", 0, lambda log: log._follow(identity, trusted_lsn))

    def _follow(self, identity: bytes, trusted_lsn: int) -> None:
        holds = bool(first_lsns(self._files, self.folder))
        if holds and claim_text(self.folder, self._files, FOLLOWING) is None:
            raise OtherJournal(self.folder, "a journal that follows no other host's")
        if not holds:
            write_claim(self.folder, self._files, FOLLOWING, f"journal {identity.hex()} of another host")
        found = self._survey(trusted_lsn)
        if found is not None and found.identity != identity:
            raise OtherJournal(self.folder, f"what was followed of journal {found.identity.hex()}")
        self.identity = identity
        self.epoch = found.journal_epoch if found is not None else 0
        self._take_up(found)

    def take(self, block: bytes) -> None:
        """Add whole frames that follow, each verified; they are durable when this returns.

        Raises BadFrame (nothing is written), NoSpace (likewise), LogFailed (end here).
        """
        if self._failure is not None:
            raise LogFailed(f"{self.folder}: following", self._failure)
        walked = walk(block, self._end, stamp_ns=self.last_stamp_ns)
        if walked.stop is not Stop.MORE or walked.position != len(block):
            raise BadFrame(walked.position, walked.why or "cut short")
        self.epoch = max(self.epoch, walked.journal_epoch)
        if len(block) > self._allocated - self._position:
            self._rotate(len(block))
        self._write(block, walked.end)
        walk(block, self._end, each=self._writers)
        self._position += len(block)
        self._end, self.last_stamp_ns = walked.end, walked.stamp_ns
