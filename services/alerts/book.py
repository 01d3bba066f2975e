"""Which alerts fire, since when, and what is told of them: readings in, notices out. Pure.

Rules, and their one home:

1. What a rule looks at is an alert once it has been so for `for_s`, and is over once it has not been so for `CLEAR_NS`.
2. While the source of its last reading is silent, an alert is not over: silence is no verdict.
3. What begins or ends within `group_ns` of the first that is not told yet goes into one notice.
4. What still fires is told again after a pause, which doubles each time up to a longest one.
5. What was told, and what is still to be told, outlives the process: a restart tells nothing twice and forgets nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from common.alerts import WATCHES, FiringAlert, Rule, Severity, WatchKind
from common.instant import NS_PER_S, Instant
from services.alerts.readings import Reading

CLEAR_NS = 10 * NS_PER_S
MAX_FIRING = 500
"""More alerts than this are no more news: what is beyond is not kept."""

Key = tuple[str, str]
"""A rule's name and a subject."""


class Pauses(msgspec.Struct, frozen=True):
    """How long is waited: for what else begins, and until what still fires is told again."""

    group_ns: int
    repeat_ns: int
    repeat_max_ns: int


class RememberedAlert(msgspec.Struct, frozen=True):
    """An alert as it is kept over a restart. The pause is the one until the next notice that has it."""

    alert: FiringAlert
    source: str
    pause_ns: int


class AlertNotice(msgspec.Struct, frozen=True, kw_only=True):
    """What is told at once: what began and what fires still, then what is over. Times are Unix nanoseconds."""

    number: int
    made_ns: int
    environment: str
    host: str
    firing: tuple[FiringAlert, ...] = ()
    resolved: tuple[FiringAlert, ...] = ()
    is_test: bool = False


@dataclass
class _Alert:
    """One that fires, or is about to."""

    rule: Rule
    reading: Reading
    since: Instant
    seen: Instant
    fires: bool = False
    clear_boot_ns: int | None = None
    told: int = 0
    pause_ns: int = 0
    next_boot_ns: int = 0

    def shown(self, now: Instant) -> FiringAlert:
        """For people, and for a restart."""
        watch = WATCHES[self.rule.watch]
        next_ns = now.wall_ns + max(0, self.next_boot_ns - now.boot_ns) if self.told else 0
        return FiringAlert(
            rule=self.rule.name, watch=self.rule.watch, severity=self.rule.severity, subject=self.reading.subject,
            text=self.reading.text, mend=watch.mend, since_ns=self.since.wall_ns, seen_ns=self.seen.wall_ns,
            value=_shown(self.reading.value) if watch.unit else "", unit=watch.unit, told=self.told,
            next_told_ns=next_ns,
        )  # fmt: skip


@dataclass
class _Untold:
    """What begins and ends, and is told when the time of its group is over."""

    by_boot_ns: int
    firing: dict[Key, None] = field(default_factory=dict)
    resolved: dict[Key, FiringAlert] = field(default_factory=dict)


