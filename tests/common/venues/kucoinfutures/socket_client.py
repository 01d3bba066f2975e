"""A client of the simulated WebSocket that knows nothing but its frames."""

from typing import Any

import msgspec
from wsproto import ConnectionType, WSConnection
from wsproto.events import Request, TextMessage

from common.venues.backend import HttpCall, TokenBackend
from tests.common.venues.kucoinfutures.rig import RawClient
from tests.services.bridge.raw import Wire
from tests.services.bridge.rig import Rig

PUBLIC_TOKEN = HttpCall("POST", "/api/v1/bullet-public", (("Content-Length", "0"),))


class SocketClient:
    """A connection that listens to one topic, private ones with a token that was signed for."""

    def __init__(self, rig: Rig, topic: str, *, private: bool = False) -> None:
        raw = RawClient(rig)
        assert isinstance(raw.backend, TokenBackend)
        call = raw.backend.ask_stream(rig.now.wall_ns) if private else PUBLIC_TOKEN
        token = raw.call(call)[1]["data"]["token"]
        self._rig, world = rig, rig.world
        self._ws = WSConnection(ConnectionType.CLIENT)
        world.connections += 1
        self._number = world.connections
        self._far = world.raw_clients[self._number] = Wire()
        world.core.accepted(self._number, "websocket", rig.now)
        self._send(self._ws.send(Request(host="kucoinfutures", target=f"/endpoint?token={token}")))
        assert [each["type"] for each in self._messages()] == ["welcome"]
        self.answers = self.say({"id": "1", "type": "subscribe", "topic": topic, "response": True})

    def say(self, message: dict[str, object]) -> list[Any]:
        """Send it; what came back."""
        self._send(self._ws.send(TextMessage(msgspec.json.encode(message).decode())))
        return self._messages()

    def _send(self, data: bytes) -> None:
        self._rig.world.core.data(self._number, data, self._rig.now)
        self._rig.pump()

    def _messages(self) -> list[Any]:
        data, self._far.wire = self._far.wire, b""
        self._ws.receive_data(data)
        return [msgspec.json.decode(e.data) for e in self._ws.events() if isinstance(e, TextMessage)]

    def told(self) -> list[Any]:
        """What was pushed since the last time."""
        return [each for each in self._messages() if each["type"] == "message"]
