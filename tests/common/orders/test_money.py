"""Money: profit by part at the prices of now, in one currency, and what is left out of it."""

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from common.contracts import SPOT, Contract, InstrumentKind
from common.messages import DayPrice
from common.orders.books import Day
from common.orders.facts import VenueFacts
from common.orders.ledger import FillLedger
from common.orders.money import Held, Line, Pair, Part, Price, Rates, lines, prices_told, rates_in, summed
from common.orders.positions import Position, copy_of

D = Decimal
INVERSE = Contract(InstrumentKind.PERPETUAL, D(10), True, "BTC")
FRESH = {("v", "S"): Price(D(110), 5, 100)}
USDT = Rates("USDT", {}, ())


def filled(*fills: tuple[str, str, str, str, str], contract: Contract = SPOT) -> Position:
    """What fills of side, quantity, price, fee and its asset make."""
    position, ledger = Position("v", "S"), FillLedger()
    for key, (side, qty, px, fee, asset) in enumerate(fills):
        change = ledger.trade("v", "S", str(key), "o", side, D(qty), D(px), D(fee), asset)
        assert change is not None
        position.count_fill(change, "BTC" if contract.is_spot else "", contract)
    return position


def told(
    position: Position,
    prices: dict[tuple[str, str], Price] = FRESH,
    rates: Rates = USDT,
    day: Day = Day(),  # noqa: B008 - it is frozen
    contract: Contract = SPOT,
) -> Line:
    part = Part("maker", position, contract, "BTC", "USDT" if contract.is_spot else "USD")
    (line,) = lines(Held(9, 0, (part,), day), prices, rates)
    return line


def test_what_is_sold_is_realised_and_the_rest_is_at_the_price_of_now() -> None:
    line = told(filled(("1", "3", "100", "0.5", "USDT"), ("2", "1", "120", "0.25", "USDT")))
    assert (line.realised, line.unrealised, line.fees) == (D(20), D(20), {"USDT": D("0.75")})
    assert line.profit.net == D("39.25") and not line.lacks and not line.stale


def test_a_fee_in_the_base_asset_counts_at_what_it_had_cost() -> None:
    line = told(filled(("1", "1", "100", "0.01", "BTC")))
    assert line.fees == {"USDT": D(1)}
    assert line.profit.net == D("0.99") * 110 - 100


def test_an_inverse_contract_s_profit_is_in_its_settlement_asset() -> None:
    rates = Rates("USDT", {}, [Pair("BTC", "USDT", Price(D(50_000), 1, 10))])
    position = filled(("1", "100", "40000", "0.0001", "BTC"), contract=INVERSE)
    line = told(position, {("v", "S"): Price(D(50_000), 5, 100)}, rates, contract=INVERSE)
    assert (line.currency, line.unrealised, line.fees) == ("BTC", D("0.005"), {"BTC": D("0.0001")})
    assert line.profit.net == D("0.0049") * 50_000


def test_what_has_no_price_or_no_rate_is_left_out_and_named() -> None:
    line = told(filled(("1", "1", "100", "2", "BNB")), {})
    assert line.unrealised is None and line.profit.net == 0
    assert line.lacks == ("S at v, which has no price", "2 BNB, which has no rate in USDT")
    assert summed([line, line]).lacks == line.lacks


def test_a_fee_at_a_rate_of_now_that_may_have_been_another_then_is_said() -> None:
    pairs = [Pair("BNB", "USDT", Price(D(600), 1, 10))]
    bought = filled(("1", "1", "100", "2", "BNB"), ("1", "1", "100", "1", "USDT"), ("1", "1", "100", "0.01", "BTC"))
    line = told(bought, rates=Rates("USDT", {}, pairs))
    assert line.undated == ("BNB",) and summed([line, line]).undated == ("BNB",)
    assert told(bought, rates=Rates("USDT", {"BNB": D(600)}, ())).undated == ()
    assert told(bought).undated == (), "what has no rate at all is left out, and named so"


def test_a_fee_counts_at_the_rate_of_its_time_and_what_had_none_at_that_of_now() -> None:
    ledger, position = FillLedger(), Position("v", "S")
    now = Rates("USDT", {}, [Pair("BNB", "USDT", Price(D(600), 1, 10))])
    for key, (fee, rates) in enumerate((("2", {"BNB": D(500)}), ("1", {"BNB": D(400)}))):
        change = ledger.trade("v", "S", str(key), "o", "1", D(1), D(100), D(fee), "BNB")
        assert change is not None
        position.count_fill(change, "BTC")
        position.date_fees(change, "USDT", rates)
    dated = told(position, rates=now)
    assert dated.profit.fees == 2 * 500 + 400 and dated.undated == ()
    assert told(position).profit.fees == 1400 and told(position).lacks == (), "no rate of now is needed"
    other = told(position, rates=Rates("EUR", {"USDT": D(1)}, [Pair("BNB", "EUR", Price(D(600), 1, 10))]))
    assert other.profit.fees == 1800 and other.undated == ("BNB",)
    day = Day("2027-01-15", "UTC", 7, parts=(("maker", copy_of(position)),))
    change = ledger.trade("v", "S", "late", "o", "1", D(1), D(100), D(1), "BNB")
    assert change is not None
    position.count_fill(change, "BTC")
    line = told(position, rates=now, day=day)
    assert line.profit.fees == 2000 and line.undated == ("BNB",) and line.today is not None and line.today.fees == 600


