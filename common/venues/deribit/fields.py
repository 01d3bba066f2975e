"""What Deribit adds to FIX 4.4: its own fields, those that it takes from later versions, and their values.

Source: docs.deribit.com/fix-api/production. A field is `tag Name TYPE`, then value=MEANING for each value.
"""

from collections.abc import Mapping
from typing import Any

from common.venues.reading import VenueTag

_FIELDS = """
839 PeggedPrice PRICE
947 StrikeCurrency CURRENCY
969 MinPriceIncrement PRICE
1079 MaturityTime TIME
1088 RefreshQty QTY
1094 PegPriceType CHAR 8=TRAILING_STOP_PEG
1138 DisplayQty QTY
1188 Volatility FLOAT
1205 NoTickRules NUMINGROUP
1206 StartTickPriceRange PRICE
1208 TickIncrement PRICE
1362 NoFills NUMINGROUP
1363 FillExecID STRING
1364 FillPx PRICE
1365 FillQty QTY
1443 FillLiquidityInd INT 1=ADDED_LIQUIDITY 2=REMOVED_LIQUIDITY
1524 PriceQuoteCurrency CURRENCY
2576 InstrumentPricePrecision INT
5127 ConditionTriggerMethod INT 1=MARK_PRICE 2=LAST_PRICE 3=INDEX_PRICE
5544 SecurityAltIDs STRING
9001 CancelOnDisconnect BOOLEAN
9002 UseWordsafeTags BOOLEAN
9003 DontCancelOnDisconnect BOOLEAN
9004 DeribitAppId STRING
9005 DeribitAppSig STRING
9007 DeribitSequential BOOLEAN
9008 MMPIndicator BOOLEAN
9009 UnsubscribeExecutionReports BOOLEAN
9010 ConnectionOnlyExecutionReports BOOLEAN
9011 DeribitTradeAmount INT
9012 DeribitSinceTimestamp INT
9014 MassStatusReqIDType INT 0=ORIG_CL_ORD_ID 1=CL_ORD_ID 2=DERIBIT_LABEL
9015 ReportFillsAsExecReports BOOLEAN
9018 DisplayIncrementSteps BOOLEAN
9031 FreezeQuotes BOOLEAN
100007 DeribitTradeAmount100 INT
100008 DeribitSinceTimestamp100 INT
100009 DeribitTradeId STRING
100010 DeribitLabel STRING
100012 DeribitAdvOrderType CHAR 0=IMPLIED_VOLATILITY 1=USD
100087 TradeVolume24h QTY
100090 MarkPrice PRICE
"""


def _field(line: str) -> tuple[str, dict[str, Any]]:
    tag, name, type_, *values = line.split()
    return tag, {"name": name, "type": type_, "values": dict(value.split("=") for value in values)}


ADDITIONS: Mapping[str, Any] = {"fields": dict(_field(line) for line in _FIELDS.split("\n") if line), "messages": {}}
"""As `Dictionary.with_additions` takes them: enough to name and explain what Deribit says, not to validate it."""


def tag_of(number: int) -> VenueTag:
    """The tag of one of Deribit's own fields, by its number."""
    return VenueTag(number, ADDITIONS["fields"][str(number)]["name"])
