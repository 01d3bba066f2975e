"""The checkers are checked: bugs planted in the real cores, each a few lines, which the simulation must find.

A bug takes the place of one method of a real class for as long as a run lasts. `within` is the number of seeds, from 0
on, of which at least one must end in a violation.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from common import left_out, messages
from common.actor import links
from common.actor.acts import RecordedActs
from common.actor.core import Write
from common.actor.links import Appender
from common.actor.rates import MessageRate, Use
from common.actor.sends import Sends
from common.contracts import Contract
from common.fix.allowance import Allowance
from common.fix.pending import Pending
from common.fix.session import Session
from common.fix.wire import cut
from common.instant import NS_PER_S
from common.journal import log
from common.journal.files import write_all
from common.journal.frames import parse
from common.latch import Latch
from common.left_out import LeftOut
from common.messages import (
    AFTER_ALL_EVENTS,
    BoundedEntryRequest,
    CommandOutcome,
    EntryRequest,
    OrderEvent,
    OrderStatus,
    Reason,
)
from common.orders import fold as orders_fold
from common.orders import leg, order_state, outcome, over_rest, own_side, worst
from common.orders.books import Books
from common.orders.forgotten import Forgotten
from common.orders.ledger import FillLedger
from common.orders.leg import Leg
from common.orders.names import cl_ord_id_of
from common.orders.numbers import ZERO
from common.orders.order_state import Order, RequestKind
from common.orders.positions import Position
from common.orders.words import DONE_FOR_DAY
from common.orders.worst import NO_STRANGER, NOTHING
from common.venues.dialect import BadReport
from common.venues.reading import Notes
from scripts.simulation import planted_lists as lists
from scripts.simulation import planted_takeovers as takeovers
from scripts.simulation.plan import PLANTED_VERSION
from services.account.core import AccountCore
from services.marketdata.books import Book
from services.orders import core as orders_core
from services.orders import entry as orders_entry
from services.orders.attempts import Attempts
from services.orders.cancels import Cancels
from services.orders.clients import Clients
from services.orders.entry import Entry
from services.orders.inquiries import AccountInquiries
from services.orders.reconciliation import Silence
from services.orders.watch import Watch
from services.risk import core as risk_core
from services.risk import limits, proposals
from services.risk import state as risk_state
from services.risk.exposure import Exposure, InFlight
from services.risk.proposals import Proposals
from services.session import outbox, resender
from services.session.connection import Gate
from services.session.history import History
from services.session.inbox import Inbox
from services.session.kill import KillSwitch
from services.session.outbox import Outbox
from services.session.recovery import TakingUp

STEPS = 2000
TAKEOVER_STEPS = 1000
"""Two takeovers."""


Swap = tuple[object, str, Callable[[Any], Any]]
"""Whose attribute is replaced, its name, and what makes the replacement from the original."""


class Bug(NamedTuple):
    """One planted bug: what it is, how it is put in place, within how many seeds it must be found, and of which version
    their plans are; or `takeover`: of those that take over from one host to another, with so many steps.
    """

    sentence: str
    swaps: tuple[Swap, ...]
    within: int = 20
    version: int = PLANTED_VERSION
    takeover: bool = False

    @property
    def steps(self) -> int:
        """Of each seed."""
        return TAKEOVER_STEPS if self.takeover else STEPS


@contextmanager
def plant(name: str) -> Iterator[None]:
    """The bug called `name` is in the cores while this lasts. Raises KeyError."""
    with planted_swaps(BUGS[name].swaps):
        yield


@contextmanager
def planted_swaps(swaps: tuple[Swap, ...]) -> Iterator[None]:
    """All of these are in place while this lasts."""
    with ExitStack() as stack:
        for owner, attribute, make in swaps:
            stack.enter_context(_swapped(owner, attribute, make))
        yield


@contextmanager
def _swapped(owner: object, attribute: str, make: Callable[[Any], Any]) -> Iterator[None]:
    original = getattr(owner, attribute)
    setattr(owner, attribute, make(original))
    try:
        yield
    finally:
        setattr(owner, attribute, original)


def _instead(method: Callable[..., Any]) -> Callable[[Any], Any]:
    """The method takes the original's place and is given it first."""
    return lambda original: lambda self, *arguments, **named: method(original, self, *arguments, **named)


def _at_once(writer: str) -> Callable[[Any], Any]:
    """For this actor its former life has ended as soon as its own epoch record is read."""
    return lambda original: lambda self, lsn, stamp_ns: original(
        self, lsn, 1 << 62 if self._writer == writer else stamp_ns
    )


def _take_any_length(original: Any, self: Any, data: bytes) -> Any:
    return msgspec.msgpack.decode(data, type=EntryRequest if self.accepts is BoundedEntryRequest else self.accepts)