def test_a_fee_that_is_given_back_with_its_fill_goes_at_what_it_was_worth() -> None:
    ledger, position = FillLedger(), Position("v", "S")
    bought = ledger.trade("v", "S", "1", "o", "1", D(1), D(100), D(2), "BNB")
    assert bought is not None
    for change, rate in ((bought, D(500)), (bought.opposite(), D(700))):
        position.count_fill(change, "BTC")
        position.date_fees(change, "USDT", {"BNB": rate})
    line = told(position, rates=Rates("USDT", {}, [Pair("BNB", "USDT", Price(D(600), 1, 10))]))
    assert (line.profit.fees, line.undated) == (D(0), ())


def test_a_price_that_is_too_old_counts_and_is_named() -> None:
    line = told(filled(("1", "1", "100", "0", "")), {("v", "S"): Price(D(110), 101, 100)})
    assert line.profit.net == 10 and line.stale == ("price of S at v, 101 ms old",)


def test_a_rate_goes_over_pairs_the_shortest_way_and_is_as_old_as_its_oldest() -> None:
    old, young = Price(D(300), 90, 50), Price(D(301), 1, 50)
    rates = Rates("USDT", {"USD": D(1)}, [
        Pair("BNB", "USDT", old), Pair("BNB", "USDT", young), Pair("BNB", "BTC", Price(D("0.005"), 0, 50)),
        Pair("BTC", "USD", Price(D(60_000), 70, 50)), Pair("ETH", "BTC", Price(D("0.05"), 3, 50)),
    ])  # fmt: skip
    assert rates.find("BNB") == young
    assert rates.find("ETH") == Price(D(3000), 70, 50) and Price(D(3000), 70, 50).is_stale
    assert rates.find("XRP") is None
    in_both = [Pair("BTC", "USD", Price(D(50_000), 2, 50)), Pair("BTC", "EUR", Price(D(40_000), 4, 50))]
    dollars = Rates("USD", {}, in_both)
    assert dollars.find("EUR") == Price(D("1.25"), 4, 50)


def test_the_day_s_profit_is_what_came_since_it_began() -> None:
    position = filled(("1", "2", "100", "1", "USDT"))
    day = Day("2026-01-02", "UTC", 1, 5, (DayPrice("v", "S", D(104), 0),), (("maker", copy_of(position)),))
    position.count_fill(_sale("1", "120"), "BTC")
    line = told(position, day=day)
    assert line.profit.net == 20 + 10 - 1
    assert line.today is not None and line.today.net == line.profit.net - (2 * 4 - 1)
    unpriced = told(position, day=msgspec.structs.replace(day, prices=()))
    assert unpriced.lacks == ("S at v, which has no price when the day began",)


def _sale(qty: str, px: str):  # type: ignore[no-untyped-def]
    return FillLedger().trade("v", "S", "sale", "o", "2", D(qty), D(px))


def test_prices_and_pairs_come_from_what_risk_tells() -> None:
    rows = [
        {"account": "v", "symbol": "BTCUSDT", "reference": "60000.5", "reference_age_ms": 7, "reference_max_age_ms": 9},
        {"account": "v", "symbol": "PERP", "reference": "60000", "reference_age_ms": 7, "reference_max_age_ms": 9},
        {"account": "v", "symbol": "OTHER", "reference": "", "reference_age_ms": 0, "reference_max_age_ms": 0},
    ]
    prices = prices_told(rows)
    assert prices == {("v", "BTCUSDT"): Price(D("60000.5"), 7, 9), ("v", "PERP"): Price(D(60000), 7, 9)}
    facts = VenueFacts(
        0, {"BTCUSDT": "BTC", "PERP": "XBT"}, {"BTCUSDT": "USDT", "PERP": "USDT"}, contracts={"PERP": INVERSE}
    )
    rates = rates_in("USDT", {}, {"v": facts}, prices)
    assert rates.find("BTC") == Price(D("60000.5"), 7, 9) and rates.find("XBT") is None


quantities = st.tuples(
    st.sampled_from("12"), st.integers(1, 9).map(str), st.integers(50, 150).map(str),
    st.integers(0, 9).map(lambda cents: str(D(cents) / 100)), st.sampled_from(["USDT", "BTC"]),
)  # fmt: skip


@given(st.lists(quantities, min_size=1, max_size=10))
def test_net_profit_is_the_money_that_moved_and_what_is_held_at_the_price_of_now(
    fills: list[tuple[str, str, str, str, str]],
) -> None:
    """A naive model: the balances of both assets."""
    money = held = D(0)
    for side, qty, px, fee, asset in fills:
        sign = 1 if side == "1" else -1
        money -= sign * D(qty) * D(px) + (D(fee) if asset == "USDT" else 0)
        held += sign * D(qty) - (D(fee) if asset == "BTC" else 0)
    assert abs(told(filled(*fills)).profit.net - (money + held * 110)) < D("0.000001")
