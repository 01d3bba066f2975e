"""What each watch sees in the picture: a value for each subject, or that something is so.

A reading names its source, the process whose word it is. While that one is silent nothing that it said is over.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from common.alerts import SinkStanding, WatchKind
from common.instant import NS_PER_S, Instant
from common.messages import Reason
from common.orders.facts import VenueFacts
from common.orders.money import Line, Sums, lines, prices_told, rates_in, summed
from common.restrictions import SESSION_UP, Restriction, not_to_run, restrictions
from services.alerts.picture import Growth, Picture

ONE: Final = Decimal(1)
MINUTE_NS: Final = 60 * NS_PER_S
REASONS: Final = frozenset(reason.value for reason in Reason)
GIVEN_UP: Final = ("halted", "refused")
STRATEGIES: Final = "supervisor-strategies"
"""Who would know of a strategy that nobody has started."""

NOT_WANTED: Final = ("stopped", "stopping")
"""Phases in which a supervisor's child is silent because somebody wants it to be."""

UNREADABLE: Final = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)
"""What reading an answer that is not as it should be may raise; it must not end who watches."""

FAILURES_IN_A_ROW: Final = 2
"""One attempt may fail; it is made again before anybody is told."""

MONEY_FRESH_NS: Final = 30 * NS_PER_S
ALL: Final = "all"
"""The subject of what is added up over all strategies."""

OTHER_WATCHES: Final = {
    "killed": WatchKind.KILLED, "low_disk": WatchKind.DISK, "disk_full": WatchKind.DISK,
    "unknown_orders": WatchKind.UNKNOWN_ORDER, "copy_behind": WatchKind.COPY_LAG, "no_copy": WatchKind.COPY_LAG,
}  # fmt: skip
"""What restricts and has a watch of its own."""


class Reading(NamedTuple):
    """What is so of a subject, in words, with its value where the watch has a limit; `source` is who told it."""

    subject: str
    text: str
    source: str
    value: Decimal = ONE


class Money(msgspec.Struct, frozen=True):
    """In what profit is counted, and the facts of the accounts that tell what assets are worth."""

    currency: str
    fixed_rates: Mapping[str, Decimal]
    accounts: Mapping[str, VenueFacts]


