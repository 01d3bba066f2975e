"""What the kill switch has asked the venue on the live connection, and when it asks again.

An answer counts whenever it comes, however often its question was repeated meanwhile. Without one a question is
repeated after pauses that grow.
"""

from collections import OrderedDict
from typing import NamedTuple

import msgspec

from common.instant import NS_PER_MS, NS_PER_S

ANSWER_NS = 1_000 * NS_PER_MS
"""A request without an answer for so long is sent again, and then after twice the time."""

LONGEST_NS = 30 * NS_PER_S
MAX_ASKED = 65_536
"""So many requests are remembered: at a venue that answers none, the oldest are forgotten."""


class What(NamedTuple):
    """What is asked: a "symbol" or an "order" to be cancelled, or for an order's "state"."""

    kind: str
    subject: str


class Asked(NamedTuple):
    """A request under way; whether its answer may be believed to be final."""

    what: What
    msg_seq_num: int
    conclusive: bool


class _Try(msgspec.Struct, gc=False):
    sent_ns: int
    pause_ns: int
    answered: bool


class KillRequests:
    """See the module. Requests are named by their ClOrdID(11)."""

    def __init__(self) -> None:
        """Nothing was asked."""
        self._asked: OrderedDict[str, Asked] = OrderedDict()
        self._tries: dict[What, _Try] = {}

    def is_due(self, what: What, boot_ns: int) -> bool:
        """Whether it is to be asked now, for the first time or again."""
        last = self._tries.get(what)
        return last is None or boot_ns - last.sent_ns >= last.pause_ns

    def is_awaited(self, what: What) -> bool:
        """Whether it was asked and never answered."""
        last = self._tries.get(what)
        return last is not None and not last.answered

    def sent(self, name: str, asked: Asked, boot_ns: int) -> None:
        """The request called `name` took its number."""
        self._asked[name] = asked
        if len(self._asked) > MAX_ASKED:
            self._asked.popitem(last=False)
        last = self._tries.get(asked.what)
        pause_ns = ANSWER_NS if last is None else min(2 * last.pause_ns, LONGEST_NS)
        self._tries[asked.what] = _Try(boot_ns, pause_ns, last is not None and last.answered)

    def answered(self, name: str) -> Asked | None:
        """The venue has answered the request called `name`; None where it is none of ours, or was answered before."""
        asked = self._asked.pop(name, None)
        if asked is not None:
            last = self._tries[asked.what]
            last.pause_ns, last.answered = ANSWER_NS, True
        return asked

    def rejected(self, msg_seq_num: int, name: str) -> Asked | None:
        """The venue has rejected the message with that number, or the request of that name where it gives one."""
        if name in self._asked:
            return self.answered(name)
        names = (name for name, asked in self._asked.items() if asked.msg_seq_num == msg_seq_num)
        return self.answered(next(names, ""))

    def forget(self) -> None:
        """The connection is gone: what was asked on it is not answered any more."""
        self._asked.clear()
        self._tries.clear()
