"""The cast: how each real core is built and which sockets its shell would open, as in the `__main__` of its service."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from random import Random
from typing import NamedTuple, Protocol

import msgspec

from common.actor.core import Core
from common.actor.order_books import Folded as FoldedOrders
from common.actor.snapshots import FOLDS_ALL
from common.config import Config, ReplicationMode
from common.exchange.history import MemoryHistory
from common.fix.session_types import SequencePolicy
from common.journal import Log, Reader
from common.journal.skipped import skip_record
from common.journal.snapshots import trusted_lsn
from common.latch import Latch
from common.messages import (
    MAX_ENTRY_BYTES,
    MAX_REQUEST_BYTES,
    Ask,
    BoundedEntryRequest,
    Command,
    Door,
    EntryAnswer,
    FeedMessage,
    JournalAnswer,
    JournalRequest,
)
from common.nonce_file import NonceFile
from common.orders.facts import facts_of
from common.orders.index import Index, IntoIndex
from common.orders.snapshots import load_books
from common.soundness import SoundDoor
from common.strategy.strategy import Market as SdkMarket
from common.venues.registry import find_dialect, find_profile
from common.venues.venue import Feature
from scripts.simulation.desk import Desk, Watch
from scripts.simulation.disk import Disk
from scripts.simulation.drawn_terms import Market
from scripts.simulation.keys import credentials_of, keys_of
from scripts.simulation.plan import DESK, PROBE, TRADERS, TWIN, Plan
from scripts.simulation.process import Binding, Process
from scripts.simulation.setting import (
    BOUNDS,
    EMERGENCY_BYTES,
    EMERGENCY_FOLDER,
    JOURNAL_FOLDER,
    folded_orders,
    folded_risk,
)
from scripts.simulation.snapshots import F, begun
from scripts.simulation.tells_twice import TellsTwice
from scripts.simulation.trader import LINK as TRADER_LINK
from scripts.simulation.trader import UNWATCHED, Habits, Trader
from scripts.simulation.witness import WatchedFiles
from services.account.core import AccountCore, AccountSettings
from services.exchange.configured import settings_of
from services.exchange.core import ExchangeCore
from services.journal.__main__ import copy_bounds
from services.journal.core import LINK, STREAM, JournalCore, JournalSettings
from services.marketdata.__main__ import book_sums
from services.marketdata.books import FEED
from services.marketdata.core import MarketDataConfig, MarketDataCore
from services.marketdata.polling import PollingCore
from services.orders.core import OrdersCore
from services.orders.settings import Watched, orders_settings
from services.risk.core import RiskCore
from services.risk.settings import risk_settings
from services.risk.snapshots import load_state
from services.risk.state import RiskState
from services.session.core import SessionCore
from services.session.recovery import Folded as FoldedSession
from services.session.recovery import load_folded
from services.session.settings import SessionConfig

_journal_request = Door(JournalRequest)
_journal_answer = Door(JournalAnswer)
_command = SoundDoor(Command, MAX_REQUEST_BYTES)
_ask = SoundDoor(Ask, MAX_REQUEST_BYTES)
_feed = SoundDoor(FeedMessage)
_entry_request = Door(BoundedEntryRequest, MAX_ENTRY_BYTES)
_entry_answer = Door(EntryAnswer)


class Stage(Watch, Protocol):
    """What the cast takes of the world that it plays in.

    `config` is the stack's at the venues that there are; `told_twice` counts down which reports are told twice, by
    session; `left_out` is a venue, or an instrument of it, that an operator has taken out of the configuration; while
    it is `calm` nobody trades.
    """

    plan: Plan
    config: Config
    told_twice: dict[str, int]
    left_out: tuple[str, str] | None
    calm: bool

    def files_for(self, process: Process) -> WatchedFiles:
        """A new life's port to its disk."""

    def disk_of(self, process: Process) -> Disk:
        """The disk that has the journal which the process reads."""


class Actor(NamedTuple):
    """One process of the cast."""

    name: str
    bindings: tuple[Binding, ...]
    build: Callable[[Process], Core]


def configured(world: Stage) -> Config:
    """The configuration as it is now: an operator may have taken a venue or an instrument out of it."""
    if world.left_out is None:
        return world.config
    name, symbol = world.left_out
    venues = dict(world.config.venues)
    if symbol:
        instruments = {each: its for each, its in venues[name].instruments.items() if each != symbol}
        venues[name] = msgspec.structs.replace(venues[name], instruments=instruments)
    else:
        del venues[name]
    return replace(world.config, venues=venues)


