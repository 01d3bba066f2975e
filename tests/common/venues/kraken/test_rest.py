"""CCXT against the folder's own simulated REST side, over the loopback: what FIX does not tell."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from common.messages import Ask, ExecutionReport, RestOrder, Trade
from common.venues.ccxt_parts import Throttle
from common.venues.credentials import HmacSecret, Password
from common.venues.kraken.rest import CCXT_COST, MOST_PAGES, KrakenRest, open_rest
from common.venues.kraken.venue import CALLS_AT_ONCE, CALLS_PER_S, PROFILE
from common.venues.pace import Pace
from common.venues.rest import RestSettings
from tests.common.venues.both_sides import BothSides, Desk
from tests.common.venues.kraken.test_oddities import Wire

D = Decimal


class Bridge:
    """Carries bytes between the loopback and the exchange in memory, one request at a time: whoever asks waits."""

    def __init__(self, sides: BothSides) -> None:
        self.sides = sides
        self.server = socket.create_server(("127.0.0.1", 0))
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.getsockname()[1]}"

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=self.server.accept()[:1], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        world, wire = self.sides.world, Wire()
        with self.lock:
            world.connections += 1
            number = world.connections
            world.raw_clients[number] = wire
            world.core.accepted(number, "rest", world.now)
        with client:
            while data := client.recv(65_536):
                with self.lock:
                    world.core.data(number, data, world.now)
                    world.pump()
                    answer, wire.wire = wire.wire, b""
                client.sendall(answer)

    def close(self) -> None:
        self.server.close()


@pytest.fixture
def sides(tmp_path: Path) -> BothSides:
    return BothSides("kraken", tmp_path)


@pytest.fixture
def rest(sides: BothSides) -> Iterator[KrakenRest]:
    """Our REST side, as fast as it can: how fast it may be is not tried here."""
    bridge, credentials = Bridge(sides), sides.credentials
    assert credentials is not None
    opened = open_rest(RestSettings("x", bridge.url, credentials, 2000))
    opened.api.throttle = lambda cost=None: None  # type: ignore[attr-defined]
    yield opened
    opened.api.close()  # type: ignore[attr-defined]
    bridge.close()


def ask(rest: KrakenRest, what: str, symbol: str = "BTC/USD", **more: Any) -> Any:
    """An answer that did not fail."""
    answer = rest.ask(Ask("x", 1, what, symbol, **more))
    assert not answer.failed, answer.text
    return answer


def resting(desk: Desk, **terms: Any) -> ExecutionReport:
    (told,) = desk.new(**terms)[1]
    assert isinstance(told, ExecutionReport)
    return told


def test_rest_calls_a_pair_otherwise_and_the_answer_does_not(sides: BothSides, rest: KrakenRest) -> None:
    told = resting(sides.desk())
    answer = ask(rest, "order", cl_ord_id=told.cl_ord_id)
    assert isinstance(answer.order, RestOrder) and answer.order.symbol == "BTC/USD"
    rows = rest.api.privatePostOpenOrders()["result"]["open"]
    assert [row["descr"]["pair"] for row in rows.values()] == ["XBTUSD"]


def test_an_order_is_told_by_either_of_its_names(sides: BothSides, rest: KrakenRest) -> None:
    told = resting(sides.desk(), price=sides.price)
    sides.stranger("2", sides.qty / 4, sides.price)
    for by in ({"cl_ord_id": told.cl_ord_id}, {"order_id": told.order_id}):
        order = ask(rest, "order", **by).order
        assert (order.order_id, order.cl_ord_id, order.ord_status, order.cum_qty, order.order_qty, order.price) == (
            told.order_id, told.cl_ord_id, "1", sides.qty / 4, sides.qty, sides.price,
        )  # fmt: skip
    assert [o.order_id for o in ask(rest, "open_orders").orders] == [told.order_id]
    assert ask(rest, "open_orders", "ETH/USD").orders == ()
    sides.stranger("2", sides.qty, sides.price)
    assert ask(rest, "order", cl_ord_id=told.cl_ord_id).order.ord_status == "2", "a closed one, too"


def test_what_there_is_not_is_denied_twice_with_the_clock_in_between(sides: BothSides, rest: KrakenRest) -> None:
    for by in ({"cl_ord_id": sides.next_name()}, {"order_id": "4711"}):
        answer = ask(rest, "order", **by)
        assert answer.not_found and answer.venue_ns == sides.world.now.wall_ns


def test_trades_have_the_numbers_that_fix_gives_them(sides: BothSides, rest: KrakenRest) -> None:
    desk = sides.desk()
    told = resting(desk, price=sides.price)
    since_ns = sides.world.now.wall_ns
    for _ in range(3):
        sides.world.pass_time(2, 1)
        sides.stranger("2", sides.qty / 4, sides.price)
    over_fix = [e for e in desk.heard() if isinstance(e, ExecutionReport) and e.exec_type == "F"]
    trades = ask(rest, "trades", since_ns=since_ns).trades
    assert [t.trade_key for t in trades] == [e.trade_key for e in over_fix] == ["1", "2", "3"]
    first, told_first = trades[0], over_fix[0]
    assert isinstance(first, Trade) and first == Trade(
        "BTC/USD", "1", told.order_id, "1", sides.qty / 4, sides.price, told_first.fee_qty, "USD",
        told_first.transact_ns, True,
    )  # fmt: skip
    assert [t.trade_key for t in ask(rest, "trades", from_trade_key="2").trades] == ["2", "3"]
    assert [t.trade_key for t in ask(rest, "trades", order_id=told.order_id).trades] == ["1", "2", "3"]
    assert ask(rest, "trades", "ETH/USD", since_ns=since_ns).trades == ()
    later = sides.world.now.wall_ns + 10**9
    assert ask(rest, "trades", since_ns=later).trades == ()


def test_trades_of_many_pages_come_oldest_first(sides: BothSides, rest: KrakenRest) -> None:
    resting(sides.desk(), order_qty=D("0.2"), price=sides.price)
    for _ in range(120):
        sides.stranger("2", D("0.001"), sides.price)
    told = [int(t.trade_key) for t in ask(rest, "trades", since_ns=1).trades]
    assert told == list(range(1, 121))
    assert [int(t.trade_key) for t in ask(rest, "trades", from_trade_key="70").trades] == list(range(70, 121))


def test_balances_are_by_the_names_that_fix_has(sides: BothSides, rest: KrakenRest) -> None:
    told = resting(sides.desk())
    balances = {asset: (free, held) for asset, free, held in ask(rest, "balances").balances}
    assert told.price is not None and told.order_qty is not None
    assert balances["BTC"] == (D(1000), D(0)) and balances["USD"][1] == told.price * told.order_qty


def test_everything_of_a_symbol_is_cancelled(sides: BothSides, rest: KrakenRest) -> None:
    desk = sides.desk()
    for _ in range(3):
        resting(desk)
    other = resting(desk, symbol="ETH/USD", price=D(3000), order_qty=D(1))
    assert ask(rest, "cancel_all").cancelled == 3
    assert ask(rest, "open_orders").orders == ()
    assert [o.order_id for o in ask(rest, "open_orders", "").orders] == [other.order_id]
    assert ask(rest, "cancel_all").cancelled == 0


def test_one_order_is_cancelled_and_one_that_is_closed_is_no_failure(sides: BothSides, rest: KrakenRest) -> None:
    desk = sides.desk()
    first, second = resting(desk), resting(desk)
    assert [ask(rest, "cancel", order_id=first.order_id).cancelled for _ in range(2)] == [1, 0]
    assert [o.order_id for o in ask(rest, "open_orders").orders] == [second.order_id]
    assert [e.exec_type for e in desk.heard() if isinstance(e, ExecutionReport)] == ["4"], "FIX tells of it"


def test_a_stranger_s_signature_a_used_nonce_and_a_fault_are_failures(sides: BothSides, rest: KrakenRest) -> None:
    ours = sides.credentials
    assert isinstance(ours, HmacSecret)
    url = rest.api.urls["api"]["private"]  # type: ignore[attr-defined]
    forged = open_rest(RestSettings("x", url, HmacSecret(ours.api_key, ours.secret[::-1]), 2000))
    answer = forged.ask(Ask("x", 1, "open_orders", "BTC/USD"))
    assert answer.failed and "EAPI:Invalid signature" in answer.text
    rest.api.incrementing_nonce = lambda: 7  # type: ignore[attr-defined]
    assert not rest.ask(Ask("x", 1, "open_orders", "BTC/USD")).failed
    again = rest.ask(Ask("x", 1, "open_orders", "BTC/USD"))
    assert again.failed and "EAPI:Invalid nonce" in again.text and not again.not_found


def test_an_answer_of_another_form_is_a_failure(sides: BothSides, rest: KrakenRest) -> None:
    rest.api.privatePostOpenOrders = lambda params=None: {"result": {"open": {"O1": {"status": "odd"}}}}  # type: ignore[method-assign]
    assert rest.ask(Ask("x", 1, "open_orders", "BTC/USD")).failed
    row = {"pair": "XXBTZUSD", "trade_id": 9, "time": 1, "ordertxid": "1"}
    page = {"result": {"trades": {"T": row}, "count": 10**6}}
    rest.api.privatePostTradesHistory = lambda params=None: page  # type: ignore[method-assign]
    answer = rest.ask(Ask("x", 1, "trades", "ETH/USD", since_ns=1))
    assert answer.failed and f"more than {MOST_PAGES} pages" in answer.text


def test_credentials_of_another_kind_are_of_no_use() -> None:
    with pytest.raises(ValueError, match="credentials"):
        open_rest(RestSettings("x", "http://127.0.0.1:9", Password("me", "hunter2"), 500))


def test_a_pair_without_a_name_over_fix_costs_no_answer_about_another(
    sides: BothSides, rest: KrakenRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dark pools' pairs had no `wsname`: one of them, and no fill, order or balance would ever be told."""
    told = resting(sides.desk())
    listed = rest.api.publicGetAssetPairs()["result"]
    dark = {"altname": "XBTUSD.d", "base": "XXBT", "quote": "ZUSD"}
    monkeypatch.setattr(rest.api, "publicGetAssetPairs", lambda: {"result": {"XXBTZUSD.d": dark, **listed}})
    assert [order.order_id for order in ask(rest, "open_orders").orders] == [told.order_id]
    assert {asset for asset, _, _ in ask(rest, "balances", "").balances} >= {"BTC", "USD"}


