"""A listener over `common.fix.Session`, with as little as a venue can add: one message that it answers."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from common.exchange.fix_gateway import Client, FixGateway, Handler
from common.exchange.gateways import Side
from common.exchange.requests import Request
from common.exchange.settings import Party
from common.exchange.venue import Venue
from common.fix.session import SequencePolicy, Session, SessionSettings
from common.fix.wire import encode
from common.instant import Instant
from common.venues.generic.simulated import open_side
from services.exchange import core
from tests.common.exchange import harness
from tests.common.exchange.harness import World

PARTIES = (Party(comp_id="FIXRINGMD", account=""), Party(comp_id="LOCKED", account=""))


class Echo(FixGateway):
    """Answers MarketDataRequest(V) with its id, depth and symbols, and lets one party not in."""

    def _handlers(self) -> Mapping[str, Handler]:
        return {"V": self._echo}

    def _echo(self, client: Client, request: Request, now: Instant) -> None:
        body = f"262={request.text(262)}\x0158={request.decimal(264)} {'+'.join(request.every(55))}\x01"
        self._send(client, "Y", body.encode(), now)

    def _admit(self, raw: bytes) -> Client | str:
        return "the key is locked" if b"\x0149=LOCKED\x01" in raw else super()._admit(raw)


def echo_side(venue: Venue) -> Side:
    """The generic venue with another market data side."""
    return open_side(venue)._replace(market_data=Echo(venue, "market_data", PARTIES))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(core, "find_simulated", lambda dialect: echo_side)
    return World(tmp_path)


class Sp2(FixGateway):
    """Speaks FIX 5.0 SP2, and says why it lets somebody not in."""

    begin_string, default_appl_ver_id = "FIXT.1.1", "9"

    def _handlers(self) -> Mapping[str, Handler]:
        return {}

    def _admit(self, raw: bytes) -> Client | str:
        return "the key is locked" if b"\x0149=LOCKED\x01" in raw else super()._admit(raw)

    def _farewell(self, raw: bytes, why: str, now: Instant) -> bytes:
        return encode(b"FIXT.1.1", f"35=5\x0134=1\x0158={why}\x01".encode())


def client_of(world: World, comp_id: str = "FIXRINGMD") -> harness.Client:
    return harness.Client(world, comp_id, "market_data")


def test_what_the_venue_answers_and_what_is_refused_for_it(world: World) -> None:
    client, symbols = client_of(world), "267=1|269=0|146=2|55=BTCUSDT|55=ETHUSDT|"
    (answer,) = client.send("V", f"262=a|263=0|264=12|{symbols}")
    assert (answer[35], answer[262], answer[58]) == ("Y", "a", "12 BTCUSDT+ETHUSDT")
    (refusal,) = client.send("D", "11=a|55=BTCUSDT|54=1|60=20260101-00:00:00|40=2|38=1|44=900|")
    assert (refusal[35], refusal[372], refusal[380]) == ("j", "D", "3")
    (reject,) = client.send("V", f"262={'x' * 65}|263=0|264=1|{symbols}")
    assert (reject[35], reject[371], reject[372], reject[373]) == ("3", "262", "V", "6")


def test_a_session_ends_with_its_connection_and_the_next_begins_at_1(world: World) -> None:
    client = client_of(world)
    client.send("D", "11=a|55=BTCUSDT|54=1|60=20260101-00:00:00|40=2|38=1|44=900|")
    assert world.core.gateways["market_data"].sessions()["FIXRINGMD"]["next_outbound"] == 3
    client.cut()
    assert world.core.gateways["market_data"].sessions() == {}
    assert client_of(world).session.next_inbound == 2


def test_a_venue_that_lets_somebody_not_in_closes_without_a_word(world: World) -> None:
    client = client_of(world, "LOCKED")
    assert client.wire == b"" and client not in world.clients
    assert ("connection_refused", "the key is locked") in [(n.event, n.fields.get("why")) for n in world.notes]
    assert client_of(world).session.logged_on


def sp2_client(world: World, comp_id: str) -> harness.Client:
    settings = SessionSettings(
        sender_comp_id=comp_id, target_comp_id="GENERIC", initiator=True, begin_string="FIXT.1.1",
        default_appl_ver_id="9", reset_on_logon=True, sequence_policy=SequencePolicy.RESET,
    )  # fmt: skip
    return harness.Client(world, listener="market_data", session=Session(settings))


def test_a_venue_may_speak_another_version_and_says_why_it_lets_nobody_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        core,
        "find_simulated",
        lambda d: lambda venue: echo_side(venue)._replace(market_data=Sp2(venue, "market_data", PARTIES)),
    )
    world = World(tmp_path)
    client = sp2_client(world, "FIXRINGMD")
    assert client.session.logged_on and client.wire.startswith(b"8=FIXT.1.1\x01") and b"\x011137=9\x01" in client.wire
    refused = sp2_client(world, "LOCKED")
    assert b"58=the key is locked" in refused.wire and not refused.session.logged_on
    assert not client_of(world, "LOCKED").session.logged_on, "FIX 4.4 is not spoken there"
