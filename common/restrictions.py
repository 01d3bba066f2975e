"""What keeps a stack whose processes all run from doing all that is configured: one reading of what its actors answer.

`fixring status` and the block that says READY both ask here, so that neither calls a stack well that passes no order.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

REFUSED_IN_A_ROW: Final = 3
"""So many commands refused one after another are no accident; where none was ever sent, one is enough."""


SESSION_UP: Final = ("ready", "live", "off_schedule", "killed")
"""What a session says that is as connected as it is to be."""


class Restriction(NamedTuple):
    """One thing that is wrong or switched off: whose, a word for programs, and what stands on a screen."""

    actor: str
    reason: str
    text: str


Statuses = Mapping[str, Mapping[str, Any]]
"""What each actor answered to "status", by its name."""


def restrictions(statuses: Statuses) -> list[Restriction]:
    """Everything that the answers tell, in the order of the actors; an actor that does not answer says nothing here."""
    return [Restriction(name, *found) for name, status in statuses.items() for found in _of(name, status, statuses)]


def not_to_run(names: Iterable[str], children: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What stands in place of the answers of the strategies among `names` that do not run for a reason: a person has
    stopped them, or they came into the configuration since the start. `children` are what their supervisor knows.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        if name.partition("@")[0] == "strategy":
            child = children.get(name)
            if child is None:
                found[name] = {"state": "not added", "not_added": True}
            elif child.get("stopped") and not child.get("pid"):
                found[name] = {"state": "stopped", "stopped": child["stopped"]}
    return found


def _of(name: str, status: Mapping[str, Any], statuses: Statuses) -> Iterator[tuple[str, str]]:
    kind = name.partition("@")[0]
    for why in status.get("cut_off", {}).values():
        yield "link_cut_off", f"LINK CUT OFF: {why}"
    if status.get("hash_mismatches"):
        yield "state_differs", "STATE DIFFERS FROM THE LOG"
    if status.get("left_out"):
        yield "left_out", f"HALTED: {status['left_out']}"
    if kind == "journal" and status.get("state") == "full":
        yield "disk_full", "DISK FULL: the journal takes nothing"
    if kind == "journal" and status.get("low_disk"):
        yield "low_disk", "LOW DISK"
    if kind == "journal" and (status.get("copy") or {}).get("behind"):
        yield "copy_behind", f"COPY BEHIND by {_age_of_copy(status['copy'])}: what adds risk is refused"
    if kind == "journal" and status.get("asks_who_goes_on"):
        yield "asks_who_goes_on", "NOTHING IS TOLD before the copy's stream says that no other host has taken over"
    if kind == "orders" and status.get("unknown_orders"):
        yield "unknown_orders", f"{status['unknown_orders']} orders UNKNOWN"
    if kind == "orders":
        yield from _of_watched(status, statuses)
    if kind in ("orders", "risk") and status.get("index_failure"):
        yield "index_failed", f"INDEX OF FORMER ORDERS FAILED: {status['index_failure']}"
    if kind == "marketdata" and status.get("unreadable"):
        yield "unreadable", f"{status['unreadable']} MESSAGES UNREADABLE"
    if kind == "marketdata" and status.get("failing"):
        yield "rest_failing", f"REST FAILING: {status['failing']}"
    if kind == "marketdata":
        for symbol, why in status.get("not_tradable", {}).items():
            yield "instrument_differs", f"{symbol} IS REFUSED: {why}"
        for symbol, what in status.get("differs", {}).items():
            yield "instrument_bounds", f"{symbol}: {what}"
    if kind == "replicator" and status.get("failing"):
        yield "no_copy", f"NO COPY OFF THE MACHINE: {status['failing']}"
    if kind == "risk":
        yield from _of_risk(status, statuses)
    if kind in ("session", "account"):
        yield from _of_venue_side(status)
    if kind == "strategy":
        yield from _of_strategy(status)


def _age_of_copy(copy: Mapping[str, Any]) -> str:
    known = copy["lag_ms"] is not None
    return f"{copy['lag_records']} records, {copy['lag_ms']} ms" if known else "all of the log, as far as is known"


def _of_risk(status: Mapping[str, Any], statuses: Statuses) -> Iterator[tuple[str, str]]:
    if status.get("killed"):
        yield "killed", "KILLED: what adds risk is refused"
    for halt in status.get("halts", ()):
        yield "halted", f"HALTED {halt}"
    for place in status.get("exposures", ()):
        session = statuses.get(f"session@{place['account']}", {})
        stale = not place["reference"] or place["reference_age_ms"] > place.get("reference_max_age_ms", 0)
        if stale and place.get("reference_max_age_ms") and session.get("state") != "off_schedule":
            yield "reference_stale", f"NO FRESH PRICE of {place['symbol']} at {place['venue']}"


def _of_venue_side(status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Of a session, and of an account."""
    if status.get("kill", "off") != "off":
        yield "killed", f"KILL LATCHED ({status['kill']})"
    if status.get("latch_failure"):
        yield "latch_failure", f"THE LATCH IS IN MEMORY ONLY: {status['latch_failure']}"
    if status.get("failing"):
        yield "rest_failing", f"REST FAILING: {status['failing']}"
    if status.get("unreadable"):
        yield "unreadable", f"{status['unreadable']} REPORTS UNREADABLE"
    if status.get("halted"):
        yield "halted", f"HALTED: {status['halted']}"
    if status.get("emergency_failure"):
        yield "emergency_failure", f"NO EMERGENCY FILE: {status['emergency_failure']}"
    if status.get("journal_away"):
        yield "journal_away", "JOURNAL AWAY"
    if status.get("emergency"):
        yield "emergency", f"EMERGENCY FILE {status['emergency']}"


def _of_watched(status: Mapping[str, Any], statuses: Statuses) -> Iterator[tuple[str, str]]:
    """Strategies that the order manager does not hear of any more, unless that is as a person wants it."""
    for strategy, row in status.get("strategies", {}).items():
        if row["sign"] == "silent" and not statuses.get(f"strategy@{strategy}", {}).get("stopped"):
            are = "are being cancelled" if row["on_exit"] == "cancel" else "stay open"
            left = f": its {row['open_orders']} orders {are}" if row["open_orders"] else ""
            yield "strategy_silent", f"STRATEGY {strategy} SILENT{left}"


def _of_strategy(status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if status.get("stopped"):
        yield "stopped", f"STOPPED by {status['stopped']}: fixring strategy start"
    if status.get("not_added"):
        yield "not_added", "IN THE CONFIGURATION since the start, and not taken up: fixring strategy add"
    for hook, error in status.get("raising", {}).items():
        yield "raising", f"{hook} RAISES {error}"
    refused = status.get("refused_in_a_row", 0)
    if refused >= REFUSED_IN_A_ROW or (refused and not status.get("counts", {}).get("sent")):
        yield "refused", f"{refused} commands REFUSED in a row, the last: {status['last_refusal']}"
    if status.get("state") == "superseded":
        yield "superseded", "SUPERSEDED: a later instance has its name"
