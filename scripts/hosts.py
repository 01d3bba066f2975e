"""A stack on two hosts, each with a var folder of its own: what the tests of several hosts run, and who measures them.

The links between them go over tcp with keys, on the loopback or between network namespaces; the folders share nothing.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from common.config import CHECKOUT, STACK_FILE, load
from common.link_keys import make_link_keys, pack_link_keys, roles_of, roles_on, unpack_link_keys
from scripts.ports import free_ports
from scripts.stack import PrivateStack, own_ports

TRADING: Final = "trading"
STRATEGIES: Final = "strategies"
LOOPBACK: Final = "127.0.0.1"
KEYS: Final = "keys/links"
RUNS: Final = {
    TRADING: ("exchanges", "journal", "orders", "risk", "sessions", "accounts", "desk"),
    STRATEGIES: ("strategies", "alerts"),
}
"""What each runs unless told otherwise."""

SERVED_BY: Final = {
    "entry": TRADING,
    "journal": TRADING,
    "signals.signals": STRATEGIES,
    "signals.signals.out": STRATEGIES,
}
"""The links that lead from one to the other, and who serves each; beside them there is a feed for each venue."""


class HostStack(PrivateStack):
    """One host's part of the stack. `prefix` are the words before its command, such as `ip netns exec NAME`."""

    def __init__(self, folder: Path, overrides: Mapping[str, str], prefix: Sequence[str] = ()) -> None:
        """State goes under `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.prefix = tuple(prefix)
        super().__init__(folder, overrides)
        self.command = (*self.prefix, *PrivateStack.command)  # type: ignore[misc]  # of this stack alone


class TwoHosts:
    """Both of them, with keys made on the one and handed out to the other. `addresses` are the hosts' own."""

    def __init__(
        self,
        folder: Path,
        overrides: Mapping[str, str] = {},  # noqa: B006 (read only)
        *,
        addresses: Mapping[str, str] = {TRADING: LOOPBACK, STRATEGIES: LOOPBACK},  # noqa: B006 (read only)
        prefixes: Mapping[str, Sequence[str]] = {},  # noqa: B006 (read only)
        runs: Mapping[str, Sequence[str]] = RUNS,
    ) -> None:
        """Nothing is started yet."""
        config = folder / "config"
        write_config(config, addresses, runs)
        shared = {**own_ports(), "FIXRING_CONFIG": str(config), **overrides}
        self.hosts = {
            name: HostStack(folder / name, {**shared, "FIXRING__STACK__HOST": name}, prefixes.get(name, ()))
            for name in addresses
        }
        self.trading, self.strategies = self.hosts[TRADING], self.hosts[STRATEGIES]
        made, handed = (host.config.paths.resolve(KEYS) for host in (self.trading, self.strategies))
        make_link_keys(made, roles_of(self.trading.config))
        pack_link_keys(made, roles_on(self.trading.config, STRATEGIES), folder / "keys.tar")
        unpack_link_keys(folder / "keys.tar", handed)

    def __enter__(self) -> "TwoHosts":
        """Start both, and wait until all is ready, as each host sees it."""
        try:
            for host in self.hosts.values():
                host.start()
            for host in self.hosts.values():
                host.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop both, the strategies' host first."""
        self.strategies.__exit__()
        self.trading.__exit__()


def write_config(folder: Path, addresses: Mapping[str, str], runs: Mapping[str, Sequence[str]]) -> None:
    """The checkout's configuration with the hosts, their relays, and the address of every link between them."""
    shutil.copytree(CHECKOUT / "configs", folder)
    feeds = {f"feed.{venue}": TRADING for venue in load(CHECKOUT / "configs", {}, before_start=True).venues}
    ports = iter(free_ports(len(addresses) + len(SERVED_BY) + len(feeds)))
    lines = []
    for name, address in addresses.items():
        relay = f"tcp://{address}:{next(ports)}"
        lines += [f"[hosts.{name}]", f"runs = {json.dumps(list(runs[name]))}", f'relay = "{relay}"']
    lines += ["[endpoints]", f'curve_folder = "{KEYS}"', "[endpoints.addresses]"]
    lines += [f'"{link}" = "tcp://{addresses[host]}:{next(ports)}"' for link, host in {**SERVED_BY, **feeds}.items()]
    with (folder / STACK_FILE).open("a", encoding="utf-8") as file:
        file.write("\n" + "\n".join(lines) + "\n")
