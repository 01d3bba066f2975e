"""What Crypto.com Exchange adds to FIX 4.4: fields of its own or of later versions, and values of standard ones.

Source: exchange-developer.crypto.com, FIX, as of 2026. Names that the pages do not give are those of their meaning.
"""

from common.venues.additions import additions_of, tag_in

_FIELDS = """
18 ExecInst MULTIPLEVALUESTRING 6=POST_ONLY 8=SMART_POST_ONLY
150 ExecType CHAR 0=NEW 4=CANCELED 6=PENDING_CANCEL 8=REJECTED A=PENDING_NEW F=TRADE I=ORDER_STATUS
544 CashMargin CHAR 1=SPOT 2=MARGIN 3=LIQUIDATION
880 TrdMatchID STRING
893 LastFragment BOOLEAN
911 TotNumReports INT
912 LastRptRequested BOOLEAN
1107 TriggerPriceType CHAR 2=LAST I=INDEX M=MARK
2362 SelfMatchPreventionID INT
2643 FeeCurrency STRING
2964 SelfMatchPreventionScope INT 1=TAKER 2=MAKER 3=BOTH
6616 CreateTime UTCTIMESTAMP
6867 CancelOnDisconnectScope CHAR Y=ORDERS_OF_THIS_CONNECTION
7933 Client INT
10060 MatchTime UTCTIMESTAMP
10273 MDEntryTimeMs INT
10851 TakerSide CHAR 1=BUY 2=SELL
12362 SelfMatchPreventionMode CHAR M=MASTER S=SUBACCOUNT
20100 ReceiveWindow INT
20101 OrdersMatched INT
20102 QueuePlace INT
35002 CancelOnDisconnectType INT 0=OFF 3=ON
"""

ADDITIONS = additions_of(_FIELDS, {"DJ": "MassOrder"})
"""As `Dictionary.with_additions` takes them."""

FEE_CURRENCY = tag_in(ADDITIONS, 2643)
TAKER_SIDE = tag_in(ADDITIONS, 10851)
