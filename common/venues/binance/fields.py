"""What Binance adds to FIX 4.4: its fields, their values, and its own messages.

Source: Binance's spot-fix-oe.xml and spot-fix-md.xml.
"""

from collections.abc import Mapping
from typing import Any

from common.venues.additions import additions_of, tag_in
from common.venues.reading import VenueTag

_FIELDS = """
969 MinPriceIncrement PRICE
1003 TradeID INT
1057 AggressorIndicator BOOLEAN Y=ORDER_INITIATOR_IS_AGGRESSOR N=ORDER_INITIATOR_IS_PASSIVE
1094 PegPriceType CHAR 4=MARKET_PEG 5=PRIMARY_PEG
1100 TriggerType CHAR 4=PRICE_MOVEMENT
1101 TriggerAction CHAR 1=ACTIVATE
1102 TriggerPrice PRICE
1107 TriggerPriceType CHAR 2=LAST_TRADE
1109 TriggerPriceDirection CHAR U=AT_OR_ABOVE_THE_TRIGGER_PRICE D=AT_OR_BELOW_THE_TRIGGER_PRICE
1140 MaxTradeVol QTY
1385 ContingencyType INT 1=ONE_CANCELS_THE_OTHER 2=ONE_TRIGGERS_THE_OTHER
1386 ListRejectReason INT 99=OTHER
2446 AggressorSide CHAR 1=BUY 2=SELL
2551 StartPriceRange PRICE
2552 EndPriceRange PRICE
6136 ReqID STRING
7940 StrategyID INT
9406 DropCopyFlag BOOLEAN
25000 RecvWindow FLOAT
25001 SelfTradePreventionMode CHAR 1=NONE 2=EXPIRE_TAKER 3=EXPIRE_MAKER 4=EXPIRE_BOTH 5=DECREMENT 6=TRANSFER
25002 CancelRestrictions INT 1=ONLY_NEW 2=ONLY_PARTIALLY_FILLED
25003 NoLimitIndicators NUMINGROUP
25004 LimitType CHAR 1=ORDER_LIMIT 2=MESSAGE_LIMIT 3=SUBSCRIPTION_LIMIT
25005 LimitCount INT
25006 LimitMax INT
25007 LimitResetInterval INT
25008 LimitResetIntervalResolution CHAR s=SECOND m=MINUTE h=HOUR d=DAY
25009 TriggerTrailingDeltaBips INT
25010 NoListTriggeringInstructions NUMINGROUP
25011 ListTriggerType CHAR 1=ACTIVATED 2=PARTIALLY_FILLED 3=FILLED
25012 ListTriggerTriggerIndex INT
25013 ListTriggerAction CHAR 1=RELEASE 2=CANCEL
25014 ClListID STRING
25015 OrigClListID STRING
25016 ErrorCode INT
25017 CumQuoteQty QTY
25018 OrderCreationTime UTCTIMESTAMP
25021 WorkingFloor INT 1=EXCHANGE 2=BROKER 3=SOR
25022 TrailingTime UTCTIMESTAMP
25023 WorkingTime UTCTIMESTAMP
25024 PreventedMatchID INT
25025 PreventedExecutionPrice PRICE
25026 PreventedExecutionQty QTY
25027 TradeGroupID INT
25028 CounterSymbol STRING
25029 CounterOrderID INT
25030 PreventedQty QTY
25031 LastPreventedQty QTY
25032 SOR BOOLEAN
25033 OrderCancelRequestAndNewOrderSingleMode INT 1=STOP_ON_FAILURE 2=ALLOW_FAILURE
25034 CancelClOrdID STRING
25035 MessageHandling INT 1=UNORDERED 2=SEQUENTIAL
25036 ResponseMode INT 1=EVERYTHING 2=ONLY_ACKS
25037 UUID STRING
25038 OrderRateLimitExceededMode INT 1=DO_NOTHING 2=CANCEL_ONLY
25039 MinQtyIncrement QTY
25040 MarketMinTradeVol QTY
25041 MarketMaxTradeVol QTY
25042 MarketMinQtyIncrement QTY
25043 FirstBookUpdateID INT
25044 LastBookUpdateID INT
25045 ExecutionReportType INT 1=FULL 2=MINI
25046 OPO BOOLEAN
25050 SBESchemaID INT
25051 SBESchemaVersion INT
25052 SBESchemaVersionDeprecated INT
25056 ExpiryReason INT 1=REJECTED 2=EXCHANGE_CANCELED 3=OCO_TRIGGER 4=OTO_PHASE_ONE_EXPIRED
"""

_MESSAGES = {
    "XCN": "OrderCancelRequestAndNewOrderSingle",
    "XAK": "OrderAmendKeepPriorityRequest",
    "XAR": "OrderAmendReject",
    "XLQ": "LimitQuery",
    "XLR": "LimitResponse",
}


_NAMED = additions_of(_FIELDS, _MESSAGES)
_LIMITS = {"name": _MESSAGES["XLR"], "items": "6136 25003( 25004 25005 25006 25007 25008 )"}
ADDITIONS: Mapping[str, Any] = {**_NAMED, "messages": {**_NAMED["messages"], "XLR": _LIMITS}}


def tag_of(number: int) -> VenueTag:
    """The tag of one of Binance's own fields, by its number."""
    return tag_in(ADDITIONS, number)
