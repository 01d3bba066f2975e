"""The configuration: TOML files decoded into frozen structs, the paths of run-time state, and the list of actors.

One folder holds it: `fixring.toml` for the stack, and one `<venue>.toml` for each venue, whose name is the file's. It
lies over the `venue.toml` of the venue's own folder, which `dialect` names.
Every value can be overridden by an environment variable, `FIXRING__SECTION__KEY` for the stack
(`FIXRING__ORDERS__TTL_MS=500`) and `FIXRING__VENUE__SECTION__KEY` for a venue (`FIXRING__BINANCE__FIX__PORT=9700`).
Unknown keys and variables are refused. Money, prices, quantities and ratios are Decimal. Keys and passwords are paths
to files, never values; a relative path of run-time state is taken from the var folder.
"""

import contextlib
import os
import re
import tomllib
import types
import typing
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from common.alerts import HEARTBEAT, LOG, WATCHES, Rule, Severity, WatchKind
from common.contracts import Contract, InstrumentKind, OptionRight, instrument_id
from common.fix.errors import SettingsError
from common.fix.schedule import EVERY_DAY, Schedule
from common.instant import NS_PER_S
from common.link_roles import RELAY, UnknownLink, ends_of
from common.messages import STRATEGY_NAME
from common.venues.layers import Table, holds, lay_over, venue_layer
from common.venues.registry import UnknownVenue, find_profile, folder_of, venue_names
from common.venues.venue import CREDENTIAL_FILES, CredentialKind, Feature, MarketDataKey, VenueProfile

CHECKOUT = Path(__file__).resolve().parent.parent
STACK_FILE = "fixring.toml"
VENUE_FILE = "venue.toml"
ENV_PREFIX = "FIXRING__"
SERVED_VENUES = f"{ENV_PREFIX}STACK__VENUES"
THIS_HOST = f"{ENV_PREFIX}STACK__HOST"
# A venue's name stands in file names, ipc paths, environment variables and the journal's 32-byte writer field.
VENUE_NAME = re.compile(r"[a-z][a-z0-9]{0,15}")
HOST_AND_PORT = re.compile(r"(?P<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})")
# sockaddr_un.sun_path holds 108 bytes with the closing NUL.
IPC_PATH_MAX_BYTES = 107
# The longest deadline that orders may set (D): the wait after a restart rests on it.
TTL_MAX_MS = 1000

# What risk counts with exactly: no price and no quantity of an order has more digits on either side of the point.
NUMBER_DIGITS = 18

NonNegativeInt = Annotated[int, msgspec.Meta(ge=0)]
PositiveInt = Annotated[int, msgspec.Meta(ge=1)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Symbol = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9][A-Z0-9./_-]{0,31}$")]
ClockTime = Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$")]
CompId = Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,32}$")]


class ConfigError(Exception):
    """The configuration cannot be used: which file or variable, which key, and what to do. Exit code 3."""


class Environment(StrEnum):
    """Where a venue's orders go. Every screen shows it, and each has a journal of its own."""

    SIMULATED = "simulated"
    TESTNET = "testnet"
    LIVE = "live"


class Durability(StrEnum):
    """What an acknowledgement of the journal survives: the loss of the host, or only that of the process."""

    DISK = "disk"
    PROCESS = "process"


class OnStop(StrEnum):
    """What happens to resting orders at an end: of the stack, of a strategy, of what manages them."""

    CANCEL = "cancel"
    LEAVE = "leave"


class SequencePolicy(StrEnum):
    """How a venue keeps sequence numbers over connections."""

    RESET = "reset"  # both sides start at 1 at each Logon(A), nothing is resent
    RESEND = "resend"  # numbers persist, and a ResendRequest(2) brings back what was missed
    GAP_FILL_ONLY = "gap_fill_only"  # numbers persist, but a ResendRequest(2) is answered by a gap fill


class FeeAsset(StrEnum):
    """What a simulated exchange takes its fees in."""

    RECEIVED = "received"
    QUOTE = "quote"


