"""A venue announces the end of the market data connection: the next is subscribed before, and no price is missing."""

from pathlib import Path

import pytest

from tests.services.marketdata.rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """One that is subscribed."""
    rig = Rig(tmp_path)
    assert rig.bids[-1] == rig.sides.price
    return rig


def connection(rig: Rig) -> object:
    return rig.core.status(rig.now)["connection"]


def test_the_next_is_subscribed_before_the_first_is_logged_out(rig: Rig) -> None:
    rig.news()
    said = rig.wires.said
    assert said.index((2, "A")) < said.index((1, "5")) and (2, "V") in said
    assert (connection(rig), rig.wires.names()) == (2, ["FXM02"])
    assert rig.higher() == rig.bids[-1] and None not in rig.bids
    rig.advance(61_000)
    assert connection(rig) == 2 and rig.higher() == rig.bids[-1], "the end strikes the first alone"


def test_the_first_tells_until_the_next_is_there(rig: Rig) -> None:
    rig.wires.keep_dialling = True
    rig.news()
    assert rig.higher() == rig.bids[-1] and connection(rig) == 1
    rig.come_up(2)
    rig.advance(50)
    assert rig.higher() == rig.bids[-1] and connection(rig) == 2


@pytest.mark.parametrize("ms", [1_000, 100_000])
def test_the_first_ends_or_the_next_never_comes(rig: Rig, ms: int) -> None:
    rig.wires.keep_dialling = True
    rig.news(ms)
    rig.advance(11_000)
    rig.wires.keep_dialling = False
    rig.advance(11_000)
    assert rig.higher() == rig.bids[-1] and len(rig.wires.names()) == 1
    assert rig.core.status(rig.now)["state"] == "live"


def test_one_that_is_refused_is_tried_again_at_the_next_word(rig: Rig) -> None:
    rig.wires.reachable = False
    rig.news()
    assert rig.higher() == rig.bids[-1] and connection(rig) == 1
    rig.wires.reachable = True
    rig.advance(10_100)
    assert rig.higher() == rig.bids[-1] and connection(rig) == 3


def test_what_is_blocked_leaves_on_its_own_connection(rig: Rig) -> None:
    rig.wires.keep_dialling = True
    rig.news()
    rig.core.blocked(2, rig.now)
    rig.come_up(2)
    assert (2, "A") not in rig.wires.said
    rig.core.writable(2, rig.now)
    rig.settle()
    assert (2, "V") in rig.wires.said and rig.higher() == rig.bids[-1]


def test_a_stop_leaves_both(rig: Rig) -> None:
    rig.wires.keep_dialling = True
    rig.news()
    rig.core.stop(rig.now)
    rig.advance(1_000)
    assert rig.exit is not None and rig.wires.names() == []
