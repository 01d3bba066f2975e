"""Which host an initiator dials next, and when; and how fast it may send.

Pure: the host hands in the time and, for the jitter, a random number.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from common.fix.errors import SettingsError
from common.fix.session_types import DisconnectReason
from common.fix.wire import NS_PER_S


@dataclass(frozen=True, kw_only=True, slots=True)
class ReconnectSettings:
    """Back-off: the first pause doubles up to the longest, and each is lengthened by up to `jitter` of itself, so that
    many clients of a venue that restarts do not dial in step. Raises SettingsError."""

    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0
    jitter: float = 0.25
    too_low_limit: int = 2  # so many refusals of our number in a row, and a human has to look

    def __post_init__(self) -> None:
        if not 0 < self.first_pause_s <= self.longest_pause_s or self.jitter < 0 or self.too_low_limit < 1:
            raise SettingsError(
                "0 < first_pause_s <= longest_pause_s, jitter is not negative, too_low_limit is at least 1"
            )


class Reconnect:
    """Several hosts in turn. The index goes back to the first host after a Logon(A), not after a mere connect: a host
    that accepts connections and then refuses is passed over like one that is gone (quickfixj#1324).

    After `too_low_limit` endings with a number too low in a row it stops: dialling again cannot mend a lost number and
    looks like an attack (hotfix#27). `resume` is the human's word.
    """

    def __init__(self, hosts: Sequence[tuple[str, int]], settings: ReconnectSettings | None = None) -> None:
        """`hosts`: (host, port), the preferred one first. Raises SettingsError."""
        if not hosts:
            raise SettingsError("an initiator needs at least one host")
        self.settings = settings or ReconnectSettings()
        self.hosts = tuple(hosts)
        self.next_attempt_ns = 0
        self.needs_human = False
        self._index = 0
        self._begin_again = False
        self._failures = 0
        self._too_low = 0

    @property
    def host(self) -> tuple[str, int]:
        """Where to dial next."""
        return self.hosts[self._index]

    def logged_on(self) -> None:
        """Logon(A) succeeded: after the next ending the first host comes first again."""
        self._begin_again = True
        self._failures = 0
        self._too_low = 0

    def ended(self, reason: DisconnectReason | None, boot_ns: int, random_fraction: float) -> None:
        """A connection ended or was not made (None). `random_fraction` is from 0 to 1. Sets `next_attempt_ns`
        (boot_ns)."""
        self._too_low = self._too_low + 1 if reason is DisconnectReason.SEQUENCE_TOO_LOW else 0
        self.needs_human = self.needs_human or self._too_low >= self.settings.too_low_limit
        self._index = 0 if self._begin_again else (self._index + 1) % len(self.hosts)
        self._begin_again = False
        # The whole round of hosts is tried before the pause grows.
        rounds = min(self._failures // len(self.hosts), 30)
        self._failures += 1
        pause_s = min(self.settings.first_pause_s * 2.0**rounds, self.settings.longest_pause_s)
        self.next_attempt_ns = boot_ns + int(pause_s * (1 + self.settings.jitter * random_fraction) * NS_PER_S)

    def may_dial(self, boot_ns: int) -> bool:
        """Whether it is time, and nobody has to look first."""
        return not self.needs_human and boot_ns >= self.next_attempt_ns

    def resume(self) -> None:
        """A human has looked at the numbers: dial again at once."""
        self.needs_human = False
        self._too_low = 0
        self.next_attempt_ns = 0


class Throttle:
    """At most `messages` in any window of `window_s` seconds."""

    def __init__(self, messages: int, window_s: float) -> None:
        """Raises SettingsError."""
        if messages < 1 or window_s <= 0:
            raise SettingsError("a throttle lets at least one message through in a window longer than 0 s")
        self._window_ns = int(window_s * NS_PER_S)
        self._sent: deque[int] = deque(maxlen=messages)

    def free_at_ns(self, boot_ns: int) -> int:
        """When the next message may go, boot_ns: now or later."""
        if len(self._sent) < (self._sent.maxlen or 0):
            return boot_ns
        return max(boot_ns, self._sent[0] + self._window_ns)

    def spend(self, boot_ns: int) -> bool:
        """Count a message that wants to go now; False, and nothing counted, if it may not."""
        if self.free_at_ns(boot_ns) > boot_ns:
            return False
        self._sent.append(boot_ns)
        return True
