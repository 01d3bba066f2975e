"""A bridge in front of a simulated Gate.io Futures, in memory."""

from decimal import Decimal
from functools import cache
from pathlib import Path

from common.contracts import Contract, InstrumentKind
from common.exchange.settings import ExchangeSettings, Instrument, Key
from common.venues.backend import Backend
from common.venues.credentials import HmacAccount
from common.venues.gateiofutures.rest import open_backend
from common.venues.rest import RestSettings
from services.bridge.core import BridgeSettings
from services.bridge.listings import Listing
from tests.services.bridge.rig import Rig

D = Decimal
USER = "4711"
KEYS = HmacAccount("K", b"S", USER)
SYMBOL = "BTC_USDT_PERP"
NAME = "BTC_USDT"
"""What the venue calls it."""

CONTRACT = Contract(InstrumentKind.PERPETUAL, D("0.0001"), False, "USDT")
GATEIO_FUTURES = ExchangeSettings(
    name="gateiofutures", dialect="gateiofutures", comp_id="GATEIOFUTURES",
    instruments=(
        Instrument(
            symbol=SYMBOL, base="BTC", quote="USDT", tick_size=D("0.1"), lot_size=D(1), min_qty=D(1),
            max_qty=D(1_000_000), min_notional=D("0.01"), start_price=D(65_000), contract=CONTRACT,
            margin_rate=D("0.1"),
        ),
    ),
    accounts={"desk": {"USDT": D(1_000_000)}},
    keys=(Key(api_key="K", account="desk", secret=b"S", account_id=USER),),
    fee_rate_maker=D("0.0008"), fee_rate_taker=D("0.001"),
)  # fmt: skip
SETTINGS = BridgeSettings(
    venue="gateiofutures", comp_id="GATEIOFUTURES", clients=("DESK", "OTHER"), symbols=(SYMBOL,), heart_bt_int_s=30,
    host="gateio", websocket_host="gateio", websocket_target="/v4/ws/usdt", books_target="/v4/ws/usdt",
    listeners=("MD",), listings=(Listing(SYMBOL, "USDT", D("0.1"), D(1), D(1), D(1_000_000), CONTRACT),),
)  # fmt: skip


@cache
def backend() -> Backend:
    """The venue's, signed by CCXT."""
    return open_backend(RestSettings("gateiofutures", "http://gateio", KEYS, 1000, symbols=(SYMBOL,)))


def gateiofutures_rig(folder: Path) -> Rig:
    """The bridge and the venue."""
    return Rig(folder, GATEIO_FUTURES, SETTINGS, backend())


def id_sent(data: bytes) -> str:
    """Our id in a request for a new order, "" in any other."""
    if not data.startswith(b"POST /api/v4/futures/usdt/orders "):
        return ""
    return data.split(b'"text":"t-')[1].split(b'"')[0].decode()
