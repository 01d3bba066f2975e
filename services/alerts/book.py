"""Which alerts fire, since when, and what is told of them: readings in, notices out. Pure.

Rules, and their one home:

1. What a rule looks at is an alert once it has been so for `for_s`, and is over once it has not been so for `CLEAR_NS`.
2. While the source of its last reading is silent, an alert is not over: silence is no verdict.
3. What begins or ends within `group_ns` of the first that is not told yet goes into one notice.
4. What still fires is told again after a pause, which doubles each time up to a longest one.
5. What was told, and what is still to be told, outlives the process: a restart tells nothing twice and forgets nothing.
6. What a person has acknowledged is not told again; that it is over is.
7. While a silence holds nothing of it is told but the end of what was told before. When it ends by itself that is told,
   and what fires still is told as if it had just begun.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

import msgspec

from common.alerts import WATCHES, Acknowledgement, FiringAlert, Rule, Severity, Silence, WatchKind
from common.instant import NS_PER_S, Instant
from services.alerts.readings import Reading
from services.alerts.silences import Key, Silences

CLEAR_NS = 10 * NS_PER_S
MAX_FIRING = 500
"""More alerts than this are no more news: what is beyond is not kept."""


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
    """What is told at once: what began and what fires still, what is over, and which silences have ended by themselves.

    Times are Unix nanoseconds.
    """

    number: int
    made_ns: int
    environment: str
    host: str
    firing: tuple[FiringAlert, ...] = ()
    resolved: tuple[FiringAlert, ...] = ()
    is_test: bool = False
    silences_ended: tuple[Silence, ...] = ()


class Due(NamedTuple):
    """What is to be told now: what fires, what is over, and the silences that have ended; all empty where nothing is.

    What a silence keeps from people is among it, for the log: see `is_kept_quiet`.
    """

    firing: Sequence[FiringAlert] = ()
    resolved: Sequence[FiringAlert] = ()
    silences_ended: Sequence[Silence] = ()


def is_kept_quiet(alert: FiringAlert) -> bool:
    """Whether a silence keeps the alert from people: they were not told of it, and are not told that it is over."""
    return alert.silenced is not None and not alert.told


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
    acknowledged: Acknowledgement | None = None

    def shown(self, now: Instant, silenced: Silence | None) -> FiringAlert:
        """For people, and for a restart."""
        watch = WATCHES[self.rule.watch]
        next_ns = now.wall_ns + max(0, self.next_boot_ns - now.boot_ns) if self.told else 0
        return FiringAlert(
            rule=self.rule.name, watch=self.rule.watch, severity=self.rule.severity, subject=self.reading.subject,
            text=self.reading.text, mend=watch.mend, since_ns=self.since.wall_ns, seen_ns=self.seen.wall_ns,
            value=_places(self.reading.value) if watch.unit else "", unit=watch.unit, told=self.told,
            next_told_ns=next_ns, acknowledged=self.acknowledged, silenced=silenced,
        )  # fmt: skip


@dataclass
class _Untold:
    """What begins and ends, and is told when the time of its group is over."""

    by_boot_ns: int
    firing: dict[Key, None] = field(default_factory=dict)
    resolved: dict[Key, FiringAlert] = field(default_factory=dict)
    silences_ended: list[Silence] = field(default_factory=list)


class AlertBook:
    """See the module."""

    def __init__(self, rules: Sequence[Rule], pauses: Pauses) -> None:
        """Nothing fires."""
        self._rules = {rule.name: rule for rule in rules}
        self._pauses = pauses
        self._alerts: dict[Key, _Alert] = {}
        self._untold: _Untold | None = None
        self.silences = Silences()
        self.not_kept = 0

    @property
    def rules(self) -> list[str]:
        """The rules by name."""
        return list(self._rules)

    # ---- over a restart ----

    def restore(self, remembered: Iterable[RememberedAlert], silences: Iterable[Silence], now: Instant) -> None:
        """What fired in a former life and was told or was to be, and its silences; a rule that is no more has none."""
        for silence in silences:
            if silence.rule in self._rules:
                self.silences.begin(silence, now)
        for each in remembered:
            alert, rule = each.alert, self._rules.get(each.alert.rule)
            if rule is None or rule.watch is not alert.watch:
                continue
            then = Instant(alert.since_ns, now.boot_ns)
            seen = Instant(alert.seen_ns, now.boot_ns)
            left_ns = min(max(0, alert.next_told_ns - now.wall_ns), each.pause_ns)
            kept = _Alert(
                rule, Reading(alert.subject, alert.text, each.source), then, seen, True, None, alert.told,
                each.pause_ns, now.boot_ns + left_ns, alert.acknowledged,
            )  # fmt: skip
            self._alerts[rule.name, alert.subject] = kept
            if not alert.told:
                self._begin(now).firing[rule.name, alert.subject] = None

    def remembered(self, now: Instant) -> list[RememberedAlert]:
        """What a later life is to be given."""
        return [
            RememberedAlert(self._shown(each, now), each.reading.source, each.pause_ns)
            for each in self._alerts.values()
            if each.fires
        ]

    def remembered_silences(self) -> list[Silence]:
        """Those that hold, and those whose end is still to be told."""
        return [*self.silences.all(), *(() if self._untold is None else self._untold.silences_ended)]

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
        untold.resolved[key] = self._shown(alert, now)
        return True

    def _begin(self, now: Instant) -> _Untold:
        if self._untold is None:
            self._untold = _Untold(now.boot_ns + self._pauses.group_ns)
        return self._untold

    # ---- what people say ----

    def acknowledge(self, rule: str, subject: str, word: Acknowledgement, now: Instant) -> list[FiringAlert]:
        """Take a person's word on what fires of the rule and subject ("" is any), and return it, if anything does."""
        found = [
            alert
            for (its_rule, its_subject), alert in self._alerts.items()
            if alert.fires and rule in ("", its_rule) and subject in ("", its_subject)
        ]
        for alert in found:
            alert.acknowledged = word
        return _ordered(self._shown(alert, now) for alert in found)

    # ---- what is told ----

    def due(self, now: Instant) -> Due:
        """What is to be told now."""
        for silence in self.silences.take_ended(now):
            self._begin(now).silences_ended.append(silence)
            for (rule, subject), alert in self._alerts.items():
                if rule == silence.rule and silence.subject in ("", subject):
                    alert.next_boot_ns = now.boot_ns
        for key, alert in self._alerts.items():
            if self._is_due(alert, now):
                self._begin(now).firing[key] = None
        untold = self._untold
        if untold is None or untold.by_boot_ns > now.boot_ns:
            return Due()
        self._untold = None
        firing = [self._alerts[key] for key in untold.firing if key in self._alerts]
        firing = [alert for alert in firing if not (alert.told and self._silence_of(alert) is not None)]
        for alert in firing:
            if self._silence_of(alert) is None:
                alert.told += 1
                alert.pause_ns = min(2 * alert.pause_ns or self._pauses.repeat_ns, self._pauses.repeat_max_ns)
                alert.next_boot_ns = now.boot_ns + alert.pause_ns
        shown = _ordered(self._shown(alert, now) for alert in firing)
        return Due(shown, _ordered(untold.resolved.values()), untold.silences_ended)

    def _is_due(self, alert: _Alert, now: Instant) -> bool:
        """Whether it is to be told, again or since a silence kept it quiet."""
        if not alert.fires or self._silence_of(alert) is not None:
            return False
        return not alert.told or (alert.acknowledged is None and alert.next_boot_ns <= now.boot_ns)

    def _silence_of(self, alert: _Alert) -> Silence | None:
        return self.silences.find(alert.rule.name, alert.reading.subject)

    def _shown(self, alert: _Alert, now: Instant) -> FiringAlert:
        return alert.shown(now, self._silence_of(alert))

    def firing(self, now: Instant) -> list[FiringAlert]:
        """All that fires, the most severe and oldest first."""
        return _ordered(self._shown(alert, now) for alert in self._alerts.values() if alert.fires)


def _places(value: Decimal) -> str:
    """At most four places: what is beyond is no news."""
    return f"{value:.4f}".rstrip("0").rstrip(".")


def _is_beyond(rule: Rule, reading: Reading) -> bool:
    if rule.limit is None:
        return True
    return reading.value < rule.limit if WATCHES[rule.watch].is_below else reading.value > rule.limit


def _ordered(alerts: Iterable[FiringAlert]) -> list[FiringAlert]:
    return sorted(alerts, key=lambda each: (each.severity is not Severity.CRITICAL, each.since_ns, each.subject))