def stack_actors(world: Stage) -> Iterator[Actor]:
    """The processes of a stack without strategies, in the order in which they are started."""
    for venue in world.config.venues:
        yield _exchange(world, venue)
    yield _journal(world)
    yield _orders(world)
    yield _risk(world)
    for venue, config in world.config.venues.items():
        yield _session(world, venue)
        yield _market_data(world, venue)
        if config.rest is not None:
            yield _account(world, venue)


def all_actors(world: Stage) -> Iterator[Actor]:
    """The stack, and those who trade on it."""
    yield from stack_actors(world)
    for number in range(world.plan.traders):
        yield _trader(world, TRADERS[number])
    yield _trader(world, PROBE)
    yield _trader(world, TWIN)
    if world.plan.version > 2:
        yield _desk(world)


_STREAM = Binding("stream", "sub", STREAM)
JOURNAL_LINK = Binding("journal", "dealer", LINK, _journal_answer)
"""The socket of whoever appends to the journal, or reads over its link."""



def _journal(world: Stage) -> Actor:
    own = world.config.stack.journal

    def build(process: Process) -> Core:
        files = world.files_for(process)

        def open_log(wall_ns: int) -> Log:
            return Log.open(
                JOURNAL_FOLDER, files, wall_ns=wall_ns, segment_bytes=own.segment_bytes,
                durability=own.durability.value, reserve_bytes=own.reserve_bytes,
                trusted_lsn=trusted_lsn(JOURNAL_FOLDER, files, FOLDS_ALL),
            )  # fmt: skip

        return JournalCore(
            open_log, Reader(JOURNAL_FOLDER, files),
            JournalSettings(own.low_disk_bytes, copy_bounds(world.config.stack.replication)),
            partial(skip_record, JOURNAL_FOLDER, files),
        )  # fmt: skip

    return Actor("journal", (Binding(LINK, "router", LINK, _journal_request), Binding(STREAM, "pub", STREAM)), build)


def _begun(world: Stage, process: Process, fresh: F, load: Callable[[bytes], F]) -> F:
    """What the process begins with: nothing, or a snapshot."""
    files = world.disk_of(process).files()
    try:
        random = Random(f"snapshot {process.name} {process.life} {world.plan.seed}")
        return begun(process.name, random, JOURNAL_FOLDER, files, fresh, load)
    finally:
        files.die()


def _orders(world: Stage) -> Actor:
    def build(process: Process) -> Core:
        config = configured(world)
        settings = orders_settings(config)
        if "slow-reading" in world.plan.kinds:
            settings = msgspec.structs.replace(settings, replayed_events=50)
        watched = {name: Watched(*vigil) for name, vigil in world.plan.vigils.items()}
        settings = msgspec.structs.replace(settings, strategies=watched)
        facts = {name: account.facts for name, account in settings.accounts.items()}
        index = Index()

        def load(data: bytes) -> FoldedOrders:
            return FoldedOrders(load_books(data, facts, bounds=BOUNDS, memory=index, leaving=IntoIndex(index)))

        folded = _begun(world, process, folded_orders(config, index), load)
        return OrdersCore(settings, folded.books, index)

    rest = world.config.venues.items()
    return Actor(
        "orders",
        (
            JOURNAL_LINK,
            _STREAM,
            Binding("entry", "router", "entry", _entry_request),
            Binding("risk", "push", "risk"),
            *(Binding(f"account.{name}", "push", f"account.{name}") for name, v in rest if v.rest),
        ),
        build,
    )


def _risk(world: Stage) -> Actor:
    venues = list(world.config.venues)

    def build(process: Process) -> Core:
        config = configured(world)
        # Without the rates that it tells the log once a minute: a record more would move every seed that is kept.
        settings = risk_settings(config)._replace(currency="")
        facts = {name: account.facts for name, account in settings.accounts.items()}
        index = Index()

        def load(data: bytes) -> RiskState:
            return load_state(data, facts, memory=index, bounds=BOUNDS)

        return RiskCore(settings, _begun(world, process, folded_risk(config, index), load), None, index)

    return Actor(
        "risk",
        (
            JOURNAL_LINK,
            _STREAM,
            Binding("commands", "pull", "risk", _command),
            *(Binding(f"session.{venue}", "push", f"session.{venue}") for venue in venues),
            *(Binding("feed", "sub", f"feed.{venue}", _feed) for venue in venues),
        ),
        build,
    )


