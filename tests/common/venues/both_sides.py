"""A venue's two sides against each other in memory: its dialect on our FIX session, and its own simulated exchange."""

import datetime
import tomllib
from collections.abc import Iterator
from decimal import ROUND_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec import structs

from common.config import Config, VenueConfig, load
from common.exchange.settings import ExchangeSettings
from common.exchange.venue import Venue
from common.first_start import prepare
from common.fix.session import Session
from common.fix.wire import split
from common.key_files import logs_on_as, read_credentials
from common.messages import AmendOrder, Attempt, CancelOrder, NewOrder, QueryOrder, VenueEvent, events_of
from common.orders.names import cl_ord_id_of
from common.venues.connector import comp_id
from common.venues.credentials import Credentials
from common.venues.dialect import Body, BookEntry, Identity, SubscriptionRejected
from common.venues.registry import find_dialect, find_profile, folder_of
from common.venues.venue import CREDENTIAL_FILES, CredentialKind, Feature, MarketDataKey, VenueProfile
from services.exchange.__main__ import exchange_settings
from tests.common.exchange.harness import Client, World
from tests.common.venues import samples
from tests.common.venues.behind_bridge import BridgedWorld

NAME = "x"
EPOCH = int("tp9s5f", 36)
STRANGER = "stranger"
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

DESK_FILE = """
dialect = "{dialect}"
environment = "simulated"

[fix]
port = 9600
{identity}

{market_data}

{rest}

{bridge}

{credentials}

[simulated]
traders = 0
balances = {{ {balances} }}
"""


@cache
def rsa_pem() -> bytes:
    """An RSA key, the same in a whole run."""
    key = generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def configured(dialect: str, folder: Path, *, market_data_key: bool = False) -> Config:
    """A stack of this venue alone, simulated, with what a desk's file has to say; with a key of its own for market data
    where the venue takes no other, or that is wished."""
    profile, text = find_profile(dialect), ""
    if profile.credentials:
        kind = profile.credentials[0]
        files = "".join(f'{key} = "keys/{key}"\n' for key in CREDENTIAL_FILES[kind])
        text = f'[credentials]\nkind = "{kind}"\n{files}'
        if profile.market_data_key is MarketDataKey.OWN or market_data_key:
            text += f'[market_data_credentials]\nkind = "{kind}"\n{files.replace("keys/", "keys/market_data_")}'
    (folder / "configs").mkdir()
    (folder / "configs" / "fixring.toml").touch()
    own = tomllib.loads((folder_of(dialect) / "venue.toml").read_text("utf-8"))
    # Where numbers begin anew with each connection, a name that was dropped may be locked for a while.
    resets = own["fix"]["sequence_policy"] == "reset"
    identity = _identity(profile, resets)
    desk = DESK_FILE.format(
        dialect=dialect,
        identity=identity,
        market_data=f"[market_data]\nport = 9601\n{identity}" if profile.has(Feature.MARKET_DATA) else "",
        rest='[rest]\nurl = "http://127.0.0.1:9602/api"' if profile.rest else "",
        bridge=_bridge(own) if profile.backend else "",
        credentials=text,
        balances="BTC = 1_000, ETH = 10_000, USDT = 100_000_000, USDC = 100_000_000, USD = 100_000_000",
    )
    (folder / "configs" / f"{NAME}.toml").write_text(desk)
    config = load(folder / "configs", {"FIXRING_VAR": str(folder / "var")})
    told = config.venues[NAME].credentials
    if told is not None and told.kind is CredentialKind.RSA:
        # Each takes a while to make, and a suite has many folders.
        key_file = config.paths.resolve(told.private_key_file)
        key_file.parent.mkdir(parents=True, mode=0o700)
        key_file.write_bytes(rsa_pem())
    prepare(config, NOW)
    return config


def _bridge(own: dict[str, Any]) -> str:
    """Where the venue's WebSocket is: its path is the live one's."""
    path = urlsplit(own["environments"]["live"]["bridge"]["websocket"]).path
    return f'[bridge]\nwebsocket = "ws://127.0.0.1:9603{path}"'


def _identity(profile: VenueProfile, resets: bool) -> str:
    """What a desk's file says of who it is."""
    if profile.comp_id_is_api_key:
        return ""
    return 'comp_id_prefix = "DSK"' if resets and not profile.comp_id_is_assigned else 'sender_comp_id = "DESK"'


