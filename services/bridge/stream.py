"""One WebSocket of a bridge to its venue: opened, spoken into, kept alive, and given up when it is silent."""

from collections.abc import Callable
from typing import NamedTuple

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Event, Ping, RejectConnection, Request, TextMessage
from wsproto.utilities import ProtocolError

from common.actor.core import Close, Effect, Write
from common.instant import NS_PER_S, Instant
from common.venues.backend import Push

SILENT_PINGS = 3
"""A WebSocket that has said nothing for so many pings is dead."""

Say = Callable[[int], list[str]]
"""Messages that are said at a wall time."""


class Talk(NamedTuple):
    """What is said on a WebSocket: once it is open, once who we are is known, and to keep it, every `ping_ns`."""

    opened: Say
    logged_in: Say
    ping: Callable[[int], str]
    ping_ns: int


class Stream:
    """See the module. `host` and `target` are what HTTP calls it."""

    def __init__(self, talk: Talk, host: str, target: str) -> None:
        self._talk = talk
        self.host = host
        self.target = target
        self._ws: WSConnection | None = None
        self._text = ""
        self._heard_boot_ns = 0
        self._ping_boot_ns = 0
        self._due_boot_ns: int | None = 0
        self._is_open = False
        self.number = 0
        self.is_up = False

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection."""
        return self._ws is not None

    def due_ns(self) -> int | None:
        """When it has something to do, in boot terms."""
        return self._due_boot_ns if self._ws is None else self._ping_boot_ns

    def wants_connection(self, now: Instant) -> bool:
        """Whether to connect now; asked once, it waits for what comes of that."""
        wanted = self._due_boot_ns is not None and self._due_boot_ns <= now.boot_ns
        self._due_boot_ns = None if wanted else self._due_boot_ns
        return wanted

    def connected(self, now: Instant, effects: list[Effect]) -> None:
        """Ask for the upgrade."""
        self._ws, self._text = WSConnection(ConnectionType.CLIENT), ""
        self._heard_boot_ns, self._ping_boot_ns = now.boot_ns, now.boot_ns + self._talk.ping_ns
        effects.append(Write(self.number, self._ws.send(Request(host=self.host, target=self.target))))

    def timer(self, now: Instant, effects: list[Effect]) -> bool:
        """Ping, or give up what is silent; whether it was given up."""
        if self._ws is None or self._ping_boot_ns > now.boot_ns:
            return False
        if now.boot_ns - self._heard_boot_ns > SILENT_PINGS * self._talk.ping_ns:
            self.drop(now, effects)
            return True
        self._ping_boot_ns = now.boot_ns + self._talk.ping_ns
        if self._is_open:
            self.say([self._talk.ping(now.wall_ns)], effects)
        return False

    def received(self, data: bytes, now: Instant, effects: list[Effect]) -> list[str]:
        """The whole text messages in what came."""
        if self._ws is None:
            return []
        self._heard_boot_ns = now.boot_ns
        texts: list[str] = []
        try:
            self._ws.receive_data(data)
            for event in self._ws.events():
                self._happened(event, texts, now, effects)
        except ProtocolError:
            self.drop(now, effects)
        return texts

    def _happened(self, event: Event, texts: list[str], now: Instant, effects: list[Effect]) -> None:
        if isinstance(event, AcceptConnection):
            self._is_open = True
            self.say(self._talk.opened(now.wall_ns), effects)
        elif isinstance(event, TextMessage):
            self._text += event.data
            if event.message_finished:
                texts.append(self._text)
                self._text = ""
        elif isinstance(event, Ping) and self._ws is not None:
            effects.append(Write(self.number, self._ws.send(event.response())))
        elif isinstance(event, CloseConnection | RejectConnection):
            self.drop(now, effects)

    def pushed(self, push: Push, now: Instant, effects: list[Effect]) -> None:
        """Go on from what was answered to the login and the subscription."""
        if push is Push.LOGGED_IN:
            self.say(self._talk.logged_in(now.wall_ns), effects)
        elif push is Push.SUBSCRIBED:
            self.is_up = True
        elif push is Push.REFUSED:
            self.drop(now, effects)

    def say(self, texts: list[str], effects: list[Effect]) -> None:
        """Messages, of which an empty one is none; nothing while there is no connection."""
        for text in texts:
            if self._ws is not None and text:
                effects.append(Write(self.number, self._ws.send(TextMessage(text))))

    def drop(self, now: Instant, effects: list[Effect]) -> None:
        """Close it, and connect again a little later."""
        effects.append(Close(self.number))
        self.lost(now)

    def lost(self, now: Instant) -> None:
        """Connect again, a little later."""
        self._ws, self._is_open, self.is_up = None, False, False
        self._due_boot_ns = now.boot_ns + NS_PER_S
