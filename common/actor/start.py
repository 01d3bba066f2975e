"""From the configuration to a shell: what the `__main__` of every actor has in common."""

import argparse
import ssl
import sys
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from common.actor.core import Core
from common.actor.curve import Curve
from common.actor.dialling import why_not_held
from common.actor.logs import ActorLog
from common.actor.process import AlreadyRunning, show_name
from common.actor.shell import Shell
from common.actor.slices import ask_for_slice
from common.actor.tcp import Endpoint
from common.config import Config, ConfigError, Environment, FixConfig, TlsConfig, load, url_port
from common.exit_status import ExitStatus
from common.journal.errors import JournalError, NoneLoads
from common.link_roles import RELAY
from common.messages import JournalAnswer


def shell_for(core: Core, config: Config) -> Shell:
    """A shell with the configured folders and log around `core`. Raises AlreadyRunning."""
    log = config.stack.log
    own_log = ActorLog(config.paths.log, core.name, log.level.value, log.max_bytes, log.files)
    return Shell(core, config.paths.run, own_log, curve_for(config, config.role_of(core.name)))


def curve_for(config: Config, *roles: str) -> Curve | None:
    """The keys for tcp links of a process that plays the first of `roles` whose key is on this host; None where no
    link has keys. Raises ConfigError.
    """
    folder = config.stack.endpoints.curve_folder
    links = {address: link for link, address in config.stack.endpoints.addresses.items()}
    links |= {its.relay: f"{RELAY}.{name}" for name, its in config.stack.hosts.items()}
    return Curve(config.paths.resolve(folder), roles, links) if folder else None


def connect_journal(shell: Shell, config: Config, *, follow: bool) -> None:
    """The append link to the journal and, for an actor that folds the whole log, its stream."""
    shell.connect_dealer("journal", config.endpoint("journal"), JournalAnswer)
    if follow:
        shell.subscribe_stream(config.endpoint("stream"))


def client_tls(tls: TlsConfig | None, config: Config) -> tuple[ssl.SSLContext | None, str]:
    """The context that verifies a venue's certificate, with the name sent as SNI; (None, "") for plain TCP.

    Certificate and name are always verified, by `ca` or the system's authorities; nothing turns that off.
    """
    if tls is None:
        return None, ""
    context = ssl.create_default_context(cafile=str(config.paths.resolve(tls.ca)) if tls.ca else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context, tls.server_name


def server_tls(venue: str, tls: TlsConfig | None, config: Config) -> ssl.SSLContext | None:
    """A simulated exchange's context, with its own certificate; it serves the configured name only, by SNI."""
    if tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(config.paths.server_certificate(venue), config.paths.server_key(venue))
    expected = tls.server_name

    def check_name(_stream: object, name: str | None, _context: ssl.SSLContext) -> int | None:
        return None if name == expected else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    context.sni_callback = check_name
    return context


def target_fix(shell: Shell, name: str, fix: FixConfig, config: Config, venue: str) -> None:
    """Declare the venue's hosts as the target `name`, with their TLS."""
    context, server_name = client_tls(fix.tls, config)
    shell.target(name, Endpoint(fix.hosts, context, server_name, why_not_dialled(venue, config, over_fix=True)))


def target_url(shell: Shell, name: str, url: str, ca: str, config: Config, venue: str) -> None:
    """Declare the host of a URL as the target `name`; an `https` or `wss` one by TLS, verified by `ca`."""
    parts = urlsplit(url)
    host = parts.hostname or "127.0.0.1"
    tls = TlsConfig(server_name=host, ca=ca) if parts.scheme in ("https", "wss") else None
    context, server_name = client_tls(tls, config)
    why_not = why_not_dialled(venue, config)
    shell.target(name, Endpoint(((host, url_port(url)),), context, server_name, why_not))


def why_not_dialled(venue: str, config: Config, *, over_fix: bool = False) -> Callable[[], str] | None:
    """What tells, blocking, why a simulated exchange, or `over_fix` the bridge in front of a venue, cannot be dialled
    now; None for a venue that speaks for itself."""
    if over_fix and config.venues[venue].bridge is not None:
        return partial(why_not_held, config.reach, f"bridge@{venue}")
    if config.venues[venue].environment is not Environment.SIMULATED:
        return None
    return partial(why_not_held, config.reach, f"exchange@{venue}")


def name_argument(what: str, doc: str | None) -> str:
    """The name on an actor's command line, `--WHAT NAME` (a venue, an account or a session); `doc` is what its help
    says. Raises SystemExit (2).

    With the standard library's parser: it is loaded already, and every actor's start is somebody's outage.
    """
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument(f"--{what}", dest="name", required=True, help=f"the {what}'s name in the configuration")
    return str(parser.parse_args().name)


def run_actor(build: Callable[[Config], Shell]) -> int:
    """Load the configuration, build the shell and run it; every failure to start becomes a line and an exit status."""
    try:
        config = load()
        # Before anything starts a thread.
        ask_for_slice(config.stack.stack.slice_us)
        shell = build(config)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return ExitStatus.CONFIGURATION
    except NoneLoads as error:
        print(error, file=sys.stderr)
        return ExitStatus.INTEGRITY
    except (AlreadyRunning, JournalError, OSError) as error:
        print(error, file=sys.stderr)
        return ExitStatus.FAILURE
    show_name(shell.core.name)
    return shell.run()
