"""The dialect "gateiofutures": what our session says to the bridge in front of Gate.io Futures."""

from common.venues.bridged import BridgedDialect
from common.venues.gateiofutures.venue import PROFILE


class GateioFutures(BridgedDialect):
    """FIX 4.4 as every bridge speaks it."""

    profile = PROFILE
