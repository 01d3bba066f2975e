"""`fixring status`: every actor asked live; nothing is remembered, so silence is shown as silence."""

from collections.abc import Mapping
from typing import Any, Final

import click
import orjson

from common.actor.control import Answers, NotRunning, ask_all
from common.config import Config, Environment, Kind, load
from common.exit_status import ExitStatus
from common.messages import Reason
from common.restrictions import SESSION_UP, not_to_run, restrictions
from common.venues.registry import find_profile
from scripts.cli.outside import stranded, told_outside
from scripts.cli.watching import watchable

ANSWER_S = 2.0
OFFSET_WARNING_MS = 250
COUNTED = (
    "hash_mismatches",
    "undecodable",
    "low_disk",
    "unknown_orders",
    "counts",
    "errors",
    "raising",
    "failing",
    "kill",
    "metrics_failure",
    "firing",
)
"""What an actor's own answer has of troubles, where it has it."""

REASONS = frozenset(reason.value for reason in Reason)
STRATEGIES = "supervisor-strategies"
GIVEN_UP = ("halted", "refused")
"""What a supervisor says of a child that it does not start again by itself."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of the tables.")
@watchable
def status(as_json: bool) -> None:
    """What runs, and how each session stands.

    Exit status 4 when nothing runs, 1 when an actor is missing, a session is not open that should be, or the log or an
    emergency file holds what the configuration knows nothing of, 10 when all run and something restricts them: each is
    named, under "restricted" in JSON. Else 0.
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
    if document["restricted"]:
        raise click.exceptions.Exit(ExitStatus.RESTRICTED)


def is_whole(document: Mapping[str, Any]) -> bool:
    """Whether every actor answers, every session is up, and nothing is held outside the configuration."""
    missing = {"not running", "not answering"}
    if document["outside"] is None or document["outside"] or document["stranded"]:
        return False
    return not any(actor["state"] in missing for actor in document["actors"].values()) and all(
        session["state"] in SESSION_UP for session in document["sessions"].values()
    )


def ask_everybody(config: Config) -> dict[str, Any]:
    """The whole status document, of every actor and every supervisor that is configured."""
    names = [actor.name for actor in config.actors()]
    supervisors = [f"supervisor-{kind.value}" for kind in Kind]
    answers = ask_all(config.reach, [(name, "status", {}) for name in (*names, *supervisors)], ANSWER_S)
    children = _children(answers, supervisors)
    if STRATEGIES in answers.details:
        answers.details = {**not_to_run(names, children), **answers.details}
    actors = {name: _actor(name, answers, children.get(name, {})) for name in names}
    details = answers.details
    return {
        "environment": config.environment.value,
        "journal": str(config.journal_folder),
        "logs": str(config.paths.log),
        "actors": actors,
        "sessions": {name: details[name] for name in names if _is_session(name) and name in details},
        "risk": details.get("risk", {}),
        "acknowledged": details.get("orders", {}).get("acknowledged", {}),
        "accounts": {name.partition("@")[2]: _rest_row(its) for name, its in details.items() if _is_account(name)},
        "outside": told_outside(details),
        "stranded": [str(found) for found in stranded(config)],
        "restricted": [found._asdict() for found in restrictions({n: details[n] for n in names if n in details})],
        "plain_text": _plain_text(config),
        "caveats": _caveats(config),
    }


def _is_account(name: str) -> bool:
    return name.partition("@")[0] == "account"


_OF_REST: Final = {"asked": 0, "answered": 0, "failed": 0, "failing": "", "last_error": ""}


def _rest_row(its: Mapping[str, Any]) -> dict[str, Any]:
    """How often an account's REST side was asked and failed since its start, and why where it fails now."""
    return {key: its.get(key, default) for key, default in _OF_REST.items()}


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
    if name in answers.errors and name not in answers.details:
        absent = isinstance(answers.errors[name], NotRunning)
        phase = child.get("phase", "")
        state = "not running" if absent else "not answering"
        return {"pid": child.get("pid", 0), "state": state, "epoch": 0, "lsn": 0, "phase": phase, **restarts}
    detail = answers.details[name]
    if name in answers.errors:
        return {"pid": 0, "state": detail["state"], "epoch": 0, "lsn": 0, **restarts}
    kept = ("pid", "state", "epoch", "lsn", "memory_bytes", "uptime_s", "garbage", *COUNTED)
    return {"epoch": 0, "lsn": 0, **{key: detail[key] for key in kept if key in detail}, **restarts}


def _tables(config: Config, document: Mapping[str, Any]) -> str:
    lines = [f"environment {document['environment']}, journal {document['journal']}"]
    lines += [f"RESTRICTED {found['actor']}: {found['text']}" for found in document["restricted"]]
    lines.append("")
    lines.append(f"{'actor':26}{'state':16}{'pid':>8}{'epoch':>12}{'lsn':>12}{'restarts':>10}{'memory MB':>11}  note")
    for name, actor in document["actors"].items():
        memory = f"{actor['memory_bytes'] / 1e6:.1f}" if "memory_bytes" in actor else "-"
        lines.append(
            f"{name:26}{actor['state']:16}{actor['pid']:>8}{actor['epoch'] or '-':>12}{actor['lsn'] or '-':>12}"
            f"{actor['restarts']:>10}{memory:>11}  {'; '.join(_actor_notes(name, actor, document)) or '-'}"
        )
    lines += ["", f"{'session':26}{'state':16}{'out':>10}{'in':>10}{'heard s':>10}{'offset ms':>11}  note"]
    lines += [_session_line(name, session, document) for name, session in document["sessions"].items()]
    lines += ["", *_risk_lines(document["risk"]), *_outside_lines(document["outside"])]
    lines += document["stranded"]
    lines += [f"NOT ENCRYPTED: {venue}: {', '.join(names)}" for venue, names in document["plain_text"].items()]
    lines += [f"{caveat.upper()}: {venue}: its README says what" for venue, caveat in document["caveats"].items()]
    return "\n".join(lines)


