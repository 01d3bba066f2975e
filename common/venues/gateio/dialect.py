"""The dialect "gateio": what our session says to the bridge in front of Gate.io Spot."""

from common.venues.bridged import BridgedDialect
from common.venues.gateio.venue import PROFILE


class Gateio(BridgedDialect):
    """FIX 4.4 as every bridge speaks it."""

    profile = PROFILE
