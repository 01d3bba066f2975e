"""How fast the venue's REST side may be asked: a bucket of cost, filled at a steady rate.

By the boot clock. CCXT's own throttle waits by the wall clock: set back by an hour, nothing is asked for an hour.
"""

BURST_SHARE = 1 / 12
"""Of a minute's allowance, so much may go at once, and the rest at such a rate that no minute has more than its own:
an order's fate is asked for when it matters, after minutes without a question.
"""

MINUTE_S = 60.0

RESERVE_SHARE = 1 / 4
"""Of what may go at once, so much is left by the questions where cancels have a way of their own."""


class Pace:
    """`delay_s` before each request, with the request's cost."""

    def __init__(self, cost_per_s: float, burst: float | None = None) -> None:
        """The venue allows so much cost in a second, counted over a minute; with `burst` it has a bucket of its own,
        of which so much may go at once, and the rest as it is filled.
        """
        minute = cost_per_s * MINUTE_S
        self._most = minute * BURST_SHARE if burst is None else burst
        self._per_s = (minute - self._most) / MINUTE_S if burst is None else cost_per_s
        self._left = self._most
        self._last_s = 0.0
        self.reserve = self._most * RESERVE_SHARE

    def delay_s(self, cost: float, now_s: float, reserve: float = 0.0) -> float:
        """How long a request of `cost` has to wait at `now_s` (boot time), in seconds, until `reserve` is left after
        it; it counts as made."""
        self._left = min(self._most, self._left + (now_s - self._last_s) * self._per_s)
        self._last_s = now_s
        self._left -= cost
        return max(0.0, (reserve - self._left) / self._per_s)
