"""Risk's folded state as bytes, and back."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from common.left_out import LeftOut, Row
from common.orders.facts import VenueFacts, VenueTold
from common.orders.order_state import FillRow, RetiredRow
from services.risk.exposure import Sums
from services.risk.state import RiskState, SessionLife, TradesTold, Working


class Dump(msgspec.Struct, array_like=True, frozen=True):
    """Everything that the state holds. Fields are only ever appended, with defaults.

    `firm`, `shares`: what may be bought and sold at worst and the position, by place. `hashed`: the entries that the
    digest counts besides the orders.
    """

    lsn: int
    stamp_ns: int
    firm: list[tuple[tuple[str, str], Decimal, Decimal, Decimal]]
    shares: list[tuple[tuple[str, str, str], Decimal, Decimal, Decimal]]
    open_orders: dict[str, int]
    working: list[Working]
    names: dict[str, str]
    attempts: list[tuple[int, int, str]]
    order_ids: list[tuple[tuple[str, str, str], str]]
    fills: list[FillRow]
    retired: list[RetiredRow]
    ended: list[str]
    sessions: dict[str, SessionLife]
    strangers: list[tuple[str, str, str]]
    unclaimed: list[tuple[tuple[str, str, str], list[str]]]
    trades_told: list[tuple[tuple[str, str], TradesTold]]
    halts: list[tuple[str, str]]
    killed: bool
    highest_attempt: tuple[int, int]
    checkpoints: list[tuple[int, int]]
    hashed: list[tuple[str, ...]]
    told: list[VenueTold] = []
    left_out: list[Row] = []


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Dump).decode


def dump_state(state: RiskState) -> bytes:
    """The state as bytes."""
    exposure = state.exposure
    fills, retired = state.ledger.dump()
    return _encode(
        Dump(
            state.lsn,
            state.stamp_ns,
            [(place, sums.buy, sums.sell, sums.position) for place, sums in exposure.firm.items()],
            [(share, sums.buy, sums.sell, sums.position) for share, sums in exposure.shares.items()],
            exposure.open_orders,
            list(state.working.values()),
            state.names,
            [(*attempt, name) for attempt, name in state.attempts.items()],
            list(state.order_ids.items()),
            fills,
            retired,
            list(state.ended),
            state.sessions,
            list(state.strangers),
            list(state.unclaimed.items()),
            list(state.trades_told.items()),
            sorted(state.halts),
            state.killed,
            state.highest_attempt,
            list(state.checkpoints.items()),
            state.hashed(),
            state.known.dump(),
            state.left_out.dump(),
        )
    )


def load_state(data: bytes, venues: Mapping[str, VenueFacts], left_out: LeftOut | None = None) -> RiskState:
    """The state from bytes. Raises msgspec.DecodeError where they are of another form, ValueError where it has folded
    what is to be left out.
    """
    dump = _decode(data)
    state = RiskState(venues, left_out)
    state.left_out.load(dump.left_out, dump.lsn)
    state.lsn, state.stamp_ns = dump.lsn, dump.stamp_ns
    exposure = state.exposure
    exposure.firm.update((place, Sums(*told)) for place, *told in dump.firm)
    exposure.shares.update((share, Sums(*told)) for share, *told in dump.shares)
    exposure.open_orders.update(dump.open_orders)
    state.working.update((working.leg.owner, working) for working in dump.working)
    state.names.update(dump.names)
    state.attempts.update(((epoch, counter), name) for epoch, counter, name in dump.attempts)
    state.order_ids.update(dump.order_ids)
    state.ledger.load(dump.fills, dump.retired)
    state.ended.extend(dump.ended)
    state.sessions.update(dump.sessions)
    state.strangers.update(dict.fromkeys(dump.strangers))
    state.unclaimed.update(dump.unclaimed)
    state.trades_told.update(dump.trades_told)
    state.halts.update(dump.halts)
    state.killed, state.highest_attempt = dump.killed, dump.highest_attempt
    state.checkpoints.update(dump.checkpoints)
    state.known.load(dump.told)
    state.hash_anew(dump.hashed)
    return state
