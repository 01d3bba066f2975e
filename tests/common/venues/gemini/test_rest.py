"""CCXT against the simulated side at a socket of the loopback: what is concluded from the venue's answers."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from common.messages import Answer, Ask, ExecutionReport, NewOrder
from common.venues.credentials import HmacSecret, Password
from common.venues.gemini import rest
from common.venues.gemini.rest import GeminiRest, open_rest
from common.venues.gemini.simulated.rest import GeminiRest as SimulatedRest
from common.venues.rest import RestSettings
from tests.common.venues.both_sides import NAME, BothSides, Desk
from tests.common.venues.served import Served

DAY_NS = 86_400 * 10**9


@pytest.fixture
def desk(sides: BothSides, served: Served) -> Desk:
    """Logged on by the clock that the REST side has."""
    return sides.desk()


def settings(sides: BothSides, served: Served) -> RestSettings:
    ours = sides.credentials
    assert ours is not None
    return RestSettings(NAME, f"http://127.0.0.1:{served.port('rest')}", ours, 5000)


@pytest.fixture
def account(sides: BothSides, served: Served) -> GeminiRest:
    return open_rest(settings(sides, served))


def ask(account: GeminiRest, what: str, symbol: str = "BTCUSD", **more: object) -> Answer:
    answer = account.ask(Ask(NAME, 1, what, symbol, **more))  # type: ignore[arg-type]
    assert not answer.failed, answer.text
    return answer


def resting(desk: Desk, **terms: object) -> tuple[NewOrder, str]:
    order, (accepted, *_) = desk.new(**terms)
    assert isinstance(accepted, ExecutionReport)
    return order, accepted.order_id


def test_how_an_order_ended(desk: Desk, account: GeminiRest) -> None:
    sides = desk.sides
    order, _ = resting(desk, price=sides.price)
    sides.stranger("2", sides.qty / 4, sides.price)
    desk.cancel(order)
    part = ask(account, "order", cl_ord_id=order.cl_ord_id).order
    assert part is not None and (part.ord_status, part.cum_qty) == ("4", sides.qty / 4)
    whole, _ = resting(desk, price=sides.price)
    sides.stranger("2", sides.qty, sides.price)
    filled = ask(account, "order", cl_ord_id=whole.cl_ord_id).order
    assert filled is not None and (filled.ord_status, filled.cum_qty) == ("2", sides.qty)


def test_a_stop_order_that_sleeps_is_open_and_goes_with_all_others(desk: Desk, account: GeminiRest) -> None:
    sides = desk.sides
    tick = sides.instrument.tick_size
    sleeping, order_id = resting(desk, ord_type="4", price=sides.price + 12 * tick, stop_px=sides.price + 10 * tick)
    (told,) = ask(account, "open_orders").orders
    assert (told.cl_ord_id, told.ord_status, told.price, told.order_qty, told.triggered) == (
        sleeping.cl_ord_id, "0", sleeping.price, sides.qty, False,
    )  # fmt: skip
    row = account.api.privatePostV1OrderStatus({"order_id": order_id})
    assert (row["type"], Decimal(row["stop_price"])) == ("stop-limit", sleeping.terms.stop_px)
    assert ask(account, "cancel_all", "").cancelled == 1
    ended = ask(account, "order", cl_ord_id=sleeping.cl_ord_id).order
    assert ended is not None and ended.ord_status == "4"


def test_a_market_buy_has_no_quantity_but_what_was_filled(desk: Desk, account: GeminiRest) -> None:
    sides = desk.sides
    sides.stranger("2", sides.qty, sides.price)
    cash = (sides.qty * sides.price * (1 + sides.settings.fee_rate_taker) / 2).normalize()
    order, order_id = resting(desk, ord_type="1", price=None, time_in_force="3", cash_order_qty=cash)
    assert "original_amount" not in account.api.privatePostV1OrderStatus({"order_id": order_id})
    told = ask(account, "order", cl_ord_id=order.cl_ord_id).order
    assert told is not None and (told.ord_status, told.order_qty, told.cum_qty) == ("2", sides.qty / 2, sides.qty / 2)


def test_two_orders_of_one_name_are_no_answer(
    desk: Desk, account: GeminiRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, _ = resting(desk)
    told = account.api.privatePostV1OrderStatus
    monkeypatch.setattr(account.api, "privatePostV1OrderStatus", lambda by: 2 * told(by))
    answer = account.ask(Ask(NAME, 1, "order", "BTCUSD", order.cl_ord_id))
    assert answer.failed and "2 orders" in answer.text


def test_a_fill_is_the_one_that_fix_tells(desk: Desk, account: GeminiRest) -> None:
    sides = desk.sides
    sides.stranger("2", sides.qty, sides.price)
    _, events = desk.new(price=sides.price)
    (fill,) = [e for e in events if isinstance(e, ExecutionReport) and e.exec_type == "F"]
    for by in ({"order_id": fill.order_id}, {"since_ns": sides.world.now.wall_ns - DAY_NS}):
        (trade,) = ask(account, "trades", **by).trades
        for field in ("symbol", "trade_key", "order_id", "side", "last_qty", "last_px", "fee_qty", "fee_asset"):
            assert getattr(trade, field) == getattr(fill, field), field
        assert trade.maker is fill.maker is False


def test_trades_are_told_oldest_first_and_gone_on_with_from_a_trade(
    desk: Desk, account: GeminiRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "ROWS", 2)
    monkeypatch.setattr(account.api, "throttle", lambda cost=None: None)
    sides = desk.sides
    resting(desk, price=sides.price)
    now = sides.world.now
    for hours in (50, 40, 3, 0):
        sides.world.now = now._replace(wall_ns=now.wall_ns - hours * 3600 * 10**9)
        sides.stranger("2", sides.qty / 4, sides.price)
    keys = [trade.trade_key for trade in ask(account, "trades", since_ns=1).trades]
    assert keys == sorted(keys, key=int) and len(keys) == 4
    for place, key in enumerate(keys):
        assert [trade.trade_key for trade in ask(account, "trades", from_trade_key=key).trades] == keys[place:]
    assert len(ask(account, "trades", since_ns=now.wall_ns - 10 * 3600 * 10**9).trades) == 2
    assert ask(account, "trades", "ETHUSD", from_trade_key="1").trades == ()
    monkeypatch.setattr(rest, "TRADES_PAGE", 3)
    assert [trade.trade_key for trade in ask(account, "trades", since_ns=1).trades] == keys[:3], "and then from there"
    monkeypatch.setattr(rest, "PAGES", 1)
    assert "pages" in account.ask(Ask(NAME, 1, "trades", "BTCUSD", since_ns=1)).text


def test_a_broken_trade_is_none(desk: Desk, account: GeminiRest, monkeypatch: pytest.MonkeyPatch) -> None:
    sides = desk.sides
    resting(desk, price=sides.price)
    sides.stranger("2", sides.qty, sides.price)
    told = account.api.privatePostV1Mytrades
    for word, left in (("full", 0), ("manual", 1)):
        monkeypatch.setattr(
            account.api, "privatePostV1Mytrades", lambda by, word=word: [row | {"break": word} for row in told(by)]
        )
        assert len(ask(account, "trades", since_ns=1).trades) == left


def test_what_of_a_trade_cannot_be_read_is_noted(
    desk: Desk, account: GeminiRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = desk.sides
    resting(desk, price=sides.price)
    sides.stranger("2", sides.qty, sides.price)
    told = account.api.privatePostV1Mytrades
    monkeypatch.setattr(account.api, "privatePostV1Mytrades", lambda by: [r | {"fee_amount": "?"} for r in told(by)])
    answer = ask(account, "trades", since_ns=1)
    assert (answer.trades[0].fee_qty, answer.trades[0].fee_asset) == (Decimal(0), "") and "fee_amount" in answer.text


def test_balances_and_the_clock(desk: Desk, account: GeminiRest) -> None:
    order, _ = resting(desk)
    assert order.price is not None
    balances = {asset: (free, locked) for asset, free, locked in ask(account, "balances").balances}
    held = order.price * order.order_qty
    assert balances["USD"] == (100_000_000 - held, held) and balances["BTC"] == (Decimal(1000), Decimal(0))
    venue_ns = ask(account, "time").venue_ns
    assert venue_ns % 10**9 == 0 and abs(venue_ns - desk.sides.world.now.wall_ns) < 60 * 10**9


def test_the_kill_switch_s_way_cancels_all_of_the_account(desk: Desk, account: GeminiRest) -> None:
    orders = [resting(desk)[0] for _ in range(2)]
    assert ask(account, "cancel_all", "ETHUSD").cancelled == 2
    for order in orders:
        state = desk.sides.state_of(order.cl_ord_id)
        assert state is not None and state["ord_status"] == "4"


@pytest.mark.parametrize(
    ("wrong", "told"), [({"api_key": "nobody"}, "InvalidApiKey"), ({"secret": b"x"}, "InvalidSignature")]
)
def test_wrong_keys_are_refused(sides: BothSides, served: Served, wrong: dict[str, object], told: str) -> None:
    right = settings(sides, served)
    account = open_rest(replace(right, credentials=replace(right.credentials, **wrong)))
    answer = account.ask(Ask(NAME, 1, "balances"))
    assert answer.failed and told in answer.text


def test_keys_that_cannot_do_it_are_refused_at_once(sides: BothSides, served: Served) -> None:
    right = settings(sides, served)
    for credentials, why in ((Password("a", "b"), "secret"), (HmacSecret("master-x", b"y"), "master")):
        with pytest.raises(ValueError, match=why):
            open_rest(replace(right, credentials=credentials))


def test_a_nonce_that_does_not_grow_is_refused(
    sides: BothSides, account: GeminiRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(account, "balances")
    last = max(vars(_simulated(sides))["_nonces"].values())
    monkeypatch.setattr(account.api, "incrementing_nonce", lambda: last, raising=False)
    answer = account.ask(Ask(NAME, 1, "balances"))
    assert answer.failed and "has not increased" in answer.text


def _simulated(sides: BothSides) -> SimulatedRest:
    api = vars(sides.world.core.venue.side.rest)["_api"]
    assert isinstance(api, SimulatedRest)
    return api
