"""The relay's core: hands the other hosts' questions to this host's processes, and their answers back.

Theory of operation. A question comes over the link `relay` from a peer whose role its key has proved; it names its
actor. What that role may not ask is refused here, and counted. All else goes on over the actor's own control
socket, under a token of the relay's own, and the answer goes back under the asker's. An actor that does not run on this
host is said so at once: silence is left to those that run and do not answer.

It keeps nothing and decides nothing else. Nobody on this host waits for it: here the kill switch asks nobody.
"""

import re
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from common.actor.acts import do_act
from common.actor.core import Core, Send
from common.instant import NS_PER_MS, Instant
from common.link_roles import acts_in_words, may_ask
from common.messages import ControlAnswer, ControlRequest, cut

LINK: Final = "relay"
CONTROL: Final = "control"
ACTOR: Final = re.compile(r"[a-z][a-z0-9_.-]{0,31}(@[a-z0-9_-]{1,32})?")

MOST_ACTORS: Final = 200
"""So many actors are asked at most: more names than a host has processes come from somebody who guesses."""

MOST_WAITING: Final = 10_000
"""Questions without an answer yet; the oldest is forgotten first. Its asker has stopped waiting long ago."""

AGAIN_NS: Final = 20 * NS_PER_MS
TRIES: Final = 10
"""How often a question is tried where nobody takes it: an actor that is starting again is back within that time."""


class Asked(NamedTuple):
    """Who asked, with the token that his answer is to bear."""

    peer: bytes
    token: int


class Again(NamedTuple):
    """A question that nobody took, to be tried at `due_ns`."""

    due_ns: int
    send: Send


class RelayCore(Core):
    """See the module. `role_of` tells the role of a peer of the link `relay`."""

    def __init__(self, host: str, role_of: Callable[[bytes], str], configuration: str = "") -> None:
        """Nothing was asked yet. `configuration` is the sum of the one that this host was started with."""
        super().__init__(f"{LINK}@{host}")
        self._host = host
        self._role_of = role_of
        self._configuration = configuration
        self._token = 0
        self._asked: OrderedDict[int, Asked] = OrderedDict()
        self._again: deque[Again] = deque()
        self._actors: set[str] = set()
        self._tries: dict[int, int] = {}
        self._counts = {"asked": 0, "answered": 0, "refused": 0, "absent": 0}

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        """A question from another host, an answer from this one, or a word to the relay itself."""
        match message:
            case ControlRequest() if link == CONTROL:
                self.effects.append(Send(CONTROL, do_act(self.name, {}, message, now), peer))
            case ControlRequest():
                self._ask(peer, message)
            case ControlAnswer():
                self._answer(message)

    def not_read(self, link: str, peer: bytes, _data: bytes, why: str, _now: Instant) -> None:
        """What does not decode is told to whoever sent it."""
        if link == LINK:
            self._refuse(peer, 0, f"the request is not read: {cut(why)}")

    def _ask(self, peer: bytes, request: ControlRequest) -> None:
        self._counts["asked"] += 1
        role = self._role_of(peer)
        if not may_ask(role, request.act):
            text = f"the key of {role} may ask for {acts_in_words(role)} here, and not for {request.act!r}"
            self.note("warning", "refused", role=role, act=cut(request.act), to=cut(request.to), by=cut(request.by))
            self._refuse(peer, request.token, text)
            return
        if not ACTOR.fullmatch(request.to) or len(self._actors | {request.to}) > MOST_ACTORS:
            self._refuse(peer, request.token, f"{cut(request.to)!r} is no process of {self._host}")
            return
        self._actors.add(request.to)
        self._token += 1
        self._asked[self._token] = Asked(peer, request.token)
        if len(self._asked) > MOST_WAITING:
            forgotten, _ = self._asked.popitem(last=False)
            self._tries.pop(forgotten, None)
        self.effects.append(Send(request.to, msgspec.structs.replace(request, token=self._token)))

    def _refuse(self, peer: bytes, token: int, text: str) -> None:
        self._counts["refused"] += 1
        self.effects.append(Send(LINK, ControlAnswer(token, False, text), peer))

    def _answer(self, answer: ControlAnswer) -> None:
        asked = self._asked.pop(answer.token, None)
        self._tries.pop(answer.token, None)
        if asked is not None:
            self._counts["answered"] += 1
            self.effects.append(Send(LINK, msgspec.structs.replace(answer, token=asked.token), asked.peer))

    def undelivered(self, send: Send, now: Instant) -> None:
        """Nobody takes the question: it is tried for a moment, then its asker is told."""
        request = send.message
        if not isinstance(request, ControlRequest):
            # The asker has gone without his answer.
            return
        tries = self._tries.get(request.token, 0) + 1
        self._tries[request.token] = tries
        if tries < TRIES:
            self._again.append(Again(now.boot_ns + AGAIN_NS, send))
            return
        self._counts["absent"] += 1
        text = f"{request.to} is not running on {self._host}"
        self._answer(ControlAnswer(request.token, False, text, absent=True))

    def timer(self, now: Instant) -> None:
        """Try again what is due."""
        while self._again and self._again[0].due_ns <= now.boot_ns:
            self.effects.append(self._again.popleft().send)

    def next_deadline_ns(self) -> int | None:
        """When the next question is tried again."""
        return self._again[0].due_ns if self._again else None

    def status(self, now: Instant) -> dict[str, object]:
        """How many questions came, and what became of them; this host's time, and the sum of its configuration."""
        return {
            "state": "live", "host": self._host, "waiting": len(self._asked), "counts": {**self._counts},
            "wall_ns": now.wall_ns, "configuration": self._configuration,
        }  # fmt: skip
