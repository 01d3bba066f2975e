"""What `fixring doctor` looks at where a stack has several hosts: keys, addresses, and the other hosts themselves."""

import socket
import time
from collections.abc import Iterator
from typing import Final

from common.actor.control import NoAnswer, NotRunning, Refused, ask, is_running
from common.config import Config, Kind
from common.instant import NS_PER_MS
from common.link_roles import RELAY, ends_of
from scripts.cli.keys import wrong_keys

MOST_CLOCK_DIFFERENCE_MS: Final = 100
"""Deadlines go by the journal's clock alone; prices and what a person reads go by each host's own."""

ANSWER_S: Final = 3.0
TRIES: Final = 3


def wrong_here(config: Config) -> Iterator[tuple[str, str, str]]:
    """What of this host's keys and addresses no start gets past: what, why, and the mend."""
    if config.stack.endpoints.curve_folder:
        for line in wrong_keys(config):
            yield "keys of links", line, "fixring keys check; docs/scaling.md"
    for link, address in _bound_here(config).items():
        why = _why_not_bound(config, link, address)
        if why:
            yield f"link {link} at {address}", why, "change its address, in the same way on every host"


def _bound_here(config: Config) -> dict[str, str]:
    """The addresses of the links that processes of this host serve over tcp."""
    addresses = {**config.stack.endpoints.addresses}
    addresses |= {f"{RELAY}.{name}": its.relay for name, its in config.stack.hosts.items() if name == config.host}
    here = {kind.value for kind in config.kinds_here} | {f"{RELAY}@{config.host}"}
    return {link: at for link, at in addresses.items() if at.startswith("tcp://") and ends_of(link).server in here}


def _why_not_bound(config: Config, link: str, address: str) -> str:
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    served_by = f"supervisor-{_line_of(config, link)}"
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host.strip("[]").replace("*", ""), 0 if is_running(config.paths.run, served_by) else int(port)))
        except OSError as error:
            return f"cannot be bound here: {error.strerror or error}"
    return ""


def _line_of(config: Config, link: str) -> str:
    server = ends_of(link).server
    return Kind.RELAYS.value if server == f"{RELAY}@{config.host}" else server


def others(config: Config) -> Iterator[tuple[str, str, str]]:
    """Each other host: whether its relay lets this one in, has the same configuration, and about the same time."""
    for host in config.stack.hosts:
        if host == config.host:
            continue
        try:
            told, difference_ms = _ask(config, host)
        except NotRunning as error:
            yield f"host {host}", str(error), f"scripts/start --host {host} there"
            continue
        except (NoAnswer, Refused) as error:
            yield f"host {host}", str(error), "see that it runs, is reached, and has the same set of keys"
            continue
        yield f"host {host}: its relay answers", "", ""
        same = told.get("configuration") == config.fingerprint
        what = f"host {host}: the same configuration"
        yield what, "" if same else "it was started with another one", "bring fixring.toml and the venues' files there"
        far = abs(difference_ms) > MOST_CLOCK_DIFFERENCE_MS
        what = f"host {host}: clock {difference_ms:+.1f} ms"
        yield what, f"more than {MOST_CLOCK_DIFFERENCE_MS} ms apart" if far else "", "run NTP on both"


def _ask(config: Config, host: str) -> tuple[dict[str, object], float]:
    """What its relay says, and how far its clock is ahead of ours, in ms: of the quickest of a few answers, from the
    middle of the question's way. Raises NotRunning, NoAnswer, Refused.
    """
    best: tuple[int, float, dict[str, object]] | None = None
    for _ in range(TRIES):
        began_ns = time.time_ns()
        told = ask(config.reach, f"{RELAY}@{host}", "status", timeout_s=ANSWER_S)
        took_ns = time.time_ns() - began_ns
        wall_ns = told.get("wall_ns")
        ahead_ns = (wall_ns if isinstance(wall_ns, int) else 0) - (began_ns + took_ns // 2)
        if best is None or took_ns < best[0]:
            best = (took_ns, ahead_ns / NS_PER_MS, told)
    assert best is not None
    return best[2], best[1]
