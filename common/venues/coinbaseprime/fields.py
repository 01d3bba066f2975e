"""What Coinbase Prime adds to FIX 4.2: fields of its own and of later versions, and values of standard ones.

Source: docs.cdp.coinbase.com/prime/fix-api. Names and numbers only.
"""

from common.venues.additions import additions_of

_FIELDS = """\
18 ExecInst MULTIPLEVALUESTRING A=POST_ONLY
40 OrdType CHAR 1=MARKET 2=LIMIT 3=STOP 4=STOP_LIMIT D=PREVIOUSLY_QUOTED P=PEGGED
136 NoMiscFees INT
447 PartyIDSource CHAR G=MIC
448 PartyID STRING
452 PartyRole INT 73=EXECUTION_VENUE
453 NoPartyIDs INT
553 Username STRING
554 Password STRING
836 PegOffsetType INT 0=PRICE 1=BASIS_POINTS 4=CUMULATIVE_DEPTH
847 TargetStrategy STRING L=LIMIT M=MARKET P=PEG T=TWAP V=VWAP SL=STOP_LIMIT R=RFQ
849 ParticipationRate PERCENTAGE
911 TotNumReports INT
963 ReportID STRING
1137 DefaultApplVerID STRING 9=FIX50SP2
2446 AggressorSide CHAR 1=BUY 2=SELL
8002 FilledAmt AMT
8006 NetAvgPrice PRICE
8007 WigLevel PRICE
8090 QuoteRequestGoodForMs INT
8999 IsRaiseExact BOOLEAN
9406 DropCopyFlag BOOLEAN
9407 AccessKey STRING
"""

ADDITIONS = additions_of(_FIELDS, {})
"""As `Dictionary.with_additions` takes them."""