# ---- many orders at once


def asked(told: list[ExecutionReport], *, by_id: bool = False) -> list[Ask]:
    """A question about each, by its name or by the venue's id."""
    ids = [order.order_id if by_id else "" for order in told]
    return [Ask("x", n, "order", "BTC/USD", told[n - 1].cl_ord_id, order_id) for n, order_id in enumerate(ids, 1)]


def unknown(count: int) -> list[Ask]:
    return [Ask("x", 1000 + n, "order", "BTC/USD", f"9{n:017}") for n in range(count)]


class Paced:
    """The clock of a REST side that waits for the venue's pace: `spent_s` is how long, `requests` how many there were
    of each kind."""

    CLOCK_BOOTTIME = 0

    def __init__(self, rest: KrakenRest) -> None:
        self.spent_s = 0.0
        self.requests: list[str] = []
        api: Any = rest.api
        api.throttle = Throttle(self, Pace(CALLS_PER_S, CALLS_AT_ONCE), lambda cost: cost / CCXT_COST)
        send = api.fetch

        def fetch(url: str, *rest: Any) -> Any:
            self.requests.append(url.rpartition("/")[2])
            return send(url, *rest)

        api.fetch = fetch

    def clock_gettime(self, clk_id: int, /) -> float:
        return self.spent_s

    def sleep(self, seconds: float, /) -> None:
        self.spent_s += seconds


