"""Running sums of what may trade at worst: what is taken off again leaves them as they were."""

from decimal import Decimal

import pytest

from services.risk.exposure import Exposure

SMALL, LARGE = Decimal("0.9805"), Decimal("1E+30")


@pytest.mark.parametrize("side", ["1", "2"])
@pytest.mark.parametrize("reduces", [False, True])
def test_a_very_large_quantity_that_comes_and_goes_leaves_every_digit(side: str, reduces: bool) -> None:
    exposure = Exposure()
    for quantity in (SMALL, LARGE, -LARGE):
        exposure.add("alpha", "generic", "BTCUSDT", side, quantity, reduces=reduces)
    firm, share = exposure.firm["generic", "BTCUSDT"], exposure.shares["alpha", "generic", "BTCUSDT"]
    sums = (firm.buy, share.buy, firm.reduce_buy) if side == "1" else (firm.sell, share.sell, firm.reduce_sell)
    assert sums == (SMALL, SMALL, SMALL if reduces else 0)
