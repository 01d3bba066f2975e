"""Message rates as a token bucket in integer arithmetic (the generic cell rate algorithm): no drift, no
refill timer.
"""


class Bucket:
    """At most `messages` at once and `messages` in each `window_ns` on average; time is boot time, passed in.

    Instead of tokens it keeps the instant at which the bucket would be full again: each message moves it one token's
    worth of time on, and a message is allowed while that instant is at most a window away.
    """

    __slots__ = ("_full_ns", "_token_ns", "messages", "window_ns")

    def __init__(self, messages: int, window_ns: int) -> None:
        """Full at first. Both arguments are at least 1."""
        self.messages = messages
        self.window_ns = window_ns
        self._token_ns = max(1, window_ns // messages)
        self._full_ns = 0

    def available(self, now_ns: int) -> int:
        """How many messages may go at once now; negative when more went than the rate allows."""
        return (self.window_ns - max(0, self._full_ns - now_ns)) // self._token_ns

    def allows(self, now_ns: int, reserve: int = 0) -> bool:
        """Whether one more may go while `reserve` messages stay for others."""
        return self.available(now_ns) > reserve

    def take(self, now_ns: int) -> None:
        """Count one message, allowed or not."""
        self._full_ns = max(self._full_ns, now_ns) + self._token_ns
