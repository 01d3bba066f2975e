"""CCXT against the simulated side at a socket of the loopback: what is concluded from the venue's answers."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from common.messages import Answer, Ask, ExecutionReport, NewOrder
from common.venues.coinbase import rest
from common.venues.coinbase.rest import CoinbaseRest, open_rest
from common.venues.credentials import HmacPassphrase, HmacSecret
from common.venues.rest import RestSettings
from tests.common.venues.both_sides import NAME, BothSides, Desk
from tests.common.venues.served import Served


@pytest.fixture
def desk(sides: BothSides, served: Served) -> Desk:
    """Logged on by the clock that the REST side has."""
    return sides.desk()


def settings(sides: BothSides, served: Served) -> RestSettings:
    ours = sides.credentials
    assert ours is not None
    return RestSettings(NAME, f"http://127.0.0.1:{served.port('rest')}", ours, 5000)


@pytest.fixture
def account(sides: BothSides, served: Served) -> CoinbaseRest:
    return open_rest(settings(sides, served))


def ask(account: CoinbaseRest, what: str, symbol: str = "BTC-USD", **more: object) -> Answer:
    answer = account.ask(Ask(NAME, 1, what, symbol, **more))  # type: ignore[arg-type]
    assert not answer.failed, answer.text
    return answer


def resting(desk: Desk, **terms: object) -> tuple[NewOrder, str]:
    order, (accepted, *_) = desk.new(**terms)
    assert isinstance(accepted, ExecutionReport)
    return order, accepted.order_id


def test_an_order_with_an_id_of_the_venue_s_that_is_not_found_was_cancelled(desk: Desk, account: CoinbaseRest) -> None:
    order, order_id = resting(desk)
    desk.cancel(order, order_id)
    answer = ask(account, "order", cl_ord_id=order.cl_ord_id, order_id=order_id)
    assert not answer.not_found and answer.order is not None
    assert (answer.order.ord_status, answer.order.cum_qty) == ("4", Decimal(0))
    assert ask(account, "order", cl_ord_id=order.cl_ord_id).not_found, "by its name alone nobody can tell"


def test_an_order_that_was_filled_in_part_and_cancelled_says_so(desk: Desk, account: CoinbaseRest) -> None:
    sides = desk.sides
    order, order_id = resting(desk, price=sides.price)
    sides.stranger("2", sides.qty / 4, sides.price)
    desk.cancel(order, order_id)
    told = ask(account, "order", cl_ord_id=order.cl_ord_id).order
    assert told is not None and (told.ord_status, told.cum_qty) == ("4", sides.qty / 4)


def test_a_fill_is_the_one_that_fix_tells(desk: Desk, account: CoinbaseRest) -> None:
    sides = desk.sides
    sides.stranger("2", sides.qty, sides.price)
    _, events = desk.new(price=sides.price)
    (fill,) = [e for e in events if isinstance(e, ExecutionReport) and e.exec_type == "F"]
    (trade,) = ask(account, "trades", order_id=fill.order_id).trades
    for field in ("symbol", "trade_key", "order_id", "side", "last_qty", "last_px", "fee_qty", "fee_asset", "maker"):
        assert getattr(trade, field) == getattr(fill, field), field


def test_trades_are_read_back_page_by_page_and_told_oldest_first(
    desk: Desk, account: CoinbaseRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "ROWS", 2)
    sides = desk.sides
    desk.new(price=sides.price)
    for _ in range(4):
        sides.stranger("2", sides.qty / 4, sides.price)
    keys = [trade.trade_key for trade in ask(account, "trades", since_ns=1).trades]
    assert keys == sorted(keys, key=int) and len(keys) == 4
    assert [trade.trade_key for trade in ask(account, "trades", from_trade_key=keys[1]).trades] == keys[1:]
    assert ask(account, "trades", since_ns=sides.world.now.wall_ns + 3_600_000_000_000).trades == ()
    monkeypatch.setattr(rest, "PAGES", 1)
    assert "pages" in account.ask(Ask(NAME, 1, "trades", "BTC-USD", since_ns=1)).text
    monkeypatch.setattr(rest, "PAGES", 9)
    monkeypatch.setattr(rest, "TRADES_PAGE", 3)
    assert [trade.trade_key for trade in ask(account, "trades", since_ns=1).trades] == keys[:3], "and then from there"


def test_balances_and_the_clock(desk: Desk, account: CoinbaseRest) -> None:
    order, _ = resting(desk)
    assert order.price is not None
    balances = {asset: (free, locked) for asset, free, locked in ask(account, "balances").balances}
    assert balances["USD"] == (100_000_000 - order.price * order.order_qty, order.price * order.order_qty)
    assert abs(ask(account, "time").venue_ns - desk.sides.world.now.wall_ns) < 60_000_000_000


def test_the_kill_switch_s_way_cancels_what_is_open_of_a_product(desk: Desk, account: CoinbaseRest) -> None:
    resting(desk)
    resting(desk)
    assert ask(account, "cancel_all", "ETH-USD").cancelled == 0
    assert ask(account, "cancel_all").cancelled == 2
    assert ask(account, "open_orders").orders == ()


@pytest.mark.parametrize("wrong", ["api_key", "secret", "passphrase"])
def test_who_is_not_let_in_is_told_so_and_no_secret_is(sides: BothSides, served: Served, wrong: str) -> None:
    ours = sides.credentials
    assert isinstance(ours, HmacPassphrase)
    account = open_rest(
        replace(settings(sides, served), credentials=replace(ours, **{wrong: getattr(ours, wrong)[::-1]}))
    )
    answer = account.ask(Ask(NAME, 1, "balances"))
    assert answer.failed and answer.text
    assert ours.passphrase not in answer.text and ours.secret.decode() not in answer.text


def test_credentials_that_cannot_sign_are_refused(sides: BothSides, served: Served) -> None:
    with pytest.raises(ValueError, match="passphrase"):
        open_rest(replace(settings(sides, served), credentials=HmacSecret("a", b"b")))
    with pytest.raises(ValueError, match="base64"):
        open_rest(replace(settings(sides, served), credentials=HmacPassphrase("a", b"no base64!", "c")))


def test_what_cannot_be_read_is_a_failure_and_what_does_not_matter_is_noted() -> None:
    class Odd:
        def publicGetTime(self) -> dict[str, object]:  # noqa: N802
            return {"epoch": "1700000000.5"}

        def privateGetFills(self, by: dict[str, object]) -> list[dict[str, object]]:  # noqa: N802
            row: dict[str, object] = {
                "trade_id": 7, "product_id": "BTC-USD", "order_id": "o", "side": "buy", "size": "1", "price": "x",
                "fee": "1", "created_at": "yesterday", "liquidity": "T",
            }  # fmt: skip
            return [row]

        def privateGetOrdersId(self, by: dict[str, object]) -> dict[str, object]:  # noqa: N802
            return {"status": "done", "done_reason": "unheard of"}

    account = CoinbaseRest(NAME, Odd())  # type: ignore[arg-type]
    answer = ask(account, "trades", order_id="o")
    assert answer.text == "not read: price of trade 7, created_at of trade 7"
    assert (answer.trades[0].last_px, answer.trades[0].fee_asset) == (Decimal(0), "USD")
    assert answer.venue_ns == 1_700_000_000_500_000_000
    assert account.ask(Ask(NAME, 1, "order", "BTC-USD", order_id="o")).failed
