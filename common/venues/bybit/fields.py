"""What Bybit adds to FIX 4.4: its fields, their values, and its own messages.

Source: bybit-exchange/docs, fix-api/order.xml and fix-api/guide.mdx.
"""

from collections.abc import Mapping
from typing import Any

from common.venues.additions import additions_of, tag_in
from common.venues.reading import VenueTag

_FIELDS = """
25036 ResponseMode INT 1=EVERYTHING 2=ONLY_ACKS
30001 BapiRecvWindow INT
30002 BapiTimestamp INT
30003 ConnId STRING
30004 Referer STRING
30005 TraceId STRING
30006 ReqId STRING
30007 BapiLimit INT
30008 BapiLimitStatus INT
30009 BapiLimitResetTimestamp INT
30010 Category STRING spot=SPOT
30013 MarketUnit STRING baseCoin=BASE_COIN quoteCoin=QUOTE_COIN UNKNOWN=UNKNOWN
30014 IsLeverage BOOLEAN
30018 SmpType STRING None=NONE CancelTaker=CANCEL_TAKER CancelMaker=CANCEL_MAKER CancelBoth=CANCEL_BOTH
30019 RpiTakerAccess BOOLEAN
30020 NoOrders NUMINGROUP
30021 RetCode INT
30022 SlippageToleranceType STRING TickSize=TICK_SIZE Percent=PERCENT
30023 Expires INT
30024 OrderFilter STRING Order=ORDER tpslOrder=TPSL_ORDER StopOrder=STOP_ORDER
30026 TakeProfitPrice PRICE
30027 StopLossPrice PRICE
30028 TpOrderType STRING Market=MARKET Limit=LIMIT
30029 SlOrderType STRING Market=MARKET Limit=LIMIT
30030 TpLimitPrice PRICE
30031 SlLimitPrice PRICE
30034 SlippageTolerance STRING
30038 CumValue AMT
30039 CreateTime UTCTIMESTAMP
30040 CancelType STRING
30041 LeavesValue AMT
30042 StopOrderType STRING
30043 OcoTriggerBy STRING
30044 SmpGroup INT
30045 SmpOrderId STRING
30046 LastPriceOnCreated PRICE
30047 BlockTradeId STRING
30048 RpiMatchedQty QTY
30050 NoFills NUMINGROUP
30051 FillExecID STRING
30052 FillQty QTY
30053 FillPx PRICE
30054 FillTime UTCTIMESTAMP
30055 FillCommission AMT
30056 FillCommCurr STRING
30057 FillValue AMT
30058 FillIsMaker BOOLEAN
30059 FillCommRate STRING
30060 NoFeeDetails NUMINGROUP
30061 FeeCoin STRING
30062 Fee STRING
30063 FillExecType STRING
30064 FillLeavesQty QTY
30065 FillSeq INT
30066 FillBlockTradeId STRING
"""

_MESSAGES = {
    "XAR": "AtomicReplaceRequest",
    "XCA": "OrderCancelAck",
    "XAA": "OrderAmendAck",
    "XBX": "BatchCancelOrderRequest",
    "XBXA": "BatchCancelOrderAck",
}


ADDITIONS: Mapping[str, Any] = additions_of(_FIELDS, _MESSAGES)


def tag_of(number: int) -> VenueTag:
    """The tag of one of Bybit's own fields, by its number."""
    return tag_in(ADDITIONS, number)
