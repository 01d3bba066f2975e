"""`fixring venues`: the venues of the configuration, what one of them is, and whether it can be traded at."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import orjson

from common.actor.control import NoAnswer, NotRunning, Refused, ask, is_running
from common.actor.start import client_tls
from common.config import (
    SERVED_VENUES,
    Config,
    ConfigError,
    Environment,
    FixConfig,
    SequencePolicy,
    VenueConfig,
    accounts_of,
    keys_of,
    load,
)
from common.exit_status import ExitStatus
from common.fix.session_types import SessionSettings
from common.instant import NS_PER_MS, NS_PER_S
from common.key_files import logs_on_as, read_credentials
from common.messages import Ask
from common.venues.connector import comp_id
from common.venues.credentials import Credentials
from common.venues.dialect import Identity
from common.venues.registry import find_dialect, find_profile, find_rest
from common.venues.rest import RestSettings
from scripts.cli.doctor import Finding, shown, simulated, standing_of
from scripts.cli.journal import Range
from scripts.cli.journal_parts import FOLDER, checked
from scripts.cli.names import known_name
from scripts.cli.try_logon import Came, Trial, try_logon
from scripts.cli.venues_record import record_samples

LOGON_S = 5.0
CLOCK_MS = 250.0
STAMP = b"20260101-00:00:00.000"
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")


@click.group()
def venues() -> None:
    """The venues of the configuration: which there are, what one is, whether it can be traded at."""


@venues.command("list")
@json_option
def list_venues(as_json: bool) -> None:
    """Every venue that has a file in the configuration's folder, and whether the stack serves it."""
    served = load().venues
    found = all_venues()
    rows = [_row(venue, is_served=name in served) for name, venue in found.items()]
    if as_json:
        click.echo(orjson.dumps(rows))
        return
    click.echo(f"{'venue':17}{'served':8}{'environment':13}{'wire':12}{'ports':22}what")
    for row in rows:
        ports = ", ".join(str(port) for port in row["ports"])
        head = f"{row['venue']:17}{'yes' if row['served'] else '-':8}{row['environment']:13}"
        click.echo(f"{head}{row['confidence']:12}{ports:22}{row['title']}")