class Readings:
    """Everything that is watched, and the counts of a while ago that some of it is compared with."""

    def __init__(self, picture: Picture, money: Money) -> None:
        """Nothing has grown yet."""
        self._picture = picture
        self._money = money
        self.discrepancies = Growth(5 * MINUTE_NS)
        self._refusals = Growth(MINUTE_NS)
        self._restarts = Growth(10 * MINUTE_NS)
        self._watches: Mapping[WatchKind, Callable[[Instant], Iterator[Reading]]] = {
            WatchKind.ACTOR_SILENT: self._silent,
            WatchKind.ACTOR_HALTED: self._halted,
            WatchKind.ACTOR_RESTARTS: self._restarted,
            WatchKind.SESSION_DOWN: self._sessions_down,
            WatchKind.UNKNOWN_ORDER: self._unknown,
            WatchKind.REFUSALS: self._refused,
            WatchKind.LOSS: self._losses,
            WatchKind.RISK_USE: self._risk_use,
            WatchKind.DISK: self._disk,
            WatchKind.CLOCK: self._clocks,
            WatchKind.DISCREPANCY: self._differences,
            WatchKind.JOURNAL_LAG: self._lags,
            WatchKind.COPY_LAG: self._copies,
            WatchKind.KILLED: self._kills,
            WatchKind.RESTRICTED: self._restrictions,
        }

    def take(self, now: Instant, sinks: Sequence[SinkStanding]) -> dict[WatchKind, list[Reading]]:
        """What every watch sees now. One that cannot read an answer sees nothing, and is told of itself."""
        seen: dict[WatchKind, list[Reading]] = {WatchKind.SINK_FAILING: list(_failing(sinks))}
        blind = []
        for watch, look in self._watches.items():
            try:
                seen[watch] = list(look(now))
            except UNREADABLE as error:
                blind.append(Reading(f"alerts {watch}", f"{watch} cannot be looked at: {error!r}", ""))
        if blind:
            seen[WatchKind.RESTRICTED] = [*seen.get(WatchKind.RESTRICTED, ()), *blind]
        return seen

    # ---- processes ----

    def _silent(self, now: Instant) -> Iterator[Reading]:
        children = {name: (by, child) for name, by, child in self._picture.children(now)}
        left_out = not_to_run(self._picture.names, {name: child for name, (_, child) in children.items()})
        for name in self._picture.names:
            supervisor, child = children.get(name, (STRATEGIES, {}))
            if name in left_out and self._picture.find(supervisor, now) is not None:
                yield Reading(name, f"{name} is {left_out[name]['state']}", supervisor, Decimal(0))
            elif child.get("phase") in NOT_WANTED:
                yield Reading(name, f"{name} is {child['phase']}", supervisor, Decimal(0))
            elif self._picture.find(name, now) is None:
                silent_s = self._picture.age_ns(name, now) // NS_PER_S
                yield Reading(name, f"{name} has not answered for {silent_s} s", name, Decimal(silent_s))

    def _halted(self, now: Instant) -> Iterator[Reading]:
        for name, supervisor, child in self._picture.children(now):
            if child["phase"] in GIVEN_UP:
                yield Reading(name, f"{name} is given up ({child['phase']}): {child['last_exit']}", supervisor)

    def _restarted(self, now: Instant) -> Iterator[Reading]:
        for name, supervisor, child in self._picture.children(now):
            times = self._restarts.count(name, child["restarts"], now.boot_ns)
            last = f"the last end: {child['last_exit'] or 'none'}"
            yield Reading(name, f"{name} was started again {times} times in 10 min, {last}", supervisor, Decimal(times))

    # ---- sessions ----

    def _sessions(self, now: Instant) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for kind in ("session", "dropcopy", "marketdata"):
            yield from self._picture.of_kind(kind, now)

    def _sessions_down(self, now: Instant) -> Iterator[Reading]:
        for name, status in self._sessions(now):
            if status["state"] not in SESSION_UP:
                why = f": {status['failed_logon']}" if status.get("failed_logon") else ""
                yield Reading(name, f"{name} is {status['state']}{why}", name)

    def _clocks(self, now: Instant) -> Iterator[Reading]:
        for name, status in self._sessions(now):
            offset_ms = Decimal(str(status.get("clock_offset_ms", 0)))
            yield Reading(name, f"the clocks of {name} and this host differ by {offset_ms} ms", name, abs(offset_ms))

    # ---- orders ----

    def _unknown(self, now: Instant) -> Iterator[Reading]:
        for name, status in self._picture.of_kind("orders", now):
            count, age_s = status["unknown_orders"], Decimal(str(status["oldest_unknown_s"]))
            if count:
                yield Reading(name, f"{count} orders are UNKNOWN, the oldest for {age_s} s", name, age_s)

    def _differences(self, now: Instant) -> Iterator[Reading]:
        for name, status in self._picture.of_kind("orders", now):
            grown = self.discrepancies.count(name, status["discrepancies"], now.boot_ns)
            if grown:
                yield Reading(name, f"{grown} discrepancies in 5 min, {status['discrepancies']} in all", name)

    def _refused(self, now: Instant) -> Iterator[Reading]:
        for kind in ("orders", "risk", "session"):
            for name, status in self._picture.of_kind(kind, now):
                grown = self._refusals.count(name, refused_by(kind, status), now.boot_ns)
                yield Reading(name, f"{name} refused {grown} commands in a minute", name, Decimal(grown))

    # ---- money and limits ----

    def _losses(self, now: Instant) -> Iterator[Reading]:
        for strategy, sums in self.profit(now).items():
            if sums.today is not None:
                loss, currency = -sums.today.net, self._money.currency
                told = f"{strategy}: {sums.today.net:.2f} {currency} today"
                yield Reading(strategy, told, "orders", loss)

    def profit(self, now: Instant) -> dict[str, Sums]:
        """Profit by strategy and of `ALL`; {} where orders or risk does not tell what is held and at which price."""
        held = self._picture.held(now, MONEY_FRESH_NS)
        risk = self._picture.find("risk", now)
        if held is None or risk is None:
            return {}
        prices, money = prices_told(risk["exposures"]), self._money
        found = lines(held, prices, rates_in(money.currency, money.fixed_rates, money.accounts, prices))
        parts: dict[str, list[Line]] = {}
        for line in found:
            parts.setdefault(line.strategy or "nobody", []).append(line)
        return {**{name: summed(its) for name, its in parts.items()}, ALL: summed(found)}

    def _risk_use(self, now: Instant) -> Iterator[Reading]:
        for name, status in self._picture.of_kind("risk", now):
            for row in status["exposures"]:
                use = used_of(row)
                if use is not None:
                    place = f"{row['account']} {row['symbol']}"
                    held = f"long {row['worst_long']}, short {row['worst_short']} at worst of {row['limit']}"
                    yield Reading(place, f"{place}: {held}", name, use)
            for strategy, row in status["strategies"].items():
                use = Decimal(row["open_orders"]) / row["max_open_orders"]
                told = f"{strategy}: {row['open_orders']} open orders of {row['max_open_orders']}"
                yield Reading(f"{strategy} orders", told, name, use)

    # ---- the journal ----

    def _disk(self, now: Instant) -> Iterator[Reading]:
        for name, status in self._picture.of_kind("journal", now):
            if "free_bytes" in status:
                free = Decimal(0 if status["state"] == "full" else status["free_bytes"])
                yield Reading(name, f"{free / (1 << 20):.0f} MiB are free where the journal lies", name, free)

    def _lags(self, now: Instant) -> Iterator[Reading]:
        for name, behind in lag_of(self._picture, now):
            yield Reading(name, f"{name} is {behind} records behind the journal", name, Decimal(behind))

    def _copies(self, now: Instant) -> Iterator[Reading]:
        for name, status in self._picture.of_kind("journal", now):
            copy = status.get("copy")
            if copy:
                text = f"the copy off the machine is {copy['lag_records']} records behind"
                yield Reading(name, text, name, age_of_copy_ms(status))

    # ---- what restricts ----

    def _found(self, now: Instant) -> list[Restriction]:
        return restrictions(self._picture.answering(now))

    def _kills(self, now: Instant) -> Iterator[Reading]:
        for found in self._found(now):
            if OTHER_WATCHES.get(found.reason) is WatchKind.KILLED:
                yield Reading(found.actor, f"{found.actor}: {found.text}", found.actor)

    def _restrictions(self, now: Instant) -> Iterator[Reading]:
        for found in self._found(now):
            if found.reason not in OTHER_WATCHES:
                yield Reading(f"{found.actor} {found.reason}", f"{found.actor}: {found.text}", found.actor)


