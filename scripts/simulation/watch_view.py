"""What the strategies of a run have told of their lives, and which cancels that allows: beside the watch of the order
manager, and not with it.

A strategy is gone when its process has said that it ends, or has said nothing for as long as it wants to be waited for.
What is cancelled in nobody's name is allowed of a strategy that wants that and was gone since it asked for the order;
an order that the venue took for another one is none of these (`AskedTerms`).
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from common.instant import NS_PER_MS
from common.messages import Alive, CancelOrder, Hello, NewOrderRequest
from scripts.simulation.invariants import Violation
from scripts.simulation.plan import Vigil

SLACK_NS: Final = 1_500 * NS_PER_MS
"""By so much the order manager may be ahead: what was said last is still on its way, and it looks four times a
second."""


class WatchView:
    """See the module. `vigils` are those strategies that are watched over."""

    def __init__(self, vigils: Mapping[str, Vigil]) -> None:
        """Nobody has said anything."""
        self._vigils = vigils
        self._said_ns: dict[str, int] = {}
        self._gone_ns: dict[str, int] = {}
        self._ended: set[str] = set()
        self._asked_ns: dict[tuple[str, int], int] = {}
        self._stopped_ns = -1

    def said(self, strategy: str, message: msgspec.Struct, now_ns: int) -> None:
        """A process of the strategy has said so to the order manager."""
        if strategy not in self._vigils:
            return
        if isinstance(message, NewOrderRequest):
            for number in range(message.number, message.number + 1 + len(message.further)):
                self._asked_ns.setdefault((strategy, number), now_ns)
        elif isinstance(message, Hello | Alive):
            if self._is_gone(strategy, now_ns):
                self._gone_ns[strategy] = now_ns
            self._said_ns[strategy] = now_ns
            self._ended.discard(strategy)
            if isinstance(message, Alive) and message.ends:
                self._ended.add(strategy)
                self._gone_ns[strategy] = now_ns

    def orders_stopped(self, now_ns: int) -> None:
        """The order manager was told to stop: it cancels what rests, as the venues' tables want."""
        self._stopped_ns = now_ns

    def cancelled(self, cancel: CancelOrder, now_ns: int) -> None:
        """The order manager sends it. Raises Violation where nobody wants it."""
        target = (cancel.target_strategy, cancel.target_number)
        strategy, vigil = cancel.target_strategy, self._vigils.get(cancel.target_strategy)
        # In nobody's name it bears the order's own.
        if (cancel.strategy, cancel.number) != target:
            return
        if vigil is not None and self._is_gone(strategy, now_ns):
            self._gone_ns[strategy] = now_ns
        asked_ns = self._asked_ns.get(target, 0)
        if self._stopped_ns >= asked_ns:
            return
        if vigil is None or not vigil.cancels:
            raise Violation("left-is-left", f"{cancel} of a strategy that does not want it")
        if self._gone_ns.get(strategy, -1) < asked_ns:
            raise Violation("left-is-left", f"{cancel} of a strategy that said that it lives")

    def _is_gone(self, strategy: str, now_ns: int) -> bool:
        quiet_ns = now_ns - self._said_ns.get(strategy, now_ns)
        return strategy in self._ended or quiet_ns >= self._vigils[strategy].silent_after_ns - SLACK_NS