@venues.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Everything that is known of venue NAME: its connections, limits, credentials, instruments and what it lacks."""
    document = _document(_venue(name), is_served=name in load().venues)
    if as_json:
        click.echo(orjson.dumps(document))
        return
    for key, value in document.items():
        if isinstance(value, dict):
            click.echo(f"{key}:")
            for inner, told in value.items():
                click.echo(f"  {inner:20}{_told(told)}")
        else:
            click.echo(f"{key:22}{_told(value)}")


@venues.command()
@click.argument("name")
@json_option
def check(name: str, as_json: bool) -> ExitStatus:
    """See whether venue NAME can be traded at: its file, its keys, a signature with them, its ports, its clock; and
    where its host is reachable, log on and out.

    A connection that is up already is asked how it stands. One whose numbers persist is not tried: they are its own.
    Exit status 0 when all is well, 3 for the configuration or the keys, 8 for a venue that does not answer, 6 for one
    that refuses, else 1.
    """
    _venue(name)
    config = load(environ={**os.environ, SERVED_VENUES: name})
    checks = list(_checks(config, name))
    status = max((each for _, each in checks), key=_WEIGHT.index, default=ExitStatus.OK)
    findings = [finding for finding, _ in checks]
    if as_json:
        told = [finding._asdict() for finding in findings]
        click.echo(orjson.dumps({"venue": name, "ok": status == ExitStatus.OK, "findings": told}))
    else:
        for finding in findings:
            click.echo(shown(finding))
    return status


@venues.command()
@click.argument("name")
@FOLDER
@click.option("--from", "start", metavar="LSN|TIME", help="From this LSN or UTC time (or -5m: so long ago) on.")
@click.option("--to", "end", metavar="LSN|TIME", help="Up to this LSN or UTC time.")
@click.option("-n", "--each", type=click.IntRange(min=1), default=1, show_default=True, help="Of each kind so many.")
@click.option("-o", "--file", type=click.Path(path_type=Path, dir_okay=False), help="A new file for them.")
@checked
def record(name: str, folder: Path | None, start: str | None, end: str | None, each: int, file: Path | None) -> None:
    """Turn frames of venue NAME in the journal into samples for its folder, one of each kind of message.

    Accounts, CompIDs, keys and ids are replaced, each by another of the same form; prices, quantities and times stay. A
    frame that would still show a secret is left out. FOLDER is a journal's folder; without it, the configured stack's.
    Market data is not in the journal.
    """
    venue = _venue(name)
    chosen = Range(folder, start, end)
    config = load(environ={**os.environ, SERVED_VENUES: name})
    record_samples(config, venue, chosen.reader, each, file, (chosen.from_lsn, chosen.upto_lsn))


_WEIGHT = (
    ExitStatus.OK, ExitStatus.FAILURE, ExitStatus.NOT_ANSWERED, ExitStatus.REFUSED, ExitStatus.CONFIGURATION,
)  # fmt: skip
"""Of several the last one is the exit status."""

Checked = tuple[Finding, ExitStatus]


def all_venues() -> dict[str, VenueConfig]:
    """Every enabled venue of the folder, by name, whatever the stack serves."""
    names = sorted(file.stem for file in load(before_start=True).paths.config.glob("*.toml"))
    found: dict[str, VenueConfig] = {}
    for name in names:
        try:
            found |= load(environ={**os.environ, SERVED_VENUES: name}).venues
        except ConfigError:
            # It is the stack's own file, or switched off.
            continue
    return found


def _venue(name: str) -> VenueConfig:
    """Raises CommandError with the usage status where there is none of that name."""
    found = all_venues()
    known_name("venue", name or "?", found)
    return found[name]


def _row(venue: VenueConfig, *, is_served: bool) -> dict[str, Any]:
    profile = find_profile(venue.dialect)
    return {
        "venue": venue.name,
        "served": is_served,
        "environment": venue.environment.value,
        "ports": [fix.port for fix in venue.connections.values()],
        "title": profile.title,
        "confidence": profile.confidence.value,
    }


def _document(venue: VenueConfig, *, is_served: bool) -> dict[str, Any]:
    profile = find_profile(venue.dialect)
    return {
        **_row(venue, is_served=is_served),
        "dialect": venue.dialect,
        "connections": {name: _connection(fix) for name, fix in venue.connections.items()},
        "rest": "" if venue.rest is None else venue.rest.url,
        "accounts": {
            account.name: "no keys" if account.credentials is None else account.credentials.kind.value
            for account in accounts_of(venue)
        },
        "market_data_key": _market_data_key(venue),
        "limits": f"{venue.fix.limits.messages} messages in {venue.fix.limits.window_ms} ms",
        "numbers": venue.fix.sequence_policy.value,
        "ClOrdID(11)": profile.names.value,
        "window_s": profile.window_ns / 1_000_000_000,
        "lacks": sorted(feature.value for feature in profile.lacks),
        "instruments": {
            symbol: f"{i.base}/{i.quote}, price in steps of {i.tick_size:f}, quantity of {i.lot_size:f}"
            for symbol, i in venue.instruments.items()
        },
    }


def _market_data_key(venue: VenueConfig) -> str:
    """Whose key prices are listened to with."""
    if venue.market_data_credentials is not None:
        return f"its own, {venue.market_data_credentials.kind.value}"
    return "the account's" if venue.market_data is not None and venue.credentials is not None else ""


def _connection(fix: FixConfig) -> str:
    hosts = ", ".join(f"{host}:{port}" for host, port in fix.hosts)
    sender = fix.sender_comp_id or (f"{fix.comp_id_prefix}.." if fix.comp_id_prefix else "the API key")
    tls = "not encrypted" if fix.tls is None else f"TLS to {fix.tls.server_name}"
    return f"{hosts}, {tls}, {sender} to {fix.target_comp_id}, heartbeat {fix.heart_bt_int_s} s"


def _told(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) or "none"


# ---- the checks ----


def _checks(config: Config, name: str) -> Iterator[Checked]:
    venue = config.venues[name]
    yield Finding(f"configuration {config.paths.config / name}.toml"), ExitStatus.OK
    for key in keys_of(venue):
        for finding in standing_of(config, venue, key):
            yield finding, ExitStatus.CONFIGURATION if finding.problem else ExitStatus.OK
    if venue.environment is Environment.SIMULATED:
        for finding in simulated(config, name):
            yield finding, ExitStatus.FAILURE if finding.problem and finding.fatal else ExitStatus.OK
    try:
        credentials = {table: read_credentials(venue.credentials_of(table), config) for table in venue.connections}
    except ConfigError:
        # Said above; a simulated venue's are made by its first start.
        return
    yield from _clock(config, venue, credentials["fix"])
    for table, fix in venue.connections.items():
        yield from _connection_checks(config, venue, table, fix, credentials[table])


def _connection_checks(
    config: Config, venue: VenueConfig, table: str, fix: FixConfig, credentials: Credentials | None
) -> Iterator[Checked]:
    actor = f"session@{venue.name}" if table == "fix" else f"marketdata@{venue.name}"
    settings = _settings(venue, table, fix, credentials)
    if settings.logon_fields is not None:
        signed = len(settings.logon_fields(1, STAMP))
        yield Finding(f"{table}: a Logon(A) can be made, with {signed} bytes of its own"), ExitStatus.OK
    if is_running(config.reach, actor):
        yield _standing(config, actor)
    elif table == "fix" and fix.sequence_policy is not SequencePolicy.RESET:
        yield Finding(f"{table}: not tried, since its numbers persist and are {actor}'s own"), ExitStatus.OK
    else:
        yield from _tried(config, venue, table, fix, settings)


def _settings(venue: VenueConfig, table: str, fix: FixConfig, credentials: Credentials | None) -> SessionSettings:
    dialect = find_dialect(venue.dialect)
    sender = logs_on_as(fix, dialect.profile, credentials)
    # Of a small set the one that a connection of now would most likely not have.
    sender = comp_id(sender, fix.comp_id_prefix or "", int(time.time()))
    identity = Identity(sender, fix.target_comp_id, fix.heart_bt_int_s)
    make = dialect.session_settings if table == "fix" else dialect.market_data_settings
    return make(identity, credentials)


def _standing(config: Config, actor: str) -> Checked:
    try:
        status = ask(config.reach, actor, "status")
    except (NotRunning, NoAnswer, Refused) as error:
        return Finding(actor, str(error), f"fixring start {actor}"), ExitStatus.NOT_ANSWERED
    return Finding(f"{actor} is running: {status.get('state')}"), ExitStatus.OK


def _tried(
    config: Config, venue: VenueConfig, table: str, fix: FixConfig, settings: SessionSettings
) -> Iterator[Checked]:
    for host, port in fix.hosts:
        what = f"{table}: {host}:{port}"
        trial = try_logon((host, port), client_tls(fix.tls, config), settings, LOGON_S)
        if trial.came is Came.LOGGED_ON:
            yield Finding(f"{what}: {trial.came.value}"), ExitStatus.OK
            yield _offset(f"{what}: clock", trial.offset_ms)
        else:
            yield _not_logged_on(what, trial, is_simulated=venue.environment is Environment.SIMULATED)


def _not_logged_on(what: str, trial: Trial, *, is_simulated: bool) -> Checked:
    problem = f"{trial.came.value}: {trial.text}"
    if trial.came is Came.REFUSED:
        mend = "look at the keys, the names and what the venue allows this address"
        return Finding(what, problem, mend), ExitStatus.REFUSED
    if is_simulated and trial.came is Came.UNREACHABLE:
        # Nothing is wrong with a stack that is not started.
        return Finding(what, problem, "scripts/start, with this venue among those that it serves", False), ExitStatus.OK
    return Finding(what, problem, "look at the network, the host and the firewall"), ExitStatus.NOT_ANSWERED


def _clock(config: Config, venue: VenueConfig, credentials: Credentials | None) -> Iterator[Checked]:
    if venue.rest is None or credentials is None:
        return
    ca = str(config.paths.resolve(venue.rest.ca)) if venue.rest.ca else ""
    settings = RestSettings(venue.name, venue.rest.url, credentials, venue.rest.timeout_ms, ca)
    rest, asked_ns = find_rest(venue.dialect)(settings), time.time_ns()
    answer = rest.ask(Ask(venue.name, 1, "time"))
    if not answer.failed:
        ahead_ns = beyond(answer.venue_ns, asked_ns, time.time_ns())
        yield _offset(f"rest: {venue.rest.url}: clock", ahead_ns / NS_PER_MS)
        return
    simulated_only = venue.environment is Environment.SIMULATED
    finding = Finding(f"rest: {venue.rest.url}", answer.text, "look at the network and the URL", not simulated_only)
    yield finding, ExitStatus.OK if simulated_only else ExitStatus.NOT_ANSWERED


def beyond(venue_ns: int, asked_ns: int, heard_ns: int) -> int:
    """How far the venue's clock is ahead, at least, of one that was read when it was asked and when it was heard: 0
    where it may be right, for nobody knows when within that time it was read. A venue may tell whole seconds.
    """
    latest_ns = venue_ns if venue_ns % NS_PER_S else venue_ns + NS_PER_S
    return max(venue_ns - heard_ns, 0) + min(latest_ns - asked_ns, 0)


def _offset(what: str, offset_ms: float) -> Checked:
    is_off = abs(offset_ms) > CLOCK_MS
    problem = "it is off: a venue refuses what is too old or of the future" if is_off else ""
    status = ExitStatus.FAILURE if is_off else ExitStatus.OK
    return Finding(f"{what} {offset_ms:+.0f} ms", problem, "run NTP" if is_off else ""), status