def _tell_nobody(original: Any, self: Any, *arguments: Any) -> None:
    """What is not taken is not answered."""


def _halt_nothing(original: Any) -> Any:
    return property(lambda left_out: False)


def _leave_fees_out(original: Any, self: Any, whose: Any, change: Any) -> None:
    original(self, whose, msgspec.structs.replace(change, fees=()))


def _send_before_journal(original: Any, self: Any, effect: Any, now: Any) -> None:
    original(self, effect, now)
    if not effect.resent:
        self._core.effects.append(Write(self.connection, effect.raw))
        self.take_unreleased()


def _reuse_number(original: Any, self: Any, now: Any) -> Any:
    history = self._records.history
    history.next_outbound = max(1, history.next_outbound - 1)
    return original(self, now)


def _send_past_a_hole(original: Any, self: Any, run: Any, now: Any) -> None:
    self.begin_pass()
    original(self, run, now)


def _lose_reservation(original: Any, self: Any, reservation: Any, sign: int) -> None:
    """Nothing is counted that is in flight."""


def _timeout_is_reject(original: Any, self: Any, session: str) -> bool:
    if not self.legs[0].word and self.ending is None:
        self.conclude(self.legs[0], OrderStatus.REJECTED, Reason.VENUE_REJECTED)
    return bool(original(self, session))


def _write_unsynced(original: Any, self: Any, block: bytes, end: Any) -> None:
    write_all(self._files, self._handle, block, self._position)
    self._durable = end


def _sync_later(original: Any, self: Any, block: bytes, end: Any) -> None:
    self._files.sync(self._handle)
    _write_unsynced(original, self, block, end)


def _follow_gaps(original: Any, self: Any, block: bytes) -> Any:
    fresh = [record for record in parse(block) if record.lsn > self.cursor]
    if fresh:
        self.cursor = fresh[-1].lsn
    return fresh


def _chain_per_writer(original: Any, self: Any, block: bytes) -> Any:
    chains = self.__dict__.setdefault("chains", {})
    fresh = [record for record in parse(block) if record.lsn > self.cursor]
    for record in fresh:
        writer = (record.writer, record.writer_epoch)
        if chains.get(writer, record.append_number - 1) != record.append_number - 1:
            chains.clear()
            return original(self, block)
        chains[writer] = record.append_number
    if fresh:
        self.cursor = fresh[-1].lsn
    return fresh


def _drop_on_replay(original: Any, self: Any, records: Any, now: Any) -> Any:
    return [record for record in original(self, records, now) if record.lsn % 7]


def _keep_for_next_connection(original: Any, self: Any, reason: Any, now: Any) -> None:
    self._kept = self.live.queue
    self.gone()


def _go_on_with_kept(original: Any, self: Any, fix: Any, connection: Any) -> None:
    original(self, fix, connection)
    self.live.queue = getattr(self, "_kept", self.live.queue)


def _rest_overrules(original: Any, self: Any, word: str, order_id: str, qty: Any, price: Any, cum: Decimal) -> None:
    original(self, word, order_id, qty, price, cum)
    self.told_cum_qty = cum
    self.cum_qty = cum


def _count_fills_again(original: Any, self: Any, venue: str, symbol: str, trade_key: str, *rest: Any) -> Any:
    self._again = getattr(self, "_again", 0) + 1
    return original(self, venue, symbol, f"{trade_key}/{self._again}", *rest)


def _expire_early(original: Any, self: Any, stamp_ns: int) -> Any:
    return original(self, stamp_ns + 900_000_000)


def _resend_orders(original: Any, self: Any, begin: int, end: int) -> Any:
    everything = getattr(self, "every_raw", {})
    return [(number, everything[number]) for number in range(begin, end + 1) if number in everything]


def _keep_every_raw(original: Any, self: Any, record: Any, stamp_ns: int) -> None:
    original(self, record, stamp_ns)
    if not hasattr(self, "every_raw"):
        self.every_raw = {}
    self.every_raw[record.msg_seq_num] = record.raw


def _cancel_once(original: Any, self: Any, name: Any, due_ns: int) -> None:
    if not self._wishes[name].due_ns:
        original(self, name, due_ns)


def _open_at_once(original: Any, self: Any, now: Any) -> None:
    original(self, now)
    self.is_open = True


def _forget_latch(original: Any, self: Any) -> None:
    original(self)
    self.set = False


def _release_withdrawn(original: Any, self: Any) -> Any:
    taken = list(self._items)
    self._items.clear()
    return taken


def _untold(unless: Callable[[OrderEvent], bool]) -> Callable[[Any], Any]:
    """Some events of orders are never told."""

    def emit(original: Any, self: Any, name: str, event: Any) -> None:
        if not isinstance(event, OrderEvent) or unless(event):
            original(self, name, event)

    return _instead(emit)