def test_orders_are_looked_up_together_by_their_names_and_by_their_ids(sides: BothSides, rest: KrakenRest) -> None:
    desk = sides.desk()
    told = [resting(desk) for _ in range(3)] + [resting(desk, price=sides.price)]
    sides.stranger("2", sides.qty, sides.price)
    rest.pairs.symbol("XBTUSD")
    paced = Paced(rest)
    for by_id, requests in ((False, ["OpenOrders", "ClosedOrders"]), (True, ["QueryOrders"])):
        asks = [*reversed(asked(told, by_id=by_id)), *unknown(2)] if not by_id else asked(told, by_id=True)
        listed = rest.look_up(asks)
        assert [answer.ask.number for answer in listed.answers] == [1, 2, 3, 4] and not listed.failed
        orders = [answer.order for answer in listed.answers if answer.order is not None]
        assert [o.cl_ord_id for o in orders] == [o.cl_ord_id for o in told]
        assert [o.ord_status for o in orders] == ["0", "0", "0", "2"]
        assert paced.requests == requests
        paced.requests.clear()


def test_an_id_that_is_not_known_is_left_to_be_asked_for_alone(sides: BothSides, rest: KrakenRest) -> None:
    (known,) = asked([resting(sides.desk())], by_id=True)
    strange = Ask("x", 2, "order", "BTC/USD", "90", "123456")
    assert [answer.ask for answer in rest.look_up([known, strange]).answers] == [known]
    assert rest.look_up([strange]).failed, "the venue refuses a list of which it knows nothing"