class BothSides:
    """The venue's simulated exchange with an account of ours and a stranger's; `symbol` is its first one.
    `refuses_superfluous` as in its settings, `market_data_key` as in `configured`.
    """

    def __init__(
        self, dialect: str, folder: Path, *, refuses_superfluous: bool | None = None, market_data_key: bool = False
    ) -> None:
        self.dialect = find_dialect(dialect)
        self.profile = find_profile(dialect)
        self.config = configured(dialect, folder, market_data_key=market_data_key)
        self.venue: VenueConfig = self.config.venues[NAME]
        self.settings = structs.replace(self._settings(), refuses_superfluous=refuses_superfluous)
        exchange = folder / "exchange"
        exchange.mkdir()
        self.world = self._world(exchange)
        self.symbol, self.instrument = next(iter(self.venue.instruments.items()))
        assert self.venue.simulated is not None
        self.price = self.venue.simulated.prices[self.symbol]
        least = max(self.instrument.min_qty, self.instrument.min_notional / self.price)
        self.qty = 4 * (least / self.instrument.lot_size).quantize(Decimal(1), ROUND_UP) * self.instrument.lot_size
        """An order of this size is far above the least, and a quarter of it is a lot or more."""

        self._connections = 0
        self._names = 0

    def _world(self, folder: Path) -> World:
        """The venue's; behind a bridge one that FIX clients and these tests use alike."""
        if self.venue.bridge is None:
            return World(folder, self.settings)
        assert self.credentials is not None
        return cast(World, BridgedWorld(folder, self.settings, self.venue, self.credentials))

    @property
    def exchange(self) -> Venue:
        """The simulated venue itself, whether or not it speaks FIX."""
        bridged: object = self.world
        return bridged.exchange if isinstance(bridged, BridgedWorld) else self.world.core.venue

    def _settings(self) -> ExchangeSettings:
        settings = exchange_settings(NAME, self.config)
        (balances,) = settings.accounts.values()
        return structs.replace(settings, accounts={**settings.accounts, STRANGER: balances})

    @property
    def credentials(self) -> Credentials | None:
        """What the desk logs on with."""
        return read_credentials(self.venue.credentials, self.config)

    @property
    def market_data_credentials(self) -> Credentials | None:
        """What it listens to prices with."""
        return read_credentials(self.venue.credentials_of("market_data"), self.config)

    def credentials_of(self, listener: str) -> Credentials | None:
        """What a connection to that listener is logged on with."""
        return self.market_data_credentials if listener == "market_data" else self.credentials

    def identity(self, listener: str = "fix", credentials: Credentials | None = None) -> Identity:
        """Who speaks on the next connection."""
        self._connections += 1
        fix = self.venue.connections[listener]
        sender = comp_id(
            logs_on_as(fix, self.profile, credentials or self.credentials_of(listener)),
            fix.comp_id_prefix or "",
            self._connections,
        )
        return Identity(sender, fix.target_comp_id, fix.heart_bt_int_s)

    def desk(self, credentials: Credentials | None = None) -> "Desk":
        """A connection of ours to order entry."""
        settings = self.dialect.session_settings(self.identity("fix", credentials), credentials or self.credentials)
        return Desk(self, Client(self.world, session=Session(settings)))

    def watcher(self) -> "Watcher":
        """A connection of ours to market data."""
        settings = self.dialect.market_data_settings(self.identity("market_data"), self.market_data_credentials)
        return Watcher(self, Client(self.world, listener="market_data", session=Session(settings)))

    def stranger(self, side: str, qty: Decimal, price: Decimal) -> None:
        """Somebody else's limit order."""
        self.world.ask(
            "place", account=STRANGER, cl_ord_id=self.next_name(), symbol=self.symbol, side=side, qty=f"{qty:f}",
            price=f"{price:f}",
        )  # fmt: skip

    def next_name(self) -> str:
        """A ClOrdID(11) that nobody had."""
        return self.name_of(self.next_attempt())

    def next_attempt(self) -> Attempt:
        """The name of a command that nobody had."""
        self._names += 1
        return Attempt(EPOCH, self._names)

    def name_of(self, attempt: Attempt) -> str:
        """Its ClOrdID(11), as the venue takes it."""
        return cl_ord_id_of(attempt, self.profile.names)

    def state_of(self, cl_ord_id: str) -> dict[str, object] | None:
        """The order by the exchange's own book."""
        (ours, _) = self.settings.accounts
        bridged: object = self.world
        if isinstance(bridged, BridgedWorld):
            order = bridged.core.book.named("DESK", cl_ord_id)
            cl_ord_id = cl_ord_id if order is None else order.venue_id
        found = self.world.ask("order", account=ours, cl_ord_id=cl_ord_id)["order"]
        assert found is None or isinstance(found, dict)
        return found


