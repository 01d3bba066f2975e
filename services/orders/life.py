"""Where the order manager is in its life, which decides what it may do now, and the word that clients are told of it.

The words: "starting" until the journal has granted an epoch and the log is read up to it; "restarting" until all that
a former life sent has turned up; "live"; "journal_away" while nothing is heard of the journal; "stopping" from the word
to stop on.
"""

from common.actor.links import AWAY_NS, Appender
from common.instant import NS_PER_MS, Instant
from common.messages import StatusChanged
from services.orders.clients import Clients

STOP_NS = 2_000 * NS_PER_MS
"""How long an orderly stop waits for resting orders to be cancelled; the supervisor allows the whole stack 4 s."""

SILENCE_NS = 2 * AWAY_NS
"""Without a record for so long the journal is away: it ticks every 100 ms."""


class Life:
    """See the module. `has_read`, `live` and `away` are to be read by all, and set here alone."""

    def __init__(self, appender: Appender, clients: Clients) -> None:
        """Before the start."""
        self._appender = appender
        self._clients = clients
        self._heard_boot_ns = 0
        self._stopping_boot_ns: int | None = None
        self.has_read = False
        self.live = False
        self.away = False

    @property
    def epoch(self) -> int:
        """The epoch that the journal granted; 0 before that."""
        return self._appender.epoch

    @property
    def stopping(self) -> bool:
        """Whether the word to stop came, and the end did not."""
        return self._stopping_boot_ns is not None

    @property
    def state(self) -> str:
        """One of the words above."""
        if self.stopping:
            return "stopping"
        if not self.has_read:
            return "starting"
        if self.away:
            return "journal_away"
        return "live" if self.live else "restarting"

    def status(self, number: int) -> StatusChanged:
        """What a client is told whose command `number` can be given no outcome now."""
        return StatusChanged(self.state, number, self.epoch)

    def read(self) -> None:
        """The log is applied up to the own epoch record: what is told from here on is told as of that or later."""
        self.has_read = True

    def go_live(self) -> None:
        """The wait is over. The caller tells the clients when it has taken up what it must."""
        self.live = True

    def heard(self, now: Instant) -> None:
        """The journal gave a sign of life."""
        self._heard_boot_ns = now.boot_ns

    def back(self) -> None:
        """What the journal gave was applied: it is not away any more."""
        self.away = False
        self._clients.tell_all(self.status(0))

    def check_away(self, now: Instant) -> None:
        """Ask where the journal stands, and tell that it is away, when it has been silent for too long."""
        silent = now.boot_ns - self._heard_boot_ns >= SILENCE_NS
        if self._appender.granted and not self.away and (silent or self._appender.away(now)):
            self.away = True
            self._appender.question(now)
            self._clients.tell_all(StatusChanged("journal_away", 0, self.epoch))

    def stop(self, now: Instant) -> None:
        """The word to stop."""
        self._stopping_boot_ns = now.boot_ns

    def is_late(self, now: Instant) -> bool:
        """Whether the stop has taken as long as it may."""
        return self._stopping_boot_ns is not None and now.boot_ns - self._stopping_boot_ns >= STOP_NS

    def ended(self) -> None:
        """The stop is done."""
        self._stopping_boot_ns = None

    def next_deadline_ns(self) -> int | None:
        """When `check_away` or `is_late` may say otherwise, in boot time."""
        silent_ns = self._heard_boot_ns + SILENCE_NS if self._appender.granted and not self.away else None
        if self._stopping_boot_ns is None:
            return silent_ns
        late_ns = self._stopping_boot_ns + STOP_NS
        return late_ns if silent_ns is None else min(silent_ns, late_ns)
