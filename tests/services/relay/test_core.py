"""A question over a relay gets one answer, under its own token: the actor's, a refusal, or that it is not there."""

import orjson

from common.actor.core import Send
from common.instant import NS_PER_MS, Instant
from common.messages import ControlAnswer, ControlRequest
from services.relay.core import AGAIN_NS, CONTROL, LINK, MOST_ACTORS, TRIES, RelayCore

OPERATOR = b"operator\nabc"
STRATEGIES = b"strategies\nxyz"
NOW = Instant(1_000_000_000, 1_000_000_000)


class Rig:
    """A relay in memory: what it sends is taken out by link."""

    def __init__(self) -> None:
        self.core = RelayCore("trading", lambda peer: peer.partition(b"\n")[0].decode())
        self.now = NOW

    def ask(self, request: ControlRequest, peer: bytes = OPERATOR) -> list[Send]:
        self.core.received(LINK, peer, request, self.now)
        return self.sent()

    def sent(self) -> list[Send]:
        sends = [effect for effect in self.core.effects if isinstance(effect, Send)]
        self.core.effects.clear()
        return sends

    def later(self, ms: float) -> None:
        ns = int(ms * NS_PER_MS)
        self.now = Instant(self.now.wall_ns + ns, self.now.boot_ns + ns)


def answer_of(send: Send) -> ControlAnswer:
    assert isinstance(send.message, ControlAnswer)
    return send.message


def request_of(send: Send) -> ControlRequest:
    assert isinstance(send.message, ControlRequest)
    return send.message


def test_a_question_goes_to_its_actor_and_the_answer_back_under_the_askers_token() -> None:
    rig = Rig()
    (first,) = rig.ask(ControlRequest("status", token=7, to="orders"))
    (second,) = rig.ask(ControlRequest("status", token=7, to="risk"), STRATEGIES)
    assert (first.link, second.link) == ("orders", "risk")
    # The later one is answered first, and each answer finds its asker.
    detail = orjson.dumps({"state": "live"})
    rig.core.received("risk", b"", ControlAnswer(request_of(second).token, True, detail=detail), rig.now)
    (told,) = rig.sent()
    assert (told.link, told.peer, told.message) == (LINK, STRATEGIES, ControlAnswer(7, True, detail=detail))
    rig.core.received("orders", b"", ControlAnswer(request_of(first).token, False, "no"), rig.now)
    (told,) = rig.sent()
    assert (told.peer, told.message) == (OPERATOR, ControlAnswer(7, False, "no"))
    # A second answer to the same question is nobody's.
    rig.core.received("orders", b"", ControlAnswer(request_of(first).token, True), rig.now)
    assert not rig.sent()


def test_what_a_role_may_not_ask_goes_no_further() -> None:
    rig = Rig()
    (told,) = rig.ask(ControlRequest("resume", token=3, to="session@binance", by="mallory"), STRATEGIES)
    assert told.link == LINK
    assert "the key of strategies may ask for" in answer_of(told).text
    assert not answer_of(told).ok
    assert rig.core.status(rig.now)["counts"] == {"asked": 1, "answered": 0, "refused": 1, "absent": 0}
    (passed,) = rig.ask(ControlRequest("resume", token=3, to="session@binance", by="anna"))
    assert (passed.link, request_of(passed).by) == ("session@binance", "anna")


def test_who_does_not_run_is_said_so_after_a_moment_in_which_he_may_come_back() -> None:
    rig = Rig()
    (send,) = rig.ask(ControlRequest("kill", token=5, to="session@binance"))
    for _ in range(TRIES - 1):
        rig.core.undelivered(send, rig.now)
        assert not rig.sent()
        rig.later(AGAIN_NS / NS_PER_MS)
        assert rig.core.next_deadline_ns() is not None
        rig.core.timer(rig.now)
        (send,) = rig.sent()
        assert send.link == "session@binance"
    rig.core.undelivered(send, rig.now)
    (told,) = rig.sent()
    assert (told.link, told.peer) == (LINK, OPERATOR)
    assert answer_of(told) == ControlAnswer(5, False, "session@binance is not running on trading", absent=True)
    assert rig.core.next_deadline_ns() is None


def test_an_actor_that_comes_back_gets_the_question_once() -> None:
    rig = Rig()
    (send,) = rig.ask(ControlRequest("status", token=5, to="orders"))
    rig.core.undelivered(send, rig.now)
    rig.later(AGAIN_NS / NS_PER_MS)
    rig.core.timer(rig.now)
    (again,) = rig.sent()
    assert again == send
    rig.later(1_000)
    rig.core.timer(rig.now)
    assert not rig.sent()


def test_names_that_are_no_processes_open_nothing() -> None:
    rig = Rig()
    for name in ("", "../journal", "a" * 40, "session@../x", "control.orders/..", "Orders", "a b"):
        (told,) = rig.ask(ControlRequest("status", to=name))
        assert told.link == LINK, name
    for number in range(MOST_ACTORS):
        (passed,) = rig.ask(ControlRequest("status", to=f"strategy@n{number}"))
        assert passed.link == f"strategy@n{number}"
    (told,) = rig.ask(ControlRequest("status", to="strategy@onemore"))
    assert told.link == LINK


def test_what_is_no_request_is_answered_too() -> None:
    rig = Rig()
    rig.core.not_read(LINK, OPERATOR, b"\xc1", "it does not decode", rig.now)
    (told,) = rig.sent()
    assert (told.peer, answer_of(told).ok) == (OPERATOR, False)
    rig.core.received(CONTROL, b"here", ControlRequest("dance"), rig.now)
    (told,) = rig.sent()
    assert told.link == CONTROL
    assert "has no act 'dance'" in answer_of(told).text