def _session(world: Stage, venue: str) -> Actor:
    config = world.config.venues[venue]
    fix = config.fix
    dialect = TellsTwice(find_dialect(config.dialect), world.told_twice, f"session@{venue}")

    def build(process: Process) -> Core:
        settings = SessionConfig(
            venue=venue,
            target_comp_id=fix.target_comp_id,
            sequence_policy=SequencePolicy[fix.sequence_policy.name],
            symbols=tuple(configured(world).venues[venue].instruments),
            messages=fix.limits.messages,
            window_ms=fix.limits.window_ms,
            connects=fix.limits.connects,
            connects_window_ms=fix.limits.connects_window_ms,
            emergency_folder=EMERGENCY_FOLDER,
            emergency_bytes=EMERGENCY_BYTES,
            sender_comp_id=fix.sender_comp_id or "",
            comp_id_prefix=fix.comp_id_prefix or "",
            heart_bt_int_s=fix.heart_bt_int_s,
            reconnect_min_ms=fix.reconnect_min_ms,
            reconnect_max_ms=fix.reconnect_max_ms,
            jitter_seed=process.life,
            credentials=credentials_of(config.dialect),
            amends=fix.limits.amends or 0,
            schedule=fix.opening,
            reset_numbers=fix.resets_by_schedule,
            assets=facts_of(configured(world).venues[venue], 0).assets,
            contracts=facts_of(configured(world).venues[venue], 0).contracts,
            gives_way=world.config.stack.replication.mode is not ReplicationMode.LOCAL,
        )
        name = process.name
        fresh = FoldedSession(name, venue, dialect)
        folded = _begun(world, process, fresh, lambda data: load_folded(data, name, venue, dialect))
        return SessionCore(settings, dialect, world.files_for(process), folded)

    return Actor(
        f"session@{venue}", (JOURNAL_LINK, Binding("commands", "pull", f"session.{venue}", _command)), build
    )


def _market_data(world: Stage, venue: str) -> Actor:
    config = world.config.venues[venue]
    fix = config.market_data
    feed = (Binding(FEED, "pub", f"feed.{venue}"),)
    if fix is None:
        return Actor(
            f"marketdata@{venue}", feed, lambda _: PollingCore(venue, configured(world).venues[venue].instruments)
        )
    dialect, table = find_dialect(config.dialect), fix

    def build(process: Process) -> Core:
        kept = NonceFile(EMERGENCY_FOLDER, f"marketdata@{venue}.nonces", world.files_for(process))
        settings = MarketDataConfig(
            venue=venue,
            target_comp_id=table.target_comp_id,
            symbols=tuple(configured(world).venues[venue].instruments),
            connects=table.limits.connects,
            connects_window_ms=table.limits.connects_window_ms,
            sender_comp_id=table.sender_comp_id or "",
            comp_id_prefix=table.comp_id_prefix or "",
            heart_bt_int_s=table.heart_bt_int_s,
            reconnect_min_ms=table.reconnect_min_ms,
            reconnect_max_ms=table.reconnect_max_ms,
            first_connection=process.life * 7,
            credentials=credentials_of(config.dialect),
            schedule=table.opening,
            sums=book_sums(config),
            nonces=kept if find_profile(config.dialect).nonces_grow else None,
        )
        return MarketDataCore(settings, dialect)

    return Actor(f"marketdata@{venue}", feed, build)


def _account(world: Stage, venue: str) -> Actor:
    def build(process: Process) -> Core:
        config = configured(world).venues[venue]
        profile = find_profile(config.dialect)
        # To look for orders in lists would move every seed that is kept of the versions before the ninth.
        listed = profile.lists_orders if world.plan.version > 8 else 0
        settings = AccountSettings(venue, tuple(config.instruments), profile.window_ns, lists_orders=listed)
        latch = Latch(EMERGENCY_FOLDER, f"account@{venue}.latch", world.files_for(process))
        return AccountCore(settings, latch)

    return Actor(f"account@{venue}", (JOURNAL_LINK, Binding("asks", "pull", f"account.{venue}", _ask)), build)


