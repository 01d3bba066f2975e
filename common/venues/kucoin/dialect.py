"""Our side of FIX towards the bridge that speaks it for KuCoin: a bridged venue's, with this profile."""

from common.venues.bridged import BridgedDialect
from common.venues.kucoin.venue import PROFILE


class Kucoin(BridgedDialect):
    """KuCoin behind its bridge."""

    profile = PROFILE
