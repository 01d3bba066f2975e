"""What assets are worth: risk tells the log at a bounded pace, and fees are converted with it when they are paid."""

from msgspec.structs import replace

from common.instant import NS_PER_S
from common.messages import AssetRate, AssetRates
from common.orders.books import RATES_OLD_NS
from common.orders.snapshots import dump_books, load_books
from services.risk.core import RATES_NS
from tests.services.risk.rig import D, Rig, report, settings

QUOTES = {"BTCUSDT": "USDT"}


def rig_in(currency: str, **fixed: str) -> Rig:
    config = settings()
    accounts = {
        name: account._replace(facts=replace(account.facts, quotes=QUOTES)) for name, account in config.accounts.items()
    }
    rates = {asset: D(rate) for asset, rate in fixed.items()}
    return Rig(config._replace(accounts=accounts, currency=currency, fixed_rates=rates))


def told(rig: Rig) -> list[AssetRates]:
    return [payload for payload in rig.appended if isinstance(payload, AssetRates)]


def wait(rig: Rig, seconds: int) -> None:
    for _ in range(seconds):
        rig.top()
        rig.log_tick(ms=1_000)


def test_rates_are_told_once_a_minute_without_those_that_are_fixed() -> None:
    rig = rig_in("USDT")
    wait(rig, 6)
    (first,) = told(rig)
    assert first.currency == "USDT" and [each.asset for each in first.rates] == ["BTC"]
    assert first.rates[0] == AssetRate("BTC", D(100), first.rates[0].age_ms)
    wait(rig, 200)
    assert 4 <= len(told(rig)) <= 5
    fixed = rig_in("USDT", BTC="60000")
    wait(fixed, 70)
    assert not told(fixed), "nothing moves"
    none = rig_in("")
    wait(none, 70)
    assert not told(none)


def test_a_price_that_is_too_old_makes_no_rate() -> None:
    rig = rig_in("USDT")
    wait(rig, 6)
    rig.log_tick(ms=2 * RATES_NS // 1_000_000)
    rig.log_tick(ms=2 * RATES_NS // 1_000_000)
    assert len(told(rig)) == 1


def test_a_fee_is_converted_at_the_rate_that_the_log_had_and_one_without_a_recent_rate_is_not() -> None:
    rig = rig_in("EUR", USDT="0.5")
    wait(rig, 6)
    order = rig.send(rig.orders.new(qty="5"))
    rig.inbound(report(order, "F", "1", last="2", key="k1", fee="1", fee_asset="BTC"))
    rig.inbound(report(order, "F", "1", last="1", key="k2", fee="3", fee_asset="BNB"))
    books = rig.state.books
    again = load_books(dump_books(books), {})
    assert (again.own, again.rates, again.digest()) == (books.own, books.rates, books.digest()) and again.rates.rates
    (held,) = books.own.values()
    assert held.fees_currency == "EUR" and held.dated_fees["BTC"].worth == 50 and "BNB" not in held.dated_fees
    rig.log_tick(ms=2 * RATES_OLD_NS // NS_PER_S * 1_000)
    rig.inbound(report(order, "F", "1", last="1", key="k3", fee="1", fee_asset="BTC"))
    assert held.fees["BTC"] == 2 and held.dated_fees["BTC"].paid == 1
