"""A bridge in front of a simulated Bitget with a linear perpetual beside the spot market of its name, in memory."""

from decimal import Decimal
from functools import cache
from pathlib import Path

import msgspec

from common.contracts import Contract, InstrumentKind
from common.exchange.settings import Instrument
from common.venues.backend import Backend
from common.venues.bitget.rest import open_backend
from common.venues.rest import RestSettings
from services.bridge.listings import Listing
from tests.common.venues.bitget.rig import BITGET, KEYS, SETTINGS, SYMBOL, id_sent
from tests.services.bridge.rig import Rig

D = Decimal
PERPETUAL = "BTCUSDT-PERP"
CONTRACT = Contract(InstrumentKind.PERPETUAL, D(1), False, "USDT")
BITGET_PERPETUAL = Instrument(
    symbol=PERPETUAL, base="BTC", quote="USDT", tick_size=D("0.1"), lot_size=D("0.001"), min_qty=D("0.001"),
    max_qty=D(1000), min_notional=D(5), start_price=D(65_000), contract=CONTRACT, margin_rate=D("0.1"),
    wallet="futures",
)  # fmt: skip
BITGET_CONTRACTS = msgspec.structs.replace(
    BITGET, instruments=(BITGET_PERPETUAL, *BITGET.instruments),
    accounts={"desk": {**BITGET.accounts["desk"], "USDT/futures": D(100_000)}},
)  # fmt: skip
CONTRACT_SETTINGS = msgspec.structs.replace(
    SETTINGS, symbols=(PERPETUAL, *SETTINGS.symbols),
    listings=(
        Listing(PERPETUAL, "USDT", D("0.1"), D("0.001"), D("0.001"), D(1000), CONTRACT),
        Listing(SYMBOL, "USDT", D("0.01"), D("0.00001"), D("0.00001"), D(100)),
    ),
)  # fmt: skip


@cache
def contracts_backend() -> Backend:
    """The venue's, signed by CCXT."""
    return open_backend(RestSettings("bitget", "http://bitget", KEYS, 1000, symbols=CONTRACT_SETTINGS.symbols))


def contracts_rig(folder: Path) -> Rig:
    """The bridge and the venue; the first symbol is the perpetual."""
    return Rig(folder, BITGET_CONTRACTS, CONTRACT_SETTINGS, contracts_backend())


def any_id_sent(data: bytes) -> str:
    """Our id in a request for a new order of either part, "" in any other."""
    return id_sent(data.replace(b"/mix/order/place-order ", b"/spot/trade/place-order "))