class AlertBook:
    """See the module."""

    def __init__(self, rules: Sequence[Rule], pauses: Pauses) -> None:
        """Nothing fires."""
        self._rules = {rule.name: rule for rule in rules}
        self._pauses = pauses
        self._alerts: dict[Key, _Alert] = {}
        self._untold: _Untold | None = None
        self.not_kept = 0

    # ---- over a restart ----

    def restore(self, remembered: Iterable[RememberedAlert], now: Instant) -> None:
        """What fired in a former life and was told or was to be; a rule that is no more has none."""
        for each in remembered:
            alert, rule = each.alert, self._rules.get(each.alert.rule)
            if rule is None or rule.watch is not alert.watch:
                continue
            then = Instant(alert.since_ns, now.boot_ns)
            seen = Instant(alert.seen_ns, now.boot_ns)
            left_ns = min(max(0, alert.next_told_ns - now.wall_ns), each.pause_ns)
            kept = _Alert(
                rule, Reading(alert.subject, alert.text, each.source), then, seen, True, None, alert.told,
                each.pause_ns, now.boot_ns + left_ns,
            )  # fmt: skip
            self._alerts[rule.name, alert.subject] = kept
            if not alert.told:
                self._begin(now).firing[rule.name, alert.subject] = None

    def remembered(self, now: Instant) -> list[RememberedAlert]:
        """What a later life is to be given."""
        return [
            RememberedAlert(each.shown(now), each.reading.source, each.pause_ns)
            for each in self._alerts.values()
            if each.fires
        ]

    # ---- what is so ----

    def take(self, seen: Mapping[WatchKind, Sequence[Reading]], answers: Callable[[str], bool], now: Instant) -> bool:
        """The readings of now, of each watch that could look; `answers` tells whether a source does ("" is this
        process). Returns whether anything that is kept over a restart has changed."""
        changed, there = False, set[Key]()
        for rule in self._rules.values():
            for reading in seen.get(rule.watch, ()):
                if _is_beyond(rule, reading):
                    there.add((rule.name, reading.subject))
                    changed |= self._found(rule, reading, now)
                elif (alert := self._alerts.get((rule.name, reading.subject))) is not None:
                    alert.reading = alert.reading._replace(source=reading.source)
        for key, alert in list(self._alerts.items()):
            is_looked_at = alert.rule.watch in seen and (not alert.reading.source or answers(alert.reading.source))
            if key not in there and is_looked_at:
                changed |= self._missed(key, alert, now)
        return changed

    def _found(self, rule: Rule, reading: Reading, now: Instant) -> bool:
        key = (rule.name, reading.subject)
        alert = self._alerts.get(key)
        if alert is None:
            if len(self._alerts) >= MAX_FIRING:
                self.not_kept += 1
                return False
            alert = self._alerts[key] = _Alert(rule, reading, now, now)
        alert.reading, alert.seen, alert.clear_boot_ns = reading, now, None
        if alert.fires or now.boot_ns - alert.since.boot_ns < rule.for_s * NS_PER_S:
            return False
        alert.fires = True
        self._begin(now).firing[key] = None
        return True

    def _missed(self, key: Key, alert: _Alert, now: Instant) -> bool:
        if not alert.fires:
            del self._alerts[key]
            return False
        if alert.clear_boot_ns is None:
            alert.clear_boot_ns = now.boot_ns
        if now.boot_ns - alert.clear_boot_ns < CLEAR_NS:
            return False
        del self._alerts[key]
        untold = self._begin(now)
        untold.firing.pop(key, None)
        untold.resolved[key] = alert.shown(now)
        return True

    def _begin(self, now: Instant) -> _Untold:
        if self._untold is None:
            self._untold = _Untold(now.boot_ns + self._pauses.group_ns)
        return self._untold

    # ---- what is told ----

    def due(self, now: Instant) -> tuple[list[FiringAlert], list[FiringAlert]]:
        """What is to be told now: what fires and what is over; both empty where nothing is."""
        for key, alert in self._alerts.items():
            if alert.told and alert.next_boot_ns <= now.boot_ns:
                self._begin(now).firing[key] = None
        untold = self._untold
        if untold is None or untold.by_boot_ns > now.boot_ns:
            return [], []
        self._untold = None
        firing = [self._alerts[key] for key in untold.firing if key in self._alerts]
        for alert in firing:
            alert.told += 1
            alert.pause_ns = min(2 * alert.pause_ns or self._pauses.repeat_ns, self._pauses.repeat_max_ns)
            alert.next_boot_ns = now.boot_ns + alert.pause_ns
        return _ordered(alert.shown(now) for alert in firing), _ordered(untold.resolved.values())

    def firing(self, now: Instant) -> list[FiringAlert]:
        """All that fires, the most severe and oldest first."""
        return _ordered(alert.shown(now) for alert in self._alerts.values() if alert.fires)


def _shown(value: Decimal) -> str:
    """At most four places: what is beyond is no news."""
    return f"{value:.4f}".rstrip("0").rstrip(".")


def _is_beyond(rule: Rule, reading: Reading) -> bool:
    if rule.limit is None:
        return True
    return reading.value < rule.limit if WATCHES[rule.watch].is_below else reading.value > rule.limit


def _ordered(alerts: Iterable[FiringAlert]) -> list[FiringAlert]:
    return sorted(alerts, key=lambda each: (each.severity is not Severity.CRITICAL, each.since_ns, each.subject))
