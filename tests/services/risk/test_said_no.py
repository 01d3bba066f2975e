"""What risk says no to before any limit is looked at: venues and symbols it does not know, and what it has had."""

from decimal import Decimal

import msgspec

from common.messages import Attempt, OpenGate, QueryOrder, Reason
from tests.services.risk.rig import Rig
from tests.terms import wanting


def test_a_venue_that_is_not_configured_gets_nothing() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new())
    elsewhere = dict.fromkeys(("venue", "account", "session"), "nowhere")
    rig.sent.clear()
    rig.command(msgspec.structs.replace(rig.orders.amend(order, "2"), **elsewhere))
    rig.command(msgspec.structs.replace(rig.orders.cancel(order), **elsewhere))
    rig.command(QueryOrder(rig.orders.attempt(), "nowhere", "BTCUSDT", "1", order.cl_ord_id, "", 1))
    assert [refused.reason for refused in rig.refused] == [Reason.UNKNOWN_VENUE] * 3
    rig.command(OpenGate("nowhere", 1, 7))
    assert rig.sent == []
    counts = rig.core.status(rig.now)["counts"]
    assert isinstance(counts, dict) and counts["undelivered"] == 1


def test_an_amendment_in_an_unknown_symbol_is_refused() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new())
    rig.command(msgspec.structs.replace(rig.orders.amend(order, "2"), symbol="NOPE"))
    assert [refused.reason for refused in rig.refused] == [Reason.UNKNOWN_SYMBOL]


def test_a_repeated_amendment_is_dropped() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new())
    amend = rig.orders.amend(order, "2")
    rig.command(amend)
    before = len(rig.sent)
    rig.command(amend)
    assert len(rig.sent) == before and not rig.refused


def test_a_limit_order_without_a_price_is_refused() -> None:
    rig = Rig()
    good = rig.orders.new()
    bad = wanting(good, price=None)
    rig.command(bad)
    assert [(r.reason, r.text) for r in rig.refused] == [(Reason.BAD_PRICE, "a limit order needs a price")]


def test_what_is_asked_passes_by_every_limit() -> None:
    rig = Rig()
    rig.command(QueryOrder(Attempt(7, 90), "generic", "BTCUSDT", "1", "never-sent", "", 1))
    assert len(rig.sent) == 1
    assert rig.worst() == (Decimal(0), Decimal(0), Decimal(0))
