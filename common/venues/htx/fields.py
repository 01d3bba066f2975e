"""What HTX adds to FIX 4.4: fields of its own or of later versions, and values of standard ones, some of them words.

Source: the mirror of HTX's page on its FIX API, as of April 2025.
"""

from common.venues.additions import additions_of, tag_in

_FIELDS = """
39 OrdStatus CHAR 1=REJECTED 2=CANCELED 3=SUBMITTED 4=PARTIAL_FILLED 5=FILLED 6=PARTIAL_CANCELED 7=CANCELED
40 OrdType STRING
42 OrigTime UTCTIMESTAMP
119 SettlCurrAmt AMT
150 ExecType STRING
578 TradeInputSource STRING
1003 TradeID STRING
1057 AggressorIndicator STRING
1109 TriggerPriceDirection CHAR U=AT_OR_ABOVE D=AT_OR_BELOW
2362 SelfMatchPreventionID INT 0=ALLOWED 1=PREVENTED
"""

ADDITIONS = additions_of(_FIELDS, {}, {"D": "578", "F": "578", "q": "1 578 146( 55! )"})
"""As `Dictionary.with_additions` takes them."""

TRADE_ID = tag_in(ADDITIONS, 1003)
