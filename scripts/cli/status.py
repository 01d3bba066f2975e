"""`fixring status`: every actor asked live; nothing is remembered, so silence is shown as silence."""

from collections.abc import Mapping
from typing import Any

import click
import orjson

from common.actor.control import Answers, NotRunning, ask_all
from common.config import Config, Kind, load
from common.exit_status import ExitStatus
from scripts.cli.outside import told_outside

ANSWER_S = 2.0
OFFSET_WARNING_MS = 250
GIVEN_UP = ("halted", "refused")
"""What a supervisor says of a child that it does not start again by itself."""

SESSION_FINE = ("ready", "live", "off_schedule")
"""What a session says that does what it is configured to do."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of the tables.")
def status(as_json: bool) -> None:
    """What runs, and how each session stands.

    Exit status 4 when nothing runs, 1 when an actor is missing, a session is not open that should be, or the log holds
    orders or positions that the configuration knows nothing of, else 0.
    """
    config = load()
    document = ask_everybody(config)
    actors = document["actors"]
    if as_json:
        click.echo(orjson.dumps(document))
    else:
        click.echo(_tables(config, document))
    if all(actor["state"] == "not running" for actor in actors.values()):
        raise click.exceptions.Exit(ExitStatus.NOT_RUNNING)
    if not is_whole(document):
        raise click.exceptions.Exit(ExitStatus.FAILURE)


def is_whole(document: Mapping[str, Any]) -> bool:
    """Whether every actor answers, every session's gate is open, and nothing is held outside the configuration."""
    missing = {"not running", "not answering"}
    if document["outside"] is None or document["outside"]:
        return False
    return not any(actor["state"] in missing for actor in document["actors"].values()) and all(
        session["state"] in SESSION_FINE for session in document["sessions"].values()
    )


def ask_everybody(config: Config) -> dict[str, Any]:
    """The whole status document, of every actor and every supervisor that is configured."""
    names = [actor.name for actor in config.actors()]
    supervisors = [f"supervisor-{kind.value}" for kind in Kind]
    answers = ask_all(config.paths.run, [(name, "status", {}) for name in (*names, *supervisors)], ANSWER_S)
    children = _children(answers, supervisors)
    actors = {name: _actor(name, answers, children.get(name, {})) for name in names}
    details = answers.details
    return {
        "environment": config.environment.value,
        "journal": str(config.journal_folder),
        "actors": actors,
        "sessions": {name: details[name] for name in names if _is_session(name) and name in details},
        "risk": details.get("risk", {}),
        "outside": told_outside(details),
    }


def _is_session(name: str) -> bool:
    return name.partition("@")[0] in ("session", "marketdata")


def _children(answers: Answers, supervisors: list[str]) -> dict[str, dict[str, Any]]:
    """What the supervisors know of their children, by actor."""
    children: dict[str, dict[str, Any]] = {}
    for name in supervisors:
        told = answers.details.get(name, {}).get("actors", {})
        assert isinstance(told, dict)
        children.update(told)
    return children


def _actor(name: str, answers: Answers, child: Mapping[str, Any]) -> dict[str, Any]:
    restarts = {"restarts": child.get("restarts", 0), "last_exit": child.get("last_exit", "")}
    if name in answers.errors:
        absent = isinstance(answers.errors[name], NotRunning)
        phase = child.get("phase", "")
        state = "not running" if absent else "not answering"
        return {"pid": child.get("pid", 0), "state": state, "epoch": 0, "lsn": 0, "phase": phase, **restarts}
    detail = answers.details[name]
    kept = (
        "pid", "state", "epoch", "lsn", "memory_bytes", "uptime_s", "garbage", "hash_mismatches", "undecodable",
        "low_disk", "unknown_orders", *(("kill",) if name.startswith("account@") else ()),
    )  # fmt: skip
    return {"epoch": 0, "lsn": 0, **{key: detail[key] for key in kept if key in detail}, **restarts}


