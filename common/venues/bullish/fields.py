"""What Bullish adds to FIX 4.4: fields of its own or of later versions, and values of standard ones.

Source: bullish-exchange/api-docs, FIX Protocol Specification v1.0.13 and fix-dictionary.xml, as of September 2025.
"""

from common.venues.additions import additions_of

_FIELDS = """
40 OrdType CHAR 1=MARKET 2=LIMIT 4=STOP_LIMIT p=POST_ONLY
102 CxlRejReason INT 0=TOO_LATE 1=UNKNOWN_ORDER 6=DUPLICATE_ID 99=OTHER 3034=ACCOUNT_RATE 3035=GLOBAL_RATE
103 OrdRejReason INT 1=SYMBOL 5=UNKNOWN_ORDER 6=DUPLICATE 99=OTHER 3001=BALANCE 3020=UNSOLICITED_CANCEL 3031=PRICE_RANGE
150 ExecType CHAR 0=NEW 4=CANCELED 5=REPLACED 6=PENDING_CANCEL 7=STOPPED 8=REJECTED C=EXPIRED D=RESTATED F=TRADE
544 CashMargin CHAR 1=CASH 2=MARGIN_OPEN 3=MARGIN_CLOSE
797 CopyMsgIndicator BOOLEAN
1057 AggressorIndicator BOOLEAN
1328 RejectText STRING
1369 MassActionReportID STRING
1409 SessionStatus INT 0=ACTIVE 4=LOGOUT_COMPLETE 5=BAD_LOGIN 6=LOCKED 7=NOT_NOW 8=EXPIRED 101=THRESHOLD 102=HALTED
8004 BorrowedBase QTY
8006 BorrowedQuote QTY
20000 RebateType INT
20001 Rebate AMT
20003 MarketMakerProtection BOOLEAN
"""

ADDITIONS = additions_of(_FIELDS, {}, {"q": "1"})
"""As `Dictionary.with_additions` takes them."""
