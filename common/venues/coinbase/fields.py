"""What Coinbase Exchange adds to FIX 5.0 SP2: its fields, their values, and its own messages.

Source: the order entry, market data and drop copy pages of docs.cdp.coinbase.com.
"""

from collections.abc import Mapping
from typing import Any

_FIELDS = """
5797 AggressorSide INT 1=BUY 2=SELL
7928 SelfTradeType CHAR D=DECREMENT_AND_CANCEL O=CANCEL_OLDEST N=CANCEL_NEWEST B=CANCEL_BOTH
8001 DefaultSelfTradePreventionStrategy CHAR N=CANCEL_AGGRESSING_ORDER Q=CANCEL_BOTH_ORDERS
8013 CancelOrdersOnDisconnect CHAR S=CANCEL_ALL_SESSION_ORDERS Y=CANCEL_ALL_PROFILE_ORDERS
8014 BatchID STRING
9406 DropCopyFlag CHAR N=ORDER_ENTRY_SESSION Y=DROP_COPY_SESSION
29003 MinSizeIncrement FLOAT
29004 Funds FLOAT
"""

_MESSAGES = {
    "U4": "OrderCancelBatch",
    "U5": "OrderCancelBatchReject",
    "U6": "NewOrderBatch",
    "U7": "NewOrderBatchReject",
}


def _field(line: str) -> tuple[str, dict[str, Any]]:
    tag, name, type_, *values = line.split()
    return tag, {"name": name, "type": type_, "values": dict(value.split("=") for value in values)}


ADDITIONS: Mapping[str, Any] = {
    "fields": dict(_field(line) for line in _FIELDS.split("\n") if line),
    "messages": {msg_type: {"name": name} for msg_type, name in _MESSAGES.items()},
}
"""As `Dictionary.with_additions` takes them: enough to name and explain what the venue says, not to validate it."""
