"""Our side of FIX towards the bridge that speaks it for Bitget: a bridged venue's, with this profile."""

from common.venues.bitget.venue import PROFILE
from common.venues.bridged import BridgedDialect


class Bitget(BridgedDialect):
    """Bitget behind its bridge."""

    profile = PROFILE
