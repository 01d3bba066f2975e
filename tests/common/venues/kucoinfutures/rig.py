"""A bridge in front of a simulated KuCoin Futures, in memory."""

from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from common.contracts import Contract, InstrumentKind
from common.exchange.settings import ExchangeSettings, Instrument, Key
from common.venues.backend import HttpCall, Reply
from common.venues.credentials import HmacPassphrase
from common.venues.kucoinfutures.backend import KucoinFuturesBackend
from common.venues.kucoinfutures.rest import open_backend
from common.venues.rest import RestSettings
from services.bridge.core import BridgeSettings
from services.bridge.listings import Listing
from tests.services.bridge.raw import Raw
from tests.services.bridge.rig import Rig

D = Decimal
KEYS = HmacPassphrase("K", b"S", "P")
SYMBOL, OTHER_SYMBOL = "XBTUSDTM", "ETHUSDTM"
CONTRACT = Contract(InstrumentKind.PERPETUAL, D("0.001"), False, "USDT")
OTHER_CONTRACT = Contract(InstrumentKind.PERPETUAL, D("0.01"), False, "USDT")


def perpetual(symbol: str, base: str, price: int, contract: Contract) -> Instrument:
    return Instrument(
        symbol=symbol, base=base, quote="USDT", tick_size=D("0.1"), lot_size=D(1), min_qty=D(1), max_qty=D(1_000_000),
        min_notional=D("0.01"), start_price=D(price), contract=contract, margin_rate=D("0.1"),
    )  # fmt: skip


KUCOIN_FUTURES = ExchangeSettings(
    name="kucoinfutures", dialect="kucoinfutures", comp_id="KUCOINFUTURES",
    instruments=(
        perpetual(SYMBOL, "BTC", 65_000, CONTRACT), perpetual(OTHER_SYMBOL, "ETH", 3_500, OTHER_CONTRACT),
    ),
    accounts={"desk": {"USDT": D(1_000_000)}},
    keys=(Key(api_key="K", account="desk", secret=b"S", passphrase="P"),),
    fee_rate_maker=D("0.0008"), fee_rate_taker=D("0.001"), websocket_url="ws://kucoinfutures/endpoint",
)  # fmt: skip
SETTINGS = BridgeSettings(
    venue="kucoinfutures", comp_id="KUCOINFUTURES", clients=("DESK", "OTHER"), symbols=(SYMBOL, OTHER_SYMBOL),
    heart_bt_int_s=30, host="kucoinfutures", websocket_host="kucoinfutures", websocket_target="/endpoint",
    books_target="/endpoint", listeners=("MD",),
    listings=(
        Listing(SYMBOL, "USDT", D("0.1"), D(1), D(1), D(1_000_000), CONTRACT),
        Listing(OTHER_SYMBOL, "USDT", D("0.1"), D(1), D(1), D(1_000_000), OTHER_CONTRACT),
    ),
)  # fmt: skip


@cache
def backend() -> KucoinFuturesBackend:
    """The venue's, signed by CCXT."""
    return open_backend(RestSettings("kucoinfutures", "http://kucoinfutures", KEYS, 1000, symbols=SETTINGS.symbols))


def futures_rig(folder: Path) -> Rig:
    """The bridge and the venue."""
    return Rig(folder, KUCOIN_FUTURES, SETTINGS, backend())


class RawClient(Raw):
    """A client of the REST side that knows nothing but what is signed."""

    def read(self, what: str, call: HttpCall) -> tuple[Any, Reply]:
        """The answer, and what our back end makes of it."""
        status, answer, body = self.call(call)
        return answer, self.backend.read(what, status, body, call)


def id_sent(data: bytes) -> str:
    """Our id in a request for a new order, "" in any other."""
    if not data.startswith(b"POST /api/v1/orders "):
        return ""
    return data.split(b'"clientOid":"')[1].split(b'"')[0].decode()
