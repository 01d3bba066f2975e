"""A bridge in front of a simulated OKX with a linear perpetual beside its spot market, in memory."""

from decimal import Decimal
from functools import cache
from pathlib import Path

import msgspec

from common.contracts import Contract, InstrumentKind
from common.exchange.settings import Instrument
from common.venues.backend import Backend
from common.venues.okx.rest import open_backend
from common.venues.rest import RestSettings
from services.bridge.listings import Listing
from tests.services.bridge.rig import KEYS, OKX, SETTINGS, SYMBOL, Rig

D = Decimal
SWAP = "BTC-USDT-SWAP"
CONTRACT = Contract(InstrumentKind.PERPETUAL, D("0.01"), False, "USDT")
PERPETUAL = Instrument(
    symbol=SWAP, base="BTC", quote="USDT", tick_size=D("0.1"), lot_size=D("0.01"), min_qty=D("0.01"),
    max_qty=D(100_000), min_notional=D("0.01"), start_price=D(65_000), contract=CONTRACT, margin_rate=D("0.1"),
)  # fmt: skip
OKX_SWAPS = msgspec.structs.replace(OKX, instruments=(PERPETUAL, *OKX.instruments))
SWAP_SETTINGS = msgspec.structs.replace(
    SETTINGS, symbols=(SWAP, SYMBOL),
    listings=(Listing(SWAP, "USDT", D("0.1"), D("0.01"), D("0.01"), D(100_000), CONTRACT), *SETTINGS.listings),
)  # fmt: skip


@cache
def swap_backend() -> Backend:
    """The venue's, signed by CCXT."""
    return open_backend(RestSettings("okx", "http://okx", KEYS, 1000, symbols=(SWAP, SYMBOL)))


def swap_rig(folder: Path) -> Rig:
    """The bridge and the venue; the first symbol is the perpetual."""
    return Rig(folder, OKX_SWAPS, SWAP_SETTINGS, swap_backend())
