"""A log that holds what no actor of ours writes: records of any kind with any values that their types can carry.

Every fold takes it, record by record, and so do the readers of the command line: none raises. What a fold's snapshot
loads as is the state that it was made of. In every second round the strange records are such that say nothing of fills
and name no order of ours: positions are then those of a model that knows nothing but fills, written here.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from random import Random
from typing import get_args

import msgspec

from common.actor.order_books import Folded as FoldedOrders
from common.actor.order_books import loader as orders_loader
from common.actor.snapshots import Foldable
from common.journal.frames import Record
from common.messages import (
    Answer,
    Booked,
    ExecutionReport,
    Inbound,
    Kind,
    NewOrder,
    Outbound,
    Payload,
    Trade,
    encode,
)
from common.past.words import document, line, payload_of
from common.venues.registry import find_dialect
from scripts.fuzz.target import Broken, Round, Tally
from scripts.fuzz.values import Maker, cut_about
from scripts.fuzz.worlds import LivelyWorld
from scripts.simulation import setting
from services.risk.make_snapshot import loader as risk_loader
from services.risk.state import RiskState
from services.session.records import KINDS as KINDS_OF_SESSIONS
from services.session.recovery import Folded as FoldedSession
from services.session.recovery import load_folded

KINDS: dict[type[msgspec.Struct], Kind] = dict(zip(get_args(Payload), Kind, strict=True))
"""Payloads and their kinds stand in one order."""

_payload: Callable[[bytes], msgspec.Struct] = msgspec.msgpack.Decoder(Payload).decode
Positions = dict[tuple[str, str], Decimal]
NaiveFills = dict[tuple[str, str, str, str], tuple[Decimal, str]]
"""By venue, symbol, order and trade: what it moved, and the asset of its fee, "" until that is told."""


class Folds:
    """See `Target`."""

    sentence = "Records of any kind with any values: no fold and no reader raises, and positions are a naive model's."
    size = 400

    def play(self, a_round: Round, tally: Tally) -> None:
        """See `Target`."""
        maker = Maker(Random(f"folds {a_round.seed}"))
        world = LivelyWorld(a_round.seed, maker)
        world.come_alive()
        real = [found.record for found in world.witness.records]
        for record in real:
            payload = payload_of(record)
            if payload is not None:
                maker.show(payload)
        is_noise = a_round.seed % 2 == 0
        strange = dict(self._strange(a_round, maker, real, tally, is_noise=is_noise))
        states = _fresh()
        for number, record in enumerate(_mixed(real, strange), start=1):
            _read(record)
            for name, state in states.items():
                try:
                    state.apply(record)
                except Exception as error:
                    raise Broken(f"{name} raised {error!r} at record {number}: {_shown(record)}") from error
        _check_snapshots(states)
        if is_noise:
            _check_positions(states, naive_positions(real))

    def _strange(
        self, a_round: Round, maker: Maker, real: Sequence[Record], tally: Tally, *, is_noise: bool
    ) -> Iterator[tuple[int, list[Record]]]:
        """Records, by the real one that they come before."""
        ours = _names(real)
        places: dict[int, list[Record]] = {}
        for number in a_round.numbers():
            random = maker.random = Random(f"folds {a_round.seed} {number}")
            before = random.choice(real)
            payload = maker.message(get_args(Payload))
            data = encode(payload)
            if random.random() < 0.05:
                data = cut_about(data, random)
            decoded = _decodes(data)
            if is_noise and _moves(decoded, ours):
                continue
            tally.count("record", decoded=decoded is not None)
            kind = KINDS[type(payload)]
            writer = random.choice(("orders", "risk", "session@generic", "session@binance", before.writer))
            if type(payload) in KINDS_OF_SESSIONS and random.random() < 0.5:
                writer = "session@generic"
            places.setdefault(before.lsn, []).append(
                msgspec.structs.replace(before, kind=kind, writer=writer, payload=data)
            )
        yield from places.items()


def reports_of(payload: msgspec.Struct | None) -> list[ExecutionReport]:
    """The reports that a record's message holds."""
    events = payload.events if isinstance(payload, Inbound) else ()
    return [event for event in events if isinstance(event, ExecutionReport)]


