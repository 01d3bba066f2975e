"""Whatever comes in over any listener, the exchange neither raises nor stops serving the others."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.exchange.settings import ExchangeSettings
from common.fix.wire import encode, utc_timestamp
from tests.common.exchange.harness import GENERIC, Client, World
from tests.common.venues.binance.test_simulated import BINANCE, RawClient, connect, order
from tests.common.venues.bybit import rig as bybit

VALUES = st.one_of(
    st.sampled_from(
        [b"1", b"2", b"0", b"-1", b"1e999999", b"1E-999999", b"NaN", b"sNaN", b"Infinity", b"0.5", b"900", b"BTCUSDT",
         b"a", b"NONE", b"Y", b"7", b"99999999999999999999999", b"\xff\xfe", b"", b"=", b"\xc3\xa9", b"r", b"x" * 70]
    ),
    st.binary(max_size=8).map(lambda b: b.replace(b"\x01", b"")),
)  # fmt: skip
TAGS = st.sampled_from(
    [11, 41, 37, 55, 54, 38, 40, 44, 59, 18, 530, 790, 584, 585, 262, 263, 264, 266, 146, 267, 269, 25001, 25002, 25033,
     25034, 25038, 6136, 320, 559, 97, 152, 25000, 112]
)  # fmt: skip
TYPES = st.sampled_from(["D", "F", "G", "q", "H", "AF", "V", "x", "E", "XCN", "XAK", "XLQ", "1", "0", "ZZ"])
BYBIT_TAGS = st.sampled_from([11, 37, 55, 54, 38, 40, 44, 59, 30001, 30002, 30006, 30010, 30013, 30018, 112, 96])
BYBIT_TYPES = st.sampled_from(["D", "F", "XAR", "XBX", "A", "1", "2", "4", "5", "ZZ"])
MESSAGES = st.lists(st.tuples(TYPES, st.lists(st.tuples(TAGS, VALUES), max_size=14)), min_size=1, max_size=6)


def body(fields: list[tuple[int, bytes]]) -> bytes:
    return b"".join(b"%d=%b\x01" % field for field in fields)


@pytest.mark.parametrize(("venue", "listener"), [(GENERIC, "fix"), (GENERIC, "market_data")])
@settings(max_examples=60, deadline=None)
@given(messages=MESSAGES)
def test_any_fields_generic(
    venue: ExchangeSettings, listener: str, messages: list[tuple[str, list[tuple[int, bytes]]]]
) -> None:
    """Messages with fields that make no sense are answered or ignored, and the next good order is accepted."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), venue)
        client = Client(world, "FIXRING" if listener == "fix" else "FIXRINGMD", listener)
        for msg_type, fields in messages:
            if client.session.logged_on:
                client.session.send(msg_type, body(fields), world.now)
                world.pump()
        good = Client(world, "OTHER")
        assert good.order("good", "1", "1", "900")[-1][150] in ("0", "F", "C")


@pytest.mark.parametrize("listener", ["fix", "market_data"])
@settings(max_examples=60, deadline=None)
@given(messages=MESSAGES)
def test_any_fields_binance(listener: str, messages: list[tuple[str, list[tuple[int, bytes]]]]) -> None:
    """The same for Binance, whose server looks at every field itself."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), BINANCE)
        raw = RawClient(world, listener)
        raw.logon()
        stamp = utc_timestamp(world.now.wall_ns, 6)
        for number, (msg_type, fields) in enumerate(messages, 2):
            head = b"35=%b\x0149=FXR00009\x0156=SPOT\x0134=%d\x0152=%b\x01" % (msg_type.encode(), number, stamp)
            raw.push(encode(b"FIX.4.4", head + body(fields)))
        assert order(connect(world), "good", "1", "1", "900")[-1][150] in ("0", "F", "C")


@settings(max_examples=60, deadline=None)
@given(messages=st.lists(st.tuples(BYBIT_TYPES, st.lists(st.tuples(BYBIT_TAGS, VALUES), max_size=14)), max_size=6))
def test_any_fields_bybit(messages: list[tuple[str, list[tuple[int, bytes]]]]) -> None:
    """The same for Bybit: whoever asks for what there is, and means it, is answered as before."""
    with tempfile.TemporaryDirectory() as folder:
        world = bybit.exchange(Path(folder))
        hand = bybit.inside(world, "ODD")
        for msg_type, fields in messages:
            if hand.is_in:
                hand.say(msg_type, body(fields).decode("latin-1").replace("\x01", "|"))
        assert bybit.field(bybit.inside(world, "GOOD").order("good", "1", "1", "900")[-1], 150) in ("0", "A", "F")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=30), max_size=4))
def test_any_body_binance(parts: list[bytes]) -> None:
    """Frames that are right outside and nonsense inside are answered or counted, tags that are no numbers too."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), BINANCE)
        raw = RawClient(world)
        raw.logon()
        stamp = utc_timestamp(world.now.wall_ns, 6)
        for number, part in enumerate(parts, 2):
            head = b"35=D\x0149=FXR00009\x0156=SPOT\x0134=%d\x0152=%b\x01" % (number, stamp)
            raw.push(encode(b"FIX.4.4", head + part + b"\x01"))
        assert connect(world).session.logged_on


@pytest.mark.parametrize("venue", [GENERIC, BINANCE])
@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["fix", "market_data", "rest"]), st.lists(st.binary(max_size=200), max_size=6))
def test_any_bytes(venue: ExchangeSettings, listener: str, parts: list[bytes]) -> None:
    """Bytes that are no message of any kind are counted at most."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), venue)
        if listener in world.core.gateways:
            raw = RawClient(world, listener)
            for part in parts:
                raw.push(part)
        world.pass_time(15, 5)
        good = Client(world) if venue is GENERIC else connect(world)
        assert good.session.logged_on


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([b"GET", b"DELETE", b"POST"]), st.binary(max_size=60), st.binary(max_size=40))
def test_any_http(method: bytes, target: bytes, header: bytes) -> None:
    """Requests of any shape get an answer or a closed connection."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), BINANCE)
        raw = RawClient(world, "rest")
        raw.push(b"%b /api/v3/order?%b HTTP/1.1\r\nHost: x\r\nX-MBX-APIKEY: %b\r\n\r\n" % (method, target, header))
        assert connect(world).session.logged_on
