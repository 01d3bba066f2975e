"""The order manager as most tests here meet it."""

import pytest

from tests.services.orders.harness import Ring, live_ring


@pytest.fixture
def ring() -> Ring:
    """See `live_ring`."""
    return live_ring()
