"""What CCXT, as an outside judge of each venue behind a bridge, calls the same things there."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from common.exchange.settings import ExchangeSettings
from tests.common.exchange.harness import World
from tests.common.venues.bitget.rig import BITGET
from tests.common.venues.gateio.rig import GATEIO
from tests.common.venues.judges import offer, watched
from tests.common.venues.kucoin.rig import KUCOIN
from tests.common.venues.served import Served
from tests.services.bridge.rig import OKX

SYMBOL = "BTC/USDT"


class Judged(NamedTuple):
    """A venue as CCXT's class `judge` sees it. `aim` points a client at the simulated side; `our_id` is the parameter
    of a new order with our id, `told` how that id is told; `edit` changes an order to a quantity and a price, and
    says whether it is another one then. `wrong_keys` are what a client may have wrong, with the code of that;
    `watchers` is the side's attribute that tells who listens to orders. Without `has_ticker` CCXT takes a ticker from
    what the simulated side does not have."""

    judge: str
    settings: ExchangeSettings
    options: dict[str, Any]
    aim: Callable[[Any, Served], object]
    our_id: str
    edit: Callable[[Any, str, float, float], bool]
    wrong_keys: tuple[tuple[str, str, str], ...]
    old_ms: int
    old_code: str
    price_step: float
    watchers: str
    told: str = "a1"
    has_ticker: bool = True

    @property
    def pair(self) -> str:
        return self.settings.instruments[0].symbol

    def client(self, ccxt: Any, served: Served) -> Any:
        """Unified, or ccxt.pro's where that is what is given."""
        exchange = getattr(ccxt, self.judge)(self.options)
        self.aim(exchange, served)
        exchange.has["fetchCurrencies"] = False
        return exchange


def http(served: Served) -> str:
    return f"http://127.0.0.1:{served.port('rest')}"


def ws(served: Served) -> str:
    return f"ws://127.0.0.1:{served.port('websocket')}"


def options(**more: Any) -> dict[str, Any]:
    kinds = {"types": ["spot"], **more.pop("fetchMarkets", {})}
    return {
        "apiKey": "K", "secret": "S", "password": "P", "enableRateLimit": False,
        "options": {"fetchMarkets": kinds, **more},
    }  # fmt: skip


def aim_okx(exchange: Any, served: Served) -> None:
    exchange.urls["api"] = {"rest": http(served), "ws": f"{ws(served)}/ws/v5"}


def aim_gate(exchange: Any, served: Served) -> None:
    areas = ("wallet", "futures", "margin", "spot", "account", "unified", "sub_accounts", "earn")
    told = {side: dict.fromkeys(areas, f"{http(served)}/api/v4") for side in ("public", "private")}
    exchange.urls["api"] = {**told, "spot": f"{ws(served)}/ws/v4/"}


def aim_kucoin(exchange: Any, served: Served) -> None:
    exchange.urls["api"] = dict.fromkeys(exchange.urls["api"], http(served))


def aim_bitget(exchange: Any, served: Served) -> None:
    told: dict[str, Any] = dict.fromkeys(exchange.urls["api"], http(served))
    stem = f"{ws(served)}/v2/ws"
    exchange.urls["api"] = {**told, "ws": {"public": f"{stem}/public", "private": f"{stem}/private"}}


def edit_in_place(exchange: Any, order_id: str, qty: float, px: float) -> bool:
    exchange.edit_order(order_id, SYMBOL, "limit", "buy", qty, px)
    return False


def edit_by_our_id(exchange: Any, order_id: str, qty: float, px: float) -> bool:
    exchange.edit_order("t-a1", SYMBOL, "limit", "buy", qty, px)
    return False


def edit_to_another(exchange: Any, order_id: str, qty: float, px: float) -> bool:
    exchange.edit_order(order_id, SYMBOL, "limit", "buy", qty, px, {"newClientOid": "a2"})
    return True


JUDGED = (
    Judged(
        "okx", OKX, options(), aim_okx, "clOrdId", edit_in_place, (("secret", "another", "50113"),), 31_000, "50102",
        0.1, "_orders",
    ),
    Judged(
        "gate", GATEIO, options(), aim_gate, "clientOrderId", edit_by_our_id,
        (("secret", "another", "INVALID_SIGNATURE"),), 62_000, "REQUEST_EXPIRED", 0.1, "_private", told="t-a1",
    ),
    Judged(
        "kucoin", KUCOIN,
        # The book's snapshot is asked for with the first change.
        options(
            uta=False, hf=True, partner={}, watchOrderBook={"snapshotDelay": 0},
            fetchMarkets={"fetchTickersFees": False},
        ),
        aim_kucoin, "clientOid", edit_to_another,
        (("secret", "another", "400004"), ("password", "another", "400004"), ("apiKey", "another", "400003")),
        6_000, "400002", 0.1, "_topics", has_ticker=False,
    ),
    Judged(
        "bitget", BITGET, options(uta=False), aim_bitget, "clientOid", edit_to_another,
        (("secret", "another", "40009"), ("password", "another", "40012"), ("apiKey", "another", "40006")),
        31_000, "40008", 0.01, "_orders",
    ),
)  # fmt: skip


class Bench(NamedTuple):
    """A simulated venue at a socket, and CCXT's unified client of it."""

    judged: Judged
    world: World
    served: Served
    client: Any
    ccxt: Any

    def buy(self, px: float, qty: float = 0.1, **more: Any) -> Any:
        """A limit order with our id."""
        return self.client.create_order(SYMBOL, "limit", "buy", qty, px, {self.judged.our_id: "a1", **more})

    def offer(self, px: str) -> None:
        offer(self.world, self.judged.pair, "0.5", px)

    def watch(self, watch: Any) -> Any:
        """What `watch` makes of a client of ccxt.pro that has its markets."""

        async def ready(exchange: Any) -> Any:
            await exchange.load_markets()
            return await watch(exchange)

        return watched(lambda: self.judged.client(self.ccxt.pro, self.served), ready)

    def check_refused(self) -> None:
        """Each wrong key, and a stamp that is too old, is refused with the code that the venue has for it."""
        client, judged = self.client, self.judged
        old = ("nonce", lambda: client.milliseconds() - judged.old_ms, judged.old_code)
        for name, value, code in (*judged.wrong_keys, old):
            former = getattr(client, name)
            setattr(client, name, value)
            with pytest.raises(self.ccxt.BaseError, match=code):
                client.fetch_balance()
            setattr(client, name, former)

    async def heard(self) -> None:
        """Until somebody listens to the account's orders."""
        while not getattr(self.world.core.venue.side.orders, self.judged.watchers):
            await asyncio.sleep(0.01)


@contextmanager
def opened(judged: Judged, folder: Path, ccxt: Any) -> Iterator[Bench]:
    """The venue at sockets of its own, and a client that has its markets."""
    world = World(folder, judged.settings)
    with Served(world) as served:
        if judged.settings.websocket_url:
            venue = world.core.venue
            venue.settings = msgspec.structs.replace(venue.settings, websocket_url=f"{ws(served)}/endpoint")
        client = judged.client(ccxt, served)
        client.load_markets()
        yield Bench(judged, world, served, client, ccxt)
        client.close()


def judge_of(venue: str) -> Judged:
    """The one of a venue's folder."""
    return next(judged for judged in JUDGED if judged.settings.name == venue)