def refused_by(kind: str, status: Mapping[str, Any]) -> int:
    """The commands that an actor has refused since its start: risk counts them by reason."""
    if kind == "session":
        return int(status["refused"])
    counts: Mapping[str, int] = status["counts"]
    return sum(count for name, count in counts.items() if name == "refused" or name in REASONS)


def used_of(row: Mapping[str, Any]) -> Decimal | None:
    """The share of a place's limit that is used at worst; None where it has none."""
    limit = Decimal(row["limit"] or 0)
    return max(Decimal(row["worst_long"]), -Decimal(row["worst_short"])) / limit if limit else None


def lag_of(picture: Picture, now: Instant) -> Iterator[tuple[str, int]]:
    """How many records orders and risk are behind the journal. The answers are moments apart, and so are their places:
    only a large figure that stays says something."""
    journal = picture.find("journal", now)
    if journal is not None:
        for name in ("orders", "risk"):
            if (status := picture.find(name, now)) is not None:
                yield name, max(0, journal["lsn"] - status["lsn"])


def age_of_copy_ms(journal: Mapping[str, Any]) -> Decimal:
    """How old the copy is, as the journal tells; while it has heard nothing of it, at least its own life."""
    lag_ms = journal["copy"]["lag_ms"]
    return Decimal(str(journal["uptime_s"])) * 1000 if lag_ms is None else Decimal(str(lag_ms))


def _failing(sinks: Sequence[SinkStanding]) -> Iterator[Reading]:
    for sink in sinks:
        if sink.failed_in_a_row >= FAILURES_IN_A_ROW:
            yield Reading(sink.name, f"{sink.name}: {sink.error}", "")
