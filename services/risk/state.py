"""Risk's folded state: what the log says of open orders, positions, halts and the kill switch. It decides nothing.

Rules:

1. Exposure is counted per order of the venue (a *leg*, `common.order_state.Leg`): what may still trade on it at
   worst. That is the largest of its terms, the unanswered amendments included, less what the ledger of fills has. A
   replacement that is a cancel and a new order (XCN at Binance) is a leg of its own from the moment it was sent, so
   old and new both count.
2. A leg that is ended still counts what the venue told as CumQty(14) and the ledger does not have: those fills are to
   come.
3. A leg ends by the venue's word, by a withdrawal, by proof that its message was never received (it was gap-filled,
   or the venue, asked after every window had closed, knows neither order nor trades), or by an operator's verdict.
   Silence ends nothing.
4. A position is the sum of the ledger's fills, less fees taken in the base asset.

The digest is kept per entry: an entry that changed is marked, and only those are hashed when the digest is asked for.
It is the exclusive or of the entries' hashes, so the order of the changes does not matter.
"""

from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec

from common.journal.frames import Record
from common.messages import (
    AmendOrder,
    Answer,
    Attempt,
    CancelRejected,
    ExecutionReport,
    GapFilled,
    Inbound,
    Kind,
    NewOrder,
    OperatorAct,
    Outbound,
    RequestRejected,
    RestOrder,
    SessionChanged,
    SessionState,
    StateHash,
    Verdict,
    Withdrawn,
    encode,
)
from common.order_state import CANCELED, FILLED, REJECTED, TERMINAL_WORDS, FillChange, FillLedger, Leg
from services.risk.exposure import Exposure

ZERO: Final = Decimal(0)
WRITER = "risk"

MAX_ENDED = 4096
"""Ended legs that stay known, so that a late fill still finds its strategy and a replacement may reopen a filled
order.
"""

HASH_EVERY = 10_000
"""The digest is taken at every LSN that is a multiple of this."""

HASHES_KEPT = 8

MAX_ALIASES = 16
"""Former and asked-for names of one order that stay known: an order may be amended for days."""


class VenueFacts(NamedTuple):
    """What the fold must know of a venue.

    `base`: the base asset by symbol. `amend_is_new_order`: whether an amendment is a cancel and a new order of its own.
    `window_ns`: how long after a connection's death one of its requests may still take effect.
    """

    base: Mapping[str, str]
    amend_is_new_order: Callable[[AmendOrder], bool]
    window_ns: int


class Amendment(msgspec.Struct, array_like=True, gc=False):
    """An amendment in place that was sent and not answered; `order_qty` is the total it asks for."""

    epoch: int
    counter: int
    order_qty: Decimal
    connection: int


class Working(msgspec.Struct, array_like=True):
    """One order of the venue with what risk keeps of it. `worst` is what is counted for it at this moment."""

    strategy: str
    number: int
    venue: str
    symbol: str
    side: str
    epoch: int
    counter: int
    connection: int
    touched_lsn: int
    leg: Leg
    amendments: dict[str, Amendment]
    worst: Decimal = ZERO
    counted_open: bool = False
    ended: bool = False
    answered_ns: int = 0
    order_absent: bool = False
    trades_absent: bool = False
    aliases: list[str] = []


class SessionLife(msgspec.Struct, array_like=True):
    """What the log last said of a session's connection. `down_ns` is when the one before `connection` was
    known dead.
    """

    state: str
    generation: int
    connection: int
    highest_inbound: int
    down_ns: int = 0
    down_lsn: int = 0


