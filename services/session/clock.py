"""The journal's clock as a session can know it: from the stamps that it hears and the time since."""

from common.instant import Instant


class JournalClock:
    """A lower bound of the journal's clock: it advances by boot time from the tightest stamp heard in one journal
    epoch.

    It serves to refuse and withdraw early only; what a stamp decides, the stamp decides.
    """

    def __init__(self) -> None:
        self._epoch = -1
        self._offset_ns = 0

    def heard(self, stamp_ns: int, journal_epoch: int, now: Instant) -> None:
        """A stamp of the journal in its life `journal_epoch`, heard now: it was made no later than now."""
        offset_ns = stamp_ns - now.boot_ns
        if journal_epoch != self._epoch:
            self._epoch, self._offset_ns = journal_epoch, offset_ns
        else:
            self._offset_ns = max(self._offset_ns, offset_ns)

    def estimate_ns(self, now: Instant) -> int:
        """The journal's clock, or a little less."""
        return now.boot_ns + self._offset_ns

    def boot_ns(self, journal_ns: int) -> int:
        """When, in boot time, the estimate reaches `journal_ns`."""
        return journal_ns - self._offset_ns