def _names(real: Sequence[Record]) -> frozenset[str]:
    """Every ClOrdID(11) and OrderID(37) of ours in the log."""
    names: set[str] = set()
    for record in real:
        payload = payload_of(record)
        if isinstance(payload, Outbound) and payload.command is not None:
            names.add(getattr(payload.command, "cl_ord_id", ""))
        for event in reports_of(payload):
            names |= {event.cl_ord_id, event.order_id}
    return frozenset(names)


def _moves(payload: msgspec.Struct | None, ours: frozenset[str]) -> bool:
    """Whether a strange record may rightly move a position, or make an order of ours another one."""
    if isinstance(payload, Outbound):
        return isinstance(payload.command, NewOrder) and payload.command.cl_ord_id in ours
    if isinstance(payload, Inbound):
        return bool(reports_of(payload))
    if isinstance(payload, Booked):
        return not payload.is_transfer
    return isinstance(payload, Answer) and bool(payload.trades)


def _mixed(real: Sequence[Record], strange: dict[int, list[Record]]) -> Iterator[Record]:
    """One log of both, numbered anew."""
    lsn = 0
    for record in real:
        for each in (*strange.get(record.lsn, ()), record):
            lsn += 1
            yield msgspec.structs.replace(each, lsn=lsn)


def _fresh() -> dict[str, Foldable]:
    states: dict[str, Foldable] = {"orders": setting.folded_orders(), "risk": setting.folded_risk()}
    for venue, config in setting.CONFIG.venues.items():
        states[f"session@{venue}"] = FoldedSession(f"session@{venue}", venue, find_dialect(config.dialect))
    return states


def _read(record: Record) -> None:
    """As `fixring journal` shows it."""
    payload = payload_of(record)
    line(record, payload)
    msgspec.json.encode(document(record, payload))


def _decodes(data: bytes) -> msgspec.Struct | None:
    try:
        return _payload(data)
    except Exception:
        return None


def _check_snapshots(states: dict[str, Foldable]) -> None:
    config = setting.CONFIG
    loads: dict[str, Callable[[bytes], Foldable]] = {"orders": orders_loader(config), "risk": risk_loader(config)}
    for name, state in states.items():
        dump = state.dump()
        venue = name.partition("@")[2]
        loaded: Foldable
        if venue:
            loaded = load_folded(dump, name, venue, find_dialect(config.venues[venue].dialect))
        else:
            loaded = loads[name](dump)
        if (loaded.digest(), loaded.lsn) != (state.digest(), state.lsn):
            raise Broken(f"{name}: its snapshot loads as another state")


def naive_positions(records: Sequence[Record]) -> Positions:
    """What the fills in a log come to: each of them once, whoever told it, by venue and symbol; fees in base taken off,
    of each fill the first that was told.

    For logs in which no fill was busted or corrected. Whose fill it is does not matter: all are on our account.
    """
    fills: NaiveFills = {}
    for record in records:
        payload = payload_of(record)
        if isinstance(payload, Inbound):
            for report in reports_of(payload):
                _add(fills, payload.account, report)
        elif isinstance(payload, Answer):
            for trade in payload.trades:
                _add(fills, payload.venue, trade)
    positions: Positions = {}
    for (venue, symbol, _, _), (quantity, _) in fills.items():
        positions[venue, symbol] = positions.get((venue, symbol), Decimal(0)) + quantity
    return positions


def _add(fills: NaiveFills, venue: str, told: ExecutionReport | Trade) -> None:
    key = (venue, told.symbol, told.order_id, told.trade_key)
    if not told.trade_key or not told.last_qty or (key in fills and fills[key][1]):
        return
    quantity = told.last_qty if told.side == "1" else -told.last_qty
    if told.fee_asset == setting.CONFIG.venues[venue].instruments[told.symbol].base:
        quantity -= told.fee_qty
    fills[key] = (quantity, told.fee_asset)


def _check_positions(states: dict[str, Foldable], expected: Positions) -> None:
    orders, risk = states["orders"], states["risk"]
    assert isinstance(orders, FoldedOrders) and isinstance(risk, RiskState)
    for place in setting.position_limits():
        wanted = expected.get(place, Decimal(0))
        held = orders.books.positions.get(place)
        ours = held.quantity if held is not None else Decimal(0)
        counted = risk.exposure.firm[place].position
        if (ours, counted) != (wanted, wanted):
            raise Broken(f"{place}: orders holds {ours}, risk {counted}; the fills come to {wanted}")


def _shown(record: Record) -> str:
    return f"{record.writer} kind {record.kind} {_decodes(record.payload)!r}"[:600]
