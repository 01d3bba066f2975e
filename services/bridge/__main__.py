"""`python -P -m services.bridge --venue V`: FIX 4.4 in front of a venue that has none."""

import sqlite3
import sys
from functools import partial
from urllib.parse import urlsplit

from common.actor.shell import Shell
from common.actor.start import name_argument, run_actor, server_tls, shell_for, target_url
from common.config import BridgeConfig, Config, ConfigError, RestConfig, VenueConfig, accounts_of
from common.journal.files import OsFiles
from common.key_files import read_credentials
from common.latch import Latch
from common.venues.backend import Backend, BookBackend
from common.venues.registry import find_backend
from common.venues.rest import RestSettings
from services.bridge.archive_file import FileArchive
from services.bridge.core import BridgeCore, BridgeSettings
from services.bridge.listings import Listing
from services.bridge.store import Store


def bridge_settings(venue: VenueConfig, rest: RestConfig, bridge: BridgeConfig, backend: Backend) -> BridgeSettings:
    """The venue's file as the bridge needs it."""
    websocket = urlsplit(bridge.websocket)
    ours = [session.fix.sender_comp_id for account in accounts_of(venue) for session in account.sessions]
    listeners = [] if venue.market_data is None else [venue.market_data.sender_comp_id]
    return BridgeSettings(
        venue=venue.name,
        comp_id=venue.fix.target_comp_id,
        clients=(*(each for each in ours if each), *bridge.clients),
        symbols=tuple(instrument.symbol for instrument in venue.instruments.values()),
        heart_bt_int_s=venue.fix.heart_bt_int_s,
        host=urlsplit(rest.url).netloc,
        websocket_host=websocket.netloc,
        websocket_target=websocket.path + backend.websocket_path,
        listings=tuple(
            Listing(
                each.symbol, each.quote, each.tick_size, each.lot_size, each.min_qty, each.max_qty, each.contract
            )  # fmt: skip
            for each in venue.instruments.values()
        ),
        books_target=websocket.path + backend.books_path if isinstance(backend, BookBackend) else "",
        listeners=(*(each for each in listeners if each), *bridge.clients),
    )


def build(name: str, config: Config) -> Shell:
    """The bridge's core with its listener, and the venue's two addresses."""
    venue = config.venues.get(name)
    if venue is None or venue.bridge is None or venue.rest is None:
        raise ConfigError(f"no enabled venue called {name!r} has a bridge; there is {', '.join(config.venues)}")
    credentials = read_credentials(venue.credentials, config)
    assert credentials is not None
    try:
        backend = find_backend(venue.dialect)(
            RestSettings(
                name, venue.rest.url, credentials, venue.rest.timeout_ms, venue.rest.ca, tuple(venue.instruments)
            )
        )
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from None
    folder = config.paths.bridge(name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    latch = Latch(str(config.emergency_folder), f"bridge@{name}.latch", OsFiles())
    settings = bridge_settings(venue, venue.rest, venue.bridge, backend)
    try:
        archive = FileArchive(folder / "orders.db")
    except sqlite3.Error as error:
        raise ConfigError(f"{folder / 'orders.db'}: {error}; see docs/bridge.md") from None
    store = Store(f"bridge@{name}", str(folder), OsFiles(), archive, venue.bridge.segment_bytes)
    core = BridgeCore(settings, store, backend, latch)
    shell = shell_for(core, config)
    shell.listen("fix", venue.fix.host, venue.fix.port, server_tls(name, venue.fix.tls, config))
    if venue.market_data is not None:
        fix = venue.market_data
        shell.listen("market_data", fix.host, fix.port, server_tls(name, fix.tls, config))
    target_url(shell, "rest", venue.rest.url, venue.rest.ca, config, name)
    target_url(shell, "websocket", venue.bridge.websocket, venue.rest.ca, config, name)
    return shell


if __name__ == "__main__":
    sys.exit(run_actor(partial(build, name_argument("venue", __doc__))))
