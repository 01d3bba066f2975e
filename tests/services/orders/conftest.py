"""The order manager as most tests here meet it."""

import pytest

from common.messages import SessionState
from tests.services.orders.harness import Ring


@pytest.fixture
def ring() -> Ring:
    """Live, both sessions open, strategy "s" connected."""
    ring = Ring()
    ring.go_live()
    ring.open("generic")
    ring.log_on("binance")
    for ask in ring.asks:
        ring.answers(venue="binance", ask=ask)
    ring.session("binance", SessionState.OPENED)
    ring.hello()
    return ring
