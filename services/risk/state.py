"""Risk's folded state: what the log says of open orders, positions, halts and the kill switch. It decides nothing.

Rules:

1. Exposure is counted per order of the venue (a *leg*, `common.orders.order_state.Leg`): what may still trade on it at
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
Ended legs do not count: most have come and gone since it was last asked for, and hashing them made risk stand still.
It is the exclusive or of the entries' hashes, so the order of the changes does not matter.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final, NamedTuple, cast

import msgspec

from common.journal.frames import Record
from common.left_out import LeftOut, Unfoldable
from common.messages import (
    HASH_EVERY,
    UNDECODABLE,
    AmendOrder,
    Answer,
    Attempt,
    CancelRejected,
    ExecutionReport,
    FilledByHand,
    GapFilled,
    Inbound,
    Kind,
    NewOrder,
    OperatorAct,
    Outbound,
    Payload,
    RequestRejected,
    RestOrder,
    SessionChanged,
    SessionState,
    StateHash,
    Trade,
    Unreadable,
    Verdict,
    Withdrawn,
    encode,
)
from common.orders.absence import DOWN, is_dead, no_stranger, sending_ns, unknown_over_fix, window_closed
from common.orders.belief import believed, believed_of_stranger, contradiction, order_of, side_of
from common.orders.facts import Holding, KnownVenues, VenueFacts
from common.orders.order_state import (
    ANSWERED_BY,
    BY_HAND,
    FILLED,
    REJECTED,
    REPLACED,
    TERMINAL_WORDS,
    AskedTerms,
    FillChange,
    FillLedger,
    Leg,
    RequestKind,
    answered_amendment,
    names_order,
    rejects_request,
    tells_amended,
)
from common.soundness import DECODERS
from services.risk.exposure import Exposure, Sums

ZERO: Final = Decimal(0)
WRITER = "risk"

FOLD_VERSION = 1
"""See `common.actor.snapshots.Foldable`."""

MAX_ENDED = 4096
"""Ended legs that stay known, so that a late fill still finds its strategy and a replacement may reopen a filled
order.
"""

MAX_STRANGERS = 1024
"""Orders of somebody else on our account that are remembered, and fills of orders that nobody has named yet."""

PASSING = frozenset({SessionState.NUMBERS_SET, SessionState.LATCHED, SessionState.UNLATCHED})
"""Session records that say nothing of its connection."""

HASHES_KEPT = 8

NEVER: Final = 1 << 62
"""Later than any time and any LSN: what an older snapshot does not tell."""

MAX_ALIASES = 16
"""Former and asked-for names of one order that stay known: an order may be amended for days."""


class Amendment(msgspec.Struct, array_like=True, gc=False):
    """An amendment in place that was sent and not answered; `order_qty` is the total it asks for.

    `sent_ns`: from when the venue's window for it counts. `answered`: the venue said something to it that could not be
    read.
    """

    epoch: int
    counter: int
    order_qty: Decimal
    connection: int
    sent_ns: int = NEVER
    answered: bool = False
    session: str = ""


class Working(msgspec.Struct, array_like=True, gc=False):
    """One order of the venue with what risk keeps of it. `worst` is what is counted for it at this moment.

    `sent_ns`: from when the venue's window for its message counts. `doubtful`: the venue itself does not know what
    became of it, or what it said of it could not be read. `aliases` are the other ClOrdIDs(11) that it answers to.
    `concluded`: it was ended by proof that it never arrived, or by an operator's verdict. The venue's word is stronger.
    """

    strategy: str
    number: int
    account: str
    symbol: str
    side: str
    epoch: int
    counter: int
    connection: int
    sent_ns: int
    touched_lsn: int
    leg: Leg
    amendments: dict[str, Amendment]
    worst: Decimal = ZERO
    counted_open: bool = False
    ended: bool = False
    doubtful: bool = False
    aliases: list[str] = []
    concluded: bool = False
    session: str = ""

    def __post_init__(self) -> None:
        """An older snapshot has one name for the account and the session."""
        if not self.session:
            self.session = self.account
            for amendment in self.amendments.values():
                amendment.session = self.account


class TradesTold(NamedTuple):
    """The last time that REST told all trades of a symbol: its clock then, how many orders unknown to us have had
    fills, and where its answer stands.
    """

    venue_ns: int
    strangers: int
    lsn: int = NEVER


class SessionLife(msgspec.Struct, array_like=True):
    """What the log last said of a session. `down_lsn`: where the end of its last connection stands."""

    state: str
    connection: int
    down_lsn: int = 0


class RiskState:
    """The fold. `apply` takes each record once, in LSN order."""

    def __init__(self, venues: Mapping[str, VenueFacts], left_out: LeftOut | None = None) -> None:
        """Empty, before the first record. `left_out` says which records to leave out."""
        self.left_out = LeftOut() if left_out is None else left_out
        self.known = KnownVenues(venues)
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
        self.attempts: dict[tuple[int, int], str] = {}
        self.order_ids: dict[tuple[str, str, str], str] = {}
        self.ledger = FillLedger(base_of=self.known.base_of)
        self.ended: deque[str] = deque()
        self.strangers: dict[tuple[str, str, str], None] = {}
        self.unclaimed: dict[tuple[str, str, str], list[str]] = {}
        self.trades_told: dict[tuple[str, str], TradesTold] = {}
        self.checkpoints: dict[int, int] = {}
        self._dirty: set[tuple[str, ...]] = set()
        self._dirty_legs: set[str] = set()
        self._dirty_sessions: set[str] = set()
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
            Kind.FILLED_BY_HAND: self._filled_by_hand,
            Kind.STATE_HASH: self._state_hash,
        }
        # The kinds whose payload `apply` wants.
        self.kinds = frozenset(self._folds)

    # -- the fold ------------------------------------------------------------------------------------------------------

    def read(self, record: Record) -> Payload | None:
        """The payload of a record; None where it is left out, or cannot be read and is left out from now on."""
        if self.left_out and record.lsn in self.left_out:
            return None
        try:
            return cast(Payload, DECODERS[record.kind](record.payload))
        except UNDECODABLE as error:
            self.left_out.add(record.lsn, str(error))
            return None

    def apply(self, record: Record, payload: object) -> None:
        """Fold one record; `payload` is its decoded content, None where there is none or it does not concern risk.

        Raises Unfoldable: the state is of no use then.
        """
        self.lsn = record.lsn
        self.stamp_ns = record.stamp_ns
        if payload is not None:
            fold = self._folds.get(record.kind)
            if fold is not None:
                self.ledger.begin(record.lsn)
                try:
                    fold(payload, record)
                except Exception as error:
                    raise Unfoldable(record.lsn, error) from error
        if record.lsn % HASH_EVERY == 0:
            self.checkpoints[record.lsn] = self.digest()
            if len(self.checkpoints) > HASHES_KEPT:
                del self.checkpoints[next(iter(self.checkpoints))]

    def holdings(self) -> list[Holding]:
        """What is open and what is owned, by place."""
        open_orders = Counter((w.account, w.symbol) for w in self.working.values() if w.counted_open)
        firm = self.exposure.firm
        venue_of = self.known.venue_of
        return [
            Holding(venue_of(account), symbol, open_orders[account, symbol], firm[account, symbol].position, account)
            for account, symbol in sorted(firm)
        ]

    def find(self, cl_ord_id: str) -> Working | None:
        """The order of the venue that goes, went or would go by this ClOrdID(11)."""
        owner = self.names.get(cl_ord_id)
        return None if owner is None else self.working.get(owner)

    def least_terms(self, working: Working) -> Decimal:
        """The smallest total quantity that the order may turn out to have, however its amendments are answered."""
        return min([working.leg.least_qty, *(each.order_qty for each in working.amendments.values())])

    # -- outbound ------------------------------------------------------------------------------------------------------

    def _outbound(self, payload: Outbound, record: Record) -> None:
        command = payload.command
        if payload.filler or not isinstance(command, NewOrder | AmendOrder):
            return
        self.highest_attempt = max(self.highest_attempt, (command.attempt.epoch, command.attempt.counter))
        if record.stamp_ns > command.deadline_ns or command.cl_ord_id in self.names:
            return
        if isinstance(command, NewOrder):
            self._open(command, command.order_qty, (command.strategy, command.number), payload)
        elif payload.opens:
            quantity = command.order_qty - command.cum_qty
            self._open(command, quantity, (command.target_strategy, command.target_number), payload)
        else:
            self._amend(command, payload)

    def _sent_ns(self, payload: Outbound, venue: str) -> int:
        """From when the venue counts its window for the message; the journal's stamp where it has none."""
        return sending_ns(payload.raw, self.stamp_ns) if self._window_ns(venue) else self.stamp_ns

    def _open(self, command: NewOrder | AmendOrder, qty: Decimal, order: tuple[str, int], payload: Outbound) -> None:
        name, attempt = command.cl_ord_id, command.attempt
        leg = Leg(name, name, qty, command.price)
        working = Working(
            *order, command.account, command.symbol, command.side, attempt.epoch, attempt.counter, payload.connection,
            self._sent_ns(payload, command.account), self.lsn, leg, {}, session=payload.session,
        )  # fmt: skip
        self.working[name] = working
        self.names[name] = name
        self.attempts[attempt.epoch, attempt.counter] = name
        self._count(working)

    def _amend(self, command: AmendOrder, payload: Outbound) -> None:
        working = self.find(command.orig_cl_ord_id)
        if working is None:
            return
        attempt, name = command.attempt, command.cl_ord_id
        working.amendments[name] = Amendment(
            attempt.epoch, attempt.counter, command.order_qty, payload.connection,
            self._sent_ns(payload, command.account), session=payload.session,
        )
        working.touched_lsn = self.lsn
        self._name(working, name)
        self.attempts[attempt.epoch, attempt.counter] = name
        self._count(working)

    def _name(self, working: Working, name: str) -> None:
        """From now on the order answers to `name` too; beyond the bound the oldest names in no use any more go."""
        self.names[name] = working.leg.owner
        aliases = working.aliases
        aliases.append(name)
        if len(aliases) > MAX_ALIASES:
            unused = [n for n in aliases if n != working.leg.cl_ord_id and n not in working.amendments]
            for oldest in unused[: len(aliases) - MAX_ALIASES]:
                aliases.remove(oldest)
                self.names.pop(oldest, None)

    # -- inbound -------------------------------------------------------------------------------------------------------

    def _inbound(self, payload: Inbound, record: Record) -> None:
        # What is handed on a second time is known by what it tells (the trade, the request that it answers), as in the
        # fold of orders: MsgSeqNum(34) is the venue's, and one that is too high would silence all that follow.
        event = payload.event
        if isinstance(event, ExecutionReport):
            self._report(event, payload)
        elif isinstance(event, CancelRejected | RequestRejected):
            self._request_rejected(event, record)
        elif isinstance(event, Unreadable):
            self._unreadable(payload.account, event)

    def _unreadable(self, venue: str, event: Unreadable) -> None:
        """Nothing of the message counts, so the order stays counted as it is; an answer that was asked for before says
        nothing of it any more."""
        found = self.find(event.cl_ord_id) or self.find(event.orig_cl_ord_id)
        working = found or self._at(venue, event.symbol, event.order_id)
        if working is not None and working.account == venue:
            working.touched_lsn = self.lsn
            working.doubtful = working.doubtful or not working.leg.word
            if event.cl_ord_id in working.amendments:
                working.amendments[event.cl_ord_id].answered = True
            self._dirty_legs.add(working.leg.owner)

    def _report(self, event: ExecutionReport, payload: Inbound) -> None:
        venue = payload.account
        working = self._reported(venue, event)
        if working is None:
            self._stranger_reported(venue, event)
            return
        leg, amendments = working.leg, working.amendments
        working.touched_lsn = self.lsn
        # What is resent answers a question of an older connection, and another session's connections are counted
        # apart: neither is a later one's evidence.
        connection = 0 if payload.poss_dup or payload.session != working.session else payload.connection
        refused = event.exec_type == REJECTED and (event.ambiguous or rejects_request(event, leg.cl_ord_id, leg.owner))
        if refused or event.unknown_order:
            self._refused_by_venue(working, event, connection)
            return
        told = believed(working, event, self.known.find(venue).knows)
        if isinstance(told, str):
            self._dirty_legs.add(leg.owner)
            return
        event = told
        if event.order_id != leg.order_id and names_order(event):
            # Before its fill: a bust or correction may name one that was nobody's so far.
            self._register(working, event.order_id)
        if event.trade_key:
            change = self.ledger.report(venue, leg.owner, event)
            if change is not None:
                self._hold(change.net)
                leg.fill(change.net)
            else:
                self._claim(working, event.trade_key, event.order_id)
        was_heard = leg.word
        if working.concluded and event.exec_type != REJECTED:
            leg.word, working.concluded = "", False
        answered, asked = _asked(working, event) if amendments else ("", [])
        leg.hear(event, asked)
        working.doubtful = False
        if not was_heard:
            self.attempts.pop((working.epoch, working.counter), None)
        if amendments:
            self._answer_amendments(working, event, connection, answered)
        self._count(working)

    def _refused_by_venue(self, working: Working, event: ExecutionReport, connection: int) -> None:
        """A report that ends no order by itself: its outcome is unknown, or it is about something else."""
        self._dirty_legs.add(working.leg.owner)
        if event.exec_type == REJECTED and event.ambiguous:
            working.doubtful = True
        elif event.unknown_order:
            self._unknown_order(working, event, connection)
        elif event.cl_ord_id in working.amendments:
            self._drop_amendment(working, event.cl_ord_id)
            self._count(working)

    def _reported(self, venue: str, event: ExecutionReport) -> Working | None:
        """The order that a report is about, by our names for it, else by the venue's.

        A cancel is told under the request's name beside the order's; the one that is the first half of an XCN bears the
        new order's name in ClOrdID(11), so with those OrigClOrdID(41) comes first. Which leg of the order that so named
        it is, OrderID(37) says better.
        """
        names, order_id = (event.cl_ord_id, event.orig_cl_ord_id), event.order_id
        for name in names[::-1] if event.exec_type in "46" else names:
            owner = self.names.get(name)
            if owner is not None:
                working = self.working[owner]
                if working.account == venue:
                    return self._leg(working, order_id) if order_id != working.leg.order_id else working
        return self._at(venue, event.symbol, order_id)

    def _leg(self, working: Working, order_id: str) -> Working:
        """The leg of the same order that has, or had, this OrderID(37); the one given where none has."""
        other = self._at(working.account, working.symbol, order_id)
        if other is None or (other.strategy, other.number) != (working.strategy, working.number):
            return working
        return other

    def _at(self, venue: str, symbol: str, order_id: str) -> Working | None:
        """The order that the venue calls by this OrderID(37)."""
        symbols = self.known.find(venue).bases
        return self.working.get(order_of(self.order_ids, venue, symbol, order_id, symbols) or "")

    def _register(self, working: Working, order_id: str) -> None:
        """The venue's own name of the order is known; fills that were told under it before now find their order."""
        place = (working.account, working.symbol, order_id)
        held = self.working.get(self.order_ids.get(place, ""))
        if held is working or (held is not None and _sent(held) > _sent(working)):
            # Another day's order may have had it: the last one that was sent with it has it.
            return
        self.order_ids[place] = working.leg.owner
        self.strangers.pop(place, None)
        for trade_key in self.unclaimed.pop(place, ()):
            self._claim(working, trade_key, order_id)

    def _claim(self, working: Working, trade_key: str, order_id: str) -> None:
        """A fill that was nobody's turns out to be the order's: the firm's position has it already."""
        owner = working.leg.owner
        change = self.ledger.claim(working.account, working.symbol, trade_key, owner, order_id, working.side)
        if change is not None:
            self._hold(change.gave_way)
            working.leg.fill(change.net)
            share = (working.strategy, working.account, working.symbol)
            self.exposure.hand_over(*share, self._held_qty(change))
            self._dirty.add(("share", *share))

    def _stranger_reported(self, venue: str, event: ExecutionReport) -> None:
        """Somebody else's order on our account: its fills move the position all the same."""
        told = believed_of_stranger(self.ledger.with_side(venue, event))
        if told is None:
            return
        event = told
        change = self.ledger.report(venue, "", event)
        self._hold(change)
        place = (venue, event.symbol, event.order_id)
        if change is not None:
            self._unclaim(place, event.trade_key)
        if not event.order_id or event.unknown_order or not event.cl_ord_id:
            # Without a name it may be an order of ours that we do not know by its OrderID(37) yet.
            return
        if event.ord_status in TERMINAL_WORDS:
            self._stranger_ended(place)
        elif event.exec_type != "I":
            self._note_stranger(place)

    def _stranger_ended(self, place: tuple[str, str, str]) -> None:
        """Somebody else's order is over: it was named, so its fills wait for no order of ours."""
        self.strangers.pop(place, None)
        self.unclaimed.pop(place, None)

    def _note_stranger(self, place: tuple[str, str, str]) -> None:
        self.strangers[place] = None
        if len(self.strangers) > MAX_STRANGERS:
            del self.strangers[next(iter(self.strangers))]

    def _unclaim(self, place: tuple[str, str, str], trade_key: str) -> None:
        """A fill of an order that nobody has named yet."""
        self.unclaimed.setdefault(place, []).append(trade_key)
        if len(self.unclaimed) > MAX_STRANGERS:
            del self.unclaimed[next(iter(self.unclaimed))]

    def _hold(self, change: FillChange | None) -> None:
        if change is None:
            return
        owner = self.working.get(change.owner)
        strategy = owner.strategy if owner is not None else ""
        self.exposure.hold(strategy, change.account, change.symbol, self._held_qty(change))
        self._dirty.add(("position", change.account, change.symbol))
        if strategy:
            self._dirty.add(("share", strategy, change.account, change.symbol))

    def _held_qty(self, change: FillChange) -> Decimal:
        """By how much the position changes: less what was paid in the base asset."""
        quantity = change.signed_qty()
        base = self.known.find(change.account).bases.get(change.symbol)
        for asset, paid in change.fees:
            if asset == base:
                quantity -= paid
        return quantity

    def _answer_amendments(self, working: Working, event: ExecutionReport, connection: int, answered: str) -> None:
        """Drop the amendment that the report has `answered`, or those that a state told over a later connection makes
        plain."""
        amendments, kind = working.amendments, event.exec_type
        if answered:
            self._drop_amendment(working, answered)
        elif kind == "I" and not self._window_ns(working.account):
            named = amendments.get(event.cl_ord_id)
            if named is not None and named.answered and tells_amended(event):
                working.leg.rename(event.cl_ord_id)
            for name, each in list(amendments.items()):
                is_later = each.session == working.session and each.connection < connection
                if is_later or (each.answered and connection):
                    self._drop_amendment(working, name)
        self._drop_if_ended(working)

    def _drop_if_ended(self, working: Working) -> None:
        """What ended otherwise than filled cannot be amended any more."""
        if working.leg.word in TERMINAL_WORDS and working.leg.word != FILLED:
            for name in list(working.amendments):
                self._drop_amendment(working, name)

    def _drop_amendment(self, working: Working, name: str) -> None:
        amendment = working.amendments.pop(name)
        self.attempts.pop((amendment.epoch, amendment.counter), None)

    def _unknown_order(self, working: Working, event: ExecutionReport, connection: int) -> None:
        """The venue answers a status request: it has no such order.

        Believed of an order that nothing was ever heard of, told over a later connection than the order's own, where a
        request dies with its connection.
        """
        never_heard = not working.leg.word and not working.leg.filled_qty
        answered, window_ns = working.doubtful and connection > 0, self._window_ns(working.account)
        if never_heard and unknown_over_fix(connection, working.connection, window_ns, answered=answered):
            _conclude(working, REJECTED)
            self._count(working)

    def _request_rejected(self, event: CancelRejected | RequestRejected, record: Record) -> None:
        name = event.cl_ord_id
        working = self.find(name)
        if working is None or (isinstance(event, RequestRejected) and not _rejects(working, event)):
            return
        working.touched_lsn = self.lsn
        self._dirty_legs.add(working.leg.owner)
        if event.ambiguous:
            working.doubtful = working.doubtful or not working.leg.word
            return
        if name in working.amendments:
            self._drop_amendment(working, name)
        elif (
            working.amendments
            and isinstance(event, CancelRejected)
            and name in (working.leg.cl_ord_id, working.leg.owner)
        ):
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
        """Unless the venue has said anything of it, be it unreadable."""
        name = self.attempts.get((attempt.epoch, attempt.counter))
        working = None if name is None else self.find(name)
        if name is None or working is None:
            return
        amendment = working.amendments.get(name)
        if amendment is not None:
            if amendment.answered:
                return
            self._drop_amendment(working, name)
        elif not working.leg.word and not working.doubtful:
            _conclude(working, REJECTED)
        self._count(working)

    # -- sessions ------------------------------------------------------------------------------------------------------

    def _session_changed(self, payload: SessionChanged, record: Record) -> None:
        self.known.hear(payload)
        state, name = payload.state, payload.session
        life = self.sessions.get(name)
        if life is None:
            life = self.sessions[name] = SessionLife(state, payload.connection)
        was_up = life.state not in DOWN
        if state in DOWN or (state is SessionState.CONNECTING and was_up):
            life.down_lsn = record.lsn
        if state not in PASSING:
            life.state = state
        life.connection = payload.connection
        if state is SessionState.CAUGHT_UP:
            self._caught_up(name, payload.connection)
        self._dirty_sessions.add(name)

    def _caught_up(self, session: str, connection: int) -> None:
        """Everything the venue had to say of earlier connections was said: a filled order will not be replaced now."""
        for working in [w for w in self.working.values() if w.session == session and w.amendments]:
            if working.leg.word == FILLED:
                for name in [n for n, each in working.amendments.items() if each.connection < connection]:
                    self._drop_amendment(working, name)
                self._count(working)

    # -- REST ----------------------------------------------------------------------------------------------------------

    def _answer(self, payload: Answer, record: Record) -> None:
        if payload.failed:
            return
        what, venue = payload.ask.what, payload.account
        if what == "trades":
            for trade in payload.trades:
                self._rest_fill(venue, trade)
            if not payload.ask.order_id:
                place = (venue, payload.ask.symbol)
                self.trades_told[place] = TradesTold(payload.venue_ns, self._unnamed(*place), record.lsn)
        elif what == "open_orders":
            for order in payload.orders:
                self._rest_order(payload, order)
        elif what == "order" and payload.order is not None:
            self._rest_order(payload, payload.order)
        elif what == "order" and payload.not_found:
            self._not_found(payload)

    def _rest_fill(self, venue: str, trade: Trade) -> None:
        """Count one fill, once, whose ever it is."""
        place = (venue, trade.symbol, trade.order_id)
        owner = self.order_ids.get(place, "")
        ours = self.working.get(owner)
        side = side_of(ours, trade)
        if not side or (ours is not None and contradiction(ours, trade, self.known.find(venue).knows)):
            return
        change = self.ledger.trade(
            venue, trade.symbol, trade.trade_key, owner, side, trade.last_qty, trade.last_px, trade.fee_qty,
            trade.fee_asset, trade.order_id,
        )  # fmt: skip
        change = None if change is None else change.net
        self._hold(change)
        working = self.working.get(owner)
        if working is None:
            if change is not None:
                self._unclaim(place, trade.trade_key)
            return
        if change is not None:
            working.leg.fill(change)
            working.touched_lsn = self.lsn
        else:
            self._claim(working, trade.trade_key, trade.order_id)
        self._count(working)

    def _unnamed(self, venue: str, symbol: str) -> int:
        """How many orders have had fills of which nobody has said yet whether they are ours or somebody else's.

        One that is ours is in the log before it is filled: once the venue has named all of those, the rest are
        somebody else's.
        """
        unnamed = [p for p in self.unclaimed if p[:2] == (venue, symbol) and p not in self.strangers]
        if not unnamed or any(
            not w.leg.order_id
            for w in self.working.values()
            if not w.ended and (w.account, w.symbol) == (venue, symbol)
        ):
            return len(unnamed)
        for place in unnamed:
            self._note_stranger(place)
        return 0

    def _rest_order(self, answer: Answer, order: RestOrder) -> None:
        venue = answer.account
        place = (venue, order.symbol, order.order_id)
        working = self.find(order.cl_ord_id) or self.working.get(self.order_ids.get(place, ""))
        if working is None or working.account != venue:
            if order.ord_status in TERMINAL_WORDS:
                self._stranger_ended(place)
            else:
                self._note_stranger(place)
            return
        if answer.ask.asked_lsn < working.touched_lsn or contradiction(working, order, self.known.find(venue).knows):
            return
        leg = working.leg
        word = leg.word
        leg.told_by_rest(order.ord_status, order.order_id, order.order_qty, order.price, order.cum_qty)
        working.doubtful, working.concluded = False, working.concluded and leg.word == word
        self._register(working, leg.order_id)
        self.attempts.pop((working.epoch, working.counter), None)
        if working.amendments:
            self._drop_overdue(working, answer)
            self._drop_if_ended(working)
        working.touched_lsn = self.lsn
        self._count(working)

    def _drop_overdue(self, working: Working, answer: Answer) -> None:
        """The order's state was told: amendments whose window had closed by then are in it, or never will be.

        An answer that has not the venue's clock came after all trades that were told before it was asked for.
        """
        told = self.trades_told.get((working.account, working.symbol))
        if told is not None and told.lsn <= answer.ask.asked_lsn and told.venue_ns > answer.venue_ns:
            answer = msgspec.structs.replace(answer, venue_ns=told.venue_ns)
        window_ns = self._window_ns(working.account)
        for name, each in list(working.amendments.items()):
            life = self.sessions.get(each.session)
            if life is not None and window_closed(answer, life, each.sent_ns, each.connection, window_ns):
                self._drop_amendment(working, name)

    def _not_found(self, payload: Answer) -> None:
        """Neither the order nor a trade of it is known to the venue, asked when it could not take effect any more."""
        working = self.find(payload.ask.cl_ord_id)
        if working is None or working.account != payload.account or payload.ask.asked_lsn < working.touched_lsn:
            return
        never_heard = not working.leg.word and not working.leg.filled_qty
        life = self.sessions.get(working.session)
        if not never_heard or life is None or working.amendments:
            return
        sent_ns, window_ns = working.sent_ns, self._window_ns(working.account)
        told = self.trades_told.get((working.account, working.symbol))
        if (
            (is_dead(life, working.connection) or working.doubtful)
            and window_closed(payload, life, sent_ns, working.connection, window_ns)
            and no_stranger(told, sent_ns, window_ns)
        ):
            _conclude(working, REJECTED)
            self._count(working)

    def _window_ns(self, venue: str) -> int:
        return self.known.find(venue).window_ns

    # -- people --------------------------------------------------------------------------------------------------------

    def _operator(self, payload: OperatorAct, record: Record) -> None:
        self.left_out.hear(payload)
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
        """CumQty(14) is the whole order's: what the ledger has not of it is to come on the last of its legs."""
        name = (payload.strategy, payload.number)
        legs = [w for w in self.working.values() if (w.strategy, w.number) == name]
        missing = payload.cum_qty - sum((w.leg.cum_qty for w in legs), ZERO)
        living = [w for w in legs if not w.ended]
        for working in living:
            for amendment in list(working.amendments):
                self._drop_amendment(working, amendment)
            leg = working.leg
            _conclude(working, payload.ord_status)
            leg.told_cum_qty = leg.cum_qty
            if working is living[-1] and missing > ZERO:
                leg.told_cum_qty += missing
            working.touched_lsn = self.lsn
            self._count(working)

    def _filled_by_hand(self, payload: FilledByHand, record: Record) -> None:
        """As in the fold of orders: never more than the venue has told beyond its trades."""
        name, left = (payload.strategy, payload.number), payload.qty
        for working in [w for w in self.working.values() if (w.strategy, w.number) == name and payload.px > ZERO]:
            leg = working.leg
            place, missing = (working.account, working.symbol), min(left, leg.told_cum_qty - leg.cum_qty)
            key = f"{BY_HAND}{record.lsn}"
            booked = (*place, key, leg.owner, working.side, missing, payload.px)
            change = self.ledger.book_by_hand(*booked) if missing > ZERO else None
            if change is not None:
                left -= missing
                self._hold(change)
                leg.fill(change)
                working.touched_lsn = self.lsn
                self._count(working)

    # -- counting ------------------------------------------------------------------------------------------------------

    def _count(self, working: Working) -> None:
        """Bring the sums up to what the order may still do at worst; forget it some time after it cannot
        do anything.
        """
        leg = working.leg
        ended = leg.word in TERMINAL_WORDS
        total = leg.filled_qty if ended else leg.worst_qty
        amendments = working.amendments
        if amendments:
            total = max(total, *(amendment.order_qty for amendment in amendments.values()))
        worst = total - leg.cum_qty
        if worst < ZERO:
            worst = ZERO
        if worst != working.worst:
            self.exposure.add(working.strategy, working.account, working.symbol, working.side, worst - working.worst)
            working.worst = worst
        is_open = not ended or bool(amendments)
        if is_open != working.counted_open:
            self.exposure.count(working.strategy, 1 if is_open else -1)
            working.counted_open = is_open
        over = ended and not amendments and not worst and not self.ledger.is_by_hand(leg.owner)
        if over and not working.ended:
            working.ended = True
            self.ended.append(leg.owner)
            self._forget_oldest()
        elif not over and working.ended:
            working.ended = False
        self._dirty_legs.add(leg.owner)

    def _forget_oldest(self) -> None:
        while len(self.ended) > MAX_ENDED:
            owner = self.ended.popleft()
            working = self.working.get(owner)
            if working is None or not working.ended:
                continue
            del self.working[owner]
            self._dirty_legs.add(owner)
            self.attempts.pop((working.epoch, working.counter), None)
            for order_id in (working.leg.order_id, *working.leg.former_order_ids):
                place = (working.account, working.symbol, order_id)
                if self.order_ids.get(place) == owner:
                    del self.order_ids[place]
            self.ledger.retire(owner)
            for name in (owner, *working.aliases):
                self.names.pop(name, None)

    # -- the digest ----------------------------------------------------------------------------------------------------

    def digest(self) -> int:
        """The hash of the whole state, as a number of 64 bits."""
        self._dirty.update(("leg", owner) for owner in self._dirty_legs)
        self._dirty.update(("session", name) for name in self._dirty_sessions)
        self._dirty_legs.clear()
        self._dirty_sessions.clear()
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
                working = self.working.get(owner)
                return None if working is None or working.ended else working
            case ("position", venue, symbol):
                return _held(self.exposure.firm.get((venue, symbol)))
            case ("share", strategy, venue, symbol):
                return _held(self.exposure.shares.get((strategy, venue, symbol)))
            case ("session", name):
                return self.sessions.get(name)
            case _:
                return self.killed, sorted(self.halts)

    def hashed(self) -> list[tuple[str, ...]]:
        """The entries that the digest counts, besides the orders; with all that is folded."""
        self.digest()
        return sorted(key for key in self._hashes if key[0] != "leg")

    def hash_anew(self, entries: Iterable[tuple[str, ...]]) -> None:
        """Have the digest computed from the orders and these entries, as they stand."""
        self._dirty.update(entries)
        self._dirty_legs.update(self.working)

    def checkpoint(self, lsn: int) -> bytes | None:
        """The digest as it was after the record `lsn`, for one of the last multiples of HASH_EVERY."""
        value = self.checkpoints.get(lsn)
        return None if value is None else value.to_bytes(8, "little")

    def _state_hash(self, payload: StateHash, record: Record) -> None:
        """A hash that a former life wrote must be the one that this fold came to, where its version was the same."""
        if payload.actor == WRITER and payload.fold_version == FOLD_VERSION:
            ours = self.checkpoint(payload.at_lsn)
            if ours is not None and ours != payload.digest:
                self.hash_mismatches += 1


