"""Where Bullish's REST side is."""

import pytest


@pytest.fixture
def rest_path() -> str:
    """All of its addresses begin so."""
    return "/trading-api"
