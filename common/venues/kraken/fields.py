"""What Kraken adds to FIX 4.4: fields, and values of standard ones.

Source: docs.kraken.com, Unified FIX, as of May 2026. Names and numbers only.
"""

from collections.abc import Mapping
from typing import Any

from common.venues.reading import VenueTag

_FIELDS = """\
18 ExecInst MULTIPLEVALUESTRING P=POST_ONLY v=VOLUME_IN_QUOTE_CURRENCY f=FEE_IN_BASE q=FEE_IN_QUOTE
40 OrdType CHAR 1=MARKET 2=LIMIT 3=STOP 4=STOP_LIMIT R=PROFIT T=PROFIT_LIMIT U=TRAILING V=TRAILING_LIMIT
340 TradSesStatus INT 0=UNKNOWN 1=MAINTENANCE 2=ONLINE 101=CANCEL_ONLY 102=POST_ONLY
380 BusinessRejectReason INT 0=OTHER 1=UNKNOWN_ID 2=UNKNOWN_INSTRUMENT 4=NOT_AVAILABLE 101=UNKNOWN_ORDER 104=TOO_OLD
530 MassCancelRequestType CHAR 1=SYMBOL_OF_SESSION 6=SESSION 7=ACCOUNT
1003 TradeID STRING
1138 DisplayQty QTY
2349 PricePrecision INT
2446 AggressorSide CHAR 1=BUY 2=SELL
5001 Margin CHAR 0=NO 1=YES
5010 QuantityPrecision INT
5011 MinQty QTY
5012 MaxQty QTY
5013 MinCost AMT
5022 TickSize PRICE
5025 Nonce INT
5030 ForceResetClOrdID BOOLEAN
5032 InstrumentStatus INT 0=HIDDEN 1=ONLINE 7=REDUCE_ONLY
5041 ChecksumOrderBook INT
5050 LiquidityIndicator CHAR m=MAKER t=TAKER
5051 Rebased BOOLEAN
7928 SelfTradePrevention CHAR 0=CANCEL_BOTH 1=CANCEL_NEWEST 2=CANCEL_OLDEST
8674 CancelOrdersOnDisconnect CHAR 0=CANCEL 1=KEEP
"""


def _field(row: str) -> tuple[str, dict[str, Any]]:
    tag, name, kind, *values = row.split(" ")
    return tag, {"name": name, "type": kind, "values": dict(value.split("=", 1) for value in values)}


ADDITIONS: Mapping[str, Any] = {
    "fields": dict(_field(row) for row in _FIELDS.strip().splitlines()),
    # ValidUntilTime(62), which the standard has in quotes.
    "messages": {"D": {"adds": "62"}, "G": {"adds": "62"}},
}
"""As `Dictionary.with_additions` takes them."""


def tag_of(tag: int) -> VenueTag:
    """A tag of Kraken's own with its name."""
    return VenueTag(tag, ADDITIONS["fields"][str(tag)]["name"])
