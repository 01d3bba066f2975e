"""Which strategies live: who said that it does, who has fallen silent, and what is cancelled for those that are gone.

A strategy's hello says how it is watched over; one that is configured is also expected after a start of this process.
One that its supervisor says it starts again, whether a person wants that or its process has died, is given the time of
a start, and its goodbye is none then: its next life finds its orders as they are.
Time counts for a silence only while this process looks: where it, the journal or the host stood still, that is no
silence of the strategy. Whose open orders are to be cancelled, those are wished to be, again at every look, so that one
which was under way is met when it comes. The journal has each fall into silence, end and return.
"""

import enum
from collections.abc import Mapping
from typing import Final

import msgspec

from common.actor.links import Appender
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.messages import Hello, Kind, OperatorAct
from common.orders.books import Books
from common.orders.fold import WRITER
from common.orders.order_state import Order
from services.orders.attempts import Whose
from services.orders.cancels import Cancels
from services.orders.clients import STRATEGIES
from services.orders.settings import START_NS, Watched

LOOK_NS: Final = 250 * NS_PER_MS
"""Between two looks; a longer time counts as twice that, since this process cannot have listened then."""

END_NS: Final = 5 * NS_PER_S
"""One that still says that it lives so long after its supervisor's word has not been ended."""


class Sign(enum.StrEnum):
    """What is known of a strategy's process."""

    AWAITED = "awaited"  # configured, and not heard of since the start of this process
    ALIVE = "alive"
    RESTARTING = "restarting"  # its supervisor starts it again, and it has not said hello since
    SILENT = "silent"
    ENDED = "ended"


class _Row(msgspec.Struct, gc=False):
    """`told_boot_ns` is when its supervisor said that it starts `instance` again."""

    watched: Watched
    sign: Sign
    instance: str = ""
    quiet_ns: int = 0
    told_boot_ns: int = 0

    @property
    def limit_ns(self) -> int:
        """From how long a quiet on it is silent."""
        its = self.watched
        starts = self.sign in (Sign.AWAITED, Sign.RESTARTING)
        return max(its.start_ns, its.silent_after_ns) if starts else its.silent_after_ns

    def is_still_ending(self, now: Instant) -> bool:
        """Whether a word of its may be the last one of the life that its supervisor ends."""
        return self.sign is Sign.RESTARTING and now.boot_ns - self.told_boot_ns < END_NS

    @property
    def is_gone(self) -> bool:
        return self.sign in (Sign.SILENT, Sign.ENDED)