class Desk:
    """Our side of order entry: commands out by the dialect, the venue's messages in as events."""

    def __init__(self, sides: BothSides, client: Client) -> None:
        self.sides = sides
        self.client = client
        self._read = 0

    @property
    def logged_on(self) -> bool:
        """Whether the venue let us in."""
        return self.client.session.logged_on

    def again(self) -> "Desk":
        """A new connection after this one was lost: of the same session, where its numbers persist."""
        if self.client.session.settings.reset_on_logon:
            return self.sides.desk()
        return Desk(self.sides, Client(self.sides.world, listener="fix", session=self.client.session))

    def new(self, **terms: object) -> tuple[NewOrder, list[VenueEvent]]:
        """A resting limit order to buy, but for `terms`, and what the venue said of it."""
        s, attempt = self.sides, self.sides.next_attempt()
        base: dict[str, object] = {
            "venue": NAME, "symbol": s.symbol, "order_qty": s.qty, "price": s.price * Decimal("0.9"),
            "attempt": attempt, "cl_ord_id": s.name_of(attempt), "deadline_ns": s.world.now.wall_ns + 1_000_000_000,
        }  # fmt: skip
        command = samples.new(**{**base, **terms})
        header = s.dialect.header_fields(10**9, s.world.now.wall_ns)
        return command, self.say(s.dialect.encode_new(command, s.world.now.wall_ns), header)

    def amend(self, order: NewOrder, order_id: str, **terms: object) -> tuple[AmendOrder, list[VenueEvent]]:
        """An amendment of an order, and what the venue said of it."""
        s, attempt = self.sides, self.sides.next_attempt()
        base: dict[str, object] = {
            "venue": NAME, "symbol": order.symbol, "side": order.side, "order_qty": order.order_qty,
            "price": order.price, "former_order_qty": order.order_qty, "former_price": order.price,
            "cum_qty": Decimal(0), "order_id": order_id, "orig_cl_ord_id": order.cl_ord_id, "attempt": attempt,
            "cl_ord_id": s.name_of(attempt),
        }  # fmt: skip
        command = samples.amend(**{**base, **terms})
        header = s.dialect.header_fields(10**9, s.world.now.wall_ns)
        return command, self.say(s.dialect.encode_amend(command, s.world.now.wall_ns), header)

    def cancel(self, order: NewOrder, order_id: str = "") -> tuple[CancelOrder, list[VenueEvent]]:
        """A cancel of an order, and what the venue said of it."""
        s, attempt = self.sides, self.sides.next_attempt()
        command = structs.replace(
            samples.CANCEL, venue=NAME, symbol=order.symbol, side=order.side, attempt=attempt,
            cl_ord_id=s.name_of(attempt), orig_cl_ord_id=order.cl_ord_id, order_id=order_id, order_qty=order.order_qty,
        )  # fmt: skip
        return command, self.say(s.dialect.encode_cancel(command, s.world.now.wall_ns))

    def query(self, order: NewOrder, order_id: str = "") -> list[VenueEvent]:
        """A question for an order's state, and the answer."""
        named = {"symbol": order.symbol, "side": order.side, "cl_ord_id": order.cl_ord_id, "order_id": order_id}
        attempt = self.sides.next_attempt()
        command: QueryOrder = structs.replace(samples.QUERY, venue=NAME, attempt=attempt, **named)
        return self.say(self.sides.dialect.encode_query(command))

    def say(self, body: Body | None, header: bytes = b"") -> list[VenueEvent]:
        """Send what the dialect wrote; the events of what came back."""
        assert body is not None
        self.heard()
        self.client.session.send(body.msg_type, body.fields, self.sides.world.now, header)
        self.sides.world.pump()
        return self.heard()

    def heard(self) -> list[VenueEvent]:
        """The events of what came since the last call. Nothing that the venue says may be unreadable to the dialect."""
        return list(self._events())

    def _events(self) -> Iterator[VenueEvent]:
        raws, self._read = self.client.raw[self._read :], len(self.client.raw)
        for raw in raws:
            fields = split(raw)
            for event in events_of(self.sides.dialect.decode(fields[b"35"].decode(), raw, fields)):
                assert not getattr(event, "unread", ()), event
                yield event


class Watcher:
    """Our side of market data."""

    def __init__(self, sides: BothSides, client: Client) -> None:
        self.sides = sides
        self.client = client
        self._read = 0

    def say(self, bodies: list[Body]) -> list[BookEntry | SubscriptionRejected]:
        """Send what the dialect wrote; what came back."""
        for body in bodies:
            self.client.session.send(body.msg_type, body.fields, self.sides.world.now)
        self.sides.world.pump()
        return self.heard()

    def heard(self) -> list[BookEntry | SubscriptionRejected]:
        """The entries since the last call; time passes until the venue has published."""
        self.sides.world.pass_time(0.2)
        raws, self._read = self.client.raw[self._read :], len(self.client.raw)
        found: list[BookEntry | SubscriptionRejected] = []
        for raw in raws:
            told = self.sides.dialect.decode_market_data(split(raw)[b"35"].decode(), raw)
            found += [told] if isinstance(told, SubscriptionRejected) else told
        return found
