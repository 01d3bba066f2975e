"""A session and any input. Invariant: whatever bytes come, well-formed or not, a session raises nothing, its inbound
number never falls except by a reset, it numbers its own messages without a hole, and what it sends is verified FIX.
"""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.fix.session import Session
from common.fix.session_types import Inbound, NumbersReason, NumbersSet, Outbound, ResendWanted, SessionSettings
from common.fix.wire import Framer, encode
from common.instant import Instant
from tests.common.fix.harness import BOOT_NS, NS_PER_S, VALIDATOR, WALL_NS
from tests.common.fix.strategies import cuts, pieces, scraps

SETTINGS = SessionSettings(
    sender_comp_id="US", target_comp_id="THEM", initiator=False, validate=VALIDATOR, max_pending_messages=5
)
_TYPES = [b"0", b"1", b"2", b"3", b"4", b"5", b"A", b"D", b"8", b"ZZ"]
_BITS = [
    text.replace("|", "\x01").encode("latin-1")
    for text in (
        "43=Y|122=20260101-00:00:00|",
        "43=Y|",
        "112=x|",
        "7=1|16=0|",
        "7=2|16=1|",
        "7=99999999999|16=0|",
        "36=1|",
        "36=9|",
        "123=Y|36=4|",
        "98=0|108=30|",
        "98=0|108=0|141=Y|",
        "108=99999999999999999999|",
        "789=5|",
        "45=1|",
        "58=|",
        "386=2|336=A|",
        "453=1|447=D|",
        "11=a|54=1|40=1|60=20260101-00:00:00|55=X|38=1|",
        "95=4|96=a|b||",
        "52=x|",
        "34=7|",
        "-5=1|",
        "0=1|",
        "=|",
        "\xff=1|",
    )
]


@st.composite
def sessions_of_messages(draw: st.DrawFn) -> list[bytes]:
    """Well-framed messages, nearly right in what they say."""
    found = []
    for _ in range(draw(st.integers(1, 12))):
        number = draw(st.sampled_from([b"0", b"1", b"2", b"3", b"4", b"5", b"9", b"", b"x", b"-1", b"9" * 30]))
        their = draw(st.sampled_from([b"THEM"] * 9 + [b"WHO"]))
        stamp = draw(st.sampled_from([b"20260101-00:00:00"] * 9 + [b"20200101-00:00:00"]))
        bits = b"".join(draw(st.lists(st.sampled_from(_BITS), max_size=3)))
        head = b"35=%b\x0134=%b\x0149=%b\x0152=%b\x0156=US\x01" % (draw(st.sampled_from(_TYPES)), number, their, stamp)
        found.append(encode(draw(st.sampled_from([b"FIX.4.4"] * 19 + [b"FIX.4.2"])), head + bits))
    return found


def play(chosen: SessionSettings, inputs: list[bytes]) -> None:
    """Feed a session, with time passing, and check the invariant after every step."""
    session = Session(chosen)
    now = Instant(WALL_NS, BOOT_NS)
    session.connected(now)
    logon = b"35=A\x0134=1\x0149=THEM\x0152=20260101-00:00:00\x0156=US\x0198=0\x01108=30\x01"
    next_outbound, next_inbound = 1, 1
    for data in [encode(b"FIX.4.4", logon), *inputs]:
        session.received(data, now)
        while effects := session.take_effects():
            for effect in effects:
                if isinstance(effect, Outbound):
                    assert Framer().feed(effect.raw) == [effect.raw]
                    if not effect.resent:
                        assert effect.msg_seq_num == next_outbound
                        next_outbound += 1
                elif isinstance(effect, Inbound):
                    assert effect.msg_seq_num == next_inbound
                    next_inbound += 1
                elif isinstance(effect, NumbersSet):
                    if effect.reason is not NumbersReason.RESET_SEQ_NUM_FLAG:
                        assert effect.next_inbound > next_inbound
                    next_outbound, next_inbound = effect.next_outbound, effect.next_inbound
                elif isinstance(effect, ResendWanted):
                    session.resend(effect.begin, effect.end, [], now)
        assert (session.next_outbound, session.next_inbound) == (next_outbound, next_inbound)
        assert len(session._pending) <= chosen.max_pending_messages
        now = Instant(now.wall_ns + NS_PER_S // 10, now.boot_ns + NS_PER_S // 10)
        session.timer(now)
        next_outbound += sum(1 for effect in session._effects if isinstance(effect, Outbound))
        session.take_effects()


@settings(max_examples=60)
@given(sessions_of_messages(), st.booleans())
def test_nearly_right_messages(inputs: list[bytes], validated: bool) -> None:
    play(SETTINGS if validated else replace(SETTINGS, validate=None), inputs)


@settings(max_examples=30)
@given(scraps, cuts)
def test_any_bytes(data: bytes, sizes: list[int]) -> None:
    play(SETTINGS, pieces(data, sizes))


@pytest.mark.proof
def test_a_million_nearly_right_messages() -> None:
    """The invariant over a million messages in sessions of a hundred."""
    draw = random.Random(20260101)
    for _ in range(10_000):
        inputs = []
        for _ in range(100):
            head = b"35=%b\x0134=%d\x0149=THEM\x0152=20260101-00:00:00\x0156=US\x01" % (
                draw.choice(_TYPES), draw.randrange(60),
            )  # fmt: skip
            inputs.append(encode(b"FIX.4.4", head + b"".join(draw.choices(_BITS, k=draw.randrange(3)))))
        play(SETTINGS, inputs)