def _tell_fills_twice(original: Any, self: Any, name: str, event: Any) -> None:
    original(self, name, event)
    if isinstance(event, OrderEvent) and event.event == "trade":
        original(self, name, msgspec.structs.replace(event, index=event.index + 1))


def _repeat_nothing(original: Any, self: Any, peer: bytes, hello: Any, *rest: Any) -> Any:
    strategy = self._strategy(hello.strategy)
    ring, strategy.ring = strategy.ring, deque(maxlen=1)
    try:
        return original(self, peer, hello, *rest)
    finally:
        strategy.ring = ring


def _tell_refused_sent(original: Any, self: Any, peer: bytes, answer: Any) -> None:
    if isinstance(answer, CommandOutcome) and answer.outcome == "refused" and answer.reason is Reason.POSITION_LIMIT:
        answer = msgspec.structs.replace(answer, outcome="sent")
    original(self, peer, answer)


def _ignore_withdrawn(original: Any, self: Any, record: Any, withdrawn: Any) -> None:
    """What was withdrawn stays open."""


def _nothing_unheard(original: Any) -> Any:
    return lambda order: original(order) if any(leg.word for leg in order.legs) else NOTHING


def _first_leg_alone(original: Any) -> Any:
    return lambda order: original(msgspec.structs.replace(order, legs=order.legs[:1]))


def _as_believed(original: Any) -> Any:
    return lambda order, leg: (max(leg.leaves_qty - leg.cum_qty + leg.filled_qty, ZERO), leg.is_open)


def _reserve_orders_only(original: Any, self: Any, reservation: Any, sign: int) -> None:
    if not reservation.orig_cl_ord_id:
        original(self, reservation, sign)


def _settled_without_fees(original: Any, self: Any, order: Any) -> bool:
    return worst.at_worst(order) != NOTHING or self.is_by_hand(order)


def _keep_price(original: Any, self: Any, leg: Any) -> None:
    price = self.price
    original(self, leg)
    self.price = price


def _sweep_nothing(original: Any, self: Any, now: Any = None) -> None:
    self._sweep_boot_ns = None


def _prove_always(original: Any, self: Any, begin: int, end: int, now: Any, *, in_step: bool) -> None:
    original(self, begin, end, now, in_step=False)
    self.in_step(now)


def _forget_doubt(original: Any, self: Any, record: Any, attempt: Any) -> None:
    order = self._books.by_id.get(cl_ord_id_of(attempt))
    if order is not None:
        order.in_doubt = order.legs[0].answered = False
    original(self, record, attempt)


def _verified_at_once(original: Any, self: Any, now: Any) -> dict[str, object]:
    return {**original(self, now), "verified": self._latch.set}


def _confirm_at_once(do: Any, acts: RecordedActs, peer: bytes, request: Any, now: Any) -> bool:
    done: bool = do(acts, peer, request, now)
    acts._owed = deque(owed._replace(number=0) for owed in acts._owed)
    return done


def _tell_before_journal(original: Any, self: Any, strategy: Any, request: Any, now: Any) -> None:
    flying = len(self._flights)
    original(self, strategy, request, now)
    if len(self._flights) > flying:
        self._clients.emit(
            strategy,
            CommandOutcome(self._books.lsn + 1, 0, strategy, request.number, "sent"),
        )


def _cover_what_comes(original: Any) -> Any:
    def covers(wished: Any, order: Any, *, was_under_way: bool) -> bool:
        return bool(original(msgspec.structs.replace(wished, number=1 << 62), order, was_under_way=was_under_way))

    return covers


def _one_name(original: Any) -> Any:
    return lambda books, position, lsn, index, strategy: original(books, position, lsn, AFTER_ALL_EVENTS, strategy)


def _refuse_odd_fields(original: Any, self: Any, tag: bytes) -> None:
    raise BadReport(f"field {tag.decode()} cannot be read")


def _drop_unreadable(original: Any, self: Any, *arguments: Any) -> None:
    """What cannot be read names nobody."""


def _uncut_is_garbled(original: Any, self: Any, raw: bytes, now: Any) -> None:
    if cut(raw)[1] is None:
        original(self, raw, now)


def _keep_misread_price(original: Any, self: Any, entries: Any, now: Any) -> None:
    original(self, [entry for entry in entries if not entry.why], now)


def _count_nothing_outside(original: Any, self: Any, symbol: str) -> list[Any]:
    return []


def _load_or_open(original: Any, self: Any) -> None:
    try:
        original(self)
    except OSError as error:
        self.failure = str(error)


def _since_own_orders(original: Any, self: Any, symbol: str) -> int:
    orders = self._books.open_orders(self.account)
    return min((order.sent_ns for order in orders if order.symbol == symbol), default=0)


def _whatever_order(original: Any, self: Any, trade_id: Any, *rest: Any) -> Any:
    return next(iter(self._fills.get(trade_id, ())), None)


