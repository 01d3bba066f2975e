"""A listener over `common.fix.Session`, with as little as a venue can add: one message that it answers."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from common.exchange.fix_gateway import Client, FixGateway, Handler
from common.exchange.gateways import Side
from common.exchange.requests import Request
from common.exchange.settings import Party
from common.exchange.venue import Venue
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
