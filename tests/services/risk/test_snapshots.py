"""A dumped and loaded state is the state: the same digest now, and the same after whatever is folded next."""

from dataclasses import dataclass, field
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.journal.frames import Record
from common.messages import (
    Answer,
    Ask,
    GapFilled,
    Kind,
    NewOrder,
    OperatorAct,
    Reason,
    RestOrder,
    SessionState,
    Side,
    Trade,
    Verdict,
    Withdrawn,
)
from common.orders.books import Books
from services.risk.snapshots import load_state
from services.risk.state import RiskState
from tests.services.risk.rig import D, Rig, facts, report


@dataclass
class Life:
    """Random records of a few orders at both venues, as a session, an account and people write them."""

    seed: int
    rig: Rig = field(default_factory=lambda: Rig(live=False))
    orders: list[NewOrder] = field(default_factory=list)
    trades: int = 0

    def run(self, steps: int) -> list[Record]:
        random = Random(self.seed)
        acts = [self.new, self.word, self.fill, self.amend, self.lost, self.rest, self.people, self.session]
        for venue in ("generic", "binance"):
            self.rig.session(SessionState.LOGGED_ON, venue=venue)
        for _ in range(steps):
            random.choice(acts)(random)
        return self.rig.log.records

    def new(self, random: Random) -> None:
        side: Side = random.choice(("1", "2"))
        venue, strategy = random.choice(("generic", "binance")), random.choice(("alpha", "beta"))
        order = self.rig.orders.new(side, str(random.randint(1, 9)), venue=venue, strategy=strategy)
        self.orders.append(order)
        self.rig.outbound(order)

    def word(self, random: Random) -> None:
        if self.orders:
            order = random.choice(self.orders)
            event = report(order, random.choice("048C"), order_id=f"V{order.number}", cum="0")
            self.rig.inbound(event, venue=order.venue)

    def fill(self, random: Random) -> None:
        if self.orders:
            order = random.choice(self.orders)
            self.trades += 1
            self.rig.inbound(
                report(order, "F", random.choice("12"), last="0.5", px="100.10", key=f"T{self.trades}", fee="0.0005",
                       fee_asset=random.choice(("BTC", "USDT")), order_id=f"V{order.number}"),
                venue=order.venue,
            )  # fmt: skip

    def amend(self, random: Random) -> None:
        if self.orders:
            order = random.choice(self.orders)
            self.rig.outbound(self.rig.orders.amend(order, str(random.randint(1, 9))))

    def lost(self, random: Random) -> None:
        if self.orders:
            order = random.choice(self.orders)
            if random.random() < 0.5:
                self.rig.record(Kind.GAP_FILLED, GapFilled(order.venue, 1, 1, 1, 9, (order.attempt,)))
            else:
                self.rig.record(Kind.WITHDRAWN, Withdrawn(order.venue, 1, 1, 5, order.attempt, Reason.CONNECTION_LOST))

    def rest(self, random: Random) -> None:
        ask = Ask("binance", 1, random.choice(("trades", "open_orders")), "BTCUSDT", asked_lsn=self.rig.log.lsn)
        stranger = RestOrder("BTCUSDT", f"X{random.randint(1, 5)}", "", "1", "0", D(1), D(100), D(0), 0)
        self.trades += 1
        trade = Trade("BTCUSDT", f"T{self.trades}", stranger.order_id, "1", D(1), D(100), D(0), "", 0)
        answer = Answer("binance", ask, False, venue_ns=self.rig.log.stamp_ns, orders=(stranger,), trades=(trade,))
        self.rig.record(Kind.ANSWER, answer)

    def people(self, random: Random) -> None:
        act = random.choice(("halt", "unhalt", "kill", "resume"))
        text = "venue generic" if act.endswith("halt") else ""
        self.rig.record(Kind.OPERATOR, OperatorAct("risk", act, "test", text))
        if self.orders and random.random() < 0.3:
            order = random.choice(self.orders)
            self.rig.record(Kind.VERDICT, Verdict(order.strategy, order.number, "4", D(0), "test", ""))

    def session(self, random: Random) -> None:
        state = random.choice((SessionState.DISCONNECTED, SessionState.CONNECTING, SessionState.CAUGHT_UP))
        self.rig.session(state, venue=random.choice(("generic", "binance")), connection=random.randint(1, 3))


def fold(state: RiskState, records: list[Record]) -> RiskState:
    for record in records:
        state.apply(record)
    return state


def shown(state: RiskState) -> tuple[object, ...]:
    """All that a state holds, in whatever order it came."""
    books, exposure = state.books, state.exposure
    held = (books.orders, books.positions, books.shares, books.externals, books.unsettled)
    sums = [
        {place: (s.buy, s.sell, s.position) for place, s in its.items() if s.buy or s.sell or s.position}
        for its in (exposure.firm, exposure.shares)
    ]
    own = (exposure.open_orders, sums, state.halts, state.killed, state.hashes.by_lsn, state.books.highest_attempt)
    return *held, books.accounts, books.sessions, *own


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 32), st.floats(0, 1))
def test_a_loaded_state_is_the_state_and_goes_on_as_it(seed: int, share: float) -> None:
    records = Life(seed).run(60)
    cut = int(len(records) * share)
    whole, half = RiskState(Books(facts())), fold(RiskState(Books(facts())), records[:cut])
    loaded = load_state(half.dump(), facts())
    assert loaded.digest() == half.digest() and loaded.lsn == half.lsn
    fold(loaded, records[cut:])
    fold(whole, records)
    assert loaded.digest() == whole.digest()
    assert shown(loaded) == shown(whole)


def test_bytes_of_another_form_are_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        load_state(b"\x93\x01\x02\x03", facts())


def test_a_position_keeps_its_digits() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "2"))
    rig.inbound(report(order, "F", "1", last="1.500", key="1"))
    loaded = load_state(rig.state.dump(), facts())
    assert str(loaded.exposure.firm["generic", "BTCUSDT"].position) == "1.500"