def _actor_notes(name: str, actor: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    """What an operator must not miss, in words. What restricts a session stands in the session's own line."""
    notes = [] if _is_session(name) else _restrictions_of(name, document)
    if actor.get("phase") in GIVEN_UP:
        notes.append(f"{actor['phase'].upper()}: {actor['last_exit']}; see {document['logs']}/{name}.jsonl")
    elif actor.get("phase") and actor["last_exit"]:
        notes.append(f"{actor['phase']}, after {actor['last_exit']}; see {document['logs']}/{name}.jsonl")
    if actor.get("firing"):
        notes.append(f"{len(actor['firing'])} ALERTS FIRE: fixring alerts list")
    if actor.get("metrics_failure"):
        notes.append(f"NO METRICS: {actor['metrics_failure']}")
    return notes + [f"garbage from {link}: {count}" for link, count in actor.get("garbage", {}).items()]


def _restrictions_of(name: str, document: Mapping[str, Any]) -> list[str]:
    return [found["text"] for found in document["restricted"] if found["actor"] == name]


def _session_line(name: str, session: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    heard_ms, offset_ms = session.get("last_heard_ms"), session.get("clock_offset_ms")
    heard = "-" if heard_ms is None else f"{heard_ms / 1000:.1f}"
    offset = "-" if offset_ms is None else f"{offset_ms:+.1f}"
    notes = _restrictions_of(name, document) + _session_notes(session)
    numbers = f"{session.get('next_outbound', '-'):>10}{session.get('next_inbound', '-'):>10}"
    return f"{name:26}{session['state']:16}{numbers}{heard:>10}{offset:>11}  {'; '.join(notes)}"


def _session_notes(session: Mapping[str, Any]) -> list[str]:
    """What is worth knowing and restricts nothing."""
    notes = []
    if session.get("schedule"):
        notes.append(session["schedule"])
    limits = session.get("venue_limits", ())
    if limits:
        told = [f"{row['kind']} {row['used']} of {row['maximum']} in {row['interval_s']} s" for row in limits]
        notes.append(f"the venue's limits: {', '.join(told)}")
    if session.get("failed_logons"):
        notes.append(f"no logon in {session['failed_logons']} connections, the last: {session['failed_logon']}")
    if session.get("key_failure"):
        notes.append(f"the key of the logon before is used, {session['key']}: {session['key_failure']}")
    if session.get("unread"):
        notes.append(f"{session['unread']} reports with a field that could not be read")
    if session.get("clock_warning"):
        notes.append(f"CLOCK OFF by more than {OFFSET_WARNING_MS:.0f} ms")
    return notes


def _plain_text(config: Config) -> dict[str, list[str]]:
    """What is not encrypted, by venue, where real money is traded."""
    if config.environment is not Environment.LIVE:
        return {}
    return {name: venue.plain_text for name, venue in config.venues.items() if venue.plain_text}


def _caveats(config: Config) -> dict[str, str]:
    """How little is known of a venue's wire, by venue, where that must be said."""
    told = {name: find_profile(venue.dialect).caveat for name, venue in config.venues.items()}
    return {name: caveat for name, caveat in told.items() if caveat}


def _outside_lines(held: list[str] | None) -> list[str]:
    """What the log holds and the configuration does not; None where nobody has read the log to its end."""
    if held is None:
        return ["what is held outside the configuration is not known: neither orders nor risk has read the log"]
    return ["", *held] if held else []


def counts_text(counts: Mapping[str, int]) -> str:
    """What risk passed and counted, and what it refused since its start, by reason: no count is a state of now."""
    refused = [f"{name} {count}" for name, count in counts.items() if name in REASONS]
    told = [f"{name} {count}" for name, count in counts.items() if name not in REASONS]
    return "  ".join([*told, f"refused since its start: {', '.join(refused)}" if refused else "refused nothing"])


def _risk_lines(risk: Mapping[str, Any]) -> list[str]:
    """Risk: one line of counts, one line a place with its worst case beside its limit, then what is halted."""
    if not risk:
        return ["risk does not answer"]
    lines = [f"risk {risk['state']}  in flight {risk['in_flight']}  {counts_text(risk['counts'])}", ""]
    columns = ("position", "worst long", "worst short", "limit", "reference")
    lines.append(f"{'exposure':26}" + "".join(f"{column:>16}" for column in columns) + f"{'age ms':>8}")
    for place in risk["exposures"]:
        numbers = (place["position"], place["worst_long"], place["worst_short"], place["limit"], place["reference"])
        name = f"{place['venue']} {place['symbol']}"
        lines.append(f"{name:26}" + "".join(f"{number:>16}" for number in numbers) + f"{place['reference_age_ms']:>8}")
    return lines