def _asked(working: Working, event: ExecutionReport) -> tuple[str, list[AskedTerms]]:
    """The amendment that the report answers, "" for none, and the terms that it may tell: of the one that it accepts,
    else of all that are in flight.
    """
    quantities = {name: each.order_qty for name, each in working.amendments.items()}
    is_answer = event.exec_type in ANSWERED_BY[RequestKind.AMEND]
    answered = answered_amendment(event, working.leg, quantities) if is_answer else ""
    told = [name for name in quantities if event.exec_type != REPLACED or name == answered]
    return answered, [AskedTerms(quantities[name], None) for name in told]


def _conclude(working: Working, word: str) -> None:
    """Something other than the venue's word on it ends the order."""
    working.leg.word, working.concluded = word, True


def _sent(working: Working) -> tuple[int, int]:
    """By what orders are told apart as earlier and later sent."""
    return working.epoch, working.counter


def _rejects(working: Working, event: RequestRejected) -> bool:
    """Whether the rejected message is the order's own or its amendment's; a question bears the order's name too."""
    if event.attempt is None:
        return True
    own = working.amendments.get(event.cl_ord_id, working)
    return (event.attempt.epoch, event.attempt.counter) == (own.epoch, own.counter)


def _held(sums: Sums | None) -> Decimal | None:
    """A position as the digest counts it: none is like zero, however many digits the zero has."""
    return sums.position if sums is not None and sums.position else None