class RiskState:
    """The fold. `apply` takes each record once, in LSN order."""

    def __init__(self, venues: Mapping[str, VenueFacts]) -> None:
        """Empty, before the first record."""
        self._venues = venues
        self.lsn = 0
        self.stamp_ns = 0
        self.exposure = Exposure()
        self.working: dict[str, Working] = {}
        self.names: dict[str, str] = {}
        self.sessions: dict[str, SessionLife] = {}
        self.halts: set[tuple[str, str]] = set()
        self.killed = False
        self.highest_attempt = (0, 0)
        self.hash_mismatches = 0
        self._attempts: dict[tuple[int, int], str] = {}
        self._order_ids: dict[tuple[str, str, str], str] = {}
        self._ledger = FillLedger()
        self._ended: deque[str] = deque()
        self._checkpoints: dict[int, int] = {}
        self._dirty: set[tuple[str, ...]] = set()
        self._hashes: dict[tuple[str, ...], int] = {}
        self._digest = 0
        self._folds: dict[int, Callable[[Any, Record], None]] = {
            Kind.OUTBOUND: self._outbound,
            Kind.INBOUND: self._inbound,
            Kind.SESSION: self._session_changed,
            Kind.WITHDRAWN: self._withdrawn,
            Kind.GAP_FILLED: self._gap_filled,
            Kind.ANSWER: self._answer,
            Kind.OPERATOR: self._operator,
            Kind.VERDICT: self._verdict,
            Kind.STATE_HASH: self._state_hash,
        }

    # -- the fold ------------------------------------------------------------------------------------------------------

    def apply(self, record: Record, payload: object) -> None:
        """Fold one record; `payload` is its decoded content, None for kinds that do not concern risk."""
        self.lsn = record.lsn
        self.stamp_ns = record.stamp_ns
        if payload is not None:
            self._folds[record.kind](payload, record)
        if record.lsn % HASH_EVERY == 0:
            self._checkpoints[record.lsn] = self.digest()
            if len(self._checkpoints) > HASHES_KEPT:
                del self._checkpoints[next(iter(self._checkpoints))]

    @property
    def kinds(self) -> frozenset[int]:
        """The kinds whose payload `apply` wants."""
        return frozenset(self._folds)

    def find(self, cl_ord_id: str) -> Working | None:
        """The order of the venue that goes, went or would go by this ClOrdID(11)."""
        owner = self.names.get(cl_ord_id)
        return None if owner is None else self.working.get(owner)

    def least_terms(self, working: Working) -> Decimal:
        """The smallest total quantity that the order may turn out to have once all its amendments are answered."""
        return min((each.order_qty for each in working.amendments.values()), default=working.leg.order_qty)

    # -- outbound ------------------------------------------------------------------------------------------------------

    def _outbound(self, payload: Outbound, record: Record) -> None:
        command = payload.command
        if payload.filler or not isinstance(command, NewOrder | AmendOrder):
            return
        self.highest_attempt = max(self.highest_attempt, (command.attempt.epoch, command.attempt.counter))
        if record.stamp_ns > command.deadline_ns or command.cl_ord_id in self.names:
            return
        if isinstance(command, NewOrder):
            self._open(command, command.order_qty, command.strategy, command.number, payload.connection)
        elif self._amend_is_new_order(command):
            quantity = command.order_qty - command.cum_qty
            self._open(command, quantity, command.target_strategy, command.target_number, payload.connection)
        else:
            self._amend(command, payload.connection)

    def _amend_is_new_order(self, command: AmendOrder) -> bool:
        facts = self._venues.get(command.venue)
        return facts is not None and facts.amend_is_new_order(command)

    def _open(self, command: NewOrder | AmendOrder, qty: Decimal, strategy: str, number: int, connection: int) -> None:
        name, attempt = command.cl_ord_id, command.attempt
        leg = Leg(name, name, qty, command.price)
        working = Working(
            strategy, number, command.venue, command.symbol, command.side, attempt.epoch, attempt.counter, connection,
            self.lsn, leg, {},
        )  # fmt: skip
        self.working[name] = working
        self.names[name] = name
        self._attempts[attempt.epoch, attempt.counter] = name
        self._count(working)

    def _amend(self, command: AmendOrder, connection: int) -> None:
        working = self.find(command.orig_cl_ord_id)
        if working is None:
            return
        attempt, name = command.attempt, command.cl_ord_id
        working.amendments[name] = Amendment(attempt.epoch, attempt.counter, command.order_qty, connection)
        working.touched_lsn = self.lsn
        self._name(working, name)
        self._attempts[attempt.epoch, attempt.counter] = name
        self._count(working)

    def _name(self, working: Working, name: str) -> None:
        """From now on the order answers to `name` too; the oldest such name that is in no use any more goes."""
        self.names[name] = working.leg.owner
        aliases = working.aliases
        aliases.append(name)
        while len(aliases) > MAX_ALIASES:
            oldest = aliases.pop(0)
            if oldest == working.leg.cl_ord_id or oldest in working.amendments:
                aliases.append(oldest)
            else:
                self.names.pop(oldest, None)

    # -- inbound -------------------------------------------------------------------------------------------------------

    def _inbound(self, payload: Inbound, record: Record) -> None:
        life = self.sessions.get(payload.session)
        if life is not None and life.generation == payload.generation:
            if payload.msg_seq_num <= life.highest_inbound:
                return
            life.highest_inbound = payload.msg_seq_num
            self._dirty.add(("session", payload.session))
        event = payload.event
        if isinstance(event, ExecutionReport):
            self._report(event, payload)
        elif isinstance(event, CancelRejected | RequestRejected):
            self._request_rejected(event, record)

    def _report(self, event: ExecutionReport, payload: Inbound) -> None:
        venue = payload.session
        working = self._reported(venue, event)
        if event.unknown_order:
            self._unknown_order(working, event)
            return
        change = self._fill(venue, event, working)
        if working is None:
            return
        leg = working.leg
        working.touched_lsn = self.lsn
        working.order_absent = working.trades_absent = False
        self._dirty.add(("leg", leg.owner))
        if event.ambiguous:
            working.answered_ns = self.stamp_ns
            return
        if change is not None and change.owner == leg.owner:
            leg.fill(change)
        leg.hear(event)
        if event.order_id:
            self._order_ids[venue, event.symbol or working.symbol, event.order_id] = leg.owner
        self._attempts.pop((working.epoch, working.counter), None)
        self._answer_amendments(working, event, payload.connection)
        self._count(working)

    def _reported(self, venue: str, event: ExecutionReport) -> Working | None:
        """The order that a report is about. A cancel is told under the request's own name, beside the order's."""
        if event.exec_type == CANCELED and event.orig_cl_ord_id:
            named = self.find(event.orig_cl_ord_id)
        else:
            named = self.find(event.cl_ord_id)
        if named is None and event.order_id:
            owner = self._order_ids.get((venue, event.symbol, event.order_id))
            named = None if owner is None else self.working.get(owner)
        return named or self.find(event.orig_cl_ord_id) or self.find(event.cl_ord_id)

    def _fill(self, venue: str, event: ExecutionReport, working: Working | None) -> FillChange | None:
        """Take the report's fill, correction or bust through the ledger into the position."""
        key, kind = event.trade_key, event.exec_type
        if not key or kind not in "FGH12":
            return None
        owner = "" if working is None else working.leg.owner
        symbol = event.symbol or ("" if working is None else working.symbol)
        ledger = self._ledger
        if kind == "H":
            change = ledger.bust(venue, symbol, key, event.reference_trade_key)
        elif kind == "G":
            change = ledger.correct(
                venue, symbol, key, event.reference_trade_key, owner, event.side, event.last_qty, event.last_px,
                event.fee_qty, event.fee_asset,
            )  # fmt: skip
        else:
            change = ledger.trade(
                venue, symbol, key, owner, event.side, event.last_qty, event.last_px, event.fee_qty, event.fee_asset
            )
        self._hold(change)
        return change

    def _hold(self, change: FillChange | None) -> None:
        if change is None:
            return
        quantity = change.signed_qty()
        facts = self._venues.get(change.venue)
        base = None if facts is None else facts.base.get(change.symbol)
        for asset, paid in change.fees:
            if asset == base:
                quantity -= paid
        owner = self.working.get(change.owner)
        strategy = "" if owner is None else owner.strategy
        self.exposure.hold(strategy, change.venue, change.symbol, quantity)
        self._dirty.add(("position", change.venue, change.symbol))
        if strategy:
            self._dirty.add(("share", strategy, change.venue, change.symbol))

    def _answer_amendments(self, working: Working, event: ExecutionReport, connection: int) -> None:
        """Drop the amendments that the report answers, or that a state told over a later connection makes plain."""
        amendments = working.amendments
        if not amendments:
            return
        kind = event.exec_type
        if event.cl_ord_id in amendments and kind not in "6E" and (kind in "58" or not event.orig_cl_ord_id):
            self._drop_amendment(working, event.cl_ord_id)
        elif kind == "5":
            self._drop_amendment(working, next(iter(amendments)))
        if kind == "I":
            for name in [n for n, each in amendments.items() if each.connection < connection]:
                self._drop_amendment(working, name)
        if working.leg.word in TERMINAL_WORDS and working.leg.word != FILLED:
            for name in list(amendments):
                self._drop_amendment(working, name)

    def _drop_amendment(self, working: Working, name: str) -> None:
        amendment = working.amendments.pop(name)
        self._attempts.pop((amendment.epoch, amendment.counter), None)

    def _unknown_order(self, working: Working | None, event: ExecutionReport) -> None:
        """The venue answers a status request: it has no such order. Believed where nothing ever said otherwise.

        The request has a later number than the order, and numbers are taken in order, so one that was received is
        known.
        """
        if working is None:
            return
        if event.cl_ord_id in working.amendments:
            self._drop_amendment(working, event.cl_ord_id)
        elif not working.leg.word and not working.amendments:
            working.leg.word = REJECTED
        self._count(working)

    def _request_rejected(self, event: CancelRejected | RequestRejected, record: Record) -> None:
        working = self.find(event.cl_ord_id)
        if working is None:
            return
        if event.ambiguous:
            working.answered_ns = record.stamp_ns
            self._dirty.add(("leg", working.leg.owner))
            return
        name = event.cl_ord_id
        if name in working.amendments:
            self._drop_amendment(working, name)
        elif working.amendments and isinstance(event, CancelRejected):
            # An amendment in place that keeps the ClOrdID(11) is rejected under the order's own name (XAR).
            self._drop_amendment(working, next(iter(working.amendments)))
        elif not working.leg.word and working.leg.owner == name:
            working.leg.word = REJECTED
        self._count(working)

    # -- what never arrived --------------------------------------------------------------------------------------------

    def _withdrawn(self, payload: Withdrawn, record: Record) -> None:
        if payload.attempt is not None:
            self._never_received(payload.attempt)

    def _gap_filled(self, payload: GapFilled, record: Record) -> None:
        for attempt in payload.attempts:
            self._never_received(attempt)

    def _never_received(self, attempt: Attempt) -> None:
        name = self._attempts.get((attempt.epoch, attempt.counter))
        working = None if name is None else self.find(name)
        if name is None or working is None:
            return
        if name in working.amendments:
            self._drop_amendment(working, name)
        elif not working.leg.word:
            working.leg.word = REJECTED
        self._count(working)

    # -- sessions ------------------------------------------------------------------------------------------------------

    def _session_changed(self, payload: SessionChanged, record: Record) -> None:
        state, name = payload.state, payload.session
        life = self.sessions.get(name)
        if life is None:
            life = SessionLife(state, payload.generation, payload.connection, payload.next_inbound - 1)
            self.sessions[name] = life
        if payload.generation != life.generation or state is SessionState.NUMBERS_SET:
            life.generation, life.highest_inbound = payload.generation, payload.next_inbound - 1
        if state is SessionState.DISCONNECTED:
            life.down_ns, life.down_lsn = record.stamp_ns, record.lsn
        life.state, life.connection = state, payload.connection
        if state is SessionState.CAUGHT_UP:
            self._caught_up(name, payload.connection)
        self._dirty.add(("session", name))

    def _caught_up(self, venue: str, connection: int) -> None:
        """Everything the venue had to say of earlier connections was said: a filled order will not be replaced now."""
        for working in [w for w in self.working.values() if w.venue == venue and w.amendments]:
            if working.leg.word == FILLED:
                for name in [n for n, each in working.amendments.items() if each.connection < connection]:
                    self._drop_amendment(working, name)
                self._count(working)

    # -- REST ----------------------------------------------------------------------------------------------------------

    def _answer(self, payload: Answer, record: Record) -> None:
        if payload.failed:
            return
        venue, ask = payload.venue, payload.ask
        for trade in payload.trades:
            owner = self._order_ids.get((venue, trade.symbol, trade.order_id), "")
            if not owner and ask.cl_ord_id and trade.order_id == ask.order_id:
                owner = self.names.get(ask.cl_ord_id, "")
            self._rest_fill(venue, owner, payload, trade)
        for order in (*payload.orders, *((payload.order,) if payload.order is not None else ())):
            self._rest_order(venue, order, ask.asked_lsn)
        self._absence(payload)

    def _rest_fill(self, venue: str, owner: str, payload: Answer, trade: Any) -> None:
        change = self._ledger.trade(
            venue, trade.symbol, trade.trade_key, owner, trade.side, trade.last_qty, trade.last_px, trade.fee_qty,
            trade.fee_asset,
        )  # fmt: skip
        self._hold(change)
        working = self.working.get(owner)
        if change is not None and working is not None:
            working.leg.fill(change)
            working.touched_lsn = self.lsn
            self._count(working)

    def _rest_order(self, venue: str, order: RestOrder, asked_lsn: int) -> None:
        working = self.find(order.cl_ord_id)
        if working is None:
            owner = self._order_ids.get((venue, order.symbol, order.order_id))
            working = None if owner is None else self.working.get(owner)
        if working is None or working.venue != venue or asked_lsn < working.touched_lsn:
            return
        leg = working.leg
        leg.told_by_rest(order.ord_status, order.order_id, order.order_qty, order.price, order.cum_qty)
        self._order_ids[venue, order.symbol, order.order_id] = leg.owner
        self._attempts.pop((working.epoch, working.counter), None)
        working.touched_lsn = self.lsn
        self._count(working)

    def _absence(self, payload: Answer) -> None:
        """Neither the order nor a trade of it is known, asked when its message could not take effect any more."""
        ask = payload.ask
        working = self.find(ask.cl_ord_id) if ask.cl_ord_id else None
        if working is None or working.leg.word or working.leg.cum_qty or ask.asked_lsn < working.touched_lsn:
            return
        if not self._window_closed(working, ask.asked_lsn, payload.venue_ns):
            return
        if ask.what == "order" and payload.not_found:
            working.order_absent = True
        elif ask.what == "trades":
            working.trades_absent = True
        if working.order_absent and working.trades_absent:
            working.leg.word = REJECTED
        self._count(working)

    def _window_closed(self, working: Working, asked_lsn: int, venue_ns: int) -> bool:
        """Whether, by the venue's clock, a request of the order's connection cannot take effect any more."""
        facts, life = self._venues.get(working.venue), self.sessions.get(working.venue)
        if facts is None or life is None:
            return False
        over_ns = working.answered_ns
        if not over_ns:
            gone = life.connection > working.connection or life.state == SessionState.DISCONNECTED
            over_ns = life.down_ns if gone and life.down_lsn <= asked_lsn else 0
        return bool(over_ns) and venue_ns >= over_ns + facts.window_ns

    # -- people --------------------------------------------------------------------------------------------------------

    def _operator(self, payload: OperatorAct, record: Record) -> None:
        if payload.actor != WRITER:
            return
        scope, _, name = payload.text.partition(" ")
        if payload.act == "kill":
            self.killed = True
        elif payload.act == "resume":
            self.killed = False
        elif payload.act == "halt":
            self.halts.add((scope, name))
        elif payload.act == "unhalt":
            self.halts.discard((scope, name))
        self._dirty.add(("people",))

    def _verdict(self, payload: Verdict, record: Record) -> None:
        name = (payload.strategy, payload.number)
        for working in [w for w in self.working.values() if (w.strategy, w.number) == name and not w.ended]:
            for amendment in list(working.amendments):
                self._drop_amendment(working, amendment)
            working.leg.word = payload.ord_status
            working.leg.told_cum_qty = working.leg.cum_qty
            working.touched_lsn = self.lsn
            self._count(working)

    # -- counting ------------------------------------------------------------------------------------------------------

    def _count(self, working: Working) -> None:
        """Bring the sums up to what the order may still do at worst; forget it some time after it cannot
        do anything.
        """
        leg = working.leg
        ended = leg.word in TERMINAL_WORDS
        total = leg.filled_qty if ended else leg.order_qty
        for amendment in working.amendments.values():
            if amendment.order_qty > total:
                total = amendment.order_qty
        worst = total - leg.cum_qty
        if worst < ZERO:
            worst = ZERO
        exposure = self.exposure
        exposure.add(working.strategy, working.venue, working.symbol, working.side, worst - working.worst)
        working.worst = worst
        is_open = not ended or bool(working.amendments)
        if is_open != working.counted_open:
            exposure.count(working.strategy, 1 if is_open else -1)
            working.counted_open = is_open
        over = ended and not working.amendments and not worst
        if over and not working.ended:
            working.ended = True
            self._ended.append(leg.owner)
            self._forget_oldest()
        elif not over and working.ended:
            working.ended = False
        self._dirty.add(("leg", leg.owner))

    def _forget_oldest(self) -> None:
        while len(self._ended) > MAX_ENDED:
            owner = self._ended.popleft()
            working = self.working.get(owner)
            if working is None or not working.ended:
                continue
            del self.working[owner]
            self._dirty.add(("leg", owner))
            self._attempts.pop((working.epoch, working.counter), None)
            self._order_ids.pop((working.venue, working.symbol, working.leg.order_id), None)
            self._ledger.retire(owner)
            for name in (owner, *working.aliases):
                self.names.pop(name, None)

    # -- the digest ----------------------------------------------------------------------------------------------------

    def digest(self) -> int:
        """The hash of the whole state, as a number of 64 bits."""
        for key in self._dirty:
            entry = self._entry(key)
            self._digest ^= self._hashes.pop(key, 0)
            if entry is not None:
                value = int.from_bytes(blake2b(encode((key, entry)), digest_size=8).digest(), "little")
                self._hashes[key] = value
                self._digest ^= value
        self._dirty.clear()
        return self._digest

    def _entry(self, key: tuple[str, ...]) -> object:
        match key:
            case ("leg", owner):
                return self.working.get(owner)
            case ("position", venue, symbol):
                return self.exposure.sums(venue, symbol).position
            case ("share", strategy, venue, symbol):
                return self.exposure.share(strategy, venue, symbol).position
            case ("session", name):
                return self.sessions.get(name)
            case _:
                return self.killed, sorted(self.halts)

    def checkpoint(self, lsn: int) -> bytes | None:
        """The digest as it was after the record `lsn`, for one of the last multiples of HASH_EVERY."""
        value = self._checkpoints.get(lsn)
        return None if value is None else value.to_bytes(8, "little")

    def _state_hash(self, payload: StateHash, record: Record) -> None:
        """A hash that a former life wrote must be the one that this fold came to."""
        if payload.actor == WRITER:
            ours = self.checkpoint(payload.at_lsn)
            if ours is not None and ours != payload.digest:
                self.hash_mismatches += 1
