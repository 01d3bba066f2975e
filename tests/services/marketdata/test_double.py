"""A subscription that there is already is told so, and goes on: it is no reason to end the connection."""

from collections.abc import Sequence
from pathlib import Path

from common.venues.binance.dialect import Binance
from common.venues.dialect import Body
from tests.services.marketdata.rig import Rig


class Twice(Binance):
    """Asks for the book under two names, as if it had been subscribed to before."""

    def encode_subscribe(self, md_req_id: str, symbols: Sequence[str]) -> list[Body]:
        return [*super().encode_subscribe(md_req_id, symbols), *super().encode_subscribe(f"{md_req_id}x", symbols)[:1]]


class Forgetful(Binance):
    """Does not end the former subscription when it asks for a snapshot; `often` is how often it forgets."""

    def __init__(self, often: int) -> None:
        self.often = often

    def encode_refresh(self, md_req_id: str, former_id: str, symbols: Sequence[str]) -> list[Body]:
        bodies = super().encode_refresh(md_req_id, former_id, symbols)
        self.often -= 1
        return [Body("XLQ", b"6136=x\x01"), bodies[1]] if self.often >= 0 else bodies


def connection(rig: Rig) -> object:
    return rig.core.status(rig.now)["connection"]


def test_a_stream_under_two_names_is_heard_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Twice())
    assert "subscription_rejected" in rig.notes
    assert rig.higher() == rig.bids[-1] and connection(rig) == 1


def test_a_refresh_that_is_there_already_is_had_with_the_next(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Forgetful(1))
    rig.advance(5_000)
    assert "subscription_rejected" in rig.notes and connection(rig) == 1
    assert rig.higher() == rig.bids[-1] and "disconnected" not in rig.notes


def test_one_that_stays_double_is_begun_anew(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Forgetful(2))
    rig.advance(6_000)
    assert connection(rig) == 2 and rig.higher() == rig.bids[-1]