def test_no_more_than_the_profile_says_are_looked_up_by_id(rest: KrakenRest) -> None:
    many = [Ask("x", n, "order", "BTC/USD", "", str(10**6 + n)) for n in range(PROFILE.lists_orders + 1)]
    with pytest.raises(Exception, match="Invalid arguments:txid"):
        rest.api.privatePostQueryOrders({"txid": ",".join(ask.order_id for ask in many)})


def test_what_the_lists_are_without_is_asked_for_by_its_name_once_more_behind_the_clock(rest: KrakenRest) -> None:
    (ask,) = unknown(1)
    paced = Paced(rest)
    answer = rest.ask(ask, unlisted=True)
    assert answer.not_found and answer.venue_ns and paced.requests == ["Time", "OpenOrders", "ClosedOrders"]


def test_an_order_that_came_behind_the_lists_is_found_all_the_same(sides: BothSides, rest: KrakenRest) -> None:
    told = resting(sides.desk())
    answer = rest.ask(asked([told])[0], unlisted=True)
    assert answer.order is not None and answer.order.order_id == told.order_id and not answer.not_found


@pytest.mark.parametrize(("found", "most_s"), [(12, 0.0), (6, 1.0), (0, 15.0)])
def test_a_dozen_orders_in_doubt_are_told_in_no_time_where_the_venue_has_them(
    sides: BothSides, rest: KrakenRest, found: int, most_s: float
) -> None:
    """Against the same dozen asked about one by one, both at the venue's pace from a full bucket on."""
    desk = sides.desk()
    asks = asked([resting(desk) for _ in range(found)]) + unknown(12 - found)
    rest.pairs.symbol("XBTUSD")
    alone = Paced(rest)
    one_by_one = [rest.ask(ask) for ask in asks]
    together = Paced(rest)
    listed = rest.look_up(asks)
    told = {answer.ask.number for answer in listed.answers}
    answers = [*listed.answers, *(rest.ask(ask, unlisted=True) for ask in asks if ask.number not in told)]
    assert [(a.ask, a.order, a.not_found) for a in answers] == [(a.ask, a.order, a.not_found) for a in one_by_one]
    assert together.spent_s <= most_s and (not most_s or together.spent_s < alone.spent_s / 2)
