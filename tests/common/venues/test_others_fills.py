"""What is filled on the account by an order that nobody placed through the bridge, at each venue that has one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from common.exchange.order import LIMIT, SELL, Terms
from tests.common.venues.bitget.perpetual_rig import contracts_rig
from tests.common.venues.bitget.rig import bitget_rig
from tests.common.venues.gateio.rig import gateio_rig
from tests.common.venues.gateiofutures.rig import gateiofutures_rig
from tests.common.venues.kucoin.rig import kucoin_rig
from tests.common.venues.kucoinfutures.rig import futures_rig
from tests.common.venues.okx.swap_rig import swap_rig
from tests.services.bridge.rig import D, FixClient, Rig

RIGS = [Rig, swap_rig, gateio_rig, gateiofutures_rig, kucoin_rig, futures_rig, bitget_rig, contracts_rig]


@pytest.mark.parametrize("make_rig", RIGS, ids=lambda make: make.__name__)
def test_a_fill_by_hand_is_told_to_our_session_once(make_rig: Callable[[Path], Rig], tmp_path: Path) -> None:
    rig = make_rig(tmp_path).live()
    client = FixClient(rig)
    engine = rig.world.core.venue.engine
    engine.place(Terms("desk", "desk", "", rig.symbol, SELL, LIMIT, D(3), D(64_000)), rig.now)
    rig.pump()
    rig.stranger("1", "2", "64000")
    rig.pass_time(65, step_s=0.25)
    (told,) = [each for each in client.got if each[35] == "8"]
    assert (told[150], told[39], told[54], told[32], told[31], told[55]) == ("F", "2", "2", "2", "64000", rig.symbol)
    assert told[17] == f"{told[55]}/{told[1003]}/{told[37]}"
