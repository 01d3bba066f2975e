"""Our side of FIX towards the bridge that speaks it for KuCoin Futures: a bridged venue's, with this profile."""

from common.venues.bridged import BridgedDialect
from common.venues.kucoinfutures.venue import PROFILE


class KucoinFutures(BridgedDialect):
    """KuCoin Futures behind its bridge."""

    profile = PROFILE
