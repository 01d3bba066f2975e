"""Invariant: a line is a whole signal or none at all, and what was written is read back the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.strategy.signals import MAX_LINE_BYTES, BadSignal, read_signal, signal_line

LINE = (
    b'{"id": "f-81", "kind": "funding_rate", "venue": "binance", "symbol": "BTCUSDT", "side": "buy",'
    b' "strength": "0.8", "time": "2026-07-01T12:00:00.250Z"}'
)


def test_a_signal_is_read_and_written_back() -> None:
    signal = read_signal(LINE)
    assert (signal.id, signal.kind, signal.side, str(signal.strength)) == ("f-81", "funding_rate", "buy", "0.8")
    assert signal.time_ns == 1_782_907_200_250_000_000
    assert read_signal(signal_line(signal)) == signal


def test_a_strength_may_be_a_number_and_is_1_when_missing() -> None:
    assert str(read_signal(LINE.replace(b'"0.8"', b"0.5")).strength) == "0.5"
    assert read_signal(LINE.replace(b' "strength": "0.8",', b"")).strength == 1


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ((b'"buy"', b'"hold"'), "side"),
        ((b'"0.8"', b'"0"'), "strength"),
        ((b'"0.8"', b'"1.1"'), "strength"),
        ((b'"0.8"', b'"NaN"'), "strength"),
        ((b'"f-81"', b'""'), "id"),
        ((b'"id"', b'"ix"'), "i"),
        ((b"00.250Z", b"00.250"), "time"),
        ((b"{", b""), "column"),
    ],
)
def test_what_is_no_signal_says_why(change: tuple[bytes, bytes], what: str) -> None:
    with pytest.raises(BadSignal, match=what):
        read_signal(LINE.replace(*change))


def test_a_line_too_long_is_not_read() -> None:
    with pytest.raises(BadSignal, match=str(MAX_LINE_BYTES)):
        read_signal(LINE + b" " * MAX_LINE_BYTES)


@given(st.binary(max_size=200))
def test_garbage_is_a_bad_signal_and_nothing_worse(data: bytes) -> None:
    with pytest.raises(BadSignal):
        read_signal(data)
