"""A bridge's prices: whoever listens is told of both sides of a book or of none, whatever is lost on the way."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from common.fix.session import Inbound, SequencePolicy, Session, SessionSettings
from common.fix.wire import pairs
from tests.common.venues.bitget.rig import bitget_rig
from tests.common.venues.gateio.rig import gateio_rig
from tests.common.venues.kucoin.rig import kucoin_rig
from tests.services.bridge.rig import FixClient, Rig

D = Decimal
VENUES: dict[str, Callable[[Path], Rig]] = {
    "okx": Rig, "gateio": gateio_rig, "kucoin": kucoin_rig, "bitget": bitget_rig,
}  # fmt: skip


class Price(NamedTuple):
    """One entry: MDUpdateAction(279), MDEntryType(269), MDEntryPx(270) and MDEntrySize(271)."""

    action: str
    kind: str
    px: Decimal
    qty: Decimal


class Listener(FixClient):
    """A client of the market data listener, with the best prices as it was told of them, in `seen` after each message.
    """

    def __init__(self, rig: Rig, *symbols: str) -> None:
        self.raws: list[bytes] = []
        self.best: dict[str, tuple[Decimal, Decimal]] = {}
        self.seen: list[dict[str, tuple[Decimal, Decimal]]] = []
        self.trades: list[Price] = []
        settings = SessionSettings(
            sender_comp_id="MD", target_comp_id=rig.settings.comp_id, initiator=True, reset_on_logon=True,
            sequence_policy=SequencePolicy.RESET,
        )  # fmt: skip
        super().__init__(rig, session=Session(settings), listener="market_data")
        assert self.session.logged_on
        self.ask(*(symbols or (rig.symbol,)))

    def ask(self, *symbols: str, kind: str = "1", name: str = "m1") -> None:
        """MarketDataRequest(V) for the best prices and trades; what came of it is folded a second later."""
        named = "".join(f"55={symbol}|" for symbol in symbols)
        self.send("V", f"262={name}|263={kind}|264=1|265=1|267=3|269=0|269=1|269=2|146={len(symbols)}|{named}")
        self.hear(0.5)

    def flush(self) -> bool:
        """Keeps the bytes too: a group's fields are many under one tag."""
        effects = self.session._effects
        self.raws += [each.raw for each in effects if isinstance(each, Inbound)]
        return super().flush()

    def hear(self, seconds: float) -> None:
        """Let time pass, and fold."""
        self.rig.pass_time(seconds)
        raws, self.raws = self.raws, []
        for raw in raws:
            self._fold(raw)

    def _fold(self, raw: bytes) -> None:
        rows: list[dict[bytes, bytes]] = []
        msg_type, begins = "", b"269"
        for tag, value in pairs(raw):
            if tag == b"35":
                msg_type = value.decode()
                begins = b"269" if msg_type == "W" else b"279"
            if tag == begins:
                rows.append({})
            if rows:
                rows[-1][tag] = value
        if msg_type == "W":
            self.best.clear()
        if msg_type not in ("W", "X"):
            return
        for row in rows:
            told = Price(
                row.get(b"279", b"0").decode(), row[b"269"].decode(), D(row[b"270"].decode()), D(row[b"271"].decode())
            )
            if told.kind == "2":
                self.trades.append(told)
            elif told.action != "2":
                self.best[told.kind] = told.px, told.qty
            elif self.best.get(told.kind, (None,))[0] == told.px:
                del self.best[told.kind]
        self.seen.append(dict(self.best))


@pytest.fixture(params=VENUES, ids=list(VENUES))
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    rig = VENUES[request.param](tmp_path).live()
    rig.stranger("1", "0.5", "60000")
    rig.stranger("2", "0.4", "61000")
    return rig


BOTH = {"0": (D(60_000), D("0.5")), "1": (D(61_000), D("0.4"))}


def test_nothing_is_asked_of_the_venue_before_somebody_listens(rig: Rig) -> None:
    rig.pass_time(5)
    assert list(rig.targets.values()).count("websocket") == 1
    assert rig.core.status(rig.now)["prices"] == {"wanted": False, "known": [], "renewals": 0}
    Listener(rig)
    assert list(rig.targets.values()).count("websocket") == 2


def test_both_sides_are_told_then_what_changes_and_what_is_traded(rig: Rig) -> None:
    listener = Listener(rig)
    assert listener.best == BOTH
    rig.stranger("1", "0.2", "60500")
    listener.hear(0.5)
    assert listener.best["0"] == (D(60_500), D("0.2"))
    rig.stranger("2", "0.2", "60500")
    listener.hear(0.5)
    assert listener.best == BOTH
    assert [(each.px, each.qty) for each in listener.trades] == [(D(60_500), D("0.2"))]
    assert rig.core.status(rig.now)["prices"]["known"] == list(rig.settings.symbols)  # type: ignore[index]


def test_a_snapshot_beside_the_subscription_is_the_book_as_it_stands(rig: Rig) -> None:
    listener = Listener(rig)
    rig.stranger("1", "0.2", "60500")
    listener.hear(0.5)
    listener.ask(rig.symbol, kind="0", name="again")
    assert listener.best["0"] == (D(60_500), D("0.2")) and listener.best["1"] == BOTH["1"]


def test_a_lost_push_empties_the_book_and_has_it_told_anew(rig: Rig) -> None:
    listener = Listener(rig)
    rig.world.ask("fault", kind="gap", scope="websocket", count=1)
    rig.stranger("1", "0.2", "60500")
    rig.pass_time(0.3)
    rig.stranger("2", "0.1", "60900")
    listener.hear(1)
    assert listener.best == {"0": (D(60_500), D("0.2")), "1": (D(60_900), D("0.1"))}
    assert {} in listener.seen, "for a while no price was known"
    assert [each for each in listener.seen if len(each) == 1] == [], "and never one side alone"
    prices = rig.core.status(rig.now)["prices"]
    assert prices["renewals"] >= 1 and prices["known"] == list(rig.settings.symbols)  # type: ignore[index]


@pytest.mark.parametrize("how", ["cut", "silent", "venue"])
def test_without_a_connection_that_lives_there_is_no_price(rig: Rig, how: str) -> None:
    listener = Listener(rig)
    assert listener.best == BOTH
    if how == "cut":
        rig.cut("websocket")
    elif how == "silent":
        rig.hush = True
        listener.hear(4.5)
        rig.hush = False
    else:
        rig.kill_venue()
    listener.hear(0.1)
    assert {} in listener.seen
    listener.hear(8)
    assert listener.best == BOTH and [each for each in listener.seen if len(each) == 1] == []


def test_a_symbol_that_there_is_not_is_refused_and_a_stranger_is_not_let_in(rig: Rig) -> None:
    listener = Listener(rig)
    listener.got.clear()
    listener.ask("NOSUCH", name="m2")
    assert [(each[35], each[281]) for each in listener.got if each[35] == "Y"] == [("Y", "0")]
    assert not FixClient(rig, "STRANGER", listener="market_data").session.logged_on


def test_orders_and_prices_are_two_conversations(rig: Rig) -> None:
    client, listener = FixClient(rig), Listener(rig)
    client.order("a1", px="60100", qty="0.1")
    listener.hear(0.5)
    assert listener.best["0"] == (D(60_100), D("0.1"))
    assert [each[35] for each in client.send("V", "262=m1|263=1|264=1|267=1|269=0|146=1|55=X|")] == ["j"]
