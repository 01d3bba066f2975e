"""A WebSocket listener of an exchange: the upgrade and the frames are wsproto's, inside the core; bytes in, bytes out.

A venue's gateway gives what is said in the text messages. Nothing leaves before the turn's changes are in the log, as
on every line.
"""

from abc import ABC, abstractmethod

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Ping, RejectConnection, Request, TextMessage
from wsproto.utilities import ProtocolError

from common.exchange.lines import Line
from common.exchange.venue import Venue
from common.instant import Instant

MAX_TEXT_CHARACTERS = 65_536


class Listener:
    """One WebSocket connection: `path` is what it was opened at, with the query, "" until then."""

    def __init__(self, line: Line, now: Instant) -> None:
        self.line = line
        self.ws = WSConnection(ConnectionType.SERVER)
        self.path = ""
        self.text = ""
        self.heard_ns = now.boot_ns


class WebSocketGateway(ABC):
    """One listener for all paths of a venue. Who says nothing for `idle_ns` is closed."""

    def __init__(self, venue: Venue, paths: tuple[str, ...], idle_ns: int) -> None:
        self._venue = venue
        self._paths = paths
        self._idle_ns = idle_ns
        self._listeners: dict[int, Listener] = {}

    @abstractmethod
    def _heard(self, listener: Listener, text: str, now: Instant) -> None:
        """A whole text message."""

    def _admits(self, target: str) -> bool:
        """Whether there is something at that path."""
        return target in self._paths

    def _opened(self, listener: Listener, now: Instant) -> None:
        """The upgrade is done: some venues speak first."""
        self._venue.count("websockets_opened")

    @abstractmethod
    def _ended(self, listener: Listener) -> None:
        """The connection is gone."""

    def _tell(self, listener: Listener, text: str, now: Instant) -> None:
        """An answer."""
        if listener.line.open:
            self._venue.lines.write(listener.line, listener.ws.send(TextMessage(text)), now)

    def _push(self, listener: Listener, text: str, now: Instant) -> None:
        """What nobody asked for, which the faults may lose or double."""
        if listener.line.open:
            self._venue.lines.write_application(listener.line, listener.ws.send(TextMessage(text)), now)

    # ---- connections

    def accepted(self, line: Line, now: Instant) -> None:
        """A new connection."""
        self._listeners[line.number] = Listener(line, now)

    def data(self, line: Line, data: bytes, now: Instant) -> None:
        """Bytes from it."""
        listener = self._listeners.get(line.number)
        if listener is None:
            return
        listener.heard_ns = now.boot_ns
        try:
            listener.ws.receive_data(data)
            for event in listener.ws.events():
                self._happened(listener, event, now)
        except ProtocolError:
            self._venue.count("websocket_garbled")
            self._close(listener)

    def _happened(self, listener: Listener, event: object, now: Instant) -> None:
        if isinstance(event, Request):
            known = self._admits(event.target)
            answer = AcceptConnection() if known else RejectConnection(status_code=404)
            self._venue.lines.write(listener.line, listener.ws.send(answer), now)
            listener.path = event.target
            if known:
                self._opened(listener, now)
            else:
                self._close(listener)
        elif isinstance(event, TextMessage):
            listener.text += event.data
            if len(listener.text) > MAX_TEXT_CHARACTERS:
                self._close(listener)
            elif event.message_finished:
                text, listener.text = listener.text, ""
                self._heard(listener, text, now)
        elif isinstance(event, Ping | CloseConnection):
            self._venue.lines.write(listener.line, listener.ws.send(event.response()), now)
            if isinstance(event, CloseConnection):
                self._close(listener)

    def _close(self, listener: Listener) -> None:
        self._venue.lines.close(listener.line)

    def lost(self, line: Line, now: Instant) -> None:
        """The connection is gone."""
        listener = self._listeners.pop(line.number, None)
        if listener is not None:
            self._ended(listener)

    # ---- time

    def timer(self, now: Instant) -> None:
        """Close what was silent for too long."""
        for listener in list(self._listeners.values()):
            if listener.heard_ns + self._idle_ns <= now.boot_ns:
                self._close(listener)

    def next_deadline_ns(self) -> int | None:
        """When the next connection was silent for too long, in boot terms."""
        open_ones = (each for each in self._listeners.values() if not each.line.closing)
        return min((each.heard_ns + self._idle_ns for each in open_ones), default=None)

    def stop(self, now: Instant) -> None:
        """Close every connection."""
        for listener in self._listeners.values():
            self._close(listener)

    def end_announced(self, now: Instant) -> None:
        """Close every connection that ends."""
        for listener in [each for each in self._listeners.values() if each.line.ends]:
            self._close(listener)

    @property
    def busy(self) -> bool:
        """Nobody is waited for."""
        return False

    def sessions(self) -> dict[str, dict[str, object]]:
        """There are no FIX sessions."""
        return {}
