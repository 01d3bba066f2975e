"""A bridge in front of a simulated Gate.io, in memory."""

from decimal import Decimal
from functools import cache
from pathlib import Path

from common.exchange.settings import ExchangeSettings, Instrument, Key
from common.venues.backend import Backend
from common.venues.credentials import HmacSecret
from common.venues.gateio.rest import open_backend
from common.venues.rest import RestSettings
from services.bridge.core import BridgeSettings
from tests.services.bridge.rig import Rig

D = Decimal
KEYS = HmacSecret("K", b"S")
SYMBOL = "BTC_USDT"
GATEIO = ExchangeSettings(
    name="gateio", dialect="gateio", comp_id="GATEIO",
    instruments=(
        Instrument(
            symbol=SYMBOL, base="BTC", quote="USDT", tick_size=D("0.1"), lot_size=D("0.00001"), min_qty=D("0.00001"),
            max_qty=D(100), min_notional=D(3), start_price=D(65_000),
        ),
    ),
    accounts={"desk": {"BTC": D(10), "USDT": D(1_000_000)}},
    keys=(Key(api_key="K", account="desk", secret=b"S"),),
    fee_rate_maker=D("0.0008"), fee_rate_taker=D("0.001"),
)  # fmt: skip
SETTINGS = BridgeSettings(
    venue="gateio", comp_id="GATEIO", clients=("DESK", "OTHER"), symbols=(SYMBOL,), heart_bt_int_s=30, host="gateio",
    websocket_host="gateio", websocket_target="/ws/v4/", books_target="/ws/v4/",
    listeners=("MD",),
)  # fmt: skip


@cache
def backend() -> Backend:
    """The venue's, signed by CCXT."""
    return open_backend(RestSettings("gateio", "http://gateio", KEYS, 1000))


def gateio_rig(folder: Path) -> Rig:
    """The bridge and the venue."""
    return Rig(folder, GATEIO, SETTINGS, backend())


def id_sent(data: bytes) -> str:
    """Our id in a request for a new order, "" in any other."""
    if not data.startswith(b"POST /api/v4/spot/orders "):
        return ""
    return data.split(b'"text":"t-')[1].split(b'"')[0].decode()
