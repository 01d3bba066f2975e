"""What Gemini adds to FIX 4.4: fields of its own.

Source: docs.gemini.com/fix, custom tags. Names and numbers only.
"""

from common.venues.additions import additions_of

_FIELDS = """\
9000 RiskLiquidityFlag BOOLEAN
9001 CancelOnDisconnect BOOLEAN
9002 MDEntryMakerSide CHAR 1=BUY 2=SELL
9003 EnableMDEntryMakerSide BOOLEAN
9008 EventId INT
9009 MDEntryFundingIsRealized BOOLEAN
"""

ADDITIONS = additions_of(_FIELDS, {})
"""As `Dictionary.with_additions` takes them."""
