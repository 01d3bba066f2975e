"""The one form in which time is handed to code that may not read a clock."""

from typing import NamedTuple

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


class Instant(NamedTuple):
    """A reading of both clocks, taken once at the top of a turn of the loop.

    `wall_ns` is Unix time in nanoseconds (CLOCK_REALTIME): it may jump and serves stamps that others read, such as
    SendingTime(52). `boot_ns` is CLOCK_BOOTTIME in nanoseconds: it only advances and serves every timer and age.
    """

    wall_ns: int
    boot_ns: int


def earliest(*times: int | None) -> int | None:
    """The first of the times; None, where one never comes, is none of them."""
    return min((time for time in times if time is not None), default=None)
