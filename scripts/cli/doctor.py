"""`fixring doctor`: what would stop the stack from starting, each with its mend."""

import datetime
import importlib.metadata
import importlib.util
import json
import os
import re
import resource
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
from cryptography import x509

from common.actor.control import is_running
from common.config import (
    CHECKOUT,
    Config,
    ConfigError,
    ConfiguredKeys,
    Durability,
    Environment,
    Kind,
    VenueConfig,
    keys_of,
    load,
    url_port,
)
from common.exit_status import ExitStatus
from common.journal.files import NETWORK_FILE_SYSTEMS, OsFiles
from common.key_files import read_credentials
from common.keys import certificate_serves, server_names
from common.venues.dialect import Identity
from common.venues.key_in_use import fingerprint
from common.venues.registry import find_dialect
from scripts.cli.doctor_hosts import others, wrong_here
from scripts.interpreter import interpreter, is_optimised
from services.strategies.__main__ import strategy_class

OPEN_FILES_AT_LEAST = 512
VOLATILE_FILE_SYSTEMS = frozenset({"tmpfs", "ramfs", "devtmpfs"})
SLOW_SYNC_MS = 20.0
SYNCS = 20
CONNECT_S = 3.0
# No clock of a machine that runs this is before the day it was written.
EARLIEST = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)


class Finding(NamedTuple):
    """One thing looked at: `problem` is empty when it is well; `fatal` when the stack would not start or not trade.

    `stops`: nothing could be started that way, or it would end again and again.
    """

    what: str
    problem: str = ""
    mend: str = ""
    fatal: bool = True
    stops: bool = False


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--before-start", is_flag=True, help="Only what no start can get past, and no word when there is nothing."
)
def doctor(as_json: bool, before_start: bool) -> int:
    """Say what would stop the stack from starting, and how to mend it.

    Exit status 0 when nothing would, 3 when the configuration does, 1 for anything else. Looks only, changes nothing;
    at a venue that is not simulated it opens one TCP connection to each host. scripts/start asks with --before-start,
    which asks no venue.
    """
    try:
        findings = list(blocking(load(before_start=True)) if before_start else examine(load()))
        status = ExitStatus.FAILURE if any(f.problem and f.fatal for f in findings) else ExitStatus.OK
    except ConfigError as error:
        wrong = Finding("configuration", str(error), "change the key or variable that it names")
        findings = [wrong] if before_start else [*machine(), wrong]
        status = ExitStatus.CONFIGURATION
    if as_json:
        click.echo(json.dumps({"ok": status == ExitStatus.OK, "findings": [f._asdict() for f in findings]}))
    else:
        for finding in findings:
            click.echo(shown(finding))
    return status


def examine(config: Config) -> Iterator[Finding]:
    """Look at everything, cheapest first."""
    yield from machine()
    yield Finding(f"configuration {config.paths.config}: {config.environment}, {', '.join(config.venues)}")
    yield from state(config)
    yield from programs(config)
    yield from sinks(config)
    yield from hosts(config)
    for name, venue in config.venues.items():
        if venue.environment is not Environment.SIMULATED:
            yield from reachable(config, name)
        elif Kind.EXCHANGES in config.kinds_here:
            yield from simulated(config, name)


def blocking(config: Config) -> Iterator[Finding]:
    """What no start can get past."""
    findings = [*machine(), *state(config), *_links_here(config)]
    for name, venue in config.venues.items():
        if venue.environment is Environment.SIMULATED and Kind.EXCHANGES in config.kinds_here:
            findings += simulated(config, name)
    yield from (finding for finding in findings if finding.problem and finding.stops)


# ---- the machine ----


def machine() -> Iterator[Finding]:
    """The system, Python, the packages, the clock."""
    yield _finding(
        f"Linux ({sys.platform})",
        sys.platform == "linux",
        "this is not Linux",
        "run it on Linux: it needs its clocks and locks",
        stops=True,
    )
    version = ".".join(map(str, sys.version_info[:3]))
    yield _finding(f"Python {version}", sys.version_info >= (3, 11), "older than 3.11", "install Python 3.11 or newer")
    yield Finding(
        interpreter(),
        "" if is_optimised() else "built without profile-guided optimisation: orders take 1.1 to 1.5 times as long",
        "install a Python that is built with it (Debian's python3 is), remove .venv and run scripts/start",
        fatal=False,
    )
    missing = list(_packages_that_differ(CHECKOUT / "requirements.lock"))
    yield _finding(
        "packages as locked",
        not missing,
        f"differ from requirements.lock: {', '.join(missing)}",
        "run scripts/start, which installs them",
    )
    yield _finding(
        "honcho",
        importlib.util.find_spec("honcho") is not None,
        "not installed for this Python",
        "run scripts/start",
    )
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield _finding(
        f"open files: {soft}",
        soft >= OPEN_FILES_AT_LEAST,
        f"fewer than {OPEN_FILES_AT_LEAST}",
        f"ulimit -n {OPEN_FILES_AT_LEAST}",
    )
    now = datetime.datetime.now(datetime.UTC)
    yield _finding(
        f"clock: {now:%Y-%m-%d %H:%M} UTC", now > EARLIEST, "the clock is in the past", "set it, and run NTP"
    )


