"""What both markets of KuCoin do alike."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from common.instant import NS_PER_MS
from common.venues.backend import HttpCall, OrderFact, Verdict
from tests.common.venues.kucoin.rig import kucoin_rig
from tests.common.venues.kucoinfutures.rig import futures_rig
from tests.services.bridge.raw import Raw
from tests.services.bridge.rig import Rig


class Market(NamedTuple):
    """A market of theirs, and a question that has to be signed."""

    make_rig: Callable[[Path], Rig]
    question: str


SPOT, FUTURES = Market(kucoin_rig, "hf/orders/active/symbols"), Market(futures_rig, "positions")


@pytest.fixture(params=[SPOT, FUTURES], ids=["spot", "futures"])
def market(request: pytest.FixtureRequest) -> Market:
    made: Market = request.param
    return made


@pytest.mark.parametrize(
    ("off_ms", "code"), [(-5_000, "400002"), (-4_999, "200000"), (4_999, "200000"), (5_000, "400002")]
)
def test_a_stamp_has_to_be_less_than_five_seconds_off(
    tmp_path: Path, market: Market, off_ms: int, code: str
) -> None:
    raw = Raw(market.make_rig(tmp_path).live())
    wall_ns = raw.rig.now.wall_ns
    assert wall_ns % NS_PER_MS == 0, "a stamp has whole milliseconds"
    call: HttpCall = raw.backend._sign("GET", market.question, {}, wall_ns + off_ms * NS_PER_MS)  # type: ignore[attr-defined]
    assert raw.call(call)[1]["code"] == code


def test_a_push_without_a_price_or_an_order_type_can_be_read(
    tmp_path: Path, market: Market
) -> None:
    backend = market.make_rig(tmp_path).backend
    row = {
        "symbol": "X", "orderId": "7", "type": "match", "size": "2", "filledSize": "1", "side": "sell",
        "ts": 1_767_225_600_000_000_000,
    }  # fmt: skip
    for told, price in (({}, None), ({"price": "5"}, 5), ({"price": "5", "orderType": "market"}, None)):
        push = {"topic": backend.orders_topic, "data": {**row, **told}}  # type: ignore[attr-defined]
        _, (fact,) = backend.read_push(msgspec.json.encode(push).decode())
        assert isinstance(fact, OrderFact) and (fact.price, fact.ord_status, fact.side) == (price, "1", "2")


def test_a_client_oid_that_was_used_says_that_the_venue_has_the_order_whatever_the_code(
    tmp_path: Path, market: Market
) -> None:
    backend = market.make_rig(tmp_path).backend
    for code, text in (("400100", "clientOid is used"), ("300018", "clientOid parameter repeated")):
        answer = msgspec.json.encode({"code": code, "msg": text})
        assert backend.read("new", 200, answer).verdict is Verdict.UNKNOWN
