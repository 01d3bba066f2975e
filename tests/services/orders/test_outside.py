"""The log says what exists, and not the configuration: a venue or a symbol may go while something of it is open."""

import msgspec

from common.messages import CancelAllRequest, CancelRequest, Kind, Reason, Refused, SessionChanged, SessionState
from common.orders.facts import VenueFacts
from services.orders.core import OrdersCore
from services.orders.settings import OrdersSettings
from tests.services.orders.harness import D, Ring, accepted, settings

PLACE = {"venue": "generic", "account": "generic", "symbol": "BTCUSDT"}
ASSETS = {"BTCUSDT": ("BTC", "USDT"), "ETHUSDT": ("ETH", "USDT")}


def without(*, venue: str = "", symbol: str = "") -> OrdersSettings:
    """The settings once the venue's file, or the symbol's tables, are gone."""
    venues = {name: its for name, its in settings().accounts.items() if name != venue}
    for name, its in venues.items():
        bases = {each: base for each, base in its.facts.bases.items() if each != symbol}
        facts = VenueFacts(its.facts.window_ns, bases, its.facts.quotes)
        venues[name] = msgspec.structs.replace(its, facts=facts)
    return OrdersSettings(venues)


def opened() -> Ring:
    """A session that has told what it knows of its venue, as it does before it connects."""
    ring = Ring()
    ring.go_live()
    told = SessionChanged("generic", 1, 1, SessionState.CONNECTING, 1, 1, window_ns=0, assets=ASSETS)
    ring.record("session@generic", Kind.SESSION, told)
    ring.open("generic")
    ring.hello()
    return ring


def restarted(ring: Ring, its: OrdersSettings) -> Ring:
    ring.settings = its
    ring.start()
    ring.go_live()
    ring.hello()
    return ring


def held(ring: Ring) -> object:
    return ring.core.status(ring.now)["outside"]


def test_what_rests_at_a_venue_that_is_gone_is_told() -> None:
    ring = opened()
    accepted(ring, 1)
    assert held(ring) == []
    restarted(ring, without(venue="generic"))
    assert held(ring) == [PLACE | {"open_orders": 1, "position": "0"}]


def test_nothing_is_told_before_the_log_is_read() -> None:
    ring = opened()
    accepted(ring, 1)
    ring.core = OrdersCore(without(venue="generic"))
    ring.core.started(ring.now)
    assert held(ring) is None


def test_what_is_owned_in_a_symbol_that_is_gone_is_told() -> None:
    ring = opened()
    order = accepted(ring, 1)
    ring.report(order, "F", "2", qty="1", key="t1")
    restarted(ring, without(symbol="BTCUSDT"))
    assert held(ring) == [PLACE | {"open_orders": 0, "position": "1"}]


def test_a_position_is_the_same_whatever_is_configured() -> None:
    ring = opened()
    order = accepted(ring, 1)
    restarted(ring, without(symbol="BTCUSDT"))
    ring.report(order, "F", "2", qty="1", key="t1", fee_qty=D("0.001"), fee_asset="BTC")
    assert ring.core.books.positions["generic", "BTCUSDT"].quantity == D("0.999")
    digest = ring.core.books.digest()
    for its in (without(venue="generic"), settings()):
        assert restarted(ring, its).core.books.digest() == digest


def refusals(ring: Ring) -> list[tuple[int, Reason]]:
    decode = msgspec.msgpack.Decoder(Refused).decode
    found = [decode(record.payload) for record in ring.journal.records if record.kind == Kind.REFUSED]
    return [(refused.number, refused.reason) for refused in found]


def test_a_cancel_that_can_go_nowhere_is_refused_by_name() -> None:
    ring = opened()
    accepted(ring, 1)
    restarted(ring, without(venue="generic"))
    ring.request(CancelRequest(0, 2, 1))
    assert refusals(ring) == [(2, Reason.UNKNOWN_VENUE)]
    assert ring.outcomes()[-1] == (2, "refused")


def test_a_cancel_of_all_cancels_what_it_can_and_says_what_stays() -> None:
    ring = opened()
    accepted(ring, 1)
    ring.log_on("binance")
    accepted(ring, 2, "binance")
    restarted(ring, without(venue="generic"))
    ring.request(CancelAllRequest(0, 3))
    told = ring.clients[b"p"][-1]
    assert (told.number, told.outcome, told.reason) == (3, "refused", Reason.UNKNOWN_VENUE) and "1 orders" in told.text
    assert ring.commands[-1].venue == "binance"