def _packages_that_differ(lock: Path) -> Iterator[str]:
    for name, wanted in re.findall(r"^([a-z0-9.-]+)==(\S+)", lock.read_text(), re.MULTILINE):
        try:
            held = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            # A marker may exclude it here; what is imported and missing says so itself.
            continue
        if held != wanted:
            yield f"{name} {held} instead of {wanted}"


# ---- the folders ----


def state(config: Config) -> Iterator[Finding]:
    """The var folder: writable, private, on a disk that can be trusted and has room; nobody else's stack in it."""
    var = config.paths.var
    existing = next(p for p in (var, *var.parents) if p.exists())
    yield _finding(
        f"state in {var}",
        os.access(existing, os.W_OK),
        f"{existing} cannot be written",
        "set FIXRING_VAR to a folder of yours",
        stops=True,
    )
    if var.exists():
        mode = var.stat().st_mode & 0o777
        yield _finding(
            "state is private", not mode & 0o077, f"{var} has mode {mode:o}", f"chmod 700 {var}", fatal=False
        )
    yield from _sockets(config)
    for folder in {config.journal_folder, config.emergency_folder}:
        yield from _disk(folder, config)
    if (config.paths.run / "journal.refused").exists():
        yield Finding(
            "journal",
            "refused to start",
            f"fixring journal verify {config.journal_folder}; fixring start journal",
            fatal=True,
        )


def _sockets(config: Config) -> Iterator[Finding]:
    names = [f"control.{a.name}" for a in config.actors_here()] + [f"control.supervisor-{kind}" for kind in Kind]
    try:
        for name in [*names, "entry"]:
            config.endpoint(name)
    except ConfigError as error:
        yield Finding("socket paths", str(error), "set FIXRING_VAR to a folder with a shorter path", stops=True)
    else:
        yield Finding("socket paths")


def _disk(folder: Path, config: Config) -> Iterator[Finding]:
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    if not os.access(existing, os.W_OK):
        return
    kind = OsFiles().file_system(str(existing))
    yield _finding(
        f"{folder.name} folder on {kind or 'a local disk'}",
        kind not in NETWORK_FILE_SYSTEMS,
        f"{kind}: its locks and syncs cannot be trusted",
        "put it on a local disk",
    )
    if config.stack.journal.durability is Durability.DISK:
        yield _finding(
            f"{folder}: on a disk",
            kind not in VOLATILE_FILE_SYSTEMS,
            f"{kind} is memory: what is acknowledged there is lost with the host, and durability says disk",
            'put it on a disk, or set journal.durability = "process"',
            fatal=config.environment is not Environment.SIMULATED,
        )
    free = shutil.disk_usage(existing).free
    low = config.stack.journal.low_disk_bytes
    yield _finding(
        f"{folder}: {free >> 20} MiB free",
        free >= low,
        f"below journal.low_disk_bytes ({low >> 20} MiB): orders would be refused",
        "make room",
    )
    took_ms = _sync_ms(existing)
    yield _finding(
        f"{folder}: sync in {took_ms:.2f} ms",
        took_ms < SLOW_SYNC_MS,
        f"slower than {SLOW_SYNC_MS} ms: every order waits for it",
        "put the journal on a faster disk",
        fatal=False,
    )


def _sync_ms(folder: Path) -> float:
    """The median time of an fdatasync after a small write, in milliseconds."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(SYNCS):
            os.write(file.fileno(), b"x" * 300)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return sorted(times)[SYNCS // 2]


# ---- the strategies ----


def programs(config: Config) -> Iterator[Finding]:
    """Each strategy's program loads."""
    for name, own in config.strategies.items():
        try:
            strategy_class(own.program)
        except ConfigError as error:
            yield Finding(f"strategy {name}", str(error), f"mend the program, then fixring start strategy@{name}")
        else:
            yield Finding(f"strategy {name}: {own.program}")
    for name, own in config.stack.strategies.items():
        off = [venue for venue in own.venues if venue not in config.venues]
        if own.enabled and off:
            left = "it does not run" if name not in config.strategies else "it runs without"
            problem = f"{', '.join(off)} is not enabled: {left}"
            yield Finding(f"strategy {name}: venues", problem, "enable the venue", fatal=False)


# ---- alerts ----