class Watch:
    """See the module."""

    def __init__(self, appender: Appender, books: Books, cancels: Cancels, configured: Mapping[str, Watched]) -> None:
        """The `configured` ones are awaited."""
        self._appender = appender
        self._books = books
        self._cancels = cancels
        self._starts_ns = {name: its.start_ns for name, its in configured.items()}
        self._rows = {name: _Row(its, Sign.AWAITED) for name, its in configured.items()}
        self._looked_ns: int | None = None

    # ---- what is heard ----

    def hello(self, hello: Hello, now: Instant) -> None:
        """An instance has the name. One that never says that it lives is not watched over, nor is who had the name."""
        name = hello.strategy
        if not hello.silent_after_ns:
            self._rows.pop(name, None)
            return
        row = self._rows.get(name)
        if row is not None and row.instance == hello.instance and row.is_still_ending(now):
            return
        if row is None and len(self._rows) >= STRATEGIES:
            gone = next((each for each, its in self._rows.items() if its.is_gone), None)
            if gone is None:
                return
            del self._rows[gone]
        watched = Watched(hello.silent_after_ns, hello.cancel_on_exit, self._starts_ns.get(name, START_NS))
        self._rows[name] = _Row(watched, Sign.ALIVE, hello.instance)
        if row is not None and (row.is_gone or row.sign is Sign.RESTARTING):
            self._journal(name, "back", "it has said hello", now)

    def restarting(self, name: str, now: Instant) -> None:
        """Its supervisor ends it, or has seen it end, and starts it again. What is gone already stays so, and the time
        counts from when it was heard of last: one that dies again and again has no more of it.
        """
        row = self._rows.get(name)
        if row is None or row.sign is not Sign.ALIVE:
            return
        row.sign, row.told_boot_ns = Sign.RESTARTING, now.boot_ns
        resting, limit_s = len(self._within_reach(name)), row.limit_ns // NS_PER_S
        self._journal(name, row.sign.value, f"it has {limit_s} s; its {resting} open orders stay so long", now)

    def hear_sign(self, name: str, now: Instant, *, ends: bool) -> None:
        """The strategy's instance says that it lives, or `ends` in order."""
        row = self._rows.get(name)
        if row is None:
            return
        row.quiet_ns = 0
        if row.is_still_ending(now):
            return
        if ends:
            self._gone(name, row, Sign.ENDED, "", now)
        elif row.sign is not Sign.ALIVE:
            row.sign = Sign.ALIVE
            self._journal(name, "back", "it is heard of again", now)

    # ---- what is due ----

    def look(self, now: Instant) -> None:
        """See who has fallen silent since the last look, and cancel for who is gone."""
        before_ns = now.boot_ns if self._looked_ns is None else self._looked_ns
        self._looked_ns = now.boot_ns
        passed_ns = min(now.boot_ns - before_ns, 2 * LOOK_NS)
        for name, row in self._rows.items():
            if not row.is_gone:
                row.quiet_ns += passed_ns
                if row.quiet_ns >= row.limit_ns:
                    self._gone(name, row, Sign.SILENT, f"not heard of for {row.quiet_ns / NS_PER_S:.1f} s", now)
            elif row.watched.cancel_on_exit:
                self._cancel_for(name, row, now)

    def next_ns(self) -> int | None:
        """When the next look is due, in boot time; None where nobody is watched over."""
        if not self._rows:
            return None
        return 0 if self._looked_ns is None else self._looked_ns + LOOK_NS

    def _gone(self, name: str, row: _Row, sign: Sign, why: str, now: Instant) -> None:
        row.sign = sign
        resting = self._within_reach(name)
        left = "are being cancelled" if row.watched.cancel_on_exit else "stay open"
        told = f"its {len(resting)} open orders {left}" if resting else ""
        self._journal(name, sign.value, "; ".join(filter(None, (why, told))), now)
        if row.watched.cancel_on_exit:
            self._cancel_for(name, row, now)

    def _cancel_for(self, name: str, row: _Row, now: Instant) -> None:
        whose = Whose(cause=f"strategy {name} is {row.sign.value}")
        for order in self._within_reach(name):
            if order.name not in self._cancels:
                self._cancels.wish(order, ("", 0), now, whose)

    def _within_reach(self, name: str) -> list[Order]:
        """Its open orders, but for those of accounts that are not configured: nobody can cancel there."""
        return [order for order in self._books.open_orders_of(name) if not self._cancels.out_of_reach(order)]

    def _journal(self, name: str, act: str, text: str, now: Instant) -> None:
        if not self._appender.full:
            self._appender.append(Kind.OPERATOR, OperatorAct(f"strategy@{name}", act, WRITER, text), now)

    # ---- what is told ----

    def is_cancelled(self, name: str) -> bool:
        """Whether the strategy is gone and its open orders are being cancelled for that."""
        row = self._rows.get(name)
        return row is not None and row.is_gone and row.watched.cancel_on_exit

    def rows(self) -> dict[str, dict[str, object]]:
        """Each strategy that is watched over, JSON-ready."""
        return {
            name: {
                "sign": row.sign.value,
                "quiet_ms": row.quiet_ns // NS_PER_MS,
                "silent_after_ms": row.watched.silent_after_ns // NS_PER_MS,
                "on_exit": "cancel" if row.watched.cancel_on_exit else "leave",
                "open_orders": len(self._books.open_orders_of(name)),
            }
            for name, row in self._rows.items()
        }
