"""A bridge in front of a simulated KuCoin, in memory."""

from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from common.exchange.settings import ExchangeSettings, Instrument, Key
from common.venues.backend import Backend, HttpCall, Reply
from common.venues.credentials import HmacPassphrase
from common.venues.kucoin.rest import open_backend
from common.venues.rest import RestSettings
from services.bridge.core import BridgeSettings
from tests.services.bridge.raw import Raw
from tests.services.bridge.rig import Rig

D = Decimal
KEYS = HmacPassphrase("K", b"S", "P")
SYMBOL, OTHER_SYMBOL = "BTC-USDT", "ETH-USDT"
KUCOIN = ExchangeSettings(
    name="kucoin", dialect="kucoin", comp_id="KUCOIN",
    instruments=(
        Instrument(
            symbol=SYMBOL, base="BTC", quote="USDT", tick_size=D("0.1"), lot_size=D("0.00001"), min_qty=D("0.00001"),
            max_qty=D(100), min_notional=D(1), start_price=D(65_000), fee_in_quote=True,
        ),
        Instrument(
            symbol=OTHER_SYMBOL, base="ETH", quote="USDT", tick_size=D("0.01"), lot_size=D("0.0001"),
            min_qty=D("0.0001"), max_qty=D(1000), min_notional=D(1), start_price=D(3_500), fee_in_quote=True,
        ),
    ),
    accounts={"desk": {"BTC": D(10), "ETH": D(100), "USDT": D(1_000_000)}},
    keys=(Key(api_key="K", account="desk", secret=b"S", passphrase="P"),),
    fee_rate_maker=D("0.0008"), fee_rate_taker=D("0.001"), websocket_url="ws://kucoin/endpoint",
)  # fmt: skip
SETTINGS = BridgeSettings(
    venue="kucoin", comp_id="KUCOIN", clients=("DESK", "OTHER"), symbols=(SYMBOL, OTHER_SYMBOL), heart_bt_int_s=30,
    host="kucoin", websocket_host="kucoin", websocket_target="/endpoint", books_target="/endpoint",
    listeners=("MD",),
)  # fmt: skip


@cache
def backend() -> Backend:
    """The venue's, signed by CCXT."""
    return open_backend(RestSettings("kucoin", "http://kucoin", KEYS, 1000, symbols=SETTINGS.symbols))


def kucoin_rig(folder: Path) -> Rig:
    """The bridge and the venue."""
    return Rig(folder, KUCOIN, SETTINGS, backend())


class RawClient(Raw):
    """A client of the REST side that knows nothing but what is signed."""

    def read(self, what: str, call: HttpCall) -> tuple[Any, Reply]:
        """The answer, and what our back end makes of it."""
        status, answer, body = self.call(call)
        return answer, self.backend.read(what, status, body, call)


def id_sent(data: bytes) -> str:
    """Our id in a request for a new order, "" in any other."""
    if not data.startswith(b"POST /api/v1/hf/orders "):
        return ""
    return data.split(b'"clientOid":"')[1].split(b'"')[0].decode()
