"""What records of older code left to whoever reads them."""

MSG_TYPES_OF_NEW_ORDERS = frozenset({"XCN"})
"""MsgType(35) of the amendments that opened a new order, at whatever venue, while records did not say so."""
