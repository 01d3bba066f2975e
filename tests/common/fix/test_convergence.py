"""Two sessions and a bad link. Invariant: whatever the link splits, drops, doubles, delays or cuts, and whichever
side is killed between any two steps, once the link is good every message is delivered, in order, once to each
application after deduplication by number; and no session ever raises.
"""

import random
from collections import deque
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.fix.errors import NotLoggedOnError
from common.fix.session import Session
from common.fix.session_types import Disconnect, Inbound, NumbersSet, Outbound, ResendWanted, SessionSettings
from common.fix.wire import split
from common.instant import Instant
from tests.common.fix.harness import BOOT_NS, NS_PER_S, WALL_NS

INITIATOR = SessionSettings(sender_comp_id="I", target_comp_id="A", initiator=True, heart_bt_int_s=5)
ACCEPTOR = SessionSettings(sender_comp_id="A", target_comp_id="I", initiator=False)


class Side:
    """A session, its host's log, and its application. The log survives a kill, nothing else does."""

    def __init__(self, chosen: SessionSettings, draw: random.Random) -> None:
        self.settings = chosen
        self.session = Session(chosen)
        self.stored: dict[int, bytes] = {}
        self.numbers = (1, 1)
        self.seen: set[int] = set()
        self.delivered: list[bytes] = []
        self.sent: list[bytes] = []
        self.wire: deque[bytes] = deque()
        self.wants_close = False
        self._draw = draw

    def kill(self) -> None:
        """The process dies and starts again from its log. What it had not stored is as if it had not been."""
        self.session = Session(self.settings, *self.numbers)
        self.wire.clear()

    def carry_out(self, now: Instant) -> None:
        """Store, then write; hand messages on; answer resends."""
        while effects := self.session.take_effects():
            for effect in effects:
                self._effect(effect, now)

    def _effect(self, effect: object, now: Instant) -> None:
        if isinstance(effect, Outbound):
            if not effect.resent:
                self.stored[effect.msg_seq_num] = effect.raw
                self.numbers = (effect.msg_seq_num + 1, self.numbers[1])
            self.wire.append(effect.raw)
        elif isinstance(effect, Inbound):
            if effect.application and effect.msg_seq_num not in self.seen:
                self.seen.add(effect.msg_seq_num)
                self.delivered.append(split(effect.raw)[b"11"])
            self.numbers = (self.numbers[0], effect.msg_seq_num + 1)
        elif isinstance(effect, NumbersSet):
            self.numbers = (self.numbers[0], effect.next_inbound)
        elif isinstance(effect, ResendWanted):
            wanted = range(effect.begin, effect.end + 1)
            self.session.resend(
                effect.begin, effect.end, [(n, self.stored[n]) for n in wanted if n in self.stored], now
            )
        elif isinstance(effect, Disconnect):
            self.wants_close = True

    def send(self, now: Instant) -> None:
        """The application sends its next message, if it may."""
        name = b"%b%d" % (self.settings.sender_comp_id.encode(), len(self.sent))
        try:
            self.session.send("B", b"11=%b\x01" % name, now)
        except NotLoggedOnError:
            return
        self.sent.append(name)
        self.carry_out(now)


class World:
    """Both sides, the link, the clock and the adversary."""

    def __init__(self, seed: int, **changes: object) -> None:
        self.draw = random.Random(seed)
        self.initiator = Side(replace(INITIATOR, **changes), self.draw)  # type: ignore[arg-type]
        self.acceptor = Side(replace(ACCEPTOR, **changes), self.draw)  # type: ignore[arg-type]
        self.sides = (self.initiator, self.acceptor)
        self.now = Instant(WALL_NS, BOOT_NS)
        self.up = False

    def connect(self) -> None:
        if not self.up:
            self.up = True
            for side in (self.acceptor, self.initiator):
                side.wants_close = False
                side.session.connected(self.now)
                side.carry_out(self.now)

    def cut(self) -> None:
        if self.up:
            self.up = False
            for side in self.sides:
                side.wire.clear()
                side.session.disconnected(self.now)
                side.carry_out(self.now)

    def pass_s(self, seconds: float) -> None:
        step = int(seconds * NS_PER_S)
        self.now = Instant(self.now.wall_ns + step, self.now.boot_ns + step)
        for side in self.sides:
            side.session.timer(self.now)
            side.carry_out(self.now)

    def deliver(self, sender: Side) -> None:
        """The next message reaches the other side, in pieces."""
        if self.up and sender.wire:
            raw = sender.wire.popleft()
            receiver = self.acceptor if sender is self.initiator else self.initiator
            at = self.draw.randrange(len(raw))
            for piece in (raw[:at], raw[at:]):
                receiver.session.received(piece, self.now)
                receiver.carry_out(self.now)

    def trouble(self) -> None:
        """One step of the bad phase."""
        side = self.draw.choice(self.sides)
        match self.draw.randrange(60):
            case 0:
                self.cut()
            case 1 if side.wire:
                side.wire.popleft()
            case 2 if side.wire:
                side.wire.appendleft(side.wire[0])
            case 3 if len(side.wire) > 1:
                side.wire.rotate(1)
            case 4:
                side.kill()
                self.cut()
            case 5:
                self.pass_s(self.draw.choice((0.1, 1.0, 6.0, 13.0)))
            case roll if roll < 15:
                side.send(self.now)
            case roll if roll < 25:
                self.connect()
            case _:
                self.deliver(side)
        if any(one.wants_close for one in self.sides) and self.draw.random() < 0.5:
            self.cut()

    def calm(self) -> None:
        """The link is good and stays: three minutes."""
        for _ in range(180):
            if any(side.wants_close for side in self.sides):
                self.cut()
            self.connect()
            self.pass_s(1)
            while any(side.wire for side in self.sides) and not any(side.wants_close for side in self.sides):
                for side in self.sides:
                    self.deliver(side)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.trouble()
        self.calm()
        assert self.acceptor.delivered == self.initiator.sent
        assert self.initiator.delivered == self.acceptor.sent
        assert self.initiator.session.next_outbound == self.acceptor.session.next_inbound
        assert self.acceptor.session.next_outbound == self.initiator.session.next_inbound
        assert all(side.session.logged_on and not side.session.recovering for side in self.sides)


@settings(max_examples=25)
@given(st.integers(0, 2**32))
def test_two_sessions_converge(seed: int) -> None:
    World(seed).run(120)


@settings(max_examples=10)
@given(st.integers(0, 2**32))
def test_two_sessions_converge_with_small_chunks_and_queues(seed: int) -> None:
    World(seed, resend_chunk=2, max_pending_messages=2, resend_answer_chunk=3).run(120)


@settings(max_examples=10)
@given(st.integers(0, 2**32))
def test_two_sessions_converge_with_789(seed: int) -> None:
    World(seed, next_expected_msg_seq_num=True).run(120)


@pytest.mark.proof
@pytest.mark.parametrize(
    "changes", [{}, {"resend_chunk": 3, "max_pending_messages": 3}, {"next_expected_msg_seq_num": True}]
)
def test_thousands_of_worlds_converge(changes: dict[str, object]) -> None:
    for seed in range(1000):
        World(seed, **changes).run(300)
