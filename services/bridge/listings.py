"""What may be traded at the venue, as a client of the bridge is told of it: SecurityListRequest(x) and SecurityList(y).

Source: FIX 4.4 with errata 20030618, volume 3. It has no place there for MinPriceIncrement(969) and MaxTradeVol(1140),
nor for QtyType(854), by which quantities are contracts, and SettlCurrency(120): a client that checks what it gets
against the standard is told them as texts, in InstrAttribValue(872) with InstrAttribType(871)=99. Nor has it a security
type of a perpetual: it is a future without a maturity.
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


TEXT = 99
"""InstrAttribType(871)."""


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


def security_list(request: Request, listings: Sequence[Listing], response_id: str, *, strictly: bool) -> bytes:
    """The body of the SecurityList(y) that answers the request; `strictly` with fields of FIX 4.4 alone. Raises
    BadField."""
    asked, kind = request.text(320), request.text(559)
    symbol, is_served = request.text(55) if kind == ONE_SYMBOL else "", kind in (ONE_SYMBOL, ALL)
    found = [each for each in listings if is_served and symbol in ("", each.symbol)]
    result = NOT_SERVED if not is_served else VALID if found else NOT_FOUND
    head = f"320={asked}\x01322={response_id}\x01560={result}\x01"
    rows = "".join(
        f"55={each.symbol}\x01{_contract(each.contract)}{_beyond_fix44(each, as_text=strictly)}15={each.quote}\x01"
        f"561={plain(each.lot_size)}\x01562={plain(each.min_qty)}\x01"
        for each in found
    )
    count = f"393={len(found)}\x01893=Y\x01146={len(found)}\x01" if found else ""
    return f"{head}{count}{rows}".encode()


def _beyond_fix44(listing: Listing, *, as_text: bool) -> str:
    """What FIX 4.4 has no field for."""
    fields = [("MinPriceIncrement", 969, plain(listing.tick_size)), ("MaxTradeVol", 1140, plain(listing.max_qty))]
    if not listing.contract.is_spot:
        fields += [("SettlCurrency", 120, listing.contract.settle), ("QtyType", 854, "1")]
    if not as_text:
        return "".join(f"{tag}={value}\x01" for _, tag, value in fields)
    rows = "".join(f"871={TEXT}\x01872={name}({tag})={value}\x01" for name, tag, value in fields)
    return f"870={len(fields)}\x01{rows}"


def _contract(contract: Contract) -> str:
    """What a contract stands for; nothing of a spot market."""
    if contract.is_spot:
        return ""
    kind = "167=FUT\x01762=PERPETUAL\x01" if contract.kind is InstrumentKind.PERPETUAL else "167=FUT\x01"
    return f"{kind}231={plain(contract.multiplier)}\x01"
