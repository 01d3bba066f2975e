"""What each simulated venue says to a Logon(A) that it refuses on command: what it says to any that it refuses."""

from pathlib import Path

import pytest

from common.fix.wire import split
from tests.common.venues.both_sides import BothSides


@pytest.mark.parametrize(
    ("dialect", "msg_type", "text"),
    [
        ("binance", "3", "Invalid API-key, IP, or permissions for action."),
        ("bybit", "5", "access denied"),
        ("coinbase", "3", "Only one session per API key"),
        ("deribit", "5", "invalid_credentials"),
        ("generic", "", ""),
        ("kraken", "5", "EAPI:Invalid key"),
    ],
)
def test_a_logon_is_refused_in_the_venue_s_own_words(tmp_path: Path, dialect: str, msg_type: str, text: str) -> None:
    sides = BothSides(dialect, tmp_path)
    sides.world.ask("fault", kind="refuse", scope="fix", count=1)
    wire = sides.desk().client.wire
    told = split(wire) if wire else {}
    assert (told.get(b"35", b"").decode(), told.get(b"58", b"").decode()) == (msg_type, text)


def test_another_listener_lets_in_as_before(tmp_path: Path) -> None:
    sides = BothSides("generic", tmp_path)
    sides.world.ask("fault", kind="refuse", scope="fix", count=1)
    assert sides.watcher().client.session.logged_on
