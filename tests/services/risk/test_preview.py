"""Invariant: what a person is told before he sends an order is what the order is told, and asking changes nothing."""

import msgspec
import pytest

from common.messages import ControlAnswer, ControlRequest, NewOrder
from services.risk.by_hand import Previewed
from tests.services.risk.rig import Rig


def asked(rig: Rig, order: NewOrder, **changed: str) -> Previewed:
    arguments = {
        "strategy": order.strategy, "venue": order.venue, "symbol": order.symbol,
        "terms": msgspec.to_builtins(order.terms), **changed,
    }  # fmt: skip
    rig.core.received("control", b"p", ControlRequest("check", msgspec.json.encode(arguments), "me", 3), rig.now)
    rig.settle()
    answer = rig.control[-1]
    assert isinstance(answer, ControlAnswer) and answer.ok, answer
    return msgspec.json.decode(answer.detail, type=Previewed)


@pytest.mark.parametrize(
    ("qty", "price"), [("1", "100.00"), ("0", "100.00"), ("1", "1.00"), ("1", "100.001"), ("100000", "100.00")]
)
def test_the_answer_is_the_one_that_the_order_gets(qty: str, price: str) -> None:
    rig = Rig()
    order = rig.orders.new("1", qty, price)
    told = asked(rig, order)
    assert not rig.sent and not rig.refused and told == asked(rig, order)
    rig.command(order)
    if rig.sent:
        assert told.passes and told.notional and told.position_worst == qty
    else:
        refused = rig.refused[-1]
        assert (told.reason, told.text) == (refused.reason.value, refused.text) and not told.passes


def test_a_place_that_there_is_none_of_is_named() -> None:
    rig = Rig()
    order = rig.orders.new()
    assert "no venue nowhere" in asked(rig, order, venue="nowhere").text
    assert "no symbol DOGE" in asked(rig, order, symbol="DOGE").text


def test_what_is_no_order_is_refused() -> None:
    rig = Rig()
    rig.core.received("control", b"p", ControlRequest("check", b'{"venue": 1}', "me", 3), rig.now)
    rig.settle()
    answer = rig.control[-1]
    assert isinstance(answer, ControlAnswer) and not answer.ok and "at `$.venue`" in answer.text
