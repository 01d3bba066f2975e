"""Invariant: a client of before there were `Terms` is served as it was, beside those of today."""

from typing import Any

import msgspec

from common.messages import (
    PROTOCOL,
    BoundedEntryRequest,
    CancelRequest,
    Hello,
    OlderOrderEvent,
    OrderEvent,
    QueryAnswer,
    QueryRequest,
    Welcome,
    encode,
)
from tests.services.orders.harness import D, Ring

_decode = msgspec.msgpack.Decoder(BoundedEntryRequest).decode


def says(ring: Ring, *message: object) -> None:
    """What an older client sends, as the link takes it."""
    ring.entry(b"old", _decode(encode(message)))


def hears(ring: Ring, kind: type[Any]) -> list[Any]:
    return [message for message in ring.clients[b"old"] if isinstance(message, kind)]


def test_it_commands_and_is_told_with_the_terms_in_a_row(ring: Ring) -> None:
    says(ring, "hello", "old", "a")
    assert len(hears(ring, Welcome)) == 1
    says(ring, "new?", ring.epoch, 1, "generic", "BTCUSDT", "1", "2", "1.5", "100", "1", True)
    order = ring.commands[-1]
    assert (order.terms.order_qty, order.terms.price, order.terms.is_post_only) == (D("1.5"), D(100), True)
    ring.sent(order)
    ring.report(order, "0", "0")
    row = msgspec.msgpack.decode(encode(hears(ring, OlderOrderEvent)[-1]))
    assert row[0] == "order" and row[5:13] == ["new", "NEW", "generic", "BTCUSDT", "1", "2", "1.5", "100"]
    says(ring, "query?", "orders", "old", 0, "", 7)
    (answer,) = hears(ring, QueryAnswer)
    assert [type(each) for each in answer.orders] == [OlderOrderEvent] and not hears(ring, OrderEvent)


def test_a_repeat_is_the_same_whichever_way_its_terms_are_written(ring: Ring) -> None:
    order = ring.new(1)
    ring.sent(order)
    ring.entry(b"old", Hello("s", "old", epoch=1))
    says(ring, "new?", ring.epoch, 1, "generic", "BTCUSDT", "1", "2", "1", "100")
    assert ring.clients[b"old"][-1].outcome == "sent" and ring.clients[b"old"][-1].repeat


def test_who_takes_its_name_over_is_told_today_s_events(ring: Ring) -> None:
    says(ring, "hello", "s", "a")
    ring.entry(b"p", Hello("s", "b", protocol=PROTOCOL))
    order = ring.new(1)
    ring.sent(order)
    ring.report(order, "0", "0")
    assert not hears(ring, OlderOrderEvent)
    told = [each for each in ring.clients[b"p"] if isinstance(each, OrderEvent | OlderOrderEvent)]
    assert isinstance(told[-1], OrderEvent)
    ring.entry(b"old", Hello("s", "again", protocol=PROTOCOL))
    ring.request(CancelRequest(0, 2, 1), b"old")
    assert not hears(ring, OlderOrderEvent)
    ring.entry(b"old", QueryRequest("orders", protocol=PROTOCOL))
    assert [type(each) for each in hears(ring, QueryAnswer)[-1].orders] == [OrderEvent]
