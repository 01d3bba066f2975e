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
from collections.abc import Callable, Iterator, Sequence
from decimal import Context
from typing import Any, Final

import msgspec

from common.actor.acts import Cannot, Confirmed, ControlAct, Done, RecordedActs, WhateverIsSaid
from common.actor.core import Exit, Send
from common.actor.following import FollowingCore
from common.actor.links import Follower
from common.actor.state_hashes import is_hashed
from common.fix.schedule import Schedule
from common.instant import NS_PER_MS, NS_PER_S, Instant, earliest
from common.journal.frames import EPOCH, TICK, Record, parse
from common.left_out import LeftOut, Unfoldable
from common.messages import (
    AmendOrder,
    AssetRate,
    AssetRates,
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
from common.orders.books import RATES_OLD_NS, Books, Place
from common.orders.changes import AttemptEnded, AttemptExpired, AttemptSent, Change
from common.orders.facts import outside
from common.orders.index import Index
from common.orders.money import Price, rates_in
from common.orders.numbers import ZERO
from services.risk.by_hand import HaltArguments, Preview, Previewed
from services.risk.exposure import InFlight, Reservation
from services.risk.limits import (
    Proposal,
    Refusal,
    Standing,
    check,
)
from services.risk.lists import why_no_list
from services.risk.proposals import CommandRates, Proposals
from services.risk.refusals import RateRefusals
from services.risk.settings import RiskSettings
from services.risk.state import WRITER, RiskState

RATES_NS: Final = 60 * NS_PER_S
"""So often the log is told what assets are worth: twice within the time that the fold takes it for recent."""

RATES_SOON_NS: Final = 5 * NS_PER_S
RATE_DIGITS: Final = Context(prec=12)
assert 2 * RATES_NS < RATES_OLD_NS
DECISIONS: Final = (AttemptSent, AttemptEnded, AttemptExpired)
"""The changes by which the log decides an attempt."""


class RiskCore(FollowingCore):
    """See the module."""

    def __init__(
        self,
        settings: RiskSettings,
        state: RiskState | None = None,
        begin: Callable[[Sequence[Unfoldable]], RiskState] | None = None,
        index: Index | None = None,
    ) -> None:
        """`state` is a fold to go on from (a snapshot's), else everything is read from the log. `begin` gives such a
        one again, without the records at which the fold has raised. Nothing passes but cancels until the log was read.
        """
        super().__init__(WRITER, begin or self._empty_state, index)
        self._settings = settings
        self._kill_asked = False
        self._halts_asked: set[tuple[str, str]] = set()
        self._rates = CommandRates(settings)
        self._proposals = Proposals(settings, self._standing)
        self._counts: Counter[str] = Counter()
        self._live_with(state or self._empty_state(()))
        self._commands: dict[type, Callable[[Any, Instant], None]] = {
            NewOrder: self._new_order,
            AmendOrder: self._amend_order,
            CancelOrder: self._pass_always,
            QueryOrder: self._pass_always,
            OpenGate: self._open_gate,
        }

    def _empty_state(self, unfoldable: Sequence[Unfoldable]) -> RiskState:
        facts = {name: account.facts for name, account in self._settings.accounts.items()}
        return RiskState(Books(facts, left_out=LeftOut((), unfoldable), memory=self._index))

    def _live_with(self, state: RiskState, former: Follower | None = None) -> None:
        self.state = state
        self.in_flight = InFlight()
        self._proposals.live_with(state, self.in_flight)
        self._follow(state.lsn, former)
        acts = {
            "kill": ControlAct(WhateverIsSaid, self._kill),
            "resume": ControlAct(Confirmed, self._resume),
            "halt": ControlAct(HaltArguments, self._halt),
            "unhalt": ControlAct(HaltArguments, self._unhalt),
            "check": ControlAct(Preview, self._preview),
        }
        self._by_hand = RecordedActs(self, WRITER, acts, self._appender)
        self._rate_refusals = RateRefusals(WRITER, self._appender)
        self.live = False
        """Whether the wait after its start is over."""
        self._announced: int = JournalLevel.NOTHING
        self._day_ends_ns = 0
        self._rates_due_ns = 0
        self._rates_told = 0
        self._seen_attempt = state.books.highest_attempt

    # -- inputs --------------------------------------------------------------------------------------------------------

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        """A command, a word of the journal, market data, or a person's request."""
        handler = self._commands.get(type(message))
        if handler is not None:
            handler(message, now)
        elif isinstance(message, TopOfBook):
            self._proposals.references.hear_top(message, now)
        elif link == "journal":
            if self._hear_journal(message, now) is not None:
                self._journal_what_was_asked(now)
        elif isinstance(message, ControlRequest):
            self._by_hand.do(peer, message, now)

    def followed(self, block: bytes, now: Instant) -> None:
        """The stream. Before the epoch is granted its blocks only say how far the log reaches."""
        if self._appender.granted:
            self._apply(self._follower.take_block(block), now)
        else:
            records = parse(block)
            if records:
                self._follower.read_to(records[-1].lsn)

    def undelivered(self, send: Send, now: Instant) -> None:
        """A session's queue is full: the command went nowhere, so its reservation ends here and the log says why."""
        message = send.message
        if isinstance(message, NewOrder | AmendOrder):
            self.in_flight.release(message.attempt)
            self.state.fold.outcomes.forget(message.attempt)
        if isinstance(message, NewOrder | AmendOrder | CancelOrder | QueryOrder):
            self._refuse(message, Refusal(Reason.QUEUE_FULL, f"the queue of session {message.session} is full"), now)
        else:
            self._counts["undelivered"] += 1

    def timer(self, now: Instant) -> None:
        """What is overdue at the journal, and refusals that waited to share a record."""
        self._rate_refusals.step(now)
        super().timer(now)

    def next_deadline_ns(self) -> int | None:
        return earliest(super().next_deadline_ns(), self._rate_refusals.next_ns())

    def stop(self, now: Instant) -> None:
        """Orders is gone before: nothing is under way that this process could still help."""
        self._appender.turn_ended(now)
        self._index.write(self.state.lsn)
        self.effects.append(Exit(0, "stopped"))

    # -- the log -------------------------------------------------------------------------------------------------------

    def _journal_what_was_asked(self, now: Instant) -> None:
        """A kill or halt that came before the journal could be spoken to is journaled now."""
        if self._kill_asked:
            self._append_act("kill", "", now)
        for scope, name in sorted(self._halts_asked):
            self._append_act("halt", f"{scope} {name}".strip(), now)

    def _apply(self, records: Sequence[Record], now: Instant) -> None:
        state, in_flight, left_out = self.state, self.in_flight, self.state.books.left_out
        for record in records:
            if record.kind == TICK and record.payload:
                self._announced = record.payload[0]
            elif record.kind == EPOCH and not self._appender.take_record(record):
                return
            undecodable = left_out.undecodable
            try:
                changes = state.apply(record)
            except Unfoldable as error:
                self._begin_anew(error, self._follower, now)
                return
            if left_out.undecodable != undecodable:
                # The journal holds it, so every reader meets it: it is shown and left out, the same way by all.
                self.note("error", "left_out", lsn=record.lsn, kind=record.kind, why=left_out.text)
            if in_flight and changes:
                self._release(changes)
            if self.live and is_hashed(record.lsn):
                self._appender.append(Kind.STATE_HASH, state.hashes.to_log(record.lsn), now)
        self._index.flush(state.lsn)
        if records and not self.live:
            self._look_whether_live()
        if self.live and self._settings.days is not None and state.books.stamp_ns >= self._day_ends_ns:
            self._begin_day(self._settings.days, now)
        if self.live and self._settings.currency and state.books.stamp_ns >= self._rates_due_ns:
            self._tell_rates(now)

    def _begin_day(self, days: Schedule, now: Instant) -> None:
        """The log has come into another day: it is told so with the prices of now, unless it has been."""
        period = days.current(self.state.books.stamp_ns)
        if period is None:
            return
        self._day_ends_ns = period.end_ns
        if period.start_ns > self.state.books.day.began_ns:
            prices = tuple(DayPrice(*place, price.px, price.age_ms) for place, price in self._prices(now))
            day, zone = days.text(period.start_ns)[:10], days.zone.key
            self._appender.append(Kind.DAY_BEGAN, DayBegan(day, zone, period.start_ns, prices), now)

    def _tell_rates(self, now: Instant) -> None:
        """What assets are worth now, by prices that are fresh; sooner again where more of them became known."""
        settings, state = self._settings, self.state
        facts = {name: account.facts for name, account in settings.accounts.items()}
        rates = rates_in(settings.currency, settings.fixed_rates, facts, dict(self._prices(now)))
        told = tuple(
            AssetRate(asset, RATE_DIGITS.plus(rate.px), rate.age_ms)
            for asset, rate in rates.moving() if not rate.is_stale
        )  # fmt: skip
        is_more, self._rates_told = len(told) > self._rates_told, len(told)
        self._rates_due_ns = state.books.stamp_ns + (RATES_SOON_NS if is_more or not told else RATES_NS)
        if told:
            self._appender.append(Kind.ASSET_RATES, AssetRates(settings.currency, told), now)

    def _prices(self, now: Instant) -> Iterator[tuple[Place, Price]]:
        for account, symbol in self._proposals.places():
            reference = self._proposals.references.find(self.state.books.known.venue_of(account), symbol, now)
            if reference.price is not None:
                limits = self._settings.accounts.get(account)
                rules = None if limits is None else limits.symbols.get(symbol)
                max_age_ms = 0 if rules is None else rules.max_age_ns // NS_PER_MS
                yield (account, symbol), Price(reference.price, reference.age_ns // NS_PER_MS, max_age_ms)

    def _release(self, changes: Sequence[Change]) -> None:
        """End the reservations of attempts that a record has decided: sent, they are orders of the books."""
        for change in changes:
            if isinstance(change, DECISIONS):
                self.in_flight.release(change.attempt)

    def _look_whether_live(self) -> None:
        if self._appender.former_life_ended(self.state.lsn, self.state.books.stamp_ns):
            self.live = True
            self._seen_attempt = max(self._seen_attempt, self.state.books.highest_attempt)
            self.note("info", "live", lsn=self.state.lsn, epoch=self._appender.epoch)

    # -- commands ------------------------------------------------------------------------------------------------------

    def _new_order(self, order: NewOrder, now: Instant) -> None:
        """A new order, or all orders of a list, each checked with those before it reserved: all pass, or none."""
        account = self._proposals.account_of(order)
        rules = None if account is None else account.symbols.get(order.symbol)
        if not self._is_first(order, now):
            return
        if account is None or rules is None:
            self._refuse(order, self._proposals.why_unknown(order, account), now)
            return
        refusal = self._rates.why_strategy_is_full(order.strategy, now) or why_no_list(order)
        decisions: list[Decision] = []
        decided: list[NewOrder] = []
        for each in order.orders if refusal is None else ():
            o = self._proposals.at_worst(each, rules, now)
            proposal = self._proposals.propose(o, o.strategy, rules, now, open_qty=o.order_qty, added_qty=o.order_qty)
            refusal = self._why_not_new(each, proposal)
            if refusal is not None:
                break
            decided.append(o)
            decisions.append(self._decision(proposal))
            self.in_flight.reserve(
                order,
                Reservation(
                    o.strategy, o.account, o.symbol, o.side, o.order_qty, o.order_qty, o.cl_ord_id, "", True,
                    o.terms.is_reduce_only,
                ),
            )  # fmt: skip
        refusal = refusal or self._rates.why_session_is_full(order.session, now)
        if refusal is not None:
            self.in_flight.release(order.attempt)
            self._refuse(order, refusal, now)
            return
        o = decided[0]
        self._pass(
            order,
            NewOrder(
                o.attempt, o.strategy, o.number, o.venue, o.symbol, o.terms, o.cl_ord_id, o.deadline_ns, o.label,
                decisions[0], o.account, o.session, o.by, o.cause, _stamped(o, now), order.contingency, order.further,
            ),
        )  # fmt: skip

    def _why_not_new(self, order: NewOrder, proposal: Proposal) -> Refusal | None:
        if order.cl_ord_id in self.state.books.by_id or self.in_flight.find(order.cl_ord_id) is not None:
            return Refusal(Reason.DUPLICATE_NAME, f"ClOrdID(11) {order.cl_ord_id} is in use")
        return self._proposals.why_left_out(proposal) or check(proposal)

    def _amend_order(self, amend: AmendOrder, now: Instant) -> None:
        account = self._proposals.account_of(amend)
        rules = None if account is None else account.symbols.get(amend.symbol)
        if not self._is_first(amend, now):
            return
        if account is None or rules is None:
            self._refuse(amend, self._proposals.why_unknown(amend, account), now)
            return
        replaces = account.amend_is_new_order(amend)
        terms = self._proposals.least_qty(amend)
        if terms is None:
            text = f"risk knows no open order {amend.orig_cl_ord_id} of {amend.account}"
            self._refuse(amend, Refusal(Reason.UNKNOWN_ORDER, text, amend.orig_cl_ord_id), now)
            return
        left = amend.order_qty - amend.cum_qty
        proposal = self._proposals.propose(
            amend, amend.target_strategy, rules, now, open_qty=left,
            added_qty=left if replaces else max(ZERO, amend.order_qty - terms), is_amendment=True,
            reduces=amend.order_qty <= amend.former_order_qty and amend.price == amend.former_price,
        )  # fmt: skip
        refusal = (
            self._rates.why_strategy_is_full(amend.strategy, now)
            or self._proposals.why_left_out(proposal)
            or check(proposal)
            or self._rates.why_session_is_full(amend.session, now)
        )
        if refusal is not None:
            self._refuse(amend, refusal, now)
            return
        a = amend
        self.in_flight.reserve(
            amend,
            Reservation(
                a.target_strategy, a.account, a.symbol, a.side, proposal.added_qty, a.order_qty, a.cl_ord_id,
                "" if replaces else a.orig_cl_ord_id, replaces, a.terms.is_reduce_only,
            ),
        )  # fmt: skip
        self._pass(
            amend,
            AmendOrder(
                a.attempt, a.strategy, a.number, a.venue, a.symbol, a.terms, a.cl_ord_id, a.orig_cl_ord_id,
                a.order_id, a.target_strategy, a.target_number, a.former_order_qty, a.former_price, a.cum_qty,
                a.deadline_ns, self._decision(proposal), a.asked, a.account, a.session, a.by, a.cause, _stamped(a, now),
            ),
        )  # fmt: skip

    def _pass_always(self, message: CancelOrder | QueryOrder, now: Instant) -> None:
        if not self._rates.knows(message.session):
            self._refuse(message, self._proposals.why_unknown(message, None), now)
            return
        self._rates.count(message.session, now)
        if isinstance(message, CancelOrder):
            self._counts["cancels"] += 1
        self.effects.append(Send(f"session.{message.session}", message))

    def _open_gate(self, word: OpenGate, now: Instant) -> None:
        if self._rates.knows(word.session):
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

    def _standing(self) -> Standing:
        """What holds for the moment and not for an order."""
        state, asked = self.state, self._halts_asked
        announced = JournalLevel.reason_of(self._announced or self._appender.announced)
        halts = frozenset(state.halts | asked) if state.halts or asked else frozenset()
        return Standing(not self.live, state.killed or self._kill_asked, announced, halts)

    def _decision(self, proposal: Proposal) -> Decision:
        """What it was decided on."""
        reference = proposal.reference
        return Decision(
            reference.price, reference.age_ns, proposal.notional, proposal.worst, proposal.rules.position_limit,
            proposal.open_orders, self._appender.epoch,
        )  # fmt: skip

    # -- what follows a decision ---------------------------------------------------------------------------------------

    def _pass(self, asked: NewOrder | AmendOrder, decided: NewOrder | AmendOrder) -> None:
        """What is reserved goes on its way."""
        self.state.fold.outcomes.expect(asked.attempt, asked.deadline_ns)
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
        stamp_ns, batches = self.state.books.stamp_ns, self._rate_refusals
        if isinstance(command, NewOrder | AmendOrder) and batches.hold_back(command, refusal, stamp_ns, now):
            return
        strategy, number = ("", 0) if isinstance(command, QueryOrder) else (command.strategy, command.number)
        record = Refused(
            WRITER, refusal.reason, cut(refusal.text), strategy, number, command.attempt, command, None,
            cut(refusal.value), cut(refusal.limit),
        )  # fmt: skip
        self._appender.append(Kind.REFUSED, record, now)

    # -- people --------------------------------------------------------------------------------------------------------

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

    def _halt(self, place: HaltArguments, by: str, now: Instant) -> Done:
        self._halts_asked.add((place.scope, place.checked_name()))
        self._journal_act("halt", place.text, by, now)
        # It holds from now on, and goes into the journal first of all where that does not answer yet.
        return Done(f"halt {place.text}", number=max(1, self._appender.last_number))

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
        account = self._proposals.account_of(order)
        rules = None if account is None else account.symbols.get(order.symbol)
        if account is None or rules is None:
            return Previewed.refused(self._proposals.why_unknown(order, account)).told()
        o = self._proposals.at_worst(order, rules, now)
        proposal = self._proposals.propose(o, o.strategy, rules, now, open_qty=o.order_qty, added_qty=o.order_qty)
        refusal = self._proposals.why_left_out(proposal) or check(proposal)
        return (Previewed.refused(refusal) if refusal else Previewed.passed(proposal)).told()

    def _journal_act(self, act: str, text: str, by: str, now: Instant) -> None:
        self.note("warning", act, text=text, by=by)
        if self._appender.granted:
            self._append_act(act, text, now, by)

    def _append_act(self, act: str, text: str, now: Instant, by: str = "") -> None:
        self._appender.append(Kind.OPERATOR, OperatorAct(WRITER, act, by, text), now)

    def status(self, now: Instant) -> dict[str, object]:
        """State, what is halted, every exposure with its limit, and counts of what passed and was refused."""
        proposals, killed = self._proposals, self.state.killed or self._kill_asked
        state = "live" if self.live else "restarting" if self._appender.granted else "waiting for the journal"
        return {
            "state": "killed" if killed and self.live else state,
            "epoch": self._appender.epoch,
            "lsn": self.state.lsn,
            "killed": killed,
            "halts": sorted(" ".join(part for part in halt if part) for halt in self.state.halts | self._halts_asked),
            "in_flight": len(self.in_flight),
            "exposures": [proposals.exposure_row(*place, now) for place in proposals.places()],
            "strategies": proposals.strategy_rows(),
            "sessions": self._rates.rows(now),
            "counts": dict(self._counts),
            "undecodable": self.state.books.left_out.undecodable,
            "hash_mismatches": self.state.hashes.mismatches,
            "index_complete": self._index.complete,
            "index_failure": self._index.failure,
            "left_out": self.state.books.left_out.text,
            "left_out_lsns": list(self.state.books.left_out.unaccepted),
            "refuses": JournalLevel.reason_of(self._announced or self._appender.announced),
            "unacknowledged": self._appender.unacknowledged,
            "outside": [h.row() for h in outside(self.state.books.holdings(), self._proposals.configured)]
            if self.live
            else None,
        }

def _stamped(command: NewOrder | AmendOrder, now: Instant) -> Stamps:
    return Stamps(command.stamps.strategy_ns, command.stamps.orders_ns, now.wall_ns)
