"""A bridge in front of a simulated Bitget, in memory."""

from decimal import Decimal
from functools import cache
from pathlib import Path

from common.exchange.settings import ExchangeSettings, Instrument, Key
from common.venues.backend import Backend
from common.venues.bitget.rest import open_backend
from common.venues.credentials import HmacPassphrase
from common.venues.rest import RestSettings
from services.bridge.core import BridgeSettings
from tests.services.bridge.rig import Rig

D = Decimal
KEYS = HmacPassphrase("K", b"S", "P")
SYMBOL, OTHER_SYMBOL = "BTCUSDT", "ETHUSDT"
BITGET = ExchangeSettings(
    name="bitget", dialect="bitget", comp_id="BITGET",
    instruments=(
        Instrument(
            symbol=SYMBOL, base="BTC", quote="USDT", tick_size=D("0.01"), lot_size=D("0.00001"), min_qty=D("0.00001"),
            max_qty=D(100), min_notional=D(1), start_price=D(65_000),
        ),
        Instrument(
            symbol=OTHER_SYMBOL, base="ETH", quote="USDT", tick_size=D("0.01"), lot_size=D("0.0001"),
            min_qty=D("0.0001"), max_qty=D(1000), min_notional=D(1), start_price=D(3_500),
        ),
    ),
    accounts={"desk": {"BTC": D(10), "ETH": D(100), "USDT": D(1_000_000)}},
    keys=(Key(api_key="K", account="desk", secret=b"S", passphrase="P"),),
    fee_rate_maker=D("0.0008"), fee_rate_taker=D("0.001"),
)  # fmt: skip
SETTINGS = BridgeSettings(
    venue="bitget", comp_id="BITGET", clients=("DESK", "OTHER"), symbols=(SYMBOL, OTHER_SYMBOL), heart_bt_int_s=30,
    host="bitget", websocket_host="bitget", websocket_target="/v2/ws/private", books_target="/v2/ws/public",
    listeners=("MD",),
)  # fmt: skip


@cache
def backend() -> Backend:
    """The venue's, signed by CCXT."""
    return open_backend(RestSettings("bitget", "http://bitget", KEYS, 1000, symbols=SETTINGS.symbols))


def bitget_rig(folder: Path) -> Rig:
    """The bridge and the venue."""
    return Rig(folder, BITGET, SETTINGS, backend())


def id_sent(data: bytes) -> str:
    """Our id in a request for a new order, "" in any other."""
    if b"/spot/trade/place-order " not in data:
        return ""
    return data.split(b'"clientOid":"')[1].split(b'"')[0].decode()
