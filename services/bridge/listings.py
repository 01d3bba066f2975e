"""What may be traded at the venue, as a client of the bridge is told of it: SecurityListRequest(x) and SecurityList(y).

Source: FIX 4.4 with errata 20030618, volume 3. MinPriceIncrement(969), MaxTradeVol(1140) and QtyType(854), by which
quantities are contracts, are of FIX 5.0: FIX 4.4 has no field for them. Nor has it a security type of a perpetual: it
is a future without a maturity.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from common.contracts import SPOT, Contract, InstrumentKind
from common.exchange.requests import Request
from common.venues.dialect import plain

ONE_SYMBOL, ALL = "0", "4"
"""SecurityListRequestType(559)."""

VALID, NOT_SERVED, NOT_FOUND = "0", "1", "2"
"""SecurityRequestResult(560)."""


class Listing(NamedTuple):
    """One symbol: its quote asset, the steps of price and quantity, the least and most of an order, and what a unit of
    quantity is."""

    symbol: str
    quote: str
    tick_size: Decimal
    lot_size: Decimal
    min_qty: Decimal
    max_qty: Decimal
    contract: Contract = SPOT


def security_list(request: Request, listings: Sequence[Listing], response_id: str) -> bytes:
    """The body of the SecurityList(y) that answers the request. Raises BadField."""
    asked, kind = request.text(320), request.text(559)
    symbol, is_served = request.text(55) if kind == ONE_SYMBOL else "", kind in (ONE_SYMBOL, ALL)
    found = [each for each in listings if is_served and symbol in ("", each.symbol)]
    result = NOT_SERVED if not is_served else VALID if found else NOT_FOUND
    head = f"320={asked}\x01322={response_id}\x01560={result}\x01"
    rows = "".join(
        f"55={each.symbol}\x0115={each.quote}\x01561={plain(each.lot_size)}\x01562={plain(each.min_qty)}\x01"
        f"969={plain(each.tick_size)}\x011140={plain(each.max_qty)}\x01{_contract(each.contract)}"
        for each in found
    )
    count = f"393={len(found)}\x01893=Y\x01146={len(found)}\x01" if found else ""
    return f"{head}{count}{rows}".encode()


def _contract(contract: Contract) -> str:
    """What a contract stands for and is settled in; nothing of a spot market."""
    if contract.is_spot:
        return ""
    kind = "167=FUT\x01762=PERPETUAL\x01" if contract.kind is InstrumentKind.PERPETUAL else "167=FUT\x01"
    return f"{kind}231={plain(contract.multiplier)}\x01854=1\x01120={contract.settle}\x01"