def _bust_as_a_fill(original: Any, self: Any, order: Any, leg: Any, report: Any, change: Any) -> None:
    before = len(self._changes)
    original(self, order, leg, report, change)
    if change is not None and report.exec_type in "GH":
        told = msgspec.structs.replace(self._changes[before], last_qty=report.last_qty, last_px=report.last_px)
        self._changes[before] = told


def _named_is_answered(original: Any, self: Any, leg: Any, report: Any, asked: Any) -> None:
    original(self, leg, report, asked)
    self.requests.pop(report.cl_ord_id, None)


def _delete_covered(original: Any, self: Any, new: int, reason: Any, now: Any) -> Any:
    self._standing.set_numbers(self._standing.next_outbound, new, reason)
    for seq in [seq for seq in self._kept if seq < new]:
        del self._kept[seq]
    return []


def _watch_nothing(original: Any, self: Any, *arguments: Any) -> None:
    """No answer is awaited."""


def _wait_for_ever(original: Any, self: Any, order: Order) -> int:
    sent = any(r.kind is RequestKind.CANCEL and not r.unknown for r in order.requests.values())
    return NS_PER_S if sent else 0


def _kill_like_others(original: Any, self: Any, waiting: int, now: Any, use: Use) -> int:
    return int(original(self, waiting, now, Use.SAFE))


def _answer_all(original: Any, self: Any, boot_ns: int) -> bool:
    return True


def _forget_late_answers(original: Any, self: Any, now: Any) -> None:
    for name, asked in list(self._requests._asked.items()):
        if now.boot_ns - self._requests._tries[asked.what].sent_ns >= NS_PER_S:
            del self._requests._asked[name]
    original(self, now)


def _resend_at_once(original: Any) -> Any:
    return lambda messages, begin, end, room: end


def _change_contract(**changes: Any) -> Callable[[Any], Any]:
    """Positions count with another contract than there is."""

    def take(original: Any, self: Any, change: Any, contract: Contract) -> None:
        original(self, change, msgspec.structs.replace(contract, **changes))

    return _instead(take)


def _notional_without_multiplier(checks: Any) -> Any:
    """Risk's check of one order's worth."""

    def made(check: Any) -> Any:
        def of_one(proposal: Any) -> Any:
            rules = proposal.rules
            contract = msgspec.structs.replace(rules.contract, multiplier=Decimal(1))
            proposal.rules = rules._replace(contract=contract)
            try:
                return check(proposal)
            finally:
                proposal.rules = rules

        return of_one

    return tuple((name, made(check) if name == "notional" else check) for name, check in checks)


def _reduce_freely(original: Any, self: Any, *arguments: Any, reduces: bool) -> None:
    if not reduces:
        original(self, *arguments, reduces=reduces)


def _count_no_amount(original: Any) -> Any:
    """The smallest order there is stands for any amount."""
    return lambda terms, rules, reference: rules.min_qty


def _forget_reduce_only(original: Any, self: Any, strategy: str, request: Any, now: Any) -> Any:
    if request.terms.is_reduce_only:
        request = msgspec.structs.replace(request, terms=msgspec.structs.replace(request.terms, instructions=""))
    return original(self, strategy, request, now)


def _quantity_for_amount(original: Any, self: Any, order: Any, rules: Any, now: Any) -> Any:
    order = original(self, order, rules, now)
    terms = msgspec.structs.replace(order.terms, cash_order_qty=None)
    return msgspec.structs.replace(order, terms=terms)


def _want_cancels(original: Any, self: Any, hello: Any, now: Any) -> None:
    original(self, msgspec.structs.replace(hello, cancel_on_exit=True), now)


def _reach_everybody(original: Any, self: Any, name: Any) -> Any:
    return [order for account in self._books.open for order in self._books.open_orders(account)]


