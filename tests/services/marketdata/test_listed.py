"""The venue's own list of instruments held against the configuration: what is refused for it, and what is only said."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from common.config import InstrumentConfig
from common.instant import NS_PER_S, Instant
from common.messages import TopOfBook
from common.restrictions import restrictions
from common.venues.dialect import InstrumentList, ListedInstrument
from common.venues.registry import find_dialect, find_profile
from services.marketdata.__main__ import market_data_config
from services.marketdata.core import MarketDataConfig, MarketDataCore
from services.marketdata.listed import ANSWER_NS, ASK_EVERY_NS, STALE_NS, ListedInstruments
from tests.common.exchange.wires import Wires
from tests.common.venues.both_sides import NAME, BothSides

D = Decimal
OURS = InstrumentConfig(
    symbol="BTCUSDT", base="BTC", quote="USDT", tick_size=D("0.01"), lot_size=D("0.001"), min_qty=D("0.001"),
    max_qty=D(100), min_notional=D(5),
)  # fmt: skip
THEIRS = ListedInstrument("BTCUSDT", D("0.01"), D("0.001"), D("0.001"), D(100), D(5), D(1))


def at(seconds: float) -> Instant:
    boot_ns = int(seconds * NS_PER_S)
    return Instant(1_800_000_000 * NS_PER_S + boot_ns, boot_ns)


def told(**changes: Any) -> ListedInstruments:
    """The list with these changes, a second after it was asked for."""
    listed = ListedInstruments({"BTCUSDT": OURS})
    listed.asked(at(0))
    listed.hear_list(InstrumentList((THEIRS._replace(**changes),)), at(1))
    return listed


@pytest.mark.parametrize(
    ("changes", "why", "said"),
    [
        ({}, "", ""),
        ({"tick_size": D("0.1")}, "tick_size is 0.01 in the configuration, and 0.1 at the venue", ""),
        ({"tick_size": D("0.00500")}, "", ""),
        ({"lot_size": D("0.01")}, "lot_size is 0.001 in the configuration, and 0.01 at the venue", ""),
        ({"multiplier": D(10)}, "multiplier is 1 in the configuration, and 10 at the venue", ""),
        ({"why_shut": "trading_disabled"}, "the venue says trading_disabled", ""),
        ({"symbol": "ETHUSDT"}, "the venue's list of instruments has no such symbol", ""),
        ({"min_qty": D("0.002")}, "", "min_qty is 0.001 in the configuration, and 0.002 at the venue"),
        ({"min_notional": D(10)}, "", "min_notional is 5 in the configuration, and 10 at the venue"),
        ({"max_qty": D(50)}, "", "max_qty is 100 in the configuration, and 50 at the venue"),
        ({"min_qty": D("0.0001"), "max_qty": D(9000), "min_notional": D(1)}, "", ""),
        (dict.fromkeys(("tick_size", "lot_size", "min_qty", "max_qty", "min_notional", "multiplier")), "", ""),
    ],
)
def test_another_grid_is_refused_and_a_narrower_bound_is_said(
    changes: dict[str, Any], why: str, said: str
) -> None:
    listed = told(**changes)
    assert listed.why_not("BTCUSDT", at(2)) == why
    assert listed.rows(at(2)) == ({"BTCUSDT": why} if why else {}, {"BTCUSDT": said} if said else {})


def test_a_list_that_does_not_come_is_asked_for_again_and_refuses_after_a_while() -> None:
    listed, answer_s = ListedInstruments({"BTCUSDT": OURS}), ANSWER_NS // NS_PER_S
    assert listed.is_due(at(0)) and not listed.why_not("BTCUSDT", at(1000)), "nobody was asked"
    listed.asked(at(0))
    assert not listed.is_due(at(answer_s - 1)) and not listed.why_not("BTCUSDT", at(answer_s - 1))
    assert listed.is_due(at(answer_s))
    assert listed.why_not("BTCUSDT", at(answer_s)) == "the venue's list of instruments is missing for 30 s"
    listed.begin_connection()
    listed.asked(at(answer_s + 1))
    assert listed.why_not("BTCUSDT", at(answer_s + 2)), "another connection is no answer"
    listed.unread("no group")
    assert "cannot be read: no group" in listed.why_not("BTCUSDT", at(answer_s + 2))
    listed.hear_list(InstrumentList((THEIRS,)), at(answer_s + 3))
    assert not listed.why_not("BTCUSDT", at(answer_s + 3))


def test_an_old_list_is_none() -> None:
    listed, every_s, stale_s = told(), ASK_EVERY_NS // NS_PER_S, STALE_NS // NS_PER_S
    assert not listed.is_due(at(every_s - 1)) and listed.is_due(at(every_s + 1))
    listed.asked(at(every_s + 1))
    assert not listed.is_due(at(every_s + 2)) and not listed.why_not("BTCUSDT", at(stale_s))
    assert listed.why_not("BTCUSDT", at(stale_s + 1)).startswith("the venue's list of instruments is missing for")


def test_a_list_in_parts_counts_once_it_is_whole() -> None:
    listed = ListedInstruments({"BTCUSDT": OURS})
    listed.asked(at(0))
    other = ListedInstrument("ETHUSDT")
    listed.hear_list(InstrumentList((THEIRS,), goes_on=True), at(1))
    listed.hear_list(InstrumentList((other,)), at(2))
    assert not listed.why_not("BTCUSDT", at(2))
    listed.asked(at(3))
    listed.hear_list(InstrumentList((other,), goes_on=True), at(4))
    assert not listed.why_not("BTCUSDT", at(4)), "the former one counts until then"
    listed.hear_list(InstrumentList((other,)), at(5))
    assert listed.why_not("BTCUSDT", at(5))


class Listening:
    """The actor's core against a simulated venue whose market data tells instruments."""

    def __init__(self, folder: Path, dialect: str, change: Callable[[MarketDataConfig], MarketDataConfig]) -> None:
        self.sides = BothSides(dialect, folder)
        self.config = change(market_data_config(NAME, self.sides.config, 100))
        self.core = MarketDataCore(self.config, self.sides.dialect)
        self.wires = Wires(self.sides.world, "market_data", lambda: self.core)
        self.tops: dict[str, TopOfBook] = {}
        self.now = self.sides.world.now
        self.core.started(self.now)
        self.pass_time(2)

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.05)):
            self.now = Instant(self.now.wall_ns + NS_PER_S // 20, self.now.boot_ns + NS_PER_S // 20)
            self.wires.tick(self.now)
            self.core.timer(self.now)
            self.core.turn_ended(self.now)
            while self.core.effects:
                effects, self.core.effects = self.core.effects, []
                for effect in effects:
                    self.wires.perform(effect, self.now)
                self.core.turn_ended(self.now)

    @property
    def status(self) -> dict[str, object]:
        return self.core.status(self.now)


LISTING = [name for name in ("binance", "kraken", "deribit", "coinbase") if find_profile(name).lists_instruments]


@pytest.mark.parametrize("dialect", LISTING)
def test_a_venue_s_own_list_agrees_with_what_it_trades(tmp_path: Path, dialect: str) -> None:
    listening = Listening(tmp_path, dialect, lambda config: config)
    assert listening.config.instruments
    assert (listening.status["not_tradable"], listening.status["differs"]) == ({}, {})
    assert listening.core._listed._told is not None, "and it was told"


@pytest.mark.parametrize("dialect", LISTING)
def test_another_tick_than_the_venue_s_is_on_the_feed_and_on_the_status(tmp_path: Path, dialect: str) -> None:
    def finer(config: MarketDataConfig) -> MarketDataConfig:
        its = {s: structs.replace(i, tick_size=i.tick_size / 4) for s, i in config.instruments.items()}
        return structs.replace(config, instruments=its)

    listening = Listening(tmp_path, dialect, finer)
    found = listening.status["not_tradable"]
    assert isinstance(found, dict) and set(found) == set(listening.config.symbols)
    assert all("tick_size is" in why for why in found.values())
    shown = restrictions({f"marketdata@{NAME}": listening.status})
    assert {each.reason for each in shown} >= {"instrument_differs"} and "IS REFUSED: tick_size" in shown[0].text


@pytest.mark.parametrize("name", ["generic", "gemini", "bybit"])
def test_a_venue_without_a_list_is_asked_for_none(name: str) -> None:
    assert find_dialect(name).encode_instruments("r") is None and not find_profile(name).lists_instruments
