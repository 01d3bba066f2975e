"""A notice as people read it, and as programs do."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from common.alerts import FiringAlert, Silence
from common.instant import NS_PER_S
from services.alerts.book import AlertNotice

MOST_LINES: Final = 40
"""More alerts are counted, not listed: a mail or a chat is to be read at a glance."""


def heading(notice: AlertNotice) -> str:
    """One line: where it is, and how much of what."""
    where = f"fixring {notice.environment.upper()} on {notice.host}"
    if notice.is_test:
        return f"{where}: a test, nothing is wrong"
    told = [f"{len(notice.firing)} firing"] * bool(notice.firing)
    told += [f"{len(notice.resolved)} resolved"] * bool(notice.resolved)
    silences = len(notice.silences_ended)
    told += [f"{silences} silence{'s' * (silences > 1)} over"] * bool(silences)
    return f"{where}: {', '.join(told)}"


def body(notice: AlertNotice) -> str:
    """All of it as plain text."""
    lines = [heading(notice)]
    lines += [line for alert in notice.firing for line in _firing(alert)]
    lines += [_resolved(alert, notice.made_ns) for alert in notice.resolved]
    lines += [f"SILENCE OVER {shown_silence(each)}; what of it fires is told again" for each in notice.silences_ended]
    if len(lines) > MOST_LINES:
        lines = [*lines[:MOST_LINES], "... and more: fixring alerts list"]
    if notice.is_test:
        lines.append("Somebody typed fixring alerts test; what fires will come the same way.")
    return "\n".join(lines)


def _firing(alert: FiringAlert) -> list[str]:
    again = "" if alert.told < 2 else f", told {alert.told} times"
    return [
        f"{alert.severity.upper()} {alert.rule}: {alert.text} (since {shown_time(alert.since_ns)}{again})",
        f"    do: {alert.mend}",
    ]


def _resolved(alert: FiringAlert, now_ns: int) -> str:
    seen_by = f", acknowledged by {alert.acknowledged.by}" if alert.acknowledged is not None else ""
    return f"RESOLVED {alert.rule}: {alert.subject}, after {(now_ns - alert.since_ns) // NS_PER_S} s{seen_by}"


def shown_silence(silence: Silence) -> str:
    """What is silenced until when, by whom and why."""
    what = f"{silence.rule} {silence.subject or '(every subject)'}"
    return f"{what} until {shown_time(silence.until_ns)}, by {silence.by}: {silence.why}"


def shown_time(unix_ns: int) -> str:
    """A time as people read it, in UTC."""
    return datetime.fromtimestamp(unix_ns // NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def document(notice: AlertNotice) -> bytes:
    """All of it as JSON: the fields of `AlertNotice`, and the text."""
    return msgspec.json.encode({**msgspec.to_builtins(notice), "text": body(notice)})
