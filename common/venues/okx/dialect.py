"""The dialect "okx": what our session says to the bridge in front of OKX."""

from common.venues.bridged import BridgedDialect
from common.venues.okx.venue import PROFILE


class Okx(BridgedDialect):
    """FIX 4.4 as every bridge speaks it."""

    profile = PROFILE