class Weekday(StrEnum):
    """A day of the week in local time."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"

    @property
    def number(self) -> int:
        """0 is Monday."""
        return list(Weekday).index(self)


class LogLevel(StrEnum):
    """The least level that an actor writes to its log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        # Not there, no plain relative name, or a folder of names.
        raise ValueError(f'`zone` must name a time zone, such as "America/New_York", not {name!r}') from None


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of every table: frozen, by name, unknown keys refused."""


def _require_positive(section: msgspec.Struct, *names: str) -> None:
    for name in names:
        value = getattr(section, name)
        if not value.is_finite() or value <= 0:
            raise ValueError(f"`{name}` must be above 0, not {value}")
        if value.adjusted() >= NUMBER_DIGITS or value.as_tuple().exponent < -NUMBER_DIGITS:
            raise ValueError(f"`{name}` has more than {NUMBER_DIGITS} digits before or after the point: {value}")


# ---- the stack: configs/fixring.toml ----


class JournalConfig(Section, frozen=True, kw_only=True):
    """The journal, and what is kept of it.

    `segment_bytes`: The size of one file of the log; the disk space is taken when the file is made.
    `durability`: What an acknowledgement survives: "disk" the loss of the host, "process" that of the process alone.
    `retention_bytes`: Closed segments beyond this total are dropped, oldest first, as soon as two later snapshots of
    every actor verify; 0 keeps all.
    `low_disk_bytes`: With less free space than this, orders, risk and sessions refuse what adds risk.
    `reserve_bytes`: So much of the disk is kept allocated, and given up to the log once nothing else is free: what was
    under way by then still finds room. It must be less than `low_disk_bytes`.
    `snapshot_records`: A snapshot of orders, risk and sessions is made each time the log has grown by this many
    records. A start replays little more than that.
    `past_snapshots`: So many of risk and of each session are kept, for `fixring journal state` and the desk's time
    travel to begin at the nearest: so far back times `snapshot_records` they replay about `snapshot_records` at most.
    Older ones stay ten times `snapshot_records` apart. A start may need two.
    `emergency_folder`: Where the kill switch's latch, the sessions' emergency files, and the numbers of logons and REST
    requests that have to grow are; may be on another disk.
    """

    segment_bytes: Annotated[int, msgspec.Meta(ge=1 << 16, le=1 << 30)] = 64 << 20
    durability: Durability = Durability.DISK
    retention_bytes: NonNegativeInt = 0
    low_disk_bytes: PositiveInt = 512 << 20
    reserve_bytes: PositiveInt = 128 << 20
    snapshot_records: PositiveInt = 200_000
    past_snapshots: Annotated[int, msgspec.Meta(ge=2, le=1_000)] = 12
    emergency_folder: str = "emergency"

    def __post_init__(self) -> None:
        if self.reserve_bytes >= self.low_disk_bytes:
            raise ValueError("`reserve_bytes` must be less than `low_disk_bytes`, or the announcement comes too late")


class ReplicationMode(StrEnum):
    """Whether the journal is copied off the machine, and what waits for that."""

    LOCAL = "local"
    ASYNC = "async"
    QUORUM = "quorum"


class ReplicationConfig(Section, frozen=True, kw_only=True):
    """The copy of the journal off the machine, in a stream of NATS JetStream.

    `mode`: Whether a copy is made: "local" makes none; "async" copies what is durable, and nothing waits for it but
    what adds risk once the copy is too far behind; with "quorum" nothing is acknowledged before the copy holds it.
    `servers`: The NATS servers, such as `nats://10.0.0.5:4222`, or `tls://` where the files below are set; one that
    does not answer is passed over.
    `replicas`: How many servers hold the stream; `fixring replication init` makes it so.
    `monitors`: For "quorum", where each server tells how it is set up, such as `http://10.0.0.5:8222`: nothing is
    acknowledged where one of them does not sync each message to the disk, or most of them do not say.
    `max_lag_ms`: When the last copied record is older than this, orders, risk and sessions refuse what adds risk. With
    `max_lag_records` this is how much of the story the loss of the machine may take. The servers need up to 10 s to
    find a new leader when theirs is lost.
    `max_lag_records`: The same for the number of records that are not copied.
    `ca`: The certificate of the authority that signed the servers' ones.
    `certificate`: This host's own certificate, by which the servers know which role it has.
    `key`: Its private key.
    """

    mode: ReplicationMode = ReplicationMode.LOCAL
    servers: list[str] = []
    replicas: Annotated[int, msgspec.Meta(ge=1, le=5)] = 3
    monitors: list[str] = []
    max_lag_ms: Annotated[int, msgspec.Meta(ge=200, le=3_600_000)] = 10_000
    max_lag_records: PositiveInt = 20_000
    ca: str = ""
    certificate: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        if self.mode is not ReplicationMode.LOCAL and not self.servers:
            raise ValueError(f'`mode` is "{self.mode}": set `servers` to where NATS is')
        if bool(self.certificate) != bool(self.key):
            raise ValueError("`certificate` and `key` belong together: set both, or none")
        if self.mode is ReplicationMode.QUORUM and not 3 <= self.replicas <= len(self.monitors):
            raise ValueError('`mode` is "quorum": that wants three `replicas` at least, and the `monitors` of each')
        for monitor in self.monitors:
            if urllib.parse.urlsplit(monitor).scheme not in ("http", "https"):
                raise ValueError(f"`monitors` has {monitor!r}: write http://HOST:PORT or https://HOST:PORT")
        for server in self.servers:
            _check_nats_server(server, encrypted=bool(self.ca))


def _check_nats_server(server: str, *, encrypted: bool) -> None:
    parts = urllib.parse.urlsplit(server)
    if parts.scheme not in ("nats", "tls") or not parts.hostname or parts.username or parts.path:
        raise ValueError(f"`servers` has {server!r}: write nats://HOST:PORT or tls://HOST:PORT, and no password")
    if (parts.scheme == "tls") != encrypted:
        raise ValueError(f"`servers` has {server!r}: tls:// and `ca` belong together")
    if not encrypted and not _is_loopback_host(parts.hostname):
        raise ValueError(f"`servers` has {server!r}, which leaves this host: set `ca`, and write tls://")


class EndpointsConfig(Section, frozen=True, kw_only=True):
    """Where the links between the processes are. By itself each is a Unix socket in the run folder.

    The links are `entry` (strategies to orders), `risk`, `journal` and `stream` (the journal's records); `session.NAME`
    for each session, `account.NAME` for each account, `feed.NAME` for each venue, `signals.NAME` and
    `signals.NAME.out` for each strategy.

    `addresses`: The ZeroMQ address of each link that lies elsewhere, such as `journal = "tcp://10.0.0.5:9701"`. It
    begins with `tcp://` or `ipc://`, and is one link's alone.
    `curve_folder`: The folder of the links' keys, as `fixring keys make` makes them, relative to the var folder. With
    it every `tcp` link proves its keys and is encrypted; without, `tcp` is for addresses of the loopback.
    """

    addresses: dict[str, str] = {}
    curve_folder: str = ""

    def __post_init__(self) -> None:
        for link, address in self.addresses.items():
            if not address.startswith(("tcp://", "ipc://")):
                raise ValueError(f'`addresses."{link}"` must begin with tcp:// or ipc://, not {address!r}')
            if address.startswith("tcp://") and not _is_loopback(address) and not self.curve_folder:
                raise ValueError(f'`addresses."{link}"` leaves this host ({address}): set `curve_folder` to CURVE keys')
            try:
                ends_of(link)
            except UnknownLink as error:
                raise ValueError(f"`addresses`: {error}") from None
            taken = next(other for other, its in self.addresses.items() if its == address)
            if taken != link:
                raise ValueError(f'`addresses."{link}"`: {address} is the address of {taken} already')


class HostConfig(Section, frozen=True, kw_only=True):
    """A host of a stack that runs on several.

    Every host has the same configuration but for `host` of `[stack]`. Each line of the Procfile runs on one host, and
    `journal`, `orders`, `risk`, `sessions` and `desk` on the same one, since they read the log's files.

    `runs`: The lines of the Procfile that it runs. Its relay runs without being named.
    `relay`: The address at which its processes are asked from the other hosts, such as `"tcp://10.0.0.5:9700"`.
    """

    runs: list["Kind"]
    relay: str

    def __post_init__(self) -> None:
        if not self.relay.startswith("tcp://"):
            raise ValueError(f"`relay` must begin with tcp://, not {self.relay!r}")
        if Kind.RELAYS in self.runs:
            raise ValueError("`runs`: relays run by themselves on every host; leave the word out")


def _is_loopback(address: str) -> bool:
    return _is_loopback_host(address.removeprefix("tcp://").rpartition(":")[0].strip("[]"))


class RateConfig(Section, frozen=True, kw_only=True):
    """How much may be sent in a time.

    `messages`: At most this many messages are sent in any `window_ms`.
    `window_ms`: The length of that time.
    """

    messages: PositiveInt
    window_ms: PositiveInt = 1000


class SymbolLimits(Section, frozen=True, kw_only=True):
    """The limits of one symbol, the same at each venue.

    `max_order_qty`: The largest quantity of an order, in the base asset, or in contracts where those are traded.
    `max_order_notional`: The largest notional of an order, in the quote asset: price times quantity on a spot market; a
    market order counts at the worst price inside the collar.
    `position_limit`: The position with every open order at its worst stays within plus and minus this, in the base
    asset or in contracts.
    `price_collar_ratio`: How far a limit price may be from the reference price, as a share of that.
    `reference_max_age_ms`: With a reference price older than this, what adds risk is refused.
    `underlying_limit`: As `position_limit`, in what the position stands for of the base asset at the reference price.
    """

    max_order_qty: Decimal
    max_order_notional: Decimal
    position_limit: Decimal
    price_collar_ratio: Decimal = Decimal("0.05")
    reference_max_age_ms: PositiveInt = 5000
    underlying_limit: Decimal | None = None

    def __post_init__(self) -> None:
        _require_positive(self, "max_order_qty", "max_order_notional", "position_limit", "price_collar_ratio")
        if self.underlying_limit is not None:
            _require_positive(self, "underlying_limit")


class StrategyLimits(Section, frozen=True, kw_only=True):
    """The limits of one strategy over all venues, beside those of the symbols.

    `max_open_orders`: At most this many of its orders are open at once.
    `rate`: How many messages it may send; what is refused counts, too.
    `position_limits`: By symbol, in the base asset: its own share of the position, with its open orders at their
    worst, stays within plus and minus this at each venue. A symbol that is not named has no such limit.
    """

    max_open_orders: PositiveInt = 200
    rate: RateConfig = RateConfig(messages=2000)
    position_limits: dict[Symbol, Decimal] = {}

    def __post_init__(self) -> None:
        for symbol, limit in self.position_limits.items():
            if not limit.is_finite() or limit <= 0:
                raise ValueError(f"`position_limits.{symbol}` must be above 0, not {limit}")


class RiskConfig(Section, frozen=True, kw_only=True):
    """What risk lets through. A symbol without a table `[risk.symbols.SYMBOL]` is refused.

    `cancel_reserve_ratio`: The share of a session's message budget that only cancels may use; at least 0 and below 1.
    `symbols`: The limits of each symbol.
    `default_strategy`: The limits of a strategy that has no table of its own.
    `strategies`: The limits of a strategy by its name. They take the place of all of `default_strategy`: what the table
    leaves out has the default of this page.
    """

    cancel_reserve_ratio: Decimal = Decimal("0.2")
    symbols: dict[Symbol, SymbolLimits] = {}
    default_strategy: StrategyLimits = StrategyLimits()
    strategies: dict[str, StrategyLimits] = {}

    def __post_init__(self) -> None:
        if not 0 <= self.cancel_reserve_ratio < 1:
            raise ValueError("`cancel_reserve_ratio` must be at least 0 and below 1")

    def strategy(self, name: str) -> StrategyLimits:
        """The limits of the strategy called `name`."""
        return self.strategies.get(name, self.default_strategy)


class OrdersConfig(Section, frozen=True, kw_only=True):
    """How long the order manager waits.

    `ttl_ms`: A command that adds risk and is not in the journal within this time is void.
    `ask_after_ms`: A request that the venue has not answered for so long, on a connection that lives, is asked about,
    and a cancel is sent again.
    `unknown_after_ms`: After so long without an answer it is warned of, and the order is UNKNOWN until the venue tells.
    It must be above `ask_after_ms`.
    """

    ttl_ms: Annotated[int, msgspec.Meta(ge=10, le=TTL_MAX_MS)] = TTL_MAX_MS
    ask_after_ms: Annotated[int, msgspec.Meta(ge=100, le=60_000)] = 2000
    unknown_after_ms: Annotated[int, msgspec.Meta(ge=200, le=600_000)] = 5000

    def __post_init__(self) -> None:
        """Raises ValueError where the order would be UNKNOWN before anybody had asked."""
        if self.unknown_after_ms <= self.ask_after_ms:
            raise ValueError(
                f"unknown_after_ms={self.unknown_after_ms} is not above ask_after_ms={self.ask_after_ms}:"
                " an order is asked about before it is UNKNOWN"
            )


class MoneyConfig(Section, frozen=True, kw_only=True):
    """In what profit is counted, and when a day begins.

    `currency`: The asset that profit is added up in. What is in another one is converted at the middle of the book of
    a configured spot pair, or of several one after the other.
    `fixed_rates`: What an asset is worth in `currency` whatever the books say, by asset, such as `{ USD = "1" }`.
    `day_begins`: When a day begins, in the local time of `zone`; "" begins none, and no profit of the day is told.
    `zone`: A name of the time zone database, such as `"America/New_York"`.
    """

    currency: str = "USDT"
    fixed_rates: dict[str, Decimal] = {}
    day_begins: Annotated[str, msgspec.Meta(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?)?$")] = ""
    zone: str = "UTC"

    def __post_init__(self) -> None:
        _zone(self.zone)
        for asset, rate in self.fixed_rates.items():
            if not (rate.is_finite() and rate > 0):
                raise ValueError(f"`fixed_rates` of {asset} is {rate}, and a rate is above 0")

    def to_schedule(self) -> Schedule | None:
        """The days as periods of 24 hours; None where none are told."""
        if not self.day_begins:
            return None
        begins = time.fromisoformat(self.day_begins)
        return Schedule(start=begins, end=begins, zone=_zone(self.zone))


class LogConfig(Section, frozen=True, kw_only=True):
    """The processes' own logs in `var/log`, one JSON object a line.

    `level`: The least level that is written.
    `max_bytes`: A file that has grown beyond this is put aside, and a new one begun.
    `files`: At most this many of those put aside are kept for each process.
    """

    level: LogLevel = LogLevel.INFO
    max_bytes: Annotated[int, msgspec.Meta(ge=1 << 12)] = 16 << 20
    files: PositiveInt = 5


class AlertRuleConfig(Section, frozen=True, kw_only=True):
    """A rule. The rules that there are without any table are those of docs/alerts.md, each called like its watch: a
    table of that name says otherwise, and one of another name is a further rule.

    `watch`: What it looks at; by itself the watch that it is called like.
    `enabled`: Whether it fires at all.
    `limit`: It fires beyond this, in the watch's unit; by itself the watch's own.
    `for_s`: It fires once it has been so for so long; by itself the watch's own.
    `severity`: How soon somebody is to look; by itself the watch's own.
    `sinks`: Who is told, by the names of the sinks; none named is all of them. The log has every alert.
    """

    watch: WatchKind | None = None
    enabled: bool = True
    limit: Decimal | None = None
    for_s: NonNegativeInt | None = None
    severity: Severity | None = None
    sinks: list[str] = []


class WebhookConfig(Section, frozen=True, kw_only=True):
    """A sink that is posted each notice as JSON, signed.

    `url`: Where to; `https`, or `http` on the loopback.
    `secret_file`: The file that holds the secret for the signature, relative to the var folder.
    `ca`: As for TLS.
    """

    url: str
    secret_file: str
    ca: str = ""

    def __post_init__(self) -> None:
        _require_encrypted_url("url", self.url)


class EmailSecurity(StrEnum):
    """How a mail server is spoken to."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


class EmailConfig(Section, frozen=True, kw_only=True):
    """A sink that is mailed each notice.

    `host`: The mail server.
    `port`: Its port.
    `security`: TLS: "tls" from the first byte, "starttls" before anything is said, or "none", on the loopback only.
    `from_address`: Who writes.
    `to`: To whom; at least one.
    `username_file`: The file that holds the name to log in with, relative to the var folder; "" logs in nobody.
    `password_file`: The file that holds the password.
    `ca`: As for TLS.
    """

    host: str
    port: Port
    security: EmailSecurity = EmailSecurity.TLS
    from_address: str
    to: Annotated[list[str], msgspec.Meta(min_length=1)]
    username_file: str = ""
    password_file: str = ""
    ca: str = ""

    def __post_init__(self) -> None:
        if self.security is EmailSecurity.NONE and not _is_loopback_host(self.host):
            raise ValueError(f'`security` "none" is for the loopback, not for {self.host}')
        if bool(self.username_file) is not bool(self.password_file):
            raise ValueError("`username_file` and `password_file` go together")
        for address in (self.from_address, *self.to):
            if not re.fullmatch(r"[!-?A-~]+@[!-?A-~]+", address):
                raise ValueError(f"{address!r} is no address of a mailbox, such as desk@acme.com")


class TelegramConfig(Section, frozen=True, kw_only=True):
    """A sink that is sent each notice over Telegram's HTTP API.

    `token_file`: The file that holds the bot's token, relative to the var folder.
    `chat_id`: The chat that the bot writes to.
    `url`: Where the API is.
    `ca`: As for TLS.
    """

    token_file: str
    chat_id: str
    url: str = "https://api.telegram.org"
    ca: str = ""

    def __post_init__(self) -> None:
        _require_encrypted_url("url", self.url)


class HeartbeatConfig(Section, frozen=True, kw_only=True):
    """What an outside service hears again and again, so that it can tell somebody when it does not.

    `url_file`: The file that holds the URL to get, relative to the var folder; "" sends none. The URL is a secret.
    `every_s`: How often.
    `ca`: As for TLS.
    """

    url_file: str = ""
    every_s: Annotated[int, msgspec.Meta(ge=5, le=86_400)] = 60
    ca: str = ""


class MetricsConfig(Section, frozen=True, kw_only=True):
    """Where metrics are served, as text that Prometheus reads, at the path `/metrics`.

    `host`: The address to listen at. Positions and profit are among them: off the loopback put a proxy with TLS and a
    password before it.
    `port`: Its port; 0 serves none.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 9464


class AlertsConfig(Section, frozen=True, kw_only=True):
    """Metrics, and what is told to people who do not look.

    `poll_s`: How often every process is asked.
    `group_s`: What fires within this time is told together.
    `repeat_s`: What still fires is told again after this time, then after twice as long, and so on.
    `repeat_max_s`: The longest such pause.
    `timeout_s`: After so long an attempt to send counts as failed.
    `metrics`: Where metrics are served.
    `heartbeat`: What an outside service hears.
    `rules`: The rules, by name.
    `webhooks`: Sinks over HTTP, by name.
    `emails`: Sinks by mail, by name.
    `telegrams`: Sinks over Telegram, by name.
    """

    poll_s: Annotated[int, msgspec.Meta(ge=1, le=60)] = 2
    group_s: Annotated[int, msgspec.Meta(ge=0, le=600)] = 5
    repeat_s: PositiveInt = 600
    repeat_max_s: PositiveInt = 14_400
    timeout_s: Annotated[int, msgspec.Meta(ge=1, le=60)] = 10
    metrics: MetricsConfig = MetricsConfig()
    heartbeat: HeartbeatConfig = HeartbeatConfig()
    rules: dict[str, AlertRuleConfig] = {}
    webhooks: dict[str, WebhookConfig] = {}
    emails: dict[str, EmailConfig] = {}
    telegrams: dict[str, TelegramConfig] = {}

    def __post_init__(self) -> None:
        if self.repeat_s > self.repeat_max_s:
            raise ValueError("`repeat_s` must not be above `repeat_max_s`")
        names = [*self.webhooks, *self.emails, *self.telegrams]
        for name in names:
            if not re.fullmatch(STRATEGY_NAME, name) or name in (LOG, HEARTBEAT):
                raise ValueError(f"a sink's name is {STRATEGY_NAME}, and not {LOG} or {HEARTBEAT}: {name!r}")
            if names.count(name) > 1:
                raise ValueError(f"two sinks are called {name}")
        for name, rule in self.rules.items():
            _check_rule(name, rule, names)

    @property
    def secret_files(self) -> dict[str, str]:
        """The files that the sinks and the heartbeat read, by the key that names each."""
        tables: dict[str, msgspec.Struct] = {"heartbeat": self.heartbeat}
        tables |= {f"webhooks.{name}": its for name, its in self.webhooks.items()}
        tables |= {f"emails.{name}": its for name, its in self.emails.items()}
        tables |= {f"telegrams.{name}": its for name, its in self.telegrams.items()}
        files = {
            f"{table}.{key}": str(getattr(its, key))
            for table, its in tables.items()
            for key in its.__struct_fields__
            if key.endswith("_file")
        }
        return {key: file for key, file in files.items() if file}

    def all_rules(self) -> tuple[Rule, ...]:
        """The rules that fire: one for each watch, as its table says otherwise, and the further ones."""
        tables = {**{watch.value: AlertRuleConfig() for watch in WatchKind}, **self.rules}
        rules = (_rule(name, table) for name, table in tables.items() if table.enabled)
        return tuple(rule for rule in rules if rule.limit is not None or not WATCHES[rule.watch].unit)


def _rule(name: str, table: AlertRuleConfig) -> Rule:
    watch = table.watch or WatchKind(name)
    its = WATCHES[watch]
    return Rule(
        name=name,
        watch=watch,
        limit=its.limit if table.limit is None else table.limit,
        for_s=its.for_s if table.for_s is None else table.for_s,
        severity=table.severity or its.severity,
        sinks=tuple(table.sinks),
    )


def _check_rule(name: str, rule: AlertRuleConfig, sinks: Sequence[str]) -> None:
    if not re.fullmatch(STRATEGY_NAME, name):
        raise ValueError(f"a rule's name is {STRATEGY_NAME}, not {name!r}")
    named = WatchKind(name) if name in set(WatchKind) else None
    watch = rule.watch or named
    if watch is None:
        raise ValueError(f"rule {name} needs `watch`: {', '.join(WatchKind)}")
    if named not in (None, watch):
        raise ValueError(f"rule {name} watches {watch}: give it another name, since there is a watch of this one")
    if rule.limit is not None and not WATCHES[watch].unit:
        raise ValueError(f"rule {name} has a `limit`, and {watch} has none: it is so or not so")
    if rule.limit is not None and not (rule.limit.is_finite() and rule.limit >= 0):
        raise ValueError(f"rule {name}: `limit` must be at least 0, not {rule.limit}")
    if named is None and rule.limit is None and WATCHES[watch].unit and WATCHES[watch].limit is None:
        raise ValueError(f"rule {name} needs a `limit`: {watch} has none by itself")
    for sink in rule.sinks:
        if sink not in sinks:
            raise ValueError(f"rule {name}: no sink is called {sink}; there is {', '.join(sinks) or 'none'}")


def _is_loopback_host(host: str) -> bool:
    return host.startswith("127.") or host in ("::1", "localhost")


def _require_encrypted_url(name: str, url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if not (parts.scheme == "http" and _is_loopback_host(parts.hostname or "")):
        raise ValueError(f"`{name}` must begin with https:// (http:// is for the loopback), not {url!r}")


class StrategyConfig(Section, frozen=True, kw_only=True):
    """A strategy: one process, named after the table.

    `program`: Module and class, such as `"services.strategies.market_maker:MarketMaker"`. docs/strategies.md says where
    a module may lie.
    `enabled`: Whether it runs.
    `venues`: The venues at which it trades; where one of them is switched off, it goes on at the others. None stands
    for all that the stack serves.
    `symbols`: What it trades there, each wherever the venue has it: one of them at least does. Each needs a table in
    `[risk.symbols]`.
    `parameters`: Settings of its own, which its class takes as its `Parameters`.
    `on_exit`: What becomes of its open orders when it stops, dies or hangs: `"cancel"`, or `"leave"` for its next
    start.
    `silent_after_ms`: It counts as dead or hanging when it has not been heard of for so long; 1,000 at least.
    `start_ms`: How long it may take instead, since it was heard of last, when its supervisor starts it again; and after
    a start of the order manager.
    """

    program: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    enabled: bool = True
    venues: list[str] = []
    symbols: list[Symbol]
    parameters: dict[str, Any] = {}
    on_exit: OnStop = OnStop.LEAVE
    silent_after_ms: Annotated[int, msgspec.Meta(ge=1_000)] = 5_000
    start_ms: PositiveInt = 30_000


class DeskConfig(Section, frozen=True, kw_only=True):
    """The web page `desk`. Off the loopback it is served by TLS and to named users alone.

    `enabled`: Whether it runs.
    `host`: The address that it listens on.
    `port`: The port there; where another program has it, the desk says so and waits for it.
    `names`: Further host names under which a browser may ask for it, beside `host` and the loopback's.
    `users`: The file of named users, relative to the var folder, as `fixring desk user` writes it; "" lets in whoever
    has the address that a start prints, as an operator.
    `certificate`: The PEM file of its certificate chain, relative to the var folder; "" is plain HTTP.
    `key`: The PEM file of the certificate's private key.
    """

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Port = 8780
    names: list[str] = []
    users: str = ""
    certificate: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("`certificate` and `key` are given together")
        if not self.is_local and not (self.certificate and self.users):
            raise ValueError(f"`host` {self.host} is off the loopback: that needs `certificate`, `key` and `users`")

    @property
    def is_local(self) -> bool:
        """Whether only this host can reach it."""
        return _is_loopback(f"{self.host}:0")


class ServedConfig(Section, frozen=True, kw_only=True):
    """What of the folder is served.

    `venues`: The venues that a start serves, by the names of their files; none stands for all. `scripts/start --venues
    a,b` says it for one start, and what asks a running stack goes by that.
    `host`: Which of `[hosts]` this one is; `scripts/start --host NAME` says it too.
    `slice_us`: How long each process that trades stays on a processor at a time: shorter than others do, so that it
    need not wait for them when it wakes (Linux 6.12 or newer, from 100 on); 0 leaves it to the system.
    """

    venues: list[str] = []
    host: str = ""
    slice_us: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 200


class StackConfig(Section, frozen=True, kw_only=True):
    """The stack is `configs/fixring.toml`.

    `stack`: What of the folder is served.
    `journal`: The journal.
    `replication`: The copy of the journal off the machine.
    `endpoints`: Where the links are.
    `hosts`: The hosts, by name, where there are several: 1 to 16 of a-z and 0-9, a letter first.
    `risk`: The limits.
    `orders`: How long the order manager waits.
    `money`: In what profit is counted, and when a day begins.
    `log`: The processes' own logs.
    `strategies`: The strategies, by name: 1 to 20 of a-z, 0-9, _ and -, a letter first.
    `desk`: The web page.
    `alerts`: Metrics, and what is told to people who do not look.
    """

    stack: ServedConfig = ServedConfig()
    journal: JournalConfig = JournalConfig()
    replication: ReplicationConfig = ReplicationConfig()
    endpoints: EndpointsConfig = EndpointsConfig()
    hosts: dict[str, HostConfig] = {}
    risk: RiskConfig = RiskConfig()
    orders: OrdersConfig = OrdersConfig()
    money: MoneyConfig = MoneyConfig()
    log: LogConfig = LogConfig()
    strategies: dict[str, StrategyConfig] = {}
    desk: DeskConfig = DeskConfig()
    alerts: AlertsConfig = AlertsConfig()


# ---- a venue: configs/<venue>.toml ----


class TlsConfig(Section, frozen=True, kw_only=True):
    """TLS of a connection. The venue's certificate is verified at each connection, and nothing turns that off.

    `server_name`: The name that the certificate must hold; it is also sent as SNI.
    `ca`: A PEM file with the certificates that are trusted, relative to the var folder; "" takes the system's.
    """

    server_name: str
    ca: str = ""


class LimitsConfig(Section, frozen=True, kw_only=True):
    """What the venue allows on one connection, and of connections.

    `messages`: At most this many of our messages in any `window_ms`.
    `window_ms`: The length of that time.
    `amends`: At most this many of them may be amendments; without it as many as messages.
    `connects`: At most this many attempts to connect in any `connects_window_ms`.
    `connects_window_ms`: The length of that time.
    `connections`: At most this many connections of one account at once; the simulated exchange refuses more.
    """

    messages: PositiveInt
    window_ms: PositiveInt
    amends: PositiveInt | None = None
    connects: PositiveInt = 15
    connects_window_ms: PositiveInt = 30_000
    connections: PositiveInt = 10


class ScheduleConfig(Section, frozen=True, kw_only=True):
    """When a session is open. Outside it logs out, dials nobody, and cancels nothing by itself.

    A daily schedule opens at `start` on each of `days` and closes at the next `end`. A weekly one opens on `start_day`
    at `start` and closes on `end_day` at `end`, and has no `days`.

    `zone`: A name of the time zone database, such as `"America/New_York"`.
    `start`: When it opens, in that zone's local time: `"18:00"`, or `"18:00:30"`.
    `end`: When it closes. Where it is not later than `start`, on the next day; equal times make 24 hours.
    `days`: The days on which a daily schedule opens; none named is every day.
    `start_day`: The day on which a weekly schedule opens.
    `end_day`: The day on which a weekly schedule closes.
    `reset_numbers`: Whether the first logon of each period starts both sequence numbers at 1. For numbers that persist
    only.
    """

    zone: str
    start: ClockTime
    end: ClockTime
    days: list[Weekday] = []
    start_day: Weekday | None = None
    end_day: Weekday | None = None
    reset_numbers: bool = False

    def __post_init__(self) -> None:
        if self.days and self.start_day is not None:
            raise ValueError("`days` is for a daily schedule, `start_day` and `end_day` for a weekly one")
        try:
            self.to_schedule()
        except SettingsError as error:
            raise ValueError(str(error)) from None

    def to_schedule(self) -> Schedule:
        """The same, as the FIX library has it."""
        return Schedule(
            start=time.fromisoformat(self.start),
            end=time.fromisoformat(self.end),
            zone=_zone(self.zone),
            days=frozenset(day.number for day in self.days) or EVERY_DAY,
            start_day=None if self.start_day is None else self.start_day.number,
            end_day=None if self.end_day is None else self.end_day.number,
        )


ONE_NAME = "set one of `sender_comp_id` and `comp_id_prefix`"


class FixConfig(Section, frozen=True, kw_only=True):
    """One FIX session: `[fix]` is order entry, `[market_data]` has a connection of its own.

    Exactly one of `sender_comp_id` and `comp_id_prefix` is set, and neither where the venue knows a connection by its
    API key, which is SenderCompID(49) there.

    `host`: The host to dial; also where a simulated exchange listens.
    `port`: Its port.
    `target_comp_id`: The venue's name in each message, TargetCompID(56).
    `sequence_policy`: How the venue keeps sequence numbers: "reset" starts both sides at 1 at each Logon(A) and resends
    nothing; with "resend" numbers persist, and a ResendRequest(2) brings back what was missed; with "gap_fill_only"
    numbers persist, and a ResendRequest(2) is answered by a gap fill.
    `limits`: What the venue allows.
    `sender_comp_id`: Our name in each message, SenderCompID(49).
    `comp_id_prefix`: Each connection takes the next SenderCompID(49) of a small set, this prefix (1 to 6 of a-z, A-Z,
    0-9, _ and -) and a counter; for a venue that locks the name of a lost connection for a while.
    `heart_bt_int_s`: HeartBtInt(108).
    `reconnect_min_ms`: The shortest pause between two attempts to connect.
    `reconnect_max_ms`: The longest pause, up to which it doubles.
    `tls`: TLS of the connection; without this table it is not encrypted.
    `fallback_hosts`: Further hosts, `"name:port"` each (an IPv6 address in brackets), tried in turn when `host` does
    not log us on; the one that did is dialled first again. They share the session's numbers, its CompIDs and
    `tls.server_name`.
    `schedule`: When the session is open; without this table at all times.
    """

    host: str
    port: Port
    target_comp_id: CompId
    sequence_policy: SequencePolicy
    limits: LimitsConfig
    sender_comp_id: CompId | None = None
    comp_id_prefix: Annotated[str, msgspec.Meta(pattern=r"^[a-zA-Z0-9_-]{1,6}$")] | None = None
    heart_bt_int_s: Annotated[int, msgspec.Meta(ge=1, le=300)] = 30
    reconnect_min_ms: PositiveInt = 50
    reconnect_max_ms: PositiveInt = 5000
    tls: TlsConfig | None = None
    fallback_hosts: list[str] = []
    schedule: ScheduleConfig | None = None

    def __post_init__(self) -> None:
        if self.sender_comp_id is not None and self.comp_id_prefix is not None:
            raise ValueError(ONE_NAME)
        if self.reconnect_min_ms > self.reconnect_max_ms:
            raise ValueError("`reconnect_min_ms` must not be above `reconnect_max_ms`")
        hosts = self.hosts
        if len(set(hosts)) < len(hosts):
            raise ValueError("`fallback_hosts` names a host twice, or `host` itself")
        if self.resets_by_schedule and self.sequence_policy is SequencePolicy.RESET:
            raise ValueError("`schedule.reset_numbers` is for numbers that persist; these start at 1 with each logon")

    @property
    def opening(self) -> Schedule | None:
        """When the session is open; None at all times."""
        return None if self.schedule is None else self.schedule.to_schedule()

    @property
    def resets_by_schedule(self) -> bool:
        """Whether each period of the schedule starts both numbers at 1."""
        return self.schedule is not None and self.schedule.reset_numbers

    @property
    def hosts(self) -> tuple[tuple[str, int], ...]:
        """Every (host, port), in the order in which they are tried."""
        return ((self.host, self.port), *map(_host_and_port, self.fallback_hosts))


def _host_and_port(text: str) -> tuple[str, int]:
    match = HOST_AND_PORT.fullmatch(text)
    if match is None or not 1 <= int(match["port"]) <= 65535:
        raise ValueError(f'`fallback_hosts` holds "name:port", such as "fix2.venue.com:9000", not {text!r}')
    return match["name"].strip("[]"), int(match["port"])


class RestConfig(Section, frozen=True, kw_only=True):
    """The venue's REST side, which the account process asks.

    `url`: Up to and with the version, such as `"https://api.acme.com/v3"`.
    `timeout_ms`: After so long a question counts as failed.
    `ca`: As for TLS.
    """

    url: Annotated[str, msgspec.Meta(pattern=r"^https?://")]
    timeout_ms: PositiveInt = 10_000
    ca: str = ""


class BridgeConfig(Section, frozen=True, kw_only=True):
    """The bridge that speaks FIX for a venue which has none: it listens where `[fix]` says.

    `websocket`: The venue's WebSocket, up to and with the version, such as `"wss://ws.acme.com/v5"`.
    `clients`: SenderCompIDs of FIX clients other than our sessions that may log on to it.
    `segment_bytes`: The size of one file of its log.
    """

    websocket: Annotated[str, msgspec.Meta(pattern=r"^wss?://")]
    clients: list[CompId] = []
    segment_bytes: PositiveInt = 16_777_216


class CredentialsConfig(Section, frozen=True, kw_only=True):
    """The keys of the account, or of the market data session: paths of files, relative to the var folder, never the
    keys themselves.

    `kind`: What the files hold; may be left out where the venue takes one kind only. An "ed25519" or "rsa" key has
    `api_key_file` and `private_key_file`; "ed25519_account" these two and `account_file`; "hmac" `api_key_file` and
    `secret_file`; "hmac_passphrase" these two and `passphrase_file`; "hmac_account" these two and `account_file`;
    "password" `username_file` and `password_file`; "password_hmac" these two, `account_file`, and for REST
    `api_key_file` and `secret_file`.
    `api_key_file`: The file that holds the API key as text.
    `private_key_file`: The file that holds the private key as PEM.
    `secret_file`: The file that holds the secret as the venue gave it.
    `passphrase_file`: The file that holds the passphrase.
    `username_file`: The file that holds the name.
    `password_file`: The file that holds the password.
    `account_file`: The file that holds what the venue calls the account.
    """

    kind: CredentialKind
    api_key_file: str = ""
    private_key_file: str = ""
    secret_file: str = ""
    passphrase_file: str = ""
    username_file: str = ""
    password_file: str = ""
    account_file: str = ""

    def __post_init__(self) -> None:
        given = {name for name in self.__struct_fields__ if name != "kind" and getattr(self, name)}
        wanted = set(CREDENTIAL_FILES[self.kind])
        if missing := sorted(wanted - given):
            raise ValueError(f'kind = "{self.kind}" needs {", ".join(f"`{name}`" for name in missing)}')
        if foreign := sorted(given - wanted):
            raise ValueError(f'kind = "{self.kind}" has no {", ".join(f"`{name}`" for name in foreign)}')

    @property
    def files(self) -> dict[str, str]:
        """The kind's files, each key with its path."""
        return {name: getattr(self, name) for name in CREDENTIAL_FILES[self.kind]}


class InstrumentConfig(Section, frozen=True, kw_only=True):
    """What may be traded in one symbol, as the venue states it.

    `symbol`: The table's name, filled in on loading.
    `base`: The asset that is bought and sold, or that a contract is on; quantities of a spot market are in it.
    `quote`: The asset that is paid with; prices are in it.
    `tick_size`: A price is a multiple of this.
    `lot_size`: A quantity is a multiple of this.
    `min_qty`: The smallest quantity of an order.
    `max_qty`: The largest quantity of an order.
    `min_notional`: The smallest notional of an order, in the quote asset: price times quantity on a spot market.
    `kind`: What is traded: "spot" the asset itself; "perpetual", "future" or "option" contracts on it, which quantities
    count.
    `multiplier`: How much one contract stands for: of `base`, or of `quote` where it is inverse.
    `inverse`: Whether a contract is worth a fixed amount of `quote`, and settled in `base`.
    `settle`: The asset that profit, loss and fees of a contract are in.
    `expiry`: When a future or an option ends, with its time zone: `2027-09-24T08:00:00Z`. From then on it is refused.
    `strike`: The price at which an option may be exercised.
    `right`: What an option gives the right to: "call" to buy, "put" to sell.
    """

    symbol: Symbol
    base: str
    quote: str
    tick_size: Decimal
    lot_size: Decimal
    min_qty: Decimal
    max_qty: Decimal
    min_notional: Decimal
    kind: InstrumentKind = InstrumentKind.SPOT
    multiplier: Decimal = Decimal(1)
    inverse: bool = False
    settle: str = ""
    expiry: datetime | None = None
    strike: Decimal | None = None
    right: OptionRight | None = None

    def __post_init__(self) -> None:
        _require_positive(self, "tick_size", "lot_size", "min_qty", "max_qty", "min_notional", "multiplier")
        if self.min_qty > self.max_qty:
            raise ValueError("`min_qty` must not be above `max_qty`")
        needed = _CONTRACT_KEYS[self.kind]
        for key, given in self._contract_keys().items():
            if given != (key in needed):
                raise ValueError(f'kind = "{self.kind}" {"has no" if given else "needs"} `{key}`')
        if self.kind is InstrumentKind.SPOT and (self.inverse or self.multiplier != 1):
            raise ValueError('kind = "spot" is neither inverse nor has it a multiplier')
        if self.expiry is not None and self.expiry.tzinfo is None:
            raise ValueError(f"`expiry` needs a time zone: {self.expiry.isoformat()}Z")

    def _contract_keys(self) -> dict[str, bool]:
        """Which of the keys that not every kind has are given."""
        expires, has_strike, has_right = (each is not None for each in (self.expiry, self.strike, self.right))
        return {"settle": bool(self.settle), "expiry": expires, "strike": has_strike, "right": has_right}

    @property
    def contract(self) -> Contract:
        """How its quantity counts."""
        return Contract(self.kind, self.multiplier, self.inverse, self.settle)

    @property
    def id(self) -> str:
        """Its one name over all venues."""
        return instrument_id(self.base, self.quote, self.contract, self.expiry, self.strike, self.right)

    @property
    def expiry_ns(self) -> int:
        """When it ends, in Unix nanoseconds; 0 where it never does."""
        return 0 if self.expiry is None else int(self.expiry.timestamp()) * NS_PER_S


_CONTRACT_KEYS: dict[InstrumentKind, frozenset[str]] = {
    InstrumentKind.SPOT: frozenset(),
    InstrumentKind.PERPETUAL: frozenset({"settle"}),
    InstrumentKind.FUTURE: frozenset({"settle", "expiry"}),
    InstrumentKind.OPTION: frozenset({"settle", "expiry", "strike", "right"}),
}
"""The keys that a kind needs, of those that not every kind has."""


class SuperfluousTags(StrEnum):
    """What a simulated exchange does with a field that its message type does not have."""

    AS_VENUE = "as_venue"
    REFUSED = "refused"
    IGNORED = "ignored"


class SimulatedConfig(Section, frozen=True, kw_only=True):
    """The simulated exchange behind the venue; it listens where the sessions connect to.

    `seed`: What the background traders do is drawn from this: the same seed, the same traders.
    `traders`: How many of them there are.
    `trader_orders_per_s`: How many orders each of them sends.
    `fee_rate`: The share of a fill that is taken as a fee; at least 0 and below 1.
    `fee_asset`: What it is taken in: "received" by each side, base or quote, or always the "quote".
    `margin_rate`: The share of what contracts are worth that our account needs of the asset that they are settled in; 0
    asks for none.
    `wallet`: The name of the wallet of its own that the venue has for contracts, "" for none.
    `balances`: What our account begins with, by asset; in that wallet by asset and wallet, such as "USDT/futures".
    `prices`: Where the book of each symbol begins, in its quote asset; needed for each instrument.
    `segment_bytes`: The size of one file of the exchange's own log.
    `superfluous_tags`: A field that its message type does not have is "refused" or "ignored", or treated "as_venue".
    """

    seed: NonNegativeInt = 1
    traders: NonNegativeInt = 4
    trader_orders_per_s: NonNegativeInt = 10
    fee_rate: Decimal = Decimal("0.001")
    fee_asset: FeeAsset = FeeAsset.RECEIVED
    margin_rate: Decimal = Decimal(0)
    wallet: str = ""
    balances: dict[str, Decimal]
    prices: dict[Symbol, Decimal]
    segment_bytes: Annotated[int, msgspec.Meta(ge=1 << 16, le=1 << 30)] = 64 << 20
    superfluous_tags: SuperfluousTags = SuperfluousTags.AS_VENUE

    def __post_init__(self) -> None:
        if not 0 <= self.fee_rate < 1:
            raise ValueError("`fee_rate` must be at least 0 and below 1")
        if not 0 <= self.margin_rate <= 1:
            raise ValueError("`margin_rate` must be at least 0 and at most 1")
        for asset, amount in self.balances.items():
            if not amount.is_finite() or amount < 0:
                raise ValueError(f"`balances.{asset}` must not be below 0")
        for symbol, price in self.prices.items():
            if not price.is_finite() or price <= 0:
                raise ValueError(f"`prices.{symbol}` must be above 0")


class FurtherSession(Section, frozen=True, kw_only=True):
    """A session beside `[fix]`, which says whatever the table does not: one of a further account, or a second one.

    `sender_comp_id`: As in `[fix]`, and another than those of the venue's other sessions.
    `comp_id_prefix`: As in `[fix]`, and another than those of the venue's other sessions.
    `host`: Where it dials; "" is the host of `[fix]`.
    `port`: The port there; none is that of `[fix]`.
    """

    sender_comp_id: CompId | None = None
    comp_id_prefix: Annotated[str, msgspec.Meta(pattern=r"^[a-zA-Z0-9_-]{1,6}$")] | None = None
    host: str = ""
    port: Port | None = None

    def __post_init__(self) -> None:
        if self.sender_comp_id is not None and self.comp_id_prefix is not None:
            raise ValueError(ONE_NAME)


class DropCopy(FurtherSession, frozen=True, kw_only=True):
    """A session that hears of all orders of the account, and sends none: what it tells of fills and of orders that have
    ended counts once beside what the order entry sessions tell. Trading does not wait for it. `[fix]` says whatever the
    table does not.

    `sender_comp_id`: As in `[fix]`.
    `comp_id_prefix`: As in `[fix]`.
    `host`: Where it dials; "" is the host of `[fix]`.
    `port`: The port there; needed.
    `tls`: TLS of the connection; without this table as in `[fix]`.
    """

    tls: TlsConfig | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.port is None:
            raise ValueError("`port` is missing: drop copies have one of their own")


class AccountConfig(Section, frozen=True, kw_only=True):
    """A further account at the venue, called like its table: the name is its own in the whole stack.

    The first account is called like the venue: `[fix]` is its session and `[credentials]` are its keys, so that its
    table, where it has one, has `sessions` and `drop_copies` alone.

    `session`: Its order entry session, called like the account; needed, but for the first account.
    `credentials`: Its keys; needed if and only if the venue has `[credentials]`.
    `balances`: What the simulated exchange gives it at first, by asset.
    `sessions`: More order entry sessions, by name: orders takes the first whose gate is open, so that a second one is
    there before the first one's maintenance.
    `drop_copies`: Its drop copies, by name, where the venue has such a thing.
    """

    session: FurtherSession | None = None
    credentials: CredentialsConfig | None = None
    balances: dict[str, Decimal] = {}
    sessions: dict[str, FurtherSession] = {}
    drop_copies: dict[str, DropCopy] = {}


class VenueConfig(Section, frozen=True, kw_only=True):
    """A venue is `configs/NAME.toml`: its name is the file's, 1 to 16 of a-z and 0-9, a letter first.

    It says what a desk decides. A key that it leaves out is taken from `venue.toml` in the venue's folder, and there
    from `[environments.ENVIRONMENT]` first.

    `name`: The file's name, filled in on loading.
    `dialect`: The venue's folder: a name in `common/venues`, or the package of a venue of your own, such as
    `"desk.acme"`.
    `environment`: Where orders go: to the simulated exchange, to the venue's own test system, or to the venue with real
    money. All enabled venues have the same one.
    `enabled`: Whether the stack may serve it, see `venues` of `[stack]`.
    `live_confirmation`: For `environment = "live"` it must hold the sentence that `fixring doctor` asks for.
    `on_stop`: What happens to resting orders at an orderly shutdown.
    `on_halted`: What happens to resting orders when orders, risk or the journal is given up after too many crashes, and
    nobody manages them: "cancel" latches the kill switch.
    `allow_plain_text`: Whether `environment = "live"` may have connections without TLS.
    `orphan_s`: A session that is away for longer has its orders cancelled over REST; 0 leaves them.
    `fix`: The order entry session.
    `market_data`: The market data session; no such table where the venue tells prices over REST alone.
    `rest`: The REST side, where the venue has one.
    `bridge`: The bridge, where the venue publishes no FIX: then `[fix]` is its listener.
    `credentials`: The account's keys; needed with `[rest]`.
    `market_data_credentials`: The keys of the market data session, where they are others than the account's: needed
    where the venue takes no other for prices, and none where it asks there for none.
    `symbols`: Which of the instruments are traded here; none stands for all.
    `instruments`: What may be traded, by symbol; at least one.
    `simulated`: The simulated exchange; needed with `environment = "simulated"`.
    `accounts`: What the venue has besides one account with one session, by account.
    """

    name: str
    dialect: Annotated[str, msgspec.Meta(pattern=r"^[a-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$")]
    environment: Environment
    enabled: bool = True
    live_confirmation: str = ""
    on_stop: OnStop = OnStop.CANCEL
    on_halted: OnStop = OnStop.CANCEL
    allow_plain_text: bool = False
    orphan_s: NonNegativeInt = 30
    fix: FixConfig
    market_data: FixConfig | None = None
    rest: RestConfig | None = None
    bridge: BridgeConfig | None = None
    credentials: CredentialsConfig | None = None
    market_data_credentials: CredentialsConfig | None = None
    symbols: list[Symbol] = []
    instruments: Annotated[dict[Symbol, InstrumentConfig], msgspec.Meta(min_length=1)]
    simulated: SimulatedConfig | None = None
    accounts: dict[str, AccountConfig] = {}

    @property
    def connections(self) -> dict[str, FixConfig]:
        """The FIX connections that the venue has, by the name of the table: order entry, and market data where it has
        any over FIX."""
        both = (("fix", self.fix), ("market_data", self.market_data))
        return {name: fix for name, fix in both if fix is not None}

    def credentials_of(self, connection: str) -> CredentialsConfig | None:
        """What logs on there: `connection` is the table of one of the venue's own."""
        own = self.market_data_credentials if connection == "market_data" else None
        return own or self.credentials

    @property
    def plain_text(self) -> list[str]:
        """The tables of those connections that are not encrypted."""
        plain = [name for name, fix in self.connections.items() if fix.tls is None]
        plain += ["rest"] if self.rest is not None and self.rest.url.startswith("http:") else []
        return plain + (["bridge"] if self.bridge is not None and self.bridge.websocket.startswith("ws:") else [])

    def __post_init__(self) -> None:
        if self.environment is Environment.SIMULATED:
            if self.simulated is None:
                raise ValueError('environment "simulated" needs the table [simulated]')
            missing = [s for s in self.instruments if s not in self.simulated.prices]
            if missing:
                raise ValueError(f"`simulated.prices` has no price for {', '.join(missing)}")
        if self.bridge is not None and self.rest is None:
            raise ValueError("[bridge] needs the table [rest]: half of what it says goes there")
        if self.rest is not None and self.credentials is None:
            raise ValueError("[rest] needs the table [credentials]")
        for name, account in self.accounts.items():
            self._check_account(name, account)

    def _check_account(self, name: str, account: AccountConfig) -> None:
        if name == self.name:
            if account.session is not None or account.credentials is not None or account.balances:
                raise ValueError(f"[accounts.{name}] is the first account: it has `sessions` and `drop_copies` alone")
        elif account.session is None:
            raise ValueError(f"[accounts.{name}] needs a `session` of its own")
        elif (account.credentials is None) != (self.credentials is None):
            raise ValueError(f"[accounts.{name}] needs `credentials` if and only if the venue has [credentials]")


class ConfiguredSession(msgspec.Struct, frozen=True, kw_only=True):
    """One order entry session, or a drop copy: a name that no other has, the account that it is of, and its FIX
    connection."""

    name: str
    account: str
    fix: FixConfig


class ConfiguredAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One account: a name that no other has, its venue, what signs for it, its order entry sessions, the first one
    first, and its drop copies."""

    name: str
    venue: VenueConfig
    credentials: CredentialsConfig | None
    sessions: tuple[ConfiguredSession, ...]
    drop_copies: tuple[ConfiguredSession, ...] = ()


def accounts_of(venue: VenueConfig) -> list[ConfiguredAccount]:
    """The venue's accounts, the first one first."""
    first = venue.accounts.get(venue.name, AccountConfig())
    found = [_account(venue, venue.name, first, venue.fix, venue.credentials)]
    for name, account in venue.accounts.items():
        if name != venue.name and account.session is not None:
            found.append(_account(venue, name, account, _fix_of(venue, account.session), account.credentials))
    return found


class ConfiguredKeys(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a venue: whose it is, for people, where the venue's file has it, and the account or the connection
    that it is of."""

    owner: str
    table: str
    told: CredentialsConfig
    account: str
    connection: str = "fix"


def keys_of(venue: VenueConfig) -> list[ConfiguredKeys]:
    """Every key that the venue's file names: its accounts', the first one first, then the market data session's."""
    found = []
    for account in accounts_of(venue):
        table = "credentials" if account.name == venue.name else f"accounts.{account.name}.credentials"
        if account.credentials is not None:
            found.append(
                ConfiguredKeys(owner=account.name, table=table, told=account.credentials, account=account.name)
            )
    if venue.market_data_credentials is not None:
        owner, told = f"{venue.name}'s market data", venue.market_data_credentials
        table, connection = "market_data_credentials", "market_data"
        found.append(
            ConfiguredKeys(owner=owner, table=table, told=told, account=venue.name, connection=connection)
        )
    return found


def _account(
    venue: VenueConfig, name: str, account: AccountConfig, fix: FixConfig, credentials: CredentialsConfig | None
) -> ConfiguredAccount:
    further = [(each, _fix_of(venue, session)) for each, session in account.sessions.items()]
    sessions = tuple(ConfiguredSession(name=each, account=name, fix=its) for each, its in ((name, fix), *further))
    copies = tuple(
        ConfiguredSession(name=each, account=name, fix=_fix_of(venue, its)) for each, its in account.drop_copies.items()
    )
    return ConfiguredAccount(name=name, venue=venue, credentials=credentials, sessions=sessions, drop_copies=copies)


def _fix_of(venue: VenueConfig, session: FurtherSession) -> FixConfig:
    """[fix] with what the session has of its own."""
    return msgspec.structs.replace(
        venue.fix,
        sender_comp_id=session.sender_comp_id,
        comp_id_prefix=session.comp_id_prefix,
        host=session.host or venue.fix.host,
        port=session.port or venue.fix.port,
        tls=(session.tls if isinstance(session, DropCopy) else None) or venue.fix.tls,
        fallback_hosts=[] if isinstance(session, DropCopy) else venue.fix.fallback_hosts,
    )


def live_sentence(venue: str) -> str:
    """What `live_confirmation` must say before `venue` may be traded with environment = "live"."""
    return f"orders to {venue} trade real money"


# ---- paths and actors ----


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Where things are. Everything that a running stack writes is under `var`."""

    checkout: Path
    config: Path
    var: Path

    @property
    def run(self) -> Path:
        """Locks, ipc sockets and the supervisors' status: mode 0700, of no value once everything has stopped."""
        return self.var / "run"

    @property
    def served(self) -> Path:
        """The venues that the last start was told to serve, if it was."""
        return self.run / "venues"

    @property
    def this_host(self) -> Path:
        """Which host the last start was told that this is, if it was."""
        return self.run / "host"

    @property
    def stopped(self) -> Path:
        """The strategies that a person has stopped, a file each; it outlives the stack, and the run folder."""
        return self.var / "stopped"

    @property
    def log(self) -> Path:
        """The actors' own logs."""
        return self.var / "log"

    @property
    def keys(self) -> Path:
        """The key pairs, the private CA and the API key files made at the first start."""
        return self.var / "keys"

    @property
    def alerts(self) -> Path:
        """What `alerts` must remember over a restart."""
        return self.var / "alerts" / "state.json"

    def journal(self, environment: Environment) -> Path:
        """The journal of one environment."""
        return self.var / "journal" / environment.value

    def exchange(self, venue: str) -> Path:
        """The simulated exchange's own log."""
        return self.var / "exchange" / venue

    def bridge(self, venue: str) -> Path:
        """The log of a venue's bridge."""
        return self.var / "bridge" / venue

    def resolve(self, path: str) -> Path:
        """A path from the configuration: absolute as it is, relative from the var folder."""
        return self.var / Path(path).expanduser()

    def server_certificate(self, venue: str) -> Path:
        """The simulated exchange's certificate chain (PEM)."""
        return self.keys / venue / "server.pem"

    def server_key(self, venue: str) -> Path:
        """The private key (PEM) of `server_certificate`."""
        return self.keys / venue / "server.key"


class Kind(StrEnum):
    """A line of the Procfile: a supervisor and the actors behind it."""

    JOURNAL = "journal"
    RISK = "risk"
    ORDERS = "orders"
    SESSIONS = "sessions"
    ACCOUNTS = "accounts"
    EXCHANGES = "exchanges"
    STRATEGIES = "strategies"
    DESK = "desk"
    ALERTS = "alerts"
    RELAYS = "relays"

    @property
    def is_reader(self) -> bool:
        """Whether its actors only look on: nobody waits for them, and a stack is ready without them."""
        return self in (Kind.DESK, Kind.ALERTS)


TOGETHER = (Kind.JOURNAL, Kind.ORDERS, Kind.RISK, Kind.SESSIONS, Kind.DESK)
"""They read the log's files, and so run on one host."""


class Reach(typing.NamedTuple):
    """How the processes of this host ask every process of the stack: over its socket in the run folder, or through the
    relay of its host. `elsewhere` has the hosts of those that run on another; `relays` the addresses by host.
    """

    run_folder: Path
    elsewhere: Mapping[str, str] = {}
    relays: Mapping[str, str] = {}
    curve_folder: Path | None = None
    host: str = ""

    def host_of(self, actor: str) -> str | None:
        """The other host that an actor runs on; None for this one. One that has come since runs where its supervisor
        does: strategies are added while the stack runs."""
        added = actor.startswith(STRATEGY) and actor not in self.elsewhere
        return self.elsewhere.get(SUPERVISOR_OF_STRATEGIES if added else actor)


STRATEGY = "strategy@"
SUPERVISOR_OF_STRATEGIES = f"supervisor-{Kind.STRATEGIES.value}"
SECOND_MS = 400
LAST_MS = 1_000
READER_MS = 2_000
"""A stack sends no order before the wait after a restart is over, and that begins when the journal, orders and risk are
up: they come first, and so do the simulated exchanges, since who dials one that is not there yet waits before the next
try. What is needed at its end comes next, so that few processors start less at once; what trades comes last, and behind
it what only looks on.
"""


class Actor(typing.NamedTuple):
    """One process of the stack: its name everywhere, its supervisor, and `python -P -m MODULE ARGUMENTS`.

    `first_start_ms`: how long its first start waits for those whose start everything else waits for.
    `cancels_on_stop`: at an orderly stop it is there to cancel what rests, so one that is dead then is started for it.
    """

    name: str
    kind: Kind
    module: str
    arguments: tuple[str, ...] = ()
    first_start_ms: int = 0
    cancels_on_stop: bool = False


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole configuration, checked. `venues` holds the enabled ones only, by name."""

    stack: StackConfig
    venues: Mapping[str, VenueConfig]
    paths: Paths

    @cached_property
    def accounts(self) -> Mapping[str, ConfiguredAccount]:
        """Every account of the enabled venues, by name."""
        return {account.name: account for venue in self.venues.values() for account in accounts_of(venue)}

    @cached_property
    def sessions(self) -> Mapping[str, ConfiguredSession]:
        """Every order entry session of the enabled venues, by name."""
        return {session.name: session for account in self.accounts.values() for session in account.sessions}

    @cached_property
    def drop_copies(self) -> Mapping[str, ConfiguredSession]:
        """Every drop copy of the enabled venues, by name."""
        return {each.name: each for account in self.accounts.values() for each in account.drop_copies}

    def drop_copies_of(self, venue: str) -> list[ConfiguredSession]:
        """The drop copies of the venue's accounts."""
        return [each for each in self.drop_copies.values() if self.accounts[each.account].venue.name == venue]

    @property
    def host(self) -> str:
        """The name of this host; "" where the stack has only one."""
        return self.stack.stack.host if self.stack.hosts else ""

    def host_of(self, kind: Kind) -> str:
        """The host on which a line of the Procfile runs; "" where the stack has only one, or none runs it."""
        return next((name for name, its in self.stack.hosts.items() if kind in its.runs), "")

    @property
    def kinds_here(self) -> list[Kind]:
        """The lines of the Procfile that run on this host."""
        if not self.stack.hosts:
            return [kind for kind in Kind if kind is not Kind.RELAYS]
        return [*self.stack.hosts[self.host].runs, Kind.RELAYS]

    def role_of(self, actor: str) -> str:
        """The role whose key the actor has on links between hosts; see `common/link_roles.py`."""
        kind = next((its.kind for its in self.actors() if its.name == actor), None)
        return actor if kind in (None, Kind.RELAYS) else kind.value

    @cached_property
    def reach(self) -> Reach:
        """How every process of the stack is asked from here."""
        folder = self.stack.endpoints.curve_folder
        hosts, here = self.stack.hosts, self.host
        elsewhere = {each.name: self.host_of(each.kind) for each in self.actors() if each.kind is not Kind.RELAYS}
        elsewhere |= {f"supervisor-{kind.value}": self.host_of(kind) for kind in Kind if kind is not Kind.RELAYS}
        elsewhere |= {f"{RELAY}@{name}": name for name in hosts}
        return Reach(
            self.paths.run,
            {name: host for name, host in elsewhere.items() if host and host != here},
            {name: its.relay for name, its in hosts.items()},
            self.paths.resolve(folder) if folder else None,
            here,
        )

    def control_endpoint(self, actor: str) -> str:
        """Where an actor is asked from here: its own socket, or the relay of its host."""
        host = self.reach.host_of(actor)
        return f"ipc://{self.paths.run}/control.{actor}" if host is None else self.reach.relays[host]

    @cached_property
    def fingerprint(self) -> str:
        """A short sum over the configuration, the same on every host of a stack that has the same but for `host`."""
        # Only a relay and `doctor` sum it up; every process of the stack loads this module.
        import hashlib

        served = msgspec.structs.replace(self.stack.stack, host="")
        whole = (msgspec.structs.replace(self.stack, stack=served), dict(self.venues))
        return hashlib.sha256(msgspec.msgpack.encode(whole)).hexdigest()[:16]

    def actors_here(self, kind: Kind | None = None) -> list[Actor]:
        """As `actors`, those that run on this host."""
        there = self.reach.elsewhere
        return [actor for actor in self.actors(kind) if actor.name not in there]

    @property
    def environment(self) -> Environment:
        """The one environment of every enabled venue."""
        return next(iter(self.venues.values())).environment

    @property
    def journal_folder(self) -> Path:
        """The folder of this environment's journal."""
        return self.paths.journal(self.environment)

    @property
    def emergency_folder(self) -> Path:
        """The kill switch's latch and the emergency files of this environment."""
        return self.paths.resolve(self.stack.journal.emergency_folder) / self.environment.value

    @property
    def strategies(self) -> dict[str, StrategyConfig]:
        """The strategies that run, by name, with their venues: those that are enabled, where one of them is served and
        has a symbol of theirs.
        """
        served = {
            name: msgspec.structs.replace(strategy, venues=strategy.venues or list(self.venues))
            for name, strategy in self.stack.strategies.items()
            if strategy.enabled
        }
        return {name: strategy for name, strategy in served.items() if self._markets(strategy)}

    def _markets(self, strategy: StrategyConfig) -> bool:
        venues = [self.venues[name] for name in strategy.venues if name in self.venues]
        return any(symbol in venue.instruments for venue in venues for symbol in strategy.symbols)

    def actors(self, kind: Kind | None = None) -> list[Actor]:
        """Every process of the stack, or those of one supervisor, in the order in which they are started."""
        return [actor for actor in self._actors() if kind is None or actor.kind is kind]

    def _actors(self) -> Iterator[Actor]:
        for name, venue in self.venues.items():
            if venue.environment is Environment.SIMULATED:
                yield Actor(f"exchange@{name}", Kind.EXCHANGES, "services.exchange", ("--venue", name))
            if venue.bridge is not None:
                yield Actor(f"bridge@{name}", Kind.EXCHANGES, "services.bridge", ("--venue", name))
        yield Actor("journal", Kind.JOURNAL, "services.journal")
        if self.stack.replication.mode is not ReplicationMode.LOCAL:
            yield Actor("replicator", Kind.JOURNAL, "services.replicator")
        yield Actor("snapshots", Kind.JOURNAL, "services.snapshots", (), LAST_MS)
        yield Actor("orders", Kind.ORDERS, "services.orders")
        yield Actor("risk", Kind.RISK, "services.risk")
        for name, venue in self.venues.items():
            cancels = venue.on_stop is OnStop.CANCEL
            for session in (session for account in accounts_of(venue) for session in account.sessions):
                arguments = ("--session", session.name)
                yield Actor(f"session@{session.name}", Kind.SESSIONS, "services.session", arguments, SECOND_MS, cancels)
            for each in (each for account in accounts_of(venue) for each in account.drop_copies):
                yield Actor(f"dropcopy@{each.name}", Kind.SESSIONS, "services.dropcopy", ("--name", each.name), LAST_MS)
            yield Actor(f"marketdata@{name}", Kind.SESSIONS, "services.marketdata", ("--venue", name), SECOND_MS)
        for name, account in self.accounts.items():
            if account.venue.rest is not None:
                yield Actor(f"account@{name}", Kind.ACCOUNTS, "services.account", ("--account", name), SECOND_MS)
        for name in self.strategies:
            yield Actor(f"strategy@{name}", Kind.STRATEGIES, "services.strategies", ("--name", name), LAST_MS)
        if self.stack.desk.enabled:
            yield Actor("desk", Kind.DESK, "services.desk", (), READER_MS)
        yield Actor("alerts", Kind.ALERTS, "services.alerts", (), READER_MS)
        for name in self.stack.hosts:
            yield Actor(f"{RELAY}@{name}", Kind.RELAYS, "services.relay", ("--host", name))

    def endpoint(self, link: str) -> str:
        """The ZeroMQ address of one link, bound and connected to alike.

        Which links there are is told by `EndpointsConfig`.

        Raises ConfigError when the ipc path is longer than a socket's name may be.
        """
        kind, _, name = link.partition(".")
        if kind == RELAY and name in self.stack.hosts:
            return self.stack.hosts[name].relay
        configured = self.stack.endpoints.addresses.get(link)
        if configured is not None:
            return configured
        path = self.paths.run / link
        if len(os.fsencode(path)) > IPC_PATH_MAX_BYTES:
            raise ConfigError(
                f"{path}: longer than the {IPC_PATH_MAX_BYTES} bytes of a socket's name; "
                "set FIXRING_VAR to a folder with a shorter path"
            )
        return f"ipc://{path}"


# ---- loading ----


def load(folder: Path | None = None, environ: Mapping[str, str] | None = None, *, before_start: bool = False) -> Config:
    """The configuration from `folder` (else FIXRING_CONFIG, else <checkout>/configs) and the environment's overrides.

    State is under FIXRING_VAR, else <checkout>/var. `environ` stands in for os.environ. Which venues the last start was
    told to serve counts, but `before_start`. Raises ConfigError, which names the file or variable, the key and the
    mend. Reads files; changes nothing.
    """
    env = os.environ if environ is None else environ
    config_folder = (folder or Path(env.get("FIXRING_CONFIG") or CHECKOUT / "configs")).absolute()
    var_folder = Path(env.get("FIXRING_VAR") or CHECKOUT / "var").absolute()
    paths = Paths(checkout=CHECKOUT, config=config_folder, var=var_folder)

    stack_table, desk_tables = read_folder(config_folder)
    layers = {name: _layered(config_folder / f"{name}.toml", table, env) for name, table in desk_tables.items()}
    if not before_start:
        env = {**told_at_start(paths), **env}
    _apply_overrides(env, stack_table, {name: layer.table for name, layer in layers.items()})
    stack = _convert(stack_table, StackConfig, lambda _: config_folder / STACK_FILE)
    venues = {name: _venue(layer) for name, layer in layers.items()}
    served = _served(config_folder, stack.stack.venues, venues)
    enabled = {name: venue for name, venue in venues.items() if venue.enabled and name in served}
    _check(config_folder, stack, enabled, venues)
    return Config(stack=stack, venues=types.MappingProxyType(enabled), paths=paths)


def told_at_start(paths: Paths) -> dict[str, str]:
    """What `begin_serving` has written, as the variables that said it."""
    told = {}
    for variable, file in _told_in(paths).items():
        with contextlib.suppress(OSError, UnicodeDecodeError):
            told[variable] = file.read_text("utf-8").strip()
    return told


def _told_in(paths: Paths) -> dict[str, Path]:
    return {SERVED_VENUES: paths.served, THIS_HOST: paths.this_host}


def begin_serving(environ: Mapping[str, str] | None = None) -> None:
    """A start is told by the environment which venues it serves and which host it is, or goes by the file: whoever asks
    the stack from now on goes by the same. Raises ConfigError, OSError.
    """
    env = os.environ if environ is None else environ
    paths = load(environ=env, before_start=True).paths
    for variable, file in _told_in(paths).items():
        if variable not in env:
            file.unlink(missing_ok=True)
            continue
        paths.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_text(f"{env[variable]}\n", "utf-8")


def _served(folder: Path, wanted: Sequence[str], venues: Mapping[str, VenueConfig]) -> Sequence[str]:
    """The names of the venues that are served, as far as they are enabled."""
    for name in wanted:
        if name not in venues:
            raise ConfigError(
                f"{folder / STACK_FILE}: stack.venues ({SERVED_VENUES}, scripts/start --venues): {name} is not known; "
                f"there is {', '.join(venues)}"
            )
    return wanted or list(venues)


S = TypeVar("S", bound=msgspec.Struct)


def read_folder(folder: Path) -> tuple[Table, dict[str, Table]]:
    """The stack's file as it stands, and each venue's by the venue's name. Raises ConfigError."""
    stack_file = folder / STACK_FILE
    if not stack_file.is_file():
        raise ConfigError(f"{stack_file}: no such file; set FIXRING_CONFIG to the folder that holds {STACK_FILE}")
    venues: dict[str, Table] = {}
    for file in sorted(folder.glob("*.toml")):
        if file == stack_file:
            continue
        if not VENUE_NAME.fullmatch(file.stem):
            raise ConfigError(f"{file}: a venue's name is {VENUE_NAME.pattern}; rename the file")
        if file.stem in StackConfig.__struct_fields__:
            raise ConfigError(f"{file}: {file.stem} is a section of {STACK_FILE}; give the venue another name")
        venues[file.stem] = _named(read_toml(file), file)
    return read_toml(stack_file), venues


def _named(table: Table, file: Path) -> Table:
    """Fill in what a file says by its tables' names."""
    if "name" in table:
        raise ConfigError(f"{file}: name: a venue's name is its file's; leave the key out")
    instruments = table.get("instruments")
    for symbol, instrument in instruments.items() if isinstance(instruments, dict) else ():
        if isinstance(instrument, dict):
            if "symbol" in instrument:
                raise ConfigError(f"{file}: instruments.{symbol}.symbol: the table's name says it; leave the key out")
            instrument["symbol"] = symbol
    return table


class _Layer(typing.NamedTuple):
    """A venue's table as a desk's file and the venue's own make it. `kinds` are the credentials that the venue takes,
    and `where` tells which file a key is of.
    """

    table: Table
    kinds: Sequence[CredentialKind]
    where: Callable[[str], Path]


def _layered(file: Path, desk: Table, env: Mapping[str, str]) -> _Layer:
    """The desk's table over that of the venue's folder. Raises ConfigError where there is no such folder."""
    dialect, environment = (_told(env, file.stem, key, desk) for key in ("dialect", "environment"))
    if dialect is None:
        raise ConfigError(f"{file}: dialect: it names the venue's folder; there is {', '.join(venue_names())}")
    try:
        own_file = folder_of(dialect) / VENUE_FILE
        kinds = find_profile(dialect).credentials
    except UnknownVenue as error:
        raise ConfigError(f"{file}: {error}") from None
    own = venue_layer(read_toml(own_file), environment or "")
    table = {**lay_over(_named(own, own_file), desk), "name": file.stem}
    if environment != Environment.SIMULATED:
        table.pop("simulated", None)
    return _Layer(table, kinds, lambda key: own_file if holds(own, key) and not holds(desk, key) else file)


CREDENTIAL_TABLES = ("credentials", "market_data_credentials")
"""The tables of a venue's file, or of an account in it, whose `kind` the venue says where it takes one alone."""


def _fill_kind(table: Table, kind: CredentialKind) -> None:
    """Say of all credentials of a venue that takes one kind what that is, where they do not."""
    accounts = table.get("accounts")
    for owner in (table, *(accounts.values() if isinstance(accounts, dict) else ())):
        for key in CREDENTIAL_TABLES:
            credentials = owner.get(key) if isinstance(owner, dict) else None
            if isinstance(credentials, dict):
                credentials.setdefault("kind", kind.value)


def _told(env: Mapping[str, str], venue: str, key: str, desk: Table) -> str | None:
    """A key of the venue's file that the environment may override; None where neither has it as text."""
    told = env.get(f"{ENV_PREFIX}{venue}__{key}".upper(), desk.get(key))
    return told if isinstance(told, str) else None


def _venue(layer: _Layer) -> "VenueConfig":
    """The venue, with the instruments that the desk trades."""
    if len(layer.kinds) == 1:
        _fill_kind(layer.table, layer.kinds[0])
    venue = _convert(layer.table, VenueConfig, layer.where)
    unknown = [symbol for symbol in venue.symbols if symbol not in venue.instruments]
    if unknown:
        raise ConfigError(f"{layer.where('symbols')}: symbols: {', '.join(unknown)} is no instrument of {venue.name}")
    if not venue.symbols:
        return venue
    return msgspec.structs.replace(venue, instruments={s: venue.instruments[s] for s in venue.symbols})


def read_toml(file: Path) -> Table:
    """The file as it stands, its fractions as Decimal. Raises ConfigError."""
    try:
        return tomllib.loads(file.read_text("utf-8"), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not TOML: {error}") from None
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from None


def _convert(table: Table, struct: type[S], where: Callable[[str], Path], prefix: str = "") -> S:
    """Decode one table; msgspec hides the key of a struct inside a dict, so inner tables are tried one by one first."""
    for field in msgspec.structs.fields(struct):
        value, kind = table.get(field.name), _plain(field.type)
        if not isinstance(value, dict):
            continue
        if _is_struct(kind):
            _convert(value, kind, where, f"{prefix}{field.name}.")
        elif typing.get_origin(kind) is dict and _is_struct(_plain(typing.get_args(kind)[1])):
            for name, entry in value.items():
                if isinstance(entry, dict):
                    _convert(entry, _plain(typing.get_args(kind)[1]), where, f"{prefix}{field.name}.{name}.")
    try:
        return msgspec.convert(table, struct)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `")
        key = (prefix + path.rstrip("`").lstrip("$.")).rstrip(".")
        file = where(key)
        raise ConfigError(f"{file}: {key}: {reason}" if key else f"{file}: {reason}") from None


def _plain(kind: Any) -> Any:
    """The type inside `Annotated[X, ...]` and `X | None`."""
    if typing.get_origin(kind) is Annotated:
        return _plain(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return _plain(next(a for a in typing.get_args(kind) if a is not types.NoneType))
    return kind


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _apply_overrides(env: Mapping[str, str], stack: Table, venues: dict[str, Table]) -> None:
    for variable in sorted(v for v in env if v.startswith(ENV_PREFIX)):
        keys = variable.removeprefix(ENV_PREFIX).lower().split("__")
        if keys[0] in venues:
            _override(variable, env[variable], venues[keys[0]], VenueConfig, keys[1:])
        else:
            _override(variable, env[variable], stack, StackConfig, keys)


def _override(variable: str, text: str, table: Table, kind: Any, keys: list[str]) -> None:
    if not keys:
        raise ConfigError(f"{variable}: names a table, not a value; add __KEY")
    for position, wanted in enumerate(keys):
        name, kind = _step(variable, kind, table, wanted)
        if position < len(keys) - 1:
            table = table.setdefault(name, {})
    table[name] = _value(variable, text, kind)


def _step(variable: str, kind: Any, table: Table, wanted: str) -> tuple[str, Any]:
    """The key that one part of a variable's name means, as the file spells it, and the type of what it holds."""
    kind = _plain(kind)
    if _is_struct(kind):
        known = {f.name: f.type for f in msgspec.structs.fields(kind)}
        if wanted not in known:
            raise ConfigError(f"{variable}: there is no {wanted!r} here; known are {', '.join(sorted(known))}")
        return wanted, known[wanted]
    if typing.get_origin(kind) is dict:
        # Free keys, symbols for one, which are written in capitals.
        return next((k for k in table if k.lower() == wanted), wanted), typing.get_args(kind)[1]
    raise ConfigError(f"{variable}: what stands before {wanted!r} is a value, not a table; leave the rest out")


def _value(variable: str, text: str, kind: Any) -> Any:
    plain = _plain(kind)
    if _is_struct(plain):
        raise ConfigError(f"{variable}: names a table, not a value; add __KEY")
    if plain == list[str] and not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    if plain is Any or typing.get_origin(plain) in (dict, list):
        try:
            return tomllib.loads(f"value = {text}", parse_float=Decimal)["value"]
        except tomllib.TOMLDecodeError:
            if plain is Any:
                return text
            raise ConfigError(f"{variable}: write the value as in TOML, not {text!r}") from None
    try:
        # Back to what a file would hold: the struct it goes into is decoded as a whole afterwards.
        return msgspec.to_builtins(msgspec.convert(text, kind, strict=False), builtin_types=(Decimal,))
    except msgspec.ValidationError as error:
        raise ConfigError(f"{variable}: {text!r}: {error}") from None


# ---- what only the whole can tell ----


def _check(
    folder: Path, stack: StackConfig, venues: Mapping[str, VenueConfig], known: Mapping[str, VenueConfig]
) -> None:
    if not venues:
        raise ConfigError(
            f"{folder}: no venue is served; set `enabled = true` in one of its <venue>.toml files, and see `venues` of "
            f"[stack] in {STACK_FILE}"
        )
    environments = {venue.environment for venue in venues.values()}
    if len(environments) > 1:
        told = ", ".join(f"{name}: {venue.environment}" for name, venue in venues.items())
        raise ConfigError(
            f"{folder}: the enabled venues differ in `environment` ({told}); a stack has one, with a journal of its "
            "own: disable the others, or run a second stack with FIXRING_CONFIG and FIXRING_VAR"
        )
    for name, venue in venues.items():
        _check_parts(folder / f"{name}.toml", venue)
        _check_comp_ids(folder / f"{name}.toml", venue)
        _check_live(folder / f"{name}.toml", name, venue)
        _check_encrypted(folder / f"{name}.toml", venue)
    _check_names(folder, venues)
    _check_ports(folder, venues, stack.alerts.metrics)
    _check_hosts(folder / STACK_FILE, stack, venues)
    for name, strategy in stack.strategies.items():
        _check_strategy(folder, stack, name, strategy, known)


def _check_parts(file: Path, venue: VenueConfig) -> None:
    """What the venue's folder says that it has."""
    profile = find_profile(venue.dialect)
    if venue.rest is not None and not profile.rest:
        raise ConfigError(f"{file}: rest: {profile.title} has no REST side here; leave the table out")
    if bool(profile.backend) is not (venue.bridge is not None):
        told = "publishes no FIX; set [bridge]" if profile.backend else "speaks FIX itself; leave the table out"
        raise ConfigError(f"{file}: bridge: {profile.title} {told}")
    if venue.bridge is not None and len(accounts_of(venue)) > 1:
        raise ConfigError(f"{file}: accounts: a bridge serves the venue's one account; leave the others out")
    if profile.has(Feature.MARKET_DATA) and venue.market_data is None:
        raise ConfigError(f"{file}: market_data: {profile.title} tells prices over FIX; the table is missing")
    if not profile.has(Feature.MARKET_DATA) and (venue.market_data is not None or venue.rest is None):
        raise ConfigError(
            f"{file}: market_data: {profile.title} tells no prices over FIX; leave the table out, and set [rest], "
            "where they are asked for"
        )
    for account in accounts_of(venue):
        if account.drop_copies and not profile.has_drop_copy:
            raise ConfigError(f"{file}: accounts.{account.name}.drop_copies: {profile.title} has none here")
        kind = None if account.credentials is None else account.credentials.kind
        if (kind in profile.credentials) if profile.credentials else kind is None:
            continue
        key = "credentials" if account.name == venue.name else f"accounts.{account.name}.credentials"
        told = "no [credentials] are given" if kind is None else f'kind = "{kind}" is given'
        raise ConfigError(f"{file}: {key}: {profile.title} takes {_taken(profile)}, and {told}")
    _check_market_data_key(file, venue, profile)


def _taken(profile: VenueProfile) -> str:
    return " or ".join(f'kind = "{each}"' for each in profile.credentials) or "none"


def _check_market_data_key(file: Path, venue: VenueConfig, profile: VenueProfile) -> None:
    """A key for market data is given where the venue takes one, and has to be where it takes no other."""
    has_door = profile.has(Feature.MARKET_DATA) and bool(profile.credentials) and not profile.backend
    takes = profile.market_data_key if has_door else MarketDataKey.NONE
    where, told = f"{file}: market_data_credentials: {profile.title}", venue.market_data_credentials
    if told is None:
        if takes is MarketDataKey.OWN:
            raise ConfigError(f"{where} takes another key for market data than the account's; the table is missing")
        return
    if takes is MarketDataKey.NONE:
        raise ConfigError(f"{where} asks for no key where it tells prices; leave the table out")
    if told.kind not in profile.credentials:
        raise ConfigError(f'{where} takes {_taken(profile)}, and kind = "{told.kind}" is given')
    shared = {file for each in accounts_of(venue) if each.credentials for file in each.credentials.files.values()}
    if both := sorted(shared & set(told.files.values())):
        raise ConfigError(f"{where}: {both[0]} is a file of an account's; a key of its own has files of its own")


def _check_comp_ids(file: Path, venue: VenueConfig) -> None:
    """How each connection says who it is: by a name of the configuration, or where the venue has it so by its key."""
    profile = find_profile(venue.dialect)
    named: dict[str, FixConfig | FurtherSession] = {**venue.connections}
    for name, account in venue.accounts.items():
        if account.session is not None:
            named[f"accounts.{name}.session"] = account.session
        named |= {f"accounts.{name}.sessions.{each}": session for each, session in account.sessions.items()}
        named |= {f"accounts.{name}.drop_copies.{each}": copy for each, copy in account.drop_copies.items()}
    for key, its in named.items():
        names = [each for each in ("sender_comp_id", "comp_id_prefix") if getattr(its, each) is not None]
        if profile.comp_id_is_api_key and names:
            told = f"{profile.title} knows a connection by its API key; leave the key out"
            raise ConfigError(f"{file}: {key}.{names[0]}: {told}")
        if profile.comp_id_is_assigned and its.comp_id_prefix is not None:
            told = f"{profile.title} gives each connection its name; set sender_comp_id"
            raise ConfigError(f"{file}: {key}.comp_id_prefix: {told}")
        if not profile.comp_id_is_api_key and not names:
            raise ConfigError(f"{file}: {key}: {ONE_NAME}")


def _check_live(file: Path, name: str, venue: VenueConfig) -> None:
    if venue.environment is Environment.LIVE and venue.live_confirmation != live_sentence(name):
        raise ConfigError(
            f'{file}: live_confirmation: environment "live" trades real money; to confirm, set '
            f'live_confirmation = "{live_sentence(name)}"'
        )


def _check_encrypted(file: Path, venue: VenueConfig) -> None:
    if venue.environment is Environment.LIVE and venue.plain_text and not venue.allow_plain_text:
        raise ConfigError(
            f"{file}: {', '.join(venue.plain_text)}: not encrypted, and this trades real money; set [fix.tls], "
            "[market_data.tls] and an https URL, or allow_plain_text = true where another program encrypts"
        )


def _check_names(folder: Path, venues: Mapping[str, VenueConfig]) -> None:
    """Each account and each session has a name that no other has, and logs on as nobody else of the venue does."""
    accounts: dict[str, str] = {}
    sessions: dict[str, str] = {}
    for venue, its in venues.items():
        logs_on_as: dict[str | None, str] = {}
        for account in accounts_of(its):
            _take_name(folder, venue, "account", account.name, accounts)
            for copy in account.drop_copies:
                _take_name(folder, venue, "drop copy", copy.name, sessions)
            for session in account.sessions:
                _take_name(folder, venue, "session", session.name, sessions)
                key = account.credentials.files.get("api_key_file") if account.credentials is not None else None
                identity = session.fix.sender_comp_id or session.fix.comp_id_prefix or key
                if identity in logs_on_as:
                    other = logs_on_as[identity]
                    raise ConfigError(
                        f"{folder / venue}.toml: session {session.name}: {other} logs on as {identity} already"
                    )
                logs_on_as[identity] = session.name


def _take_name(folder: Path, venue: str, what: str, name: str, taken: dict[str, str]) -> None:
    if not VENUE_NAME.fullmatch(name):
        raise ConfigError(f"{folder / venue}.toml: {what} {name}: a name is {VENUE_NAME.pattern}")
    if name in taken:
        raise ConfigError(f"{folder / venue}.toml: {what} {name}: {taken[name]} has one of that name")
    taken[name] = venue


def _check_ports(folder: Path, venues: Mapping[str, VenueConfig], metrics: MetricsConfig) -> None:
    owners = {metrics.port: "alerts.metrics"} if metrics.port else {}
    for name, venue in venues.items():
        if venue.environment is not Environment.SIMULATED:
            continue
        listening = {f"{key}.port": fix.port for key, fix in venue.connections.items()}
        if venue.rest is not None:
            listening["rest.url"] = url_port(venue.rest.url)
        if venue.bridge is not None:
            listening["bridge.websocket"] = url_port(venue.bridge.websocket)
        copies = [each.fix.port for account in accounts_of(venue) for each in account.drop_copies]
        # A simulated exchange has one listener for however many drop copies.
        listening |= {f"drop copies' port {port}": port for port in copies}
        for key, port in listening.items():
            if port in owners:
                raise ConfigError(f"{folder / name}.toml: {key}: port {port} is taken by {owners[port]}")
            owners[port] = f"{name} {key}"


def _check_hosts(file: Path, stack: StackConfig, venues: Mapping[str, VenueConfig]) -> None:
    hosts, here, curve = stack.hosts, stack.stack.host, stack.endpoints.curve_folder
    if not hosts:
        if here:
            raise ConfigError(f"{file}: stack.host: there is no [hosts.{here}]; leave the key out, or add the hosts")
        return
    if here not in hosts:
        told = f"{here} is none of [hosts]" if here else "which of [hosts] this one is must be said"
        where = f"stack.host ({THIS_HOST}, scripts/start --host)"
        raise ConfigError(f"{file}: {where}: {told}; there is {', '.join(hosts)}")
    runs: dict[Kind, str] = {}
    relays: dict[str, str] = {address: link for link, address in stack.endpoints.addresses.items()}
    for name, its in hosts.items():
        if not VENUE_NAME.fullmatch(name):
            raise ConfigError(f"{file}: hosts.{name}: a host's name is {VENUE_NAME.pattern}")
        if not curve and not _is_loopback(its.relay):
            raise ConfigError(f"{file}: hosts.{name}.relay leaves this host ({its.relay}): set endpoints.curve_folder")
        if its.relay in relays:
            raise ConfigError(f"{file}: hosts.{name}.relay: {its.relay} is the address of {relays[its.relay]} already")
        relays[its.relay] = f"hosts.{name}"
        for kind in its.runs:
            if kind in runs:
                raise ConfigError(f"{file}: hosts.{name}.runs: {kind} runs on {runs[kind]} already")
            runs[kind] = name
    lacking = [kind.value for kind in Kind if kind not in runs and kind is not Kind.RELAYS]
    if lacking:
        raise ConfigError(f"{file}: hosts: {', '.join(lacking)} must run on one of {', '.join(hosts)}")
    if len({runs[kind] for kind in TOGETHER}) > 1:
        raise ConfigError(f"{file}: hosts: {', '.join(TOGETHER)} read the log's files, and run on one host together")
    for link in _links_between(runs, venues):
        if not stack.endpoints.addresses.get(link, "").startswith("tcp://"):
            server = runs[Kind(ends_of(link).server)]
            raise ConfigError(
                f'{file}: endpoints.addresses: {link} leads from {server} to another host: add "{link}" with an '
                "address of that host, such as tcp://10.0.0.5:9701"
            )


def _links_between(runs: Mapping[Kind, str], venues: Mapping[str, VenueConfig]) -> Iterator[str]:
    """The links of which one end is on another host."""
    accounts = [account.name for venue in venues.values() if venue.rest is not None for account in accounts_of(venue)]
    named = [*(f"account.{name}" for name in accounts), *(f"feed.{name}" for name in venues)]
    for link in ("entry", "journal", *named):
        ends = ends_of(link)
        clients = {runs[kind] for kind in Kind if kind.value in ends.clients}
        if clients - {runs[Kind(ends.server)]}:
            yield link


def url_port(url: str) -> int:
    """The port of an http, https, ws or wss URL, its scheme's own where it names none."""
    parts = urllib.parse.urlsplit(url)
    return parts.port or (443 if parts.scheme in ("https", "wss") else 80)


def _check_strategy(
    folder: Path,
    stack: StackConfig,
    name: str,
    strategy: StrategyConfig,
    known: Mapping[str, VenueConfig],
) -> None:
    file = folder / STACK_FILE
    if not re.fullmatch(STRATEGY_NAME, name):
        raise ConfigError(f"{file}: strategies.{name}: a strategy's name is {STRATEGY_NAME}")
    if not strategy.enabled:
        return
    for venue in strategy.venues:
        if venue not in known:
            raise ConfigError(f"{file}: strategies.{name}.venues: {venue} is not known; there is {', '.join(known)}")
    # Also those that are not served: the strategy goes on where it still can.
    its = strategy.venues or list(known)
    for symbol in strategy.symbols:
        if not any(symbol in known[venue].instruments for venue in its):
            raise ConfigError(f"{file}: strategies.{name}.symbols: {symbol} is no instrument of {' or '.join(its)}")
        if symbol not in stack.risk.symbols:
            raise ConfigError(f"{file}: risk.symbols.{symbol}: no limits, and {name} trades it; add the table")
