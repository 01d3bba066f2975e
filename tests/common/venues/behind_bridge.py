"""A simulated venue behind its bridge, in memory, for whoever plays a venue's two sides: as `World`, but for FIX."""

from pathlib import Path
from typing import Any

from common.config import VenueConfig
from common.exchange.settings import ExchangeSettings
from common.exchange.venue import Venue
from common.instant import Instant
from common.venues.credentials import Credentials
from common.venues.registry import find_backend
from common.venues.rest import RestSettings
from services.bridge.__main__ import bridge_settings
from services.bridge.core import BridgeCore
from tests.services.bridge.rig import Initiator, Rig


class BridgedWorld:
    """The bridge takes the FIX connections, and the exchange behind it the faults and the questions."""

    def __init__(self, folder: Path, settings: ExchangeSettings, venue: VenueConfig, credentials: Credentials) -> None:
        assert venue.rest is not None and venue.bridge is not None
        rest = RestSettings(venue.name, venue.rest.url, credentials, 1000, symbols=tuple(venue.instruments))
        backend = find_backend(venue.dialect)(rest)
        self.settings = settings
        self.rig = Rig(folder, settings, bridge_settings(venue, venue.rest, venue.bridge, backend), backend).live()

    @property
    def now(self) -> Instant:
        return self.rig.now

    @property
    def core(self) -> BridgeCore:
        return self.rig.core

    @property
    def clients(self) -> list[Initiator]:
        return self.rig.clients

    @property
    def connections(self) -> int:
        return self.rig.accepted

    @connections.setter
    def connections(self, number: int) -> None:
        self.rig.accepted = number

    @property
    def exchange(self) -> Venue:
        return self.rig.world.core.venue

    def kill(self) -> None:
        """The venue and its bridge die."""
        self.rig.world.kill()
        self.rig.kill()
        self.rig.live()

    def pass_time(self, seconds: float, step_s: float = 0.05) -> None:
        self.rig.pass_time(seconds, step_s)

    def pump(self) -> None:
        self.rig.pump()

    def ask(self, act: str, **arguments: object) -> dict[str, Any]:
        detail = self.rig.world.ask(act, **arguments)
        self.pump()
        return detail

    def refusal(self, act: str, **arguments: object) -> str:
        return self.rig.world.refusal(act, **arguments)
