"""Signals: what other processes tell a strategy, as JSON lines over ZeroMQ PUB. The strategy binds, publishers connect.

    {"id": "f-81", "kind": "funding_rate", "venue": "binance", "symbol": "BTCUSDT", "side": "buy",
     "strength": "0.8", "time": "2026-07-01T12:00:00.250Z"}

`time` is RFC 3339 with a zone. A message may hold several lines.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
import orjson

from common.instant import NS_PER_S

MAX_LINE_BYTES = 4096
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class BadSignal(Exception):
    """A line that is no signal: which field, and what is wrong with it."""


class Signal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What another process tells a strategy: trade this, this strongly.

    `id`: The publisher's own name for it, the same for a repeat.
    `kind`: A word of the publisher's: `funding_rate`, `flow`.
    `venue`: Where to trade.
    `symbol`: Symbol(55) as the venue writes it.
    `side`: `buy` or `sell`.
    `strength`: Above 0 and at most 1.
    `time`: When it became known, with a zone.
    """

    id: Word
    kind: Word
    venue: Word
    symbol: Word
    side: Literal["buy", "sell"]
    strength: Decimal = Decimal(1)
    time: Annotated[datetime, msgspec.Meta(tz=True)]

    def __post_init__(self) -> None:
        if not self.strength.is_finite() or not 0 < self.strength <= 1:
            raise ValueError(f"`strength` must be above 0 and at most 1, not {self.strength}")

    @property
    def time_ns(self) -> int:
        """`time` as Unix time in nanoseconds (it has microseconds at most)."""
        since = self.time - _EPOCH
        return (since.days * 86_400 + since.seconds) * NS_PER_S + since.microseconds * 1000


def read_signal(line: bytes) -> Signal:
    """One line of JSON as a signal. Raises BadSignal."""
    if len(line) > MAX_LINE_BYTES:
        raise BadSignal(f"a line of {len(line)} bytes; at most {MAX_LINE_BYTES} are read")
    try:
        return msgspec.convert(orjson.loads(line), Signal, strict=False)
    except (orjson.JSONDecodeError, msgspec.ValidationError) as error:
        raise BadSignal(str(error)) from None


def signal_line(signal: Signal) -> bytes:
    """A signal as one line of JSON."""
    return orjson.dumps(_plain(signal))


def _plain(signal: Signal) -> dict[str, Any]:
    return {**msgspec.structs.asdict(signal), "strength": str(signal.strength)}