def _tables(config: Config, document: Mapping[str, Any]) -> str:
    lines = [f"environment {document['environment']}, journal {document['journal']}", ""]
    lines.append(f"{'actor':24}{'state':16}{'pid':>8}{'epoch':>12}{'lsn':>12}{'restarts':>10}{'memory MB':>11}  note")
    for name, actor in document["actors"].items():
        memory = f"{actor['memory_bytes'] / 1e6:.1f}" if "memory_bytes" in actor else "-"
        lines.append(
            f"{name:24}{actor['state']:16}{actor['pid']:>8}{actor['epoch'] or '-':>12}{actor['lsn'] or '-':>12}"
            f"{actor['restarts']:>10}{memory:>11}  {'; '.join(_actor_notes(actor)) or '-'}"
        )
    lines += ["", f"{'session':24}{'state':16}{'out':>10}{'in':>10}{'heard s':>10}{'offset ms':>11}  note"]
    lines += [_session_line(name, session) for name, session in document["sessions"].items()]
    lines += ["", *_risk_lines(document["risk"]), *_outside_lines(document["outside"])]
    return "\n".join(lines)


def _actor_notes(actor: Mapping[str, Any]) -> list[str]:
    """What an operator must not miss, in words."""
    notes = []
    if actor.get("phase") in GIVEN_UP:
        notes.append(f"{actor['phase'].upper()}: {actor['last_exit']}")
    if actor.get("kill", "off") != "off":
        notes.append(f"KILL LATCHED ({actor['kill']})")
    if actor.get("low_disk"):
        notes.append("LOW DISK")
    if actor.get("hash_mismatches"):
        notes.append("STATE DIFFERS FROM THE LOG")
    if actor.get("undecodable"):
        notes.append(f"{actor['undecodable']} RECORDS UNREADABLE")
    if actor.get("unknown_orders"):
        notes.append(f"{actor['unknown_orders']} orders UNKNOWN")
    return notes + [f"garbage from {link}: {count}" for link, count in actor.get("garbage", {}).items()]


def _session_line(name: str, session: Mapping[str, Any]) -> str:
    heard_ms, offset_ms = session.get("last_heard_ms"), session.get("clock_offset_ms")
    heard = "-" if heard_ms is None else f"{heard_ms / 1000:.1f}"
    offset = "-" if offset_ms is None else f"{offset_ms:+.1f}"
    numbers = f"{session.get('next_outbound', '-'):>10}{session.get('next_inbound', '-'):>10}"
    return f"{name:24}{session['state']:16}{numbers}{heard:>10}{offset:>11}  {'; '.join(_session_notes(session))}"


def _session_notes(session: Mapping[str, Any]) -> list[str]:
    """What an operator must not miss, in words."""
    notes = []
    if session.get("latched"):
        notes.append(f"KILL LATCHED ({session.get('kill', '')})")
    if session.get("unreadable"):
        notes.append(f"{session['unreadable']} REPORTS UNREADABLE")
    if session.get("halted"):
        notes.append(f"HALTED: {session['halted']}")
    if session.get("schedule"):
        notes.append(session["schedule"])
    if session.get("emergency_failure"):
        notes.append(f"NO EMERGENCY FILE: {session['emergency_failure']}")
    if session.get("clock_warning"):
        notes.append(f"CLOCK OFF by more than {OFFSET_WARNING_MS:.0f} ms")
    if session.get("journal_away"):
        notes.append("JOURNAL AWAY")
    if session.get("emergency"):
        notes.append(f"EMERGENCY FILE {session['emergency']}")
    return notes


def _outside_lines(held: list[str] | None) -> list[str]:
    """What the log holds and the configuration does not; None where nobody has read the log to its end."""
    if held is None:
        return ["what is held outside the configuration is not known: neither orders nor risk has read the log"]
    return ["", *held] if held else []


def _risk_lines(risk: Mapping[str, Any]) -> list[str]:
    """Risk: one line of counts, one line a place with its worst case beside its limit, then what is halted."""
    if not risk:
        return ["risk does not answer"]
    counts = "  ".join(f"{name} {count}" for name, count in risk["counts"].items())
    lines = [f"risk {risk['state']}  in flight {risk['in_flight']}  {counts}", ""]
    columns = ("position", "worst long", "worst short", "limit", "reference")
    lines.append(f"{'exposure':24}" + "".join(f"{column:>16}" for column in columns) + f"{'age ms':>8}")
    for place in risk["exposures"]:
        numbers = (place["position"], place["worst_long"], place["worst_short"], place["limit"], place["reference"])
        name = f"{place['venue']} {place['symbol']}"
        lines.append(f"{name:24}" + "".join(f"{number:>16}" for number in numbers) + f"{place['reference_age_ms']:>8}")
    return lines + [f"HALTED {halt}" for halt in risk["halts"]]