BUGS: dict[str, Bug] = {
    "beyond-bounds-untold": Bug(
        "Orders drops what its link does not take, and tells nobody.",
        ((orders_core.OrdersCore, "not_read", _instead(_tell_nobody)),), 20,
    ),
    "labels-without-bounds": Bug(
        "The order entry link takes texts of any length, and the log gets them.",
        ((messages.Door, "decode", _instead(_take_any_length)),), 20,
    ),
    "poison-raises": Bug(
        "A record that cannot be read ends who reads it.",
        ((left_out, "UNDECODABLE", lambda _: ()),), 20,
    ),
    "poison-halts-nothing": Bug(
        "A record that has no effect is passed over, and orders are sent on as if it had said nothing.",
        ((LeftOut, "halts", _halt_nothing),), 20,
    ),
    "configuration-is-all": Bug(
        "Orders and risk name only what is configured.",
        (
            (orders_core, "outside", lambda _: lambda holdings, configured: []),
            (risk_core, "outside", lambda _: lambda holdings, configured: []),
        ), 60,
    ),
    "outside-uncounted": Bug(
        "Risk does not count what is held where nothing is configured.",
        ((Proposals, "_held_outside", _instead(_count_nothing_outside)),), 740,
    ),
    "unread-is-open": Bug(
        "A kill latch that cannot be read counts as open.",
        ((Latch, "load", _instead(_load_or_open)),), 120,
    ),
    "positions-under-one-name": Bug(
        "All positions that are told at a welcome have one name.",
        ((orders_entry, "own_position_event", _one_name),), 10,
    ),
    "welcome-in-mid-replay": Bug(
        "Orders welcomes whoever says hello while it still reads its log.",
        ((Entry, "_may_welcome", _instead(lambda original, self, hello: self._life.epoch > 0)),), 10,
    ),
    "cancel-what-comes": Bug(
        "A command to cancel all touches orders that its strategy gives after it.",
        ((own_side, "covers", _cover_what_comes),), 10,
    ),
    "send-before-journal": Bug(
        "A session writes a message before the journal has acknowledged it.",
        ((Outbox, "numbered", _instead(_send_before_journal)),), 3,
    ),
    "reuse-number": Bug(
        "A restarted session goes on one number too low.",
        ((TakingUp, "_go_live", _instead(_reuse_number)),), 10,
    ),
    "forget-in-flight": Bug(
        "Risk forgets what it has approved and the log does not show yet.",
        ((InFlight, "_count", _instead(_lose_reservation)),), 100,
    ),
    "timeout-is-reject": Bug(
        "An order that was not answered when its connection died counts as rejected.",
        ((Order, "connection_lost", _instead(_timeout_is_reject)),), 60,
    ),
    "no-wait-orders": Bug(
        "A restarted orders acts before its former life is over.",
        ((Appender, "former_life_ended", _at_once("orders")),), 10,
    ),
    "no-wait-risk": Bug(
        "A restarted risk acts before its former life is over.",
        ((Appender, "former_life_ended", _at_once("risk")),), 20,
    ),
    "void-leaves": Bug(
        "A session releases what was stamped after its deadline.",
        ((outbox, "deadline_of", lambda _: lambda command: None),), 60,
    ),
    "ack-from-page-cache": Bug(
        "The journal acknowledges what was written and not synced.",
        ((log.Log, "_write", _instead(_write_unsynced)),), 3,
    ),
    "ack-before-sync": Bug(
        "The journal syncs a batch only when the next one comes.",
        ((log.Log, "_write", _instead(_sync_later)),), 3,
    ),
    "follow-gaps": Bug(
        "Followers of the stream take what comes, though records before it are missing.",
        ((links.Follower, "received", _instead(_follow_gaps)),), 60,
    ),
    "chain-per-writer": Bug(
        "Followers look for gaps among the records of one writer, as if each had a stream of its own.",
        ((links.Follower, "received", _instead(_chain_per_writer)),), 10,
    ),
    "drop-on-replay": Bug(
        "Replay leaves out some records.",
        ((links.Follower, "log_read", _instead(_drop_on_replay)),), 30,
    ),
    "release-to-newer-connection": Bug(
        "What was numbered for a dead connection leaves on the next one.",
        ((Outbox, "lost", _instead(_keep_for_next_connection)), (Outbox, "opened", _instead(_go_on_with_kept))), 30,
    ),
    "rest-lowers-cum-qty": Bug(
        "A REST answer overrules the fills that are known.",
        ((Leg, "told_by_rest", _instead(_rest_overrules)),), 150,
    ),
    "count-fills-again": Bug(
        "A fill that is told twice counts twice.",
        ((FillLedger, "trade", _instead(_count_fills_again)),), 60,
    ),
    "expire-early": Bug(
        "An attempt is told expired before its deadline.",
        ((outcome.Outcomes, "stamp", _instead(_expire_early)),), 30,
    ),
    "resend-orders": Bug(
        "Orders are sent again when the venue asks for missed messages.",
        ((History, "resendable", _instead(_resend_orders)), (History, "_outbound", _instead(_keep_every_raw))), 100,
    ),
    "cancel-once": Bug(
        "A cancel that failed is not tried again.",
        ((Cancels, "_put_off", _instead(_cancel_once)),), 100,
    ),
    "open-at-once": Bug(
        "A session opens its gate before orders has reconciled.",
        ((Gate, "in_step", _instead(_open_at_once)),), 10,
    ),
    "forget-latch": Bug(
        "The kill latch does not outlive the process.",
        ((Latch, "load", _instead(_forget_latch)),), 150,
    ),
    "release-unacknowledged": Bug(
        "Numbers leave in order, but do not wait for the journal or for the fillers before them.",
        ((outbox.ReleaseQueue, "take_cleared", _instead(_release_withdrawn)),), 10,
    ),
    "tell-before-journal": Bug(
        "Orders tells that a command was sent when it sends it on.",
        ((Entry, "_request", _instead(_tell_before_journal)),), 5,
    ),
    "confirm-at-once": Bug(
        "What a person has done by hand is confirmed before the log has it.",
        ((RecordedActs, "do", _instead(_confirm_at_once)),), 10,
    ),
    "fills-untold": Bug(
        "Orders never tells a fill.",
        ((Clients, "emit", _untold(lambda event: event.event != "trade")),), 10,
    ),
    "closings-untold": Bug(
        "Orders never tells that an order is closed.",
        ((Clients, "emit", _untold(lambda event: event.open)),), 10,
    ),
    "fills-told-twice": Bug(
        "Orders tells each fill twice.",
        ((Clients, "emit", _instead(_tell_fills_twice)),), 10,
    ),
    "resume-repeats-nothing": Bug(
        "A strategy that resumes is told so, and nothing of what it missed.",
        ((Clients, "hello", _instead(_repeat_nothing)),), 80,
    ),
    "send-past-a-hole": Bug(
        "Behind a message that a queue did not take, the next ones go to the same client if they find room.",
        ((Sends, "send", _instead(_send_past_a_hole)),), 160,
    ),
    "refused-told-sent": Bug(
        "Orders tells that a command was sent which risk refused.",
        ((Clients, "reply", _instead(_tell_refused_sent)),), 30,
    ),
    "keep-expired": Bug(
        "Risk never releases the reservation of an attempt that expired.",
        ((risk_core, "DECISIONS", lambda original: original[:-1]),), 20,
    ),
    "ignore-withdrawn": Bug(
        "The shared fold goes on counting what was withdrawn.",
        ((own_side.OwnSide, "withdrawn", _instead(_ignore_withdrawn)),), 200,
    ),
    "unheard-is-nothing": Bug(
        "The shared fold counts nothing at worst of what was sent and not heard of.",
        ((risk_state, "at_worst", _nothing_unheard),), 20,
    ),
    "believed-is-worst": Bug(
        "The shared fold counts an order at the terms that are believed, whatever amendments are on their way.",
        ((worst, "_leg_at_worst", _as_believed),), 60,
    ),
    "replacement-is-no-leg": Bug(
        "The shared fold counts an order and its replacement as one.",
        ((risk_state, "at_worst", _first_leg_alone),), 60,
    ),
    "strangers-uncounted": Bug(
        "Somebody else's open orders on the account count nothing in risk.",
        ((risk_state, "stranger_at_worst", lambda _: lambda order: NO_STRANGER),), 60,
    ),
    "amend-unreserved": Bug(
        "Risk reserves nothing for an amendment.",
        ((InFlight, "_count", _instead(_reserve_orders_only)),), 20,
    ),
    "strangers-unasked": Bug(
        "What somebody else traded while nobody was logged on is asked for only where a trade is known.",
        ((AccountInquiries, "_since_ns", _instead(_since_own_orders)),), 120,
    ),
    "strangers-linger": Bug(
        "An order of somebody else is shown for ever where its end was not heard.",
        ((over_rest.OverRest, "_strangers_gone", lambda _: lambda *arguments: None),), 60,
    ),
    "never-settled": Bug(
        "REST's word that there is no such order never settles one.",
        ((over_rest.OverRest, "_window_closed", lambda _: lambda *arguments: False),), 40,
    ),
    "keep-price": Bug(
        "An amended price is never taken.",
        ((Order, "_take_terms", _instead(_keep_price)),), 160,
    ),
    "absent-at-once": Bug(
        "Any word of REST that there is no such order proves its absence, whatever the venue's window.",
        (
            (over_rest, "window_closed", lambda _: lambda *arguments: True),
            (over_rest, "no_stranger", lambda _: lambda *arguments: True),
        ), 40,
    ),
    "our-end-is-theirs": Bug(
        "Where a venue has no window, the end of our side of a connection ends what it carried.",
        takeovers.ANY_END_COUNTS, 1300, version=7,
    ),
    "fees-left-behind": Bug(
        "An order leaves memory though REST has not told its fees.",
        ((Books, "_is_unsettled", _instead(_settled_without_fees)),), 1200, version=7,
    ),
    "gate-at-once": Bug(
        "Orders opens the gate as soon as a connection has caught up.",
        ((AccountInquiries, "gates_may_open", lambda _: property(lambda its: bool(its._gates_wanted))),), 20,
    ),
    "one-fill-a-trade": Bug(
        "Two orders of ours that meet in one trade are one fill.",
        ((FillLedger, "_find", _instead(_whatever_order)),), 60,
    ),
    "believe-all": Bug(
        "A report is believed for the instrument and the side that it does not say.",
        ((orders_fold, "believed", lambda _: lambda order, report, knows: report),), 20,
    ),
    "bust-as-a-fill": Bug(
        "A bust and a correction are told with the quantity of the fill that they take back.",
        ((orders_fold.Fold, "_report_changed", _instead(_bust_as_a_fill)),), 40,
    ),
    "named-is-answered": Bug(
        "Any report that bears a request's name answers it.",
        ((Order, "_answer_requests", _instead(_named_is_answered)),), 40,
    ),
    "sweep-nothing": Bug(
        "The kill switch of an account cancels nothing.",
        ((AccountCore, "_begin_sweep", _instead(_sweep_nothing)),), 80,
    ),
    "delete-what-is-gap-filled": Bug(
        "What came behind a gap is deleted when a gap fill covers its number.",
        ((Pending, "jump", _instead(_delete_covered)),), 90,
    ),
    "silence-for-ever": Bug(
        "A cancel that is never answered on a living connection is waited for, for ever.",
        ((Silence, "message_sent", _instead(_watch_nothing)), (Cancels, "_wait_ns", _instead(_wait_for_ever))), 120,
    ),
    "kill-without-budget": Bug(
        "The kill switch shares its message budget with cancels, and answers to the venue are not bounded.",
        ((MessageRate, "room", _instead(_kill_like_others)), (Allowance, "take", _instead(_answer_all))), 60,
    ),
    "forget-late-answers": Bug(
        "The kill switch forgets what it asked a second ago.",
        ((KillSwitch, "_round", _instead(_forget_late_answers)),), 40,
    ),
    "resend-at-once": Bug(
        "What the venue asks for again is sent at once, whatever its message limit.",
        ((resender, "_end_of_part", _resend_at_once),), 100,
    ),
    "asked-again-is-absent": Bug(
        "Whatever the venue asks for again it has never received.",
        (
            (resender.Resender, "wanted", _instead(_prove_always)),
            (own_side.OwnSide, "_not_received", _instead(_forget_doubt)),
        ), 300,
    ),
    "verified-at-once": Bug(
        "An account says that nothing is open as soon as it is latched.",
        ((AccountCore, "status", _instead(_verified_at_once)),), 30,
    ),
    "odd-field-drops-fill": Bug(
        "A report with an odd secondary field is dropped whole, and nobody asks.",
        ((Notes, "note", _instead(_refuse_odd_fields)), (Inbox, "_unreadable", _instead(_drop_unreadable))), 40,
    ),
    "unreadable-unasked": Bug(
        "An order of which a report cannot be read is not asked about.",
        ((orders_fold.Fold, "_unreadable", _instead(_drop_unreadable)),), 60,
    ),
    "uncut-is-garbled": Bug(
        "A message whose fields cannot be told apart takes no number.",
        ((Session, "_message", _instead(_uncut_is_garbled)),), 10,
    ),
    "forgotten-is-new": Bug(
        "A fill that has left memory is not looked up, and counts again when it is told again.",
        ((Forgotten, "fills", lambda _: lambda self, trade_id, lsn: []),), 40,
    ),
    "booked-is-added": Bug(
        "A trade that the venue tells after a person has booked it is added.",
        ((FillLedger, "_give_way", lambda _: lambda self, change: change),), 40,
    ),
    "fees-untaken": Bug(
        "What a fill has cost is counted for the account, and not for the strategy.",
        ((Books, "_move_share", _instead(_leave_fees_out)),), 10,
    ),
    "done-for-day-is-over": Bug(
        "An order that is done for the day is closed, in orders and risk.",
        (
            (leg, "TERMINAL_WORDS", lambda words: words | {DONE_FOR_DAY}),
            (order_state, "TERMINAL_WORDS", lambda words: words | {DONE_FOR_DAY}),
            (order_state, "_CLOSED_STATUS", lambda words: words | {DONE_FOR_DAY: OrderStatus.EXPIRED}),
            (worst, "TERMINAL_WORDS", lambda words: words | {DONE_FOR_DAY}),
        ), 20,
    ),
    "multiplier-left-out": Bug(
        "Positions count a contract as one of its underlying, whatever it stands for.",
        ((Position, "_take_contracts", _change_contract(multiplier=Decimal(1))),), 40, 7,
    ),
    "inverse-is-linear": Bug(
        "Positions count an inverse contract as a linear one.",
        ((Position, "_take_contracts", _change_contract(inverse=False)),), 40, 7,
    ),
    "notional-without-multiplier": Bug(
        "Risk holds an order for contracts against the limit of one without what each stands for.",
        ((limits, "CHECKS", _notional_without_multiplier),), 40, 7,
    ),
    "reduce-only-is-free": Bug(
        "Risk counts nothing of reduce-only orders, whatever is held.",
        ((Exposure, "add", _instead(_reduce_freely)),), 40, 7,
    ),
    "reduce-only-forgotten": Bug(
        "Orders passes reduce-only orders on as any others.",
        ((Attempts, "new_order", _instead(_forget_reduce_only)),), 40, 7,
    ),
    "amounts-uncounted": Bug(
        "Risk counts an amount of the quote asset as the smallest order there is.",
        ((proposals, "base_at_worst", _count_no_amount),), 40, 7,
    ),
    "amount-is-a-quantity": Bug(
        "Risk passes an order for an amount on as one for the most that this may come to.",
        ((Proposals, "at_worst", _instead(_quantity_for_amount)),), 40, 7,
    ),
    "gone-is-marked": Bug(
        "The orders of a strategy that is gone are marked, and stay whatever it wants.",
        ((Watch, "_cancel_for", _instead(lambda original, self, name, row, now: None)),), 20, 8,
    ),
    "leave-is-not-heard": Bug(
        "The orders of every strategy that is gone are cancelled, whatever it wants.",
        ((Watch, "hello", _instead(_want_cancels)),), 20, 8,
    ),
    "gone-takes-all": Bug(
        "When a strategy is gone, everybody's orders are cancelled.",
        ((Watch, "_within_reach", _instead(_reach_everybody)),), 20, 8,
    ),
    "misread-price-stays": Bug(
        "A price that cannot be read leaves the one before in the book.",
        ((Book, "apply", _instead(_keep_misread_price)),), 10,
    ),
    "duplicate-is-yes": Bug(
        "A publication that is answered as a duplicate is held to stand in the copy.",
        takeovers.DUPLICATE_IS_YES, 20, takeover=True,
    ),
    "wrong-sequence-is-fence": Bug(
        "A publication that is refused for its expectation fences the host, whoever was before it.",
        takeovers.REFUSED_IS_FENCED, 20, takeover=True,
    ),
    "wrong-sequence-is-yes": Bug(
        "A publication that is refused for its expectation is held to stand in the copy.",
        takeovers.REFUSED_IS_YES, 20, takeover=True,
    ),
    "publish-unreleased": Bug(
        "The journal acknowledges and publishes what the copy does not hold yet.",
        takeovers.PUBLISH_UNRELEASED, 10, takeover=True,
    ),
    "grant-unreleased": Bug(
        "The journal grants an epoch that the copy does not hold yet.",
        takeovers.GRANT_UNRELEASED, 10, takeover=True,
    ),
    "refill-unreleased": Bug(
        "A reader on another host is given what the copy does not hold yet.",
        takeovers.REFILL_UNRELEASED, 10, takeover=True,
    ),
    "restart-serves-unreleased": Bug(
        "A journal that starts holds what its disk has for copied.",
        takeovers.SERVE_UNRELEASED, 10, takeover=True,
    ),
    "fence-latches": Bug(
        "The supervisors take a fenced journal for a damaged one, and latch the kill switch.",
        takeovers.FENCE_LATCHES, 20, takeover=True,
    ),
    "dead-with-its-host": Bug(
        "What the former host's connection carried is over before the venue has let the other host log on.",
        takeovers.ANY_END_COUNTS, 150, takeover=True,
    ),
    "lost-is-not-missed": Bug(
        "A client does not miss what a connection that ended had carried.",
        takeovers.MISS_NOTHING, 20, takeover=True,
    ),
    "resume-past-term-s-end": Bug(
        "A client resumes from a place that only the lost end of a former host's log had.",
        takeovers.RESUME_PAST_END, 60, takeover=True,
    ),
    "lost-stays-lost": Bug(
        "An order that only the lost end of a log knew is nobody's, though its host has come back.",
        takeovers.LOST_STAYS_LOST, 20, takeover=True,
    ),
    "lost-fills-stay": Bug(
        "What an order of the lost end of a log was filled stays nobody's.", takeovers.LOST_FILLS_STAY, 60,
        takeover=True,
    ),
    "rivals-stay": Bug(
        "What the venue ends since another order of its list trades stays open with us.", lists.RIVALS_STAY, 20, 9,
    ),
    "pair-counts-once": Bug(
        "Risk counts of an order list at worst what its first order may do.", lists.PAIR_COUNTS_ONCE, 20, 9,
    ),
    "pending-uncounted": Bug(
        "Risk counts nothing of an order of a list that the venue has not placed yet.", lists.PENDING_COUNTS_NOTHING,
        20, 9,
    ),
    "woken-is-released": Bug(
        "Risk counts nothing of a stop order once the market has triggered it.", lists.WOKEN_IS_RELEASED, 20, 9,
    ),
    "list-reserves-one": Bug(
        "Risk reserves for the first order of a list, and nothing for the others.", lists.LIST_RESERVES_ONE, 10, 9,
    ),
}  # fmt: skip
"""Every planted bug by its name."""
