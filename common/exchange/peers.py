"""A listener whose connections are each a session of its own, which ends with it: what every such listener does."""

import enum
from abc import ABC, abstractmethod
from typing import Generic as Of  # the plain word is a venue's name, which shared code has none of
from typing import Protocol, TypeVar

from common.exchange.lines import Line
from common.instant import Instant, earliest


class PeerSession(Protocol):
    """One connection, as its listener needs it."""

    line: Line
    comp_id: str
    next_outbound: int
    next_inbound: int

    @property
    def state(self) -> enum.Enum:
        """Where it stands, for people."""

    @property
    def logged_on(self) -> bool:
        """Whether messages may be pushed to it."""

    def data(self, data: bytes, now: Instant) -> None:
        """Bytes from the client."""

    def lost(self, now: Instant) -> None:
        """The connection is gone."""

    def logout(self, text: str, now: Instant) -> None:
        """Take leave and close."""

    def next_deadline_ns(self) -> int | None:
        """When something is due, in boot terms."""

    def timer(self, now: Instant) -> None:
        """Do what is due."""


P = TypeVar("P", bound=PeerSession)


class PeerGateway(ABC, Of[P]):
    """One listener, by the peers that are connected. A venue gives `_peer` and says what it announces."""

    def __init__(self) -> None:
        self._peers: dict[int, P] = {}

    @abstractmethod
    def _peer(self, line: Line, now: Instant) -> P:
        """The session of a new connection."""

    def accepted(self, line: Line, now: Instant) -> None:
        """A new connection."""
        self._peers[line.number] = self._peer(line, now)

    def data(self, line: Line, data: bytes, now: Instant) -> None:
        """Bytes from it."""
        peer = self._peers.get(line.number)
        if peer is not None:
            peer.data(data, now)

    def lost(self, line: Line, now: Instant) -> None:
        """It is gone."""
        peer = self._peers.pop(line.number, None)
        if peer is not None:
            peer.lost(now)

    def timer(self, now: Instant) -> None:
        """Do what is due."""
        for peer in list(self._peers.values()):
            deadline = peer.next_deadline_ns()
            if deadline is not None and deadline <= now.boot_ns:
                peer.timer(now)

    def next_deadline_ns(self) -> int | None:
        """When something is due, in boot terms."""
        due = [peer.next_deadline_ns() for peer in self._peers.values()]
        return earliest(*due)

    def settle(self, now: Instant) -> None:
        """At a turn's end there is nothing more: everything was written as it happened."""

    def stop(self, now: Instant) -> None:
        """Log everybody out."""
        for peer in list(self._peers.values()):
            if peer.logged_on:
                peer.logout("Server is shutting down.", now)

    def end_announced(self, now: Instant) -> None:
        """Log out everybody whose connection ends."""
        for peer in self._ending():
            peer.logout("Server is shutting down.", now)

    def _ending(self) -> list[P]:
        """Who is logged on over a connection that ends."""
        return [peer for peer in self._peers.values() if peer.logged_on and peer.line.ends]

    @property
    def busy(self) -> bool:
        """Whether anybody is logged on."""
        return any(peer.logged_on for peer in self._peers.values())

    def sessions(self) -> dict[str, dict[str, object]]:
        """The living connections, whose number stands for the generation."""
        return {
            peer.comp_id: {
                "state": peer.state.name.lower(),
                "connected": True,
                "generation": peer.line.number,
                "next_outbound": peer.next_outbound,
                "next_inbound": peer.next_inbound,
            }
            for peer in self._peers.values()
            if peer.comp_id
        }
