"""What Coinbase International adds to FIX 5.0 SP2: its fields, their values, and its own messages.

Source: docs.cdp.coinbase.com/international-exchange/fix-api. Names and numbers only.
"""

from common.venues.additions import additions_of

_FIELDS = """\
150 ExecType CHAR 0=NEW 1=PARTIAL_FILL 2=FILL 4=CANCELED 5=REPLACED 8=REJECTED C=EXPIRED L=TRIGGERED
18 ExecInst MULTIPLECHARVALUE 6=POST_ONLY E=CLOSE_ONLY
20 ExecTransType CHAR 0=NEW 1=BUST 2=CORRECT
380 BusinessRejectReason INT 0=OTHER 8=THROTTLED 9=THROTTLED_AND_ABOUT_TO_DISCONNECT
8000 SelfTradePreventionStrategy CHAR N=CANCEL_AGGRESSING_ORDER Q=CANCEL_BOTH_ORDERS O=CANCEL_OLDEST D=DECREMENT
8001 DefaultSelfTradePreventionStrategy CHAR N=CANCEL_AGGRESSING_ORDER Q=CANCEL_BOTH_ORDERS
8013 CancelOrdersOnDisconnect CHAR N=NONE Y=THIS_SESSION A=WHOLE_API_KEY
8014 CancelOrdersOnInternalDisconnect BOOLEAN
22003 BeginExecID STRING
22004 EndExecID STRING
22005 ResentEventCount INT
22006 EventResendRejectReason INT
"""

_MESSAGES = {
    "F1": "LastExecIDRequest",
    "F2": "LastExecID",
    "F3": "EventResendRequest",
    "F4": "EventResendComplete",
    "F5": "EventResendReject",
}

ADDITIONS = additions_of(_FIELDS, _MESSAGES)
"""As `Dictionary.with_additions` takes them."""
