"""The actor `risk`: it checks each command and reserves its exposure in one step, and passes it to the venue's session.

Theory of operation. What the log says is in `RiskState`, over the shared books; what is in flight, between the approval
here and the log, is in `InFlight`, by attempt. A reservation ends when the log decides its attempt
(`common.orders.outcome`): sent makes it an open order of the books, refused, expired and withdrawn free it. No timer
ends one.

After a start the log is read up to the own epoch record and then followed; until a stamp later than that record's plus
MAX_TIME_TO_LIVE_NS was read, what adds risk is refused: by then all that a former life passed on is in the log.

Cancels, questions and the word to open a gate always pass, whatever is halted, killed or used up.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from common.actor.acts import Cannot, Confirmed, ControlAct, Done, WhateverIsSaid, do_act
from common.actor.core import Core, Exit, Send
from common.actor.links import Appender, Follower
from common.actor.rates import Bucket
from common.actor.state_hashes import is_hashed
from common.fix.schedule import Schedule
from common.instant import NS_PER_MS, Instant
from common.journal.frames import EPOCH, TICK, Record, parse
from common.left_out import LeftOut, Unfoldable
from common.messages import (
    AmendOrder,
    Attempt,
    CancelOrder,
    ControlRequest,
    DayBegan,
    DayPrice,
    Decision,
    JournalLevel,
    Kind,
    NewOrder,
    OpenGate,
    OperatorAct,
    QueryOrder,
    Reason,
    Refused,
    Stamps,
    TopOfBook,
    cut,
)
from common.orders.books import Books
from common.orders.changes import AttemptEnded, AttemptExpired, AttemptSent, Change
from common.orders.facts import VenueFacts, outside
from common.orders.index import Index, MemoryIndex
from services.risk.exposure import Exposure, Sums
from services.risk.limits import (
    Proposal,
    Reference,
    Refusal,
    Standing,
    StrategyRules,
    SymbolRules,
    base_at_worst,
    check,
    reduce_room,
    shown,
    total,
)
from services.risk.preview import Preview, Previewed
from services.risk.refusals import RateRefusals
from services.risk.state import WRITER, RiskState

ZERO: Final = Decimal(0)
SCOPES = ("firm", "venue", "account", "strategy", "symbol")
NO_SUMS: Final = Sums()
DECISIONS: Final = (AttemptSent, AttemptEnded, AttemptExpired)
"""The changes by which the log decides an attempt."""
MAX_BUCKETS = 1024
"""So many strategies' rates are kept; orders typed by hand have a strategy of their own each."""


class AccountLimits(NamedTuple):
    """An account as risk sees it: what may be traded there, its venue's facts for the fold, the message rate of each of
    its `sessions`, and which amendments are a cancel and a new order of its own.

    Every limit of a symbol is the account's: what another account of the venue has open or holds does not count in it.
    """

    symbols: Mapping[str, SymbolRules]
    facts: VenueFacts
    messages: int
    window_ns: int
    amend_is_new_order: Callable[[AmendOrder], bool]
    sessions: tuple[str, ...] = ()


class RiskSettings(NamedTuple):
    """All of risk's configuration, `accounts` by name. `cancel_reserve_ratio`: the share of a session's rate that only
    cancels may use. `days`: whose periods are the days that it tells the log of; None tells of none.
    """

    accounts: Mapping[str, AccountLimits]
    strategies: Mapping[str, StrategyRules]
    default_strategy: StrategyRules
    cancel_reserve_ratio: Decimal
    days: Schedule | None = None

    def strategy(self, name: str) -> StrategyRules:
        """The rules of the strategy called `name`."""
        return self.strategies.get(name, self.default_strategy)


class HaltArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a halt is of: the firm, or the venue, account, strategy or symbol called `name`."""

    scope: str = "firm"
    name: str = ""

    def checked_name(self) -> str:
        """The name. Raises Cannot where it names nothing that can be halted."""
        if self.scope not in SCOPES or (self.scope == "firm") != (not self.name) or " " in self.name:
            raise Cannot(f"scope is one of {', '.join(SCOPES)}; all but firm need a name")
        return self.name

    @property
    def text(self) -> str:
        """As it stands in the journal."""
        return f"{self.scope} {self.name}".strip()


class Reservation(NamedTuple):
    """What one approved attempt may add at worst until the log decides it. `total_qty` is the whole that
    it asks for.
    """

    strategy: str
    account: str
    symbol: str
    side: str
    added_qty: Decimal
    total_qty: Decimal
    cl_ord_id: str
    orig_cl_ord_id: str
    is_order: bool
    reduces: bool = False


class InFlight:
    """The soft state: reservations by attempt, and what they come to."""

    def __init__(self) -> None:
        """Nothing is in flight."""
        self.exposure = Exposure()
        self._held: dict[tuple[int, int], Reservation] = {}
        self._by_name: dict[str, Reservation] = {}
        self._amendments: dict[str, dict[str, Decimal]] = {}

    def __len__(self) -> int:
        """How many attempts are in flight."""
        return len(self._held)

    def find(self, cl_ord_id: str) -> Reservation | None:
        """The reservation of the order or amendment that has this ClOrdID(11)."""
        return self._by_name.get(cl_ord_id)

    def amended_to(self, cl_ord_id: str) -> list[Decimal]:
        """The totals that amendments in flight ask for of the order known by this name."""
        return list(self._amendments.get(cl_ord_id, {}).values())

    def reserve(self, command: NewOrder | AmendOrder, reservation: Reservation) -> None:
        """Hold it until `release`."""
        attempt = command.attempt
        self._held[attempt.epoch, attempt.counter] = reservation
        self._by_name[reservation.cl_ord_id] = reservation
        if reservation.orig_cl_ord_id:
            asked = self._amendments.setdefault(reservation.orig_cl_ord_id, {})
            asked[reservation.cl_ord_id] = reservation.total_qty
        self._count(reservation, 1)

    def release(self, attempt: Attempt) -> None:
        """The attempt is decided, or never left."""
        reservation = self._held.pop((attempt.epoch, attempt.counter), None)
        if reservation is not None:
            self._by_name.pop(reservation.cl_ord_id, None)
            self._count(reservation, -1)
            asked = self._amendments.get(reservation.orig_cl_ord_id)
            if asked is not None:
                asked.pop(reservation.cl_ord_id, None)
                if not asked:
                    del self._amendments[reservation.orig_cl_ord_id]

    def _count(self, r: Reservation, sign: int) -> None:
        self.exposure.add(r.strategy, r.account, r.symbol, r.side, sign * r.added_qty, reduces=r.reduces)
        if r.is_order:
            self.exposure.count(r.strategy, sign)


class RiskCore(Core):
    """See the module."""

    def __init__(
        self,
        settings: RiskSettings,
        state: RiskState | None = None,
        begin: Callable[[Sequence[Unfoldable]], RiskState] | None = None,
        index: Index | None = None,
    ) -> None:
        """`state` is a fold to go on from (a snapshot's), else everything is read from the log. `begin` gives such a
        one again, without the records at which the fold has raised. `index` has what leaves its books' memory.
        """
        super().__init__(WRITER)
        self._settings = settings
        self._index: Index = MemoryIndex() if index is None else index
        self._begin = begin or self._empty_state
        self._unfoldable: list[Unfoldable] = []
        self._live_with(state or self._empty_state(()))
        self._kill_asked = False
        self._halts_asked: set[tuple[str, str]] = set()
        self._tops: dict[tuple[str, str], tuple[TopOfBook, int]] = {}
        self._strategy_buckets: dict[str, Bucket] = {}
        self._session_buckets: dict[str, Bucket] = {}
        self._reserves: dict[str, int] = {}
        for name, account in settings.accounts.items():
            for session in account.sessions or (name,):
                self._session_buckets[session] = Bucket(account.messages, account.window_ns)
                self._reserves[session] = int(account.messages * settings.cancel_reserve_ratio)
        self._counts: Counter[str] = Counter()
        self._configured = {name: account.facts.bases for name, account in settings.accounts.items()}
        self._places_seen = 0
        self._outside: dict[str, list[Sums]] = {}
        self._commands: dict[type, Callable[[Any, Instant], None]] = {
            NewOrder: self._new_order,
            AmendOrder: self._amend_order,
            CancelOrder: self._cancel_order,
            QueryOrder: self._query_order,
            OpenGate: self._open_gate,
        }
        self._acts = {
            "kill": ControlAct(WhateverIsSaid, self._kill),
            "resume": ControlAct(Confirmed, self._resume),
            "halt": ControlAct(HaltArguments, self._halt),
            "unhalt": ControlAct(HaltArguments, self._unhalt),
            "check": ControlAct(Preview, self._preview),
        }

    def _empty_state(self, unfoldable: Sequence[Unfoldable]) -> RiskState:
        facts = {name: account.facts for name, account in self._settings.accounts.items()}
        return RiskState(Books(facts, left_out=LeftOut((), unfoldable), memory=self._index))

    def _live_with(self, state: RiskState, former: Follower | None = None) -> None:
        """Begin a life: what is in flight, and what is heard of the journal, is as after a start. `former` has read the
        log until now.
        """
        self.state = state
        self.in_flight = InFlight()
        self._appender = Appender(self, WRITER)
        self._rate_refusals = RateRefusals(WRITER, self._appender)
        self._follower = Follower(self, state.lsn, former)
        self._live = False
        self._announced: int = JournalLevel.NOTHING
        self._day_ends_ns = 0
        self._seen_attempt = state.highest_attempt

    @property
    def live(self) -> bool:
        """Whether the wait after its start is over."""
        return self._live

    # -- inputs --------------------------------------------------------------------------------------------------------

    def started(self, now: Instant) -> None:
        """Ask for an epoch; nothing passes but cancels until the log has been read."""
        if self._index.made_anew:
            self.note("warning", "index_made_anew", why=self._index.made_anew)
        self._appender.request_epoch(now)

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        """A command, a word of the journal, market data, or a person's request."""
        handler = self._commands.get(type(message))
        if handler is not None:
            handler(message, now)
        elif isinstance(message, TopOfBook):
            self._tops[message.venue, message.symbol] = (message, now.boot_ns)
        elif link == "journal":
            self._journal(message, now)
        elif isinstance(message, ControlRequest):
            self._control(peer, message, now)

    def followed(self, block: bytes, now: Instant) -> None:
        """The stream. Before the epoch is granted its blocks only say how far the log reaches."""
        if self._appender.granted:
            self._apply(self._follower.take_block(block), now)
        else:
            records = parse(block)
            if records:
                self._follower.read_to(records[-1].lsn)

    def log_read(self, records: Sequence[Record], now: Instant) -> None:
        """A chunk of the log."""
        self._apply(self._follower.take_read(records, now), now)

    def undelivered(self, send: Send, now: Instant) -> None:
        """A session's queue is full: the command went nowhere, so its reservation ends here and the log says why."""
        message = send.message
        if isinstance(message, NewOrder | AmendOrder):
            self.in_flight.release(message.attempt)
            self.state.outcomes.forget(message.attempt)
            self._refuse(message, Refusal(Reason.QUEUE_FULL, f"the queue of session {message.session} is full"), now)
        elif isinstance(message, CancelOrder | QueryOrder):
            self._refuse(message, Refusal(Reason.QUEUE_FULL, f"the queue of session {message.session} is full"), now)
        else:
            self._counts["undelivered"] += 1

    def timer(self, now: Instant) -> None:
        """What is overdue at the journal, and refusals that waited to share a record."""
        self._rate_refusals.step(now)
        self._appender.timer(now)
        self._follower.timer(now)

    def next_deadline_ns(self) -> int | None:
        """See `Core`."""
        times = (
            self._appender.next_deadline_ns(), self._follower.next_deadline_ns(), self._rate_refusals.next_ns(),
        )  # fmt: skip
        return min((time for time in times if time is not None), default=None)

    def turn_ended(self, now: Instant) -> None:
        """Send what was appended."""
        self._appender.turn_ended(now)

    def stop(self, now: Instant) -> None:
        """Orders is gone before: nothing is under way that this process could still help."""
        self._appender.turn_ended(now)
        self._index.write(self.state.lsn)
        self.effects.append(Exit(0, "stopped"))

    # -- the log -------------------------------------------------------------------------------------------------------

    def _journal(self, message: msgspec.Struct, now: Instant) -> None:
        had_epoch = self._appender.granted
        if not self._appender.take_message(message, now):
            return
        grant = self._appender.grant
        if grant is not None and not had_epoch:
            self.note("info", "epoch", epoch=grant.epoch, lsn=grant.lsn)
            self._follower.read_to(grant.lsn)
            self._journal_what_was_asked(now)

    def _journal_what_was_asked(self, now: Instant) -> None:
        """A kill or halt that came before the journal could be spoken to is journaled now."""
        if self._kill_asked:
            self._append_act("kill", "", now)
        for scope, name in sorted(self._halts_asked):
            self._append_act("halt", f"{scope} {name}".strip(), now)

    def _apply(self, records: Sequence[Record], now: Instant) -> None:
        state, in_flight, left_out = self.state, self.in_flight, self.state.left_out
        for record in records:
            if record.kind == TICK and record.payload:
                self._announced = record.payload[0]
            elif record.kind == EPOCH and not self._appender.take_record(record):
                return
            undecodable = left_out.undecodable
            try:
                changes = state.apply(record)
            except Unfoldable as error:
                self._begin_anew(error, now)
                return
            if left_out.undecodable != undecodable:
                # The journal holds it, so every reader meets it: it is shown and left out, the same way by all.
                self.note("error", "left_out", lsn=record.lsn, kind=record.kind, why=left_out.text)
            if in_flight and changes:
                self._release(changes)
            if self._live and is_hashed(record.lsn):
                self._appender.append(Kind.STATE_HASH, state.hashes.to_log(record.lsn), now)
        self._index.flush(state.lsn)
        if records and not self._live:
            self._look_whether_live()
        if self._live and self._settings.days is not None and state.stamp_ns >= self._day_ends_ns:
            self._begin_day(self._settings.days, now)

    def _begin_day(self, days: Schedule, now: Instant) -> None:
        """The log has come into another day: it is told so with the prices of now, unless it has been."""
        period = days.current(self.state.stamp_ns)
        if period is None:
            return
        self._day_ends_ns = period.end_ns
        if period.start_ns > self.state.books.day.began_ns:
            prices = tuple(self._day_prices(now))
            day, zone = days.text(period.start_ns)[:10], days.zone.key
            self._appender.append(Kind.DAY_BEGAN, DayBegan(day, zone, period.start_ns, prices), now)

    def _day_prices(self, now: Instant) -> Iterator[DayPrice]:
        for account, symbol in self._places():
            reference = self._reference(self.state.books.known.venue_of(account), symbol, now)
            if reference.price is not None:
                yield DayPrice(account, symbol, reference.price, reference.age_ns // NS_PER_MS)

    def _begin_anew(self, error: Unfoldable, now: Instant) -> None:
        """The fold raised, and its state is of no use: another life, as after a crash, that leaves the record out."""
        self.note("error", "unfoldable", lsn=error.lsn, why=error.why)
        self._unfoldable.append(error)
        self._live_with(self._begin(self._unfoldable), self._follower)
        self.started(now)

    def _release(self, changes: Sequence[Change]) -> None:
        """End the reservations of attempts that a record has decided: sent, they are orders of the books."""
        for change in changes:
            if isinstance(change, DECISIONS):
                self.in_flight.release(change.attempt)

    def _look_whether_live(self) -> None:
        if self._appender.former_life_ended(self.state.lsn, self.state.stamp_ns):
            self._live = True
            self._seen_attempt = max(self._seen_attempt, self.state.highest_attempt)
            self.note("info", "live", lsn=self.state.lsn, epoch=self._appender.epoch)

    # -- commands ------------------------------------------------------------------------------------------------------

    def _new_order(self, order: NewOrder, now: Instant) -> None:
        account = self._account_of(order)
        rules = None if account is None else account.symbols.get(order.symbol)
        if not self._is_first(order, now):
            return
        if account is None or rules is None:
            self._refuse(order, self._unknown(order, account), now)
            return
        o = self._at_worst(order, rules, now)
        proposal = self._propose(o, o.strategy, rules, now)
        proposal.open_qty = proposal.added_qty = o.order_qty
        proposal.is_amendment = proposal.reduces = False
        if order.cl_ord_id in self.state.books.by_id or self.in_flight.find(order.cl_ord_id) is not None:
            self._refuse(order, Refusal(Reason.DUPLICATE_NAME, f"ClOrdID(11) {order.cl_ord_id} is in use"), now)
            return
        decision = self._check(order, proposal, now)
        if decision is None:
            return
        self._pass(
            order,
            NewOrder(
                o.attempt, o.strategy, o.number, o.venue, o.symbol, o.terms, o.cl_ord_id, o.deadline_ns, o.label,
                decision, o.account, o.session, o.by, o.cause, _stamped(o, now),
            ),
            Reservation(
                o.strategy, o.account, o.symbol, o.side, o.order_qty, o.order_qty, o.cl_ord_id, "", True,
                o.terms.is_reduce_only,
            ),
        )  # fmt: skip

    def _amend_order(self, amend: AmendOrder, now: Instant) -> None:
        account = self._account_of(amend)
        rules = None if account is None else account.symbols.get(amend.symbol)
        if not self._is_first(amend, now):
            return
        if account is None or rules is None:
            self._refuse(amend, self._unknown(amend, account), now)
            return
        replaces = account.amend_is_new_order(amend)
        terms = self._terms(amend)
        if terms is None:
            text = f"risk knows no open order {amend.orig_cl_ord_id} of {amend.account}"
            self._refuse(amend, Refusal(Reason.UNKNOWN_ORDER, text, amend.orig_cl_ord_id), now)
            return
        proposal = self._propose(amend, amend.target_strategy, rules, now)
        proposal.open_qty = left = amend.order_qty - amend.cum_qty
        proposal.added_qty = left if replaces else max(ZERO, amend.order_qty - terms)
        proposal.is_amendment = True
        proposal.reduces = amend.order_qty <= amend.former_order_qty and amend.price == amend.former_price
        decision = self._check(amend, proposal, now)
        if decision is None:
            return
        a = amend
        self._pass(
            amend,
            AmendOrder(
                a.attempt, a.strategy, a.number, a.venue, a.symbol, a.terms, a.cl_ord_id, a.orig_cl_ord_id,
                a.order_id, a.target_strategy, a.target_number, a.former_order_qty, a.former_price, a.cum_qty,
                a.deadline_ns, decision, a.asked, a.account, a.session, a.by, a.cause, _stamped(a, now),
            ),
            Reservation(
                a.target_strategy, a.account, a.symbol, a.side, proposal.added_qty, a.order_qty, a.cl_ord_id,
                "" if replaces else a.orig_cl_ord_id, replaces, a.terms.is_reduce_only,
            ),
        )  # fmt: skip

    def _at_worst(self, order: NewOrder, rules: SymbolRules, now: Instant) -> NewOrder:
        """The order with the quantity that it counts with, where it asks for an amount of the quote asset."""
        if order.terms.cash_order_qty is None:
            return order
        order_qty = base_at_worst(order.terms, rules, self._reference(order.venue, order.symbol, now))
        return replace(order, terms=replace(order.terms, order_qty=order_qty))

    def _terms(self, amend: AmendOrder) -> Decimal | None:
        """The smallest total that the order to be amended may turn out to have, or None when it is not known or open.

        An amendment in flight that asks for less may still win, so what this one adds is counted from there.
        """
        smallest = self.state.least_qty(amend.orig_cl_ord_id)
        if smallest is None:
            reserved = self.in_flight.find(amend.orig_cl_ord_id)
            if reserved is None:
                return None
            smallest = reserved.total_qty
        return min([smallest, *self.in_flight.amended_to(amend.orig_cl_ord_id)])

    def _cancel_order(self, cancel: CancelOrder, now: Instant) -> None:
        bucket = self._session_buckets.get(cancel.session)
        if bucket is None:
            self._refuse(cancel, self._unknown(cancel, None), now)
            return
        bucket.count_message(now.boot_ns)
        self._counts["cancels"] += 1
        self.effects.append(Send(f"session.{cancel.session}", cancel))

    def _query_order(self, query: QueryOrder, now: Instant) -> None:
        bucket = self._session_buckets.get(query.session)
        if bucket is None:
            self._refuse(query, self._unknown(query, None), now)
            return
        bucket.count_message(now.boot_ns)
        self.effects.append(Send(f"session.{query.session}", query))

    def _open_gate(self, word: OpenGate, now: Instant) -> None:
        if word.session in self._session_buckets:
            self.effects.append(Send(f"session.{word.session}", word))
        else:
            self._counts["undelivered"] += 1

    # -- checking ------------------------------------------------------------------------------------------------------

    def _is_first(self, command: NewOrder | AmendOrder, now: Instant) -> bool:
        """Whether the attempt is a new one. A repeat was decided before and must not be refused now: it is dropped."""
        attempt = (command.attempt.epoch, command.attempt.counter)
        if attempt <= self._seen_attempt:
            self._counts["repeats"] += 1
            self.note("warning", "repeat", attempt=list(attempt), strategy=command.strategy, number=command.number)
            return False
        self._seen_attempt = attempt
        return True

    def _propose(self, command: NewOrder | AmendOrder, strategy: str, rules: SymbolRules, now: Instant) -> Proposal:
        p, account, symbol = Proposal(), command.account, command.symbol
        folded, soft = self.state.exposure, self.in_flight.exposure
        p.strategy, p.venue, p.account, p.symbol, p.terms = strategy, command.venue, account, symbol, command.terms
        p.side, p.order_qty, p.price = command.side, command.order_qty, command.price
        p.rules = rules
        p.strategy_rules = self._settings.strategy(strategy)
        p.standing = Standing(
            not self._live,
            self.state.killed or self._kill_asked,
            JournalLevel.reason_of(self._announced or self._appender.announced),
            frozenset(self.state.halts | self._halts_asked) if self.state.halts or self._halts_asked else frozenset(),
        )
        p.reference = self._reference(command.venue, symbol, now)
        place, share = (account, symbol), (strategy, account, symbol)
        firm = folded.firm.get(place, NO_SUMS), soft.firm.get(place, NO_SUMS)
        p.firm = self._firm(total(*firm), symbol)
        p.reduce_room = reduce_room(*firm, command.side) if command.terms.is_reduce_only else None
        p.share = total(folded.shares.get(share, NO_SUMS), soft.shares.get(share, NO_SUMS))
        p.open_orders = folded.open_orders.get(strategy, 0) + soft.open_orders.get(strategy, 0)
        p.notional = None
        p.worst = ZERO
        p.wall_ns = now.wall_ns
        return p

    def _firm(self, sums: tuple[Decimal, Decimal, Decimal], symbol: str) -> tuple[Decimal, Decimal, Decimal]:
        """With what is held in the symbol where the configuration knows nothing of it: it counts against the limit on
        the side where it makes matters worse, and never makes room on the other.
        """
        may_buy, may_sell, position = sums
        for held in self._held_outside(symbol):
            may_buy += max(ZERO, held.position + held.buy)
            may_sell += max(ZERO, held.sell - held.position)
        return may_buy, may_sell, position

    def _held_outside(self, symbol: str) -> list[Sums]:
        """The sums of the symbol in accounts whose venue does not have it, or that are not there any more."""
        firm = self.state.exposure.firm
        if len(firm) != self._places_seen:
            self._places_seen, self._outside = len(firm), {}
            for (account, its_symbol), sums in firm.items():
                if its_symbol not in self._configured.get(account, ()):
                    self._outside.setdefault(its_symbol, []).append(sums)
        return self._outside.get(symbol, [])

    def _reference(self, venue: str, symbol: str, now: Instant) -> Reference:
        """The middle of the book, or where one side is empty the last trade; its age by the oldest of its clocks."""
        held = self._tops.get((venue, symbol))
        if held is None:
            return Reference(None, 0)
        top, heard_boot_ns = held
        age_ns = max(now.wall_ns - top.heard_ns, now.boot_ns - heard_boot_ns)
        bid, ask = top.bid_px, top.ask_px
        if bid is not None and ask is not None:
            price: Decimal | None = (bid + ask) / 2
        else:
            # A book that is repeated every second says nothing of when it last traded.
            price = top.last_px if top.last_ns else None
            age_ns = max(age_ns, now.wall_ns - top.last_ns) if price is not None else age_ns
        if price is None or not price.is_finite() or price <= ZERO:
            return Reference(None, age_ns)
        return Reference(price, age_ns)

    def _check(self, command: NewOrder | AmendOrder, proposal: Proposal, now: Instant) -> Decision | None:
        """The decision with its inputs; None after a refusal. The strategy's rate counts what was refused, too."""
        refusal = self._rate_of_strategy(command.strategy, now) or self._left_out(proposal) or check(proposal)
        refusal = refusal or self._rate_of_session(command.session, now)
        if refusal is not None:
            self._refuse(command, refusal, now)
            return None
        reference = proposal.reference
        return Decision(
            reference.price, reference.age_ns, proposal.notional, proposal.worst, proposal.rules.position_limit,
            proposal.open_orders, self._appender.epoch,
        )  # fmt: skip

    def _left_out(self, proposal: Proposal) -> Refusal | None:
        """What a record that has no effect would have said is not known, so nothing is added to what is."""
        left_out = self.state.left_out
        return Refusal(Reason.HALTED, left_out.text) if left_out.halts and not proposal.reduces else None

    def _rate_of_strategy(self, strategy: str, now: Instant) -> Refusal | None:
        bucket = self._strategy_buckets.get(strategy)
        if bucket is None:
            rules = self._settings.strategy(strategy)
            if len(self._strategy_buckets) >= MAX_BUCKETS:
                self._forget_full_buckets(now)
            bucket = self._strategy_buckets[strategy] = Bucket(rules.messages, rules.window_ns)
        if not bucket.allows(now.boot_ns):
            window_ms = bucket.window_ns // 1_000_000
            text = f"strategy {strategy} sends more than {bucket.messages} messages in {window_ms} ms"
            return Refusal(Reason.STRATEGY_RATE, text, limit=f"{bucket.messages} in {window_ms} ms")
        bucket.count_message(now.boot_ns)
        return None

    def _forget_full_buckets(self, now: Instant) -> None:
        """A full bucket is like a new one: strategies that are gone need none."""
        buckets = self._strategy_buckets
        for strategy in [name for name, each in buckets.items() if each.available(now.boot_ns) >= each.messages]:
            del buckets[strategy]

    def _rate_of_session(self, session: str, now: Instant) -> Refusal | None:
        bucket, reserve = self._session_buckets[session], self._reserves[session]
        if not bucket.allows(now.boot_ns, reserve):
            window_ms = bucket.window_ns // 1_000_000
            text = (
                f"session {session} has used its {bucket.messages} messages in {window_ms} ms, "
                f"{reserve} of which only cancels may use"
            )
            return Refusal(Reason.SESSION_RATE, text, limit=f"{bucket.messages - reserve} in {window_ms} ms")
        bucket.count_message(now.boot_ns)
        return None

    def _account_of(self, command: NewOrder | AmendOrder) -> AccountLimits | None:
        """The account that the command names, where its venue has it and it has the session."""
        account = self._settings.accounts.get(command.account)
        if account is None or (account.facts.venue or command.account) != command.venue:
            return None
        return account if command.session in (account.sessions or (command.account,)) else None

    def _unknown(
        self, command: NewOrder | AmendOrder | CancelOrder | QueryOrder, account: AccountLimits | None
    ) -> Refusal:
        if account is None:
            venues = {its.facts.venue or name: None for name, its in self._settings.accounts.items()}
            if command.venue not in venues:
                known = ", ".join(sorted(venues))
                text = f"no venue {command.venue} is configured; there is {known}"
                return Refusal(Reason.UNKNOWN_VENUE, text, command.venue, known)
            accounts = self._settings.accounts.items()
            there = [name for name, its in accounts if (its.facts.venue or name) == command.venue]
            text = f"{command.venue} has no account {command.account} with a session {command.session}"
            return Refusal(Reason.UNKNOWN_ACCOUNT, f"{text}; there is {', '.join(there)}", command.account)
        known = ", ".join(sorted(account.symbols))
        text = f"{command.venue} has no symbol {command.symbol} with limits; there is {known}"
        return Refusal(Reason.UNKNOWN_SYMBOL, text, command.symbol, known)

    # -- what follows a decision ---------------------------------------------------------------------------------------

    def _pass(self, asked: NewOrder | AmendOrder, decided: NewOrder | AmendOrder, reservation: Reservation) -> None:
        self.in_flight.reserve(asked, reservation)
        self.state.outcomes.expect(asked.attempt, asked.deadline_ns)
        self._counts["passed"] += 1
        self.effects.append(Send(f"session.{asked.session}", decided))

    def _refuse(
        self, command: NewOrder | AmendOrder | CancelOrder | QueryOrder, refusal: Refusal, now: Instant
    ) -> None:
        """Journal why not. Without an epoch, or with a full queue to the journal, it is dropped and so expires."""
        self._counts[refusal.reason.value] += 1
        if not self._appender.granted or self._appender.full:
            self._counts["dropped"] += 1
            return
        stamp_ns, batches = self.state.stamp_ns, self._rate_refusals
        if isinstance(command, NewOrder | AmendOrder) and batches.hold_back(command, refusal, stamp_ns, now):
            return
        strategy, number = ("", 0) if isinstance(command, QueryOrder) else (command.strategy, command.number)
        record = Refused(
            WRITER, refusal.reason, cut(refusal.text), strategy, number, command.attempt, command, None,
            cut(refusal.value), cut(refusal.limit),
        )  # fmt: skip
        self._appender.append(Kind.REFUSED, record, now)

    # -- people --------------------------------------------------------------------------------------------------------

    def _control(self, peer: bytes, request: ControlRequest, now: Instant) -> None:
        self.effects.append(Send("control", do_act(WRITER, self._acts, request, now), peer))

    def _kill(self, _: WhateverIsSaid, by: str, now: Instant) -> str:
        self._kill_asked = True
        self._journal_act("kill", "", by, now)
        return "risk refuses what adds risk; cancels pass"

    def _resume(self, arguments: Confirmed, by: str, now: Instant) -> str:
        self._need_journal("resume")
        if not arguments.confirm:
            raise Cannot('resume must be confirmed: give {"confirm": true}')
        self._kill_asked = False
        self._journal_act("resume", "", by, now)
        return "risk passes orders again"

    def _halt(self, place: HaltArguments, by: str, now: Instant) -> str:
        self._halts_asked.add((place.scope, place.checked_name()))
        self._journal_act("halt", place.text, by, now)
        return f"halt {place.text}"

    def _unhalt(self, place: HaltArguments, by: str, now: Instant) -> str:
        self._need_journal("unhalt")
        self._halts_asked.discard((place.scope, place.checked_name()))
        self._journal_act("unhalt", place.text, by, now)
        return f"unhalt {place.text}"

    def _need_journal(self, act: str) -> None:
        if not self._appender.granted:
            raise Cannot(f"risk waits for the journal, so it cannot {act} yet; ask again when it has answered")

    def _preview(self, asked: Preview, by: str, now: Instant) -> Done:
        """What an order would be told now. Nothing is sent, counted or held back, and no rate is looked at."""
        order = asked.to_order(self._settings.accounts)
        account = self._account_of(order)
        rules = None if account is None else account.symbols.get(order.symbol)
        if account is None or rules is None:
            return _told(Previewed.refused(self._unknown(order, account)))
        proposal = self._propose(self._at_worst(order, rules, now), order.strategy, rules, now)
        proposal.open_qty = proposal.added_qty = proposal.order_qty
        proposal.is_amendment = proposal.reduces = False
        refusal = self._left_out(proposal) or check(proposal)
        return _told(Previewed.refused(refusal) if refusal else Previewed.passed(proposal))

    def _journal_act(self, act: str, text: str, by: str, now: Instant) -> None:
        self.note("warning", act, text=text, by=by)
        if self._appender.granted:
            self._append_act(act, text, now, by)

    def _append_act(self, act: str, text: str, now: Instant, by: str = "") -> None:
        self._appender.append(Kind.OPERATOR, OperatorAct(WRITER, act, by, text), now)

    def status(self, now: Instant) -> dict[str, object]:
        """State, what is halted, every exposure with its limit, and counts of what passed and was refused."""
        killed = self.state.killed or self._kill_asked
        state = "live" if self._live else "restarting" if self._appender.granted else "waiting for the journal"
        return {
            "state": "killed" if killed and self._live else state,
            "epoch": self._appender.epoch,
            "lsn": self.state.lsn,
            "killed": killed,
            "halts": sorted(" ".join(part for part in halt if part) for halt in self.state.halts | self._halts_asked),
            "in_flight": len(self.in_flight),
            "exposures": [self._exposure(account, symbol, now) for account, symbol in self._places()],
            "strategies": self._strategies(),
            "sessions": {
                name: {"messages_left": bucket.available(now.boot_ns), "cancel_reserve": self._reserves[name]}
                for name, bucket in self._session_buckets.items()
            },
            "counts": dict(self._counts),
            "undecodable": self.state.left_out.undecodable,
            "hash_mismatches": self.state.hashes.mismatches,
            "index_complete": self._index.complete,
            "index_failure": self._index.failure,
            "left_out": self.state.left_out.text,
            "left_out_lsns": list(self.state.left_out.unaccepted),
            "refuses": JournalLevel.reason_of(self._announced or self._appender.announced),
            "unacknowledged": self._appender.unacknowledged,
            "outside": self._outside_rows() if self._live else None,
        }

    def _outside_rows(self) -> list[dict[str, object]]:
        """What is open or owned where the configuration knows nothing of it."""
        return [holding.row() for holding in outside(self.state.books.holdings(), self._configured)]

    def _places(self) -> list[tuple[str, str]]:
        configured = {(name, symbol) for name, account in self._settings.accounts.items() for symbol in account.symbols}
        return sorted(configured | set(self.state.exposure.firm))

    def _exposure(self, account: str, symbol: str, now: Instant) -> dict[str, object]:
        place, venue = (account, symbol), self.state.books.known.venue_of(account)
        folded, soft = self.state.exposure.firm.get(place, NO_SUMS), self.in_flight.exposure.firm.get(place, NO_SUMS)
        may_buy, may_sell, position = total(folded, soft)
        settings = self._settings.accounts.get(account)
        rules = None if settings is None else settings.symbols.get(symbol)
        reference = self._reference(venue, symbol, now)
        return {
            "venue": venue,
            "account": account,
            "symbol": symbol,
            "position": shown(position),
            "underlying": "" if rules is None or reference.price is None else shown(
                rules.contract.underlying(reference.price, position)
            ),
            "worst_long": shown(position + may_buy),
            "worst_short": shown(position - may_sell),
            "limit": "" if rules is None else shown(rules.position_limit),
            "reference": "" if reference.price is None else shown(reference.price),
            "reference_age_ms": reference.age_ns // 1_000_000,
            "reference_max_age_ms": 0 if rules is None else rules.max_age_ns // 1_000_000,
        }

    def _strategies(self) -> dict[str, object]:
        folded, soft = self.state.exposure.open_orders, self.in_flight.exposure.open_orders
        names = sorted({*folded, *soft, *self._settings.strategies})
        return {
            name: {
                "open_orders": folded.get(name, 0) + soft.get(name, 0),
                "max_open_orders": self._settings.strategy(name).max_open_orders,
            }
            for name in names
            if folded.get(name, 0) or soft.get(name, 0) or name in self._settings.strategies
        }


def _told(previewed: Previewed) -> Done:
    return Done(previewed.text, msgspec.json.encode(previewed))


def _stamped(command: NewOrder | AmendOrder, now: Instant) -> Stamps:
    return Stamps(command.stamps.strategy_ns, command.stamps.orders_ns, now.wall_ns)