def sinks(config: Config) -> Iterator[Finding]:
    """What the sinks of alerts sign and log in with is there, and nobody else's to read."""
    for key, name in config.stack.alerts.secret_files.items():
        file, what = config.paths.resolve(name), f"alerts.{key}"
        if not file.is_file() or not file.stat().st_size:
            yield Finding(what, f"{file} is missing or empty: nothing is told there", "write the secret into it")
            continue
        mode = file.stat().st_mode & 0o777
        yield _finding(what, not mode & 0o077, f"{file} has mode {mode:o}", f"chmod 600 {file}", fatal=False)


# ---- several hosts ----


def hosts(config: Config) -> Iterator[Finding]:
    """Where the stack has several: this host's keys and addresses, and each other host."""
    yield from _links_here(config)
    for what, problem, mend in others(config):
        yield Finding(what, problem, mend if problem else "", fatal=False)


def _links_here(config: Config) -> Iterator[Finding]:
    for what, problem, mend in wrong_here(config):
        yield Finding(what, problem, mend, stops=True)


# ---- the venues ----


def simulated(config: Config, name: str) -> Iterator[Finding]:
    """A simulated venue: its ports are free, or its own exchange holds them; its certificate still serves."""
    venue = config.venues[name]
    ports = {fix.port for fix in venue.connections.values()} | ({url_port(venue.rest.url)} if venue.rest else set())
    running = is_running(config.reach, f"exchange@{name}")
    for port in sorted(ports):
        taken = not running and not _free(venue.fix.host, port)
        yield _finding(
            f"{name}: port {port}" + (" (its exchange is running)" if running else ""),
            not taken,
            "taken by another program",
            f"end that program, or set another port in {name}.toml",
            stops=True,
        )
    ca = config.paths.keys / "ca.pem"
    certificate = config.paths.server_certificate(name)
    if server_names(venue) and ca.exists() and certificate.exists():
        now = datetime.datetime.now(datetime.UTC)
        issuer = x509.load_pem_x509_certificate(ca.read_bytes())
        serves = certificate_serves(certificate, config.paths.server_key(name), issuer, server_names(venue), now)
        yield _finding(
            f"{name}: certificate",
            serves,
            "not for these names, not of this CA, or near its end",
            "start the stack anew: it makes another",
            fatal=False,
        )


def reachable(config: Config, name: str) -> Iterator[Finding]:
    """A real venue: its keys are there for their owner alone, its hosts resolve and answer on their ports."""
    venue = config.venues[name]
    for key in keys_of(venue):
        yield from standing_of(config, venue, key)
    for host, port in sorted({host for fix in venue.connections.values() for host in fix.hosts}):
        problem = _connect(host, port)
        yield Finding(
            f"{name}: {host}:{port}", problem, "look at the network, the host and the firewall" if problem else ""
        )


def standing_of(config: Config, venue: VenueConfig, key: ConfiguredKeys) -> Iterator[Finding]:
    """A key: it is there, for its owner alone, and such that a Logon(A) can be made with it."""
    files = [config.paths.resolve(path) for path in key.told.files.values()]
    for file in files:
        yield _finding(
            f"{key.owner}: {file}", file.is_file(), "no such file", "docs/live.md says how to make the key"
        )
        if file.is_file():
            private = not file.stat().st_mode & 0o077
            yield _finding(
                f"{key.owner}: {file.name} is private", private, "others can read it", f"chmod 600 {file}"
            )
    if all(file.is_file() for file in files):
        why, mend = "", "docs/venues.md says what each kind's files hold"
        dialect, fix = find_dialect(venue.dialect), venue.connections[key.connection]
        make = dialect.session_settings if key.connection == "fix" else dialect.market_data_settings
        try:
            credentials = read_credentials(key.told, config)
            make(Identity("FIXRING", fix.target_comp_id, fix.heart_bt_int_s), credentials)
            mark = f", key {fingerprint(credentials)}"
        except (ConfigError, ValueError) as error:
            why, mark = str(error), ""
        yield _finding(f"{key.owner}: credentials{mark}", not why, why, mend)


def _connect(host: str, port: int) -> str:
    try:
        socket.create_connection((host, port), CONNECT_S).close()
    except OSError as error:
        return str(error)
    return ""


def _free(host: str, port: int) -> bool:
    with socket.socket() as sock:
        # As the exchange will bind it: a port in TIME_WAIT counts as free.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError:
            return False
    return True


# ---- telling ----


def _finding(what: str, well: bool, problem: str, mend: str, *, fatal: bool = True, stops: bool = False) -> Finding:
    return Finding(what) if well else Finding(what, problem, mend, fatal, stops)


def shown(finding: Finding) -> str:
    """The finding on a line, with its mend on another."""
    if not finding.problem:
        return f"ok    {finding.what}"
    return f"{'WRONG' if finding.fatal else 'warn '} {finding.what}: {finding.problem}\n      mend: {finding.mend}"