def _exchange(world: Stage, venue: str) -> Actor:
    config = world.config.venues[venue]
    simulated = config.simulated
    assert simulated is not None
    everything = msgspec.structs.replace(
        settings_of(config, simulated, keys_of(config.dialect)),
        seed=world.plan.seed,
        trader_orders_per_s=1 if world.plan.slow else simulated.trader_orders_per_s,
    )
    history = MemoryHistory()

    def build(process: Process) -> Core:
        listed = configured(world).venues.get(venue, config).instruments
        left = tuple(instrument for instrument in everything.instruments if instrument.symbol in listed)
        settings = msgspec.structs.replace(everything, instruments=left)
        folder = str(world.config.paths.exchange(venue))
        return ExchangeCore(settings, folder, world.files_for(process), history, simulated.segment_bytes)

    return Actor(f"exchange@{venue}", (), build)


def strategy_actor(name: str, venues: Iterable[str], build: Callable[[Process], Core]) -> Actor:
    """A strategy that is written with the SDK: its link to the order manager, and the feed of every venue."""
    feeds = [Binding("feed", "sub", f"feed.{venue}", _feed) for venue in venues]
    return Actor(name, (Binding("entry", "dealer", "entry", _entry_answer), *feeds), build)


def _desk(world: Stage) -> Actor:
    markets = tuple(
        SdkMarket(venue, symbol, i.base, i.quote, i.tick_size, i.lot_size, i.min_qty, i.min_notional, i.contract)
        for venue, config in world.config.venues.items()
        for symbol, i in config.instruments.items()
    )
    prices = {
        (venue, symbol): price
        for venue, config in world.config.venues.items()
        if config.simulated is not None
        for symbol, price in config.simulated.prices.items()
    }

    lists_at = frozenset(
        name for name, config in world.config.venues.items()
        if world.plan.version > 8 and find_profile(config.dialect).has(Feature.ORDER_LIST)
    )  # fmt: skip

    def build(process: Process) -> Core:
        random = Random(f"{DESK} {process.life} {world.plan.seed}")
        desk = Desk(DESK, f"{DESK}-{process.life}", markets, prices, random, world)
        desk.hand.resting = world.calm
        desk.hand.lists_at = lists_at
        return desk

    return Actor(DESK, (Binding("entry", "dealer", "entry", _entry_answer),), build)


def _features(dialect: str, version: int) -> frozenset[Feature]:
    """What traders know that the venue has, in plans of that version."""
    profile = find_profile(dialect)
    since = {Feature.PAID_ORDER: 10}
    return frozenset(each for each in Feature if profile.has(each) and since.get(each, 0) <= version)


def _trader(world: Stage, name: str) -> Actor:
    plan = world.plan
    strategy = "alpha" if name == TWIN else name.partition("@")[2]
    temper = Random(f"temper {name} {plan.seed}")
    share = temper.choice((40, 40, 10, 4))
    markets = [
        Market(venue, symbol, config.simulated.prices[symbol], instrument.tick_size, instrument.lot_size,
               world.config.stack.risk.symbols[symbol].position_limit / share, not instrument.contract.is_spot,
               _features(config.dialect, plan.version))
        for venue, config in world.config.venues.items()
        if config.simulated is not None
        for symbol, instrument in config.instruments.items()
    ]  # fmt: skip
    habits = Habits(
        plan.pause_ns, temper.choice((0.1, 0.3, 0.6)), temper.choice((0.0, 0.05, 0.2)), temper.choice((0.0, 0.03)),
        temper.choice((0.0, 0.15, 0.4)), temper.choice((0.1, 0.2, 0.3)), temper.choice((0.0, 0.02, 0.1)),
        0.3 if plan.version > 3 else 0.0, 0.3 if plan.version > 5 else 0.0, plan.version > 6,
        0.4 if plan.version > 8 else 0.0, 0.45 if plan.version > 8 else 0.0,
    )  # fmt: skip

    def build(process: Process) -> Core:
        random = Random(f"{name} {process.life} {plan.seed}")
        vigil = plan.vigils.get(strategy, UNWATCHED)
        trader = Trader(name, strategy, f"{name}-{process.life}", random, markets, habits, vigil)
        trader.resting = world.calm or name == PROBE
        return trader

    return Actor(name, (Binding(TRADER_LINK, "dealer", "entry", _entry_answer),), build)
