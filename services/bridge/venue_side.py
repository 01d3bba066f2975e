"""A bridge's other side: HTTP connections and a private WebSocket to the venue, and what is asked over them, and when.

Theory of operation. A request waits in its lane (orders, cancels, questions) for a free connection and for room in the
user's limit, never past its last moment. One is in flight on a connection; a connection that ends, or is silent for too
long, leaves its request without a verdict. What has none is asked about by our id, again and again, further apart each
time. "Not found" is believed of a new order only where it was asked, by the venue's clock, after the order's last
moment and the venue's processing, and no fill of it is told after that either.

The private WebSocket has neither a snapshot nor numbers: whenever it is up again, and on a timer, open orders and fills
are read and merged. Until the first such round is through nothing new is taken.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from urllib.parse import urlsplit

from common.actor.core import Close, Connect, Effect, Note, Write
from common.contracts import Contract
from common.exchange.order import ZERO
from common.instant import NS_PER_MS, NS_PER_S, Instant, earliest
from common.venues.backend import (
    NO_CALL,
    AmendingBackend,
    Backend,
    BridgedTerms,
    ContractBackend,
    Fact,
    FillFact,
    ForgettingBackend,
    GuardingBackend,
    HttpCall,
    Limit,
    LingeringBackend,
    ModedBackend,
    OrderFact,
    Reply,
    TokenBackend,
    Verdict,
)
from common.venues.rest import BadAnswer
from services.bridge.book import BridgedOrder
from services.bridge.desk import Desk, Errand
from services.bridge.http import BadHttp, HttpClient
from services.bridge.stream import Stream, Talk

SHARE = 8, 10
"""The bridge's part of the user's limits at the venue; the rest is the account's, which asks over REST as well."""

LANES = {"orders": 4, "cancels": 2, "questions": 2, "switch": 1}
"""Connections of each lane: a cancel never waits behind a new order, nor behind a question, nor behind the dead man's
switch, whose lane is there where the venue has one."""

ANSWER_NS = 5 * NS_PER_S
RECONNECT_NS = 250 * NS_PER_MS
OVERLAP_NS = 60 * NS_PER_S
ROUND_NS = 30 * NS_PER_S
CLOCK_NS = 30 * NS_PER_S
ACCOUNT_NS = 30 * NS_PER_S
FIRST_DOUBT_NS, SLOWEST_DOUBT_NS = 300 * NS_PER_MS, 5 * NS_PER_S
CANCEL_AGAIN_NS = NS_PER_S
GUARD_AGAIN_NS = NS_PER_S
"""The venue takes the switch once a second at most."""

Answered = Callable[[Reply, Instant], None]


@dataclass
class Job:
    """Something to be asked or wanted of the venue. `what` is the back end's method; `errand` is of a client's request;
    `limit` is what it counts against, None for nothing."""

    what: str
    limit: Limit | None
    make: Callable[[Instant], HttpCall]
    answered: Answered
    errand: Errand | None = None
    by_boot_ns: int = 0


@dataclass
class Wire:
    """One HTTP connection."""

    number: int
    lane: str
    http: HttpClient | None = None
    job: Job | None = None
    call: HttpCall = NO_CALL
    sent_boot_ns: int = 0
    heard_boot_ns: int = 0
    due_boot_ns: int | None = 0
    """When to connect again; None while connected or connecting."""


@dataclass
class Doubt:
    """An order that is asked about."""

    due_boot_ns: int
    wait_ns: int = FIRST_DOUBT_NS
    asking: bool = False
    is_unlisted: bool = False
    """Whether a complete list of what is open, read since the order was acknowledged, does not have it."""


@dataclass
class Switch:
    """The venue's dead man's switch as far as is known: the names that it may be set by, see `GuardingBackend`.
    `due_boot_ns` is when it is to be set or taken back, and before `changes_boot_ns` other names are not."""

    names: frozenset[str] = frozenset()
    asking: bool = False
    due_boot_ns: int = 0
    changes_boot_ns: int = 0

    @property
    def is_armed(self) -> bool:
        """Whether it may be set."""
        return bool(self.names)


@dataclass
class Clock:
    """The venue's clock against ours."""

    offset_ns: int = 0
    uncertainty_ns: int = 0
    is_known: bool = False

    def surely_before_ns(self, wall_ns: int) -> int:
        """A time of the venue's clock that has not come later than our `wall_ns`."""
        return wall_ns + self.offset_ns - self.uncertainty_ns


def _armed(backend: GuardingBackend, names: list[str], former: list[str], n: int, at: Instant) -> HttpCall:
    """One of the requests that set the switch, made when it leaves: it is signed by the time."""
    return backend.arm(names, former, at.wall_ns)[n]


def _words(contract: Contract | None) -> str:
    if contract is None:
        return "none"
    way = "inverse" if contract.inverse else "linear"
    return f"{way} contracts of {contract.multiplier:f}, settled in {contract.settle}"


class VenueSide:
    """See the module. `effects` are carried out once the turn is in the log."""

    def __init__(
        self, backend: Backend, desk: Desk, host: str, websocket_host: str, websocket_target: str,
        contracts: Mapping[str, Contract] = {},  # noqa: B006
    ) -> None:  # fmt: skip
        """`host` and `websocket_host` are what HTTP calls the venue; `websocket_target` is the path of its private
        WebSocket. `contracts` are what a unit of each symbol is that is no spot market, by our configuration."""
        self._backend = backend
        self._desk = desk
        self._host = host
        talk = Talk(
            lambda wall_ns: [backend.login(wall_ns)], lambda wall_ns: [backend.subscribe(wall_ns)], backend.ping,
            backend.ping_ns,
        )  # fmt: skip
        self._stream = Stream(talk, websocket_host, websocket_target)
        self.effects: list[Effect] = []
        self.clock = Clock()
        self.is_live = False
        self._guarding = backend if isinstance(backend, GuardingBackend) else None
        self.switch = Switch()
        self.sweeps = False
        """Whether all that is open at the venue is cancelled, whoever has placed it: the kill switch."""

        self.unexplained: set[str] = set()
        """Orders that are open here, and that the venue neither lists nor finds: for a person to look at."""

        self.counts: dict[str, int] = {}
        self._numbers = 0
        self._wires: dict[int, Wire] = {}
        for lane, count in LANES.items():
            for _ in range(count if lane != "switch" or self._guarding is not None else 0):
                wire = Wire(self._next_number(), lane)
                self._wires[wire.number] = wire
        self._queues: dict[str, deque[Job]] = {lane: deque() for lane in LANES}
        self._used: dict[str, deque[int]] = {}
        self._doubts: dict[str, Doubt] = {}
        self._asking_fills: set[str] = set()
        self._fills_asked: dict[str, Decimal] = {}
        """The CumQty(14) that was told when the fills of an order were asked for."""

        self._cancelled_boot_ns: dict[str, int] = {}
        self._round: set[str] | None = None
        self._round_open: set[str] = set()
        self._others_since_ns = 0
        """From when on, by our clock, fills of orders that nobody here has placed are told: what was before this life
        the account tells."""

        self._adopts = False
        self._adoptable: list[OrderFact] = []
        self._round_boot_ns = self._round_began_ns = 0
        self._clock_boot_ns = 0
        self._clock_asked = False
        self.wrong_account = ""
        """Why nothing is sent: the account is of another mode than the requests are made for."""

        self.wrong_contracts: dict[str, str] = {}
        """Likewise of a symbol: a contract is another one than we count in."""

        self._contracts = contracts
        self._account_is_known = not isinstance(backend, ModedBackend)
        self._account_boot_ns: int | None = None if self._account_is_known else 0
        """When the account's mode is to be asked for, in boot terms; None while it is, and where it does not matter."""

    def _next_number(self) -> int:
        """Connections of ours are numbered below 0: those that are accepted are the shell's."""
        self._numbers -= 1
        return self._numbers

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    # ---- life

    def begin(self, now: Instant) -> None:
        """Everything that has no outcome in the log may have left in a former life: it is asked about."""
        for order in self._desk.book.open.values():
            if order.is_undecided or order.wishes:
                self._doubts[order.venue_id] = Doubt(now.boot_ns)
        # A former life may have set it, for whoever has ever asked for it.
        asked = self._desk.book.once_guarded
        names = (self._guard_name(client, symbol) for client in asked for symbol in self._desk.symbols)
        self.switch.names = frozenset(filter(None, names))
        self._adopts = not self._desk.book.taken
        self._others_since_ns = now.wall_ns

    def sweep(self, now: Instant) -> None:
        """Cancel whatever the venue tells to be open, until it tells of nothing."""
        self.sweeps, self._round_boot_ns = True, now.boot_ns

    def next_deadline_ns(self) -> int | None:
        """When `plan` has something to do, in boot terms."""
        due = [wire.due_boot_ns for wire in self._wires.values()] + [self._stream.due_ns()]
        due += [w.sent_boot_ns + ANSWER_NS for w in self._wires.values() if w.job is not None]
        due += [doubt.due_boot_ns for doubt in self._doubts.values() if not doubt.asking]
        due += [job.by_boot_ns for queue in self._queues.values() for job in queue if job.by_boot_ns]
        free = {wire.lane for wire in self._wires.values() if wire.http is not None and wire.job is None}
        # What waits for a connection is due when there is one: until then no time is.
        due += [self._room_ns(queue[0]) for lane, queue in self._queues.items() if queue and lane in free]
        due += [self._account_boot_ns] + ([] if self._clock_asked else [self._clock_boot_ns])
        due += [self._round_boot_ns] if self._wants_round() else []
        due += [self._switch_due_ns()]
        return earliest(*due)

    # ---- before the turn is logged

    def plan(self, now: Instant) -> None:
        """Take what the desk wants, give up what is too late, and ask what is due. Nothing leaves here."""
        self._connect(now)
        self._stream.timer(now, self.effects)
        self._expire(now)
        self._run_errands(now)
        self._ask_clock(now)
        self._ask_account(now)
        switch_due_ns = self._switch_due_ns()
        if switch_due_ns is not None and switch_due_ns <= now.boot_ns:
            self._set_switch()
        if self.clock.is_known:
            self._desk.tell_others_fills(self.clock.surely_before_ns(self._others_since_ns), now)
        for venue_id in self._desk.doubts:
            self._doubts.setdefault(venue_id, Doubt(now.boot_ns + FIRST_DOUBT_NS))
        self._desk.doubts.clear()
        for venue_id, cum_qty in self._desk.owing.items():
            if venue_id not in self._asking_fills and cum_qty > self._fills_asked.get(venue_id, ZERO):
                self._asking_fills.add(venue_id)
                self._fills_asked[venue_id] = cum_qty
                self._ask_fills_of(self._desk.book.order(venue_id), "")
        for venue_id, doubt in list(self._doubts.items()):
            if doubt.due_boot_ns <= now.boot_ns and not doubt.asking:
                self._ask_order(venue_id, doubt, now)
        if self._wants_round() and self._round_boot_ns <= now.boot_ns:
            self._begin_round(now)

    def _expire(self, now: Instant) -> None:
        for queue in self._queues.values():
            for job in [each for each in queue if each.by_boot_ns and each.by_boot_ns <= now.boot_ns]:
                queue.remove(job)
                assert job.errand is not None
                self._desk.never_left(job.errand, "its last moment passed before it could leave", now)
        for wire in list(self._wires.values()):
            if wire.job is not None and wire.sent_boot_ns + ANSWER_NS <= now.boot_ns:
                self._end(wire, "no answer in time", now, close=True)
                self._doubt_idle(wire.sent_boot_ns, now)

    def _doubt_idle(self, asked_boot_ns: int, now: Instant) -> None:
        """What was asked then has no answer. Where the path to the venue had broken, each idle connection that was not
        heard since would swallow another request, an order or a cancel: they are opened anew."""
        for wire in list(self._wires.values()):
            if wire.http is not None and wire.job is None and wire.heard_boot_ns < asked_boot_ns:
                self._end(wire, "another connection does not answer", now, close=True)

    def _run_errands(self, now: Instant) -> None:
        errands, self._desk.errands = self._desk.errands, []
        for errand in errands:
            order = self._desk.book.order(errand.venue_id)
            if errand.kind == "F":
                self._cancel(order, errand, now)
            elif not order.end:
                self._queues["orders"].append(self._ordering(order, errand, now))

    def _ordering(self, order: BridgedOrder, errand: Errand, now: Instant) -> Job:
        by_boot_ns = now.boot_ns + errand.by_ns - now.wall_ns
        backend, clock = self._backend, self.clock
        if errand.kind == "D":
            return Job(
                "new", self._backend.limit("new", order.terms.symbol),
                lambda at: backend.new(order.terms, at.wall_ns, clock.surely_before_ns(errand.by_ns)),
                lambda reply, at: self._desk.answered(errand, reply, at), errand, by_boot_ns,
            )  # fmt: skip
        wish = order.wishes[errand.cl_ord_id]
        assert isinstance(backend, AmendingBackend)
        return Job(
            "amend", self._backend.limit("amend", order.terms.symbol),
            lambda at: backend.amend(wish.terms, wish.request_id, at.wall_ns, clock.surely_before_ns(errand.by_ns)),
            lambda reply, at: self._desk.answered(errand, reply, at), errand, by_boot_ns,
        )  # fmt: skip

    def _cancel(self, order: BridgedOrder, errand: Errand, now: Instant) -> None:
        """Withdraw what has not left, cancel the rest: by our id, which needs no acknowledgement."""
        waiting = [j for j in self._queues["orders"] if j.errand is not None and j.errand.venue_id == order.venue_id]
        for job in waiting:
            self._queues["orders"].remove(job)
            assert job.errand is not None
            if job.errand.kind == "D":
                self._desk.withdraw(order, now)
            else:
                self._desk.never_left(job.errand, "cancelled before it left", now)
        if order.end:
            return
        self._cancelled_boot_ns[order.venue_id] = now.boot_ns
        self._queues["cancels"].append(
            Job(
                "cancel", self._backend.limit("cancel", order.terms.symbol),
                lambda at: self._backend.cancel(order.terms, at.wall_ns),
                lambda reply, at: self._desk.answered(errand, reply, at), errand,
            )
        )  # fmt: skip

    # ---- the dead man's switch

    def _switch_due_ns(self) -> int | None:
        """When it is to be set again before it fires, or taken back since it guards nothing any more, in boot terms."""
        switch, wanted = self.switch, self._guarded()
        if switch.asking or not (wanted or switch.names):
            return None
        reaches_others = (switch.names - wanted) & (self._desk.symbols | self._names(guarded=False))
        if wanted - switch.names or reaches_others:
            return switch.changes_boot_ns
        return switch.due_boot_ns

    def _guard_name(self, client: str, symbol: str) -> str:
        """By what name the switch reaches the client's orders of the symbol, "" where there is none."""
        return "" if self._guarding is None else self._guarding.tag_of(client) or symbol

    def _names(self, *, guarded: bool) -> set[str]:
        """By what names it reaches the open orders of those clients who have asked for it, or of those who have not."""
        book = self._desk.book
        orders = (order for order in book.open.values() if (order.client in book.guarded) is guarded)
        return set(filter(None, (self._guard_name(order.client, order.terms.symbol) for order in orders)))

    def _guarded(self) -> frozenset[str]:
        """The names by which it is to be set: those under which nobody has an order here who has not asked for it."""
        if not self._desk.book.guarded:
            return frozenset()
        return frozenset(self._names(guarded=True) - self._names(guarded=False))

    def _set_switch(self) -> None:
        backend, switch, wanted = self._guarding, self.switch, self._guarded()
        assert backend is not None
        names, former = sorted(wanted), sorted(switch.names)
        done: list[bool] = []
        count = len(backend.arm(names, former, 0))
        switch.asking = True

        def answered(reply: Reply, at: Instant) -> None:
            done.append(reply.verdict is Verdict.DONE)
            if not done[-1]:
                self.effects.append(Note("warning", "switch_not_set", {"code": reply.code, "why": reply.text}))
            if len(done) < count:
                return
            rests_ns = backend.guard_s * NS_PER_S // 3 if wanted and all(done) else GUARD_AGAIN_NS
            switch.asking = False
            # One whose answer is lost may have been set.
            switch.names = wanted if all(done) else wanted | switch.names
            switch.due_boot_ns, switch.changes_boot_ns = at.boot_ns + rests_ns, at.boot_ns + GUARD_AGAIN_NS

        for n in range(count):
            make: Callable[[Instant], HttpCall] = partial(_armed, backend, names, former, n)
            self._queues["switch"].append(Job("arm", None, make, answered))

    # ---- questions

    def _ask_clock(self, now: Instant) -> None:
        if self._clock_asked or self._clock_boot_ns > now.boot_ns:
            return
        self._clock_asked, asked = True, [now]

        def make(at: Instant) -> HttpCall:
            asked[0] = at
            return self._backend.ask_time()

        def answered(reply: Reply, at: Instant) -> None:
            self._clock_asked = False
            self._clock_boot_ns = at.boot_ns + (CLOCK_NS if reply.venue_ns else NS_PER_S)
            if reply.venue_ns:
                took_ns = at.boot_ns - asked[0].boot_ns
                # The venue tells whole milliseconds: it may be one later than it says.
                self.clock.offset_ns = reply.venue_ns - (at.wall_ns - took_ns // 2)
                self.clock.uncertainty_ns = took_ns // 2 + NS_PER_MS
                self.clock.is_known = True

        self._queues["questions"].appendleft(Job("ask_time", None, make, answered))

    def _ask_account(self, now: Instant) -> None:
        """Before anything is read, and again from time to time: an account of another mode is not traded with, and a
        person may change it."""
        backend, due_boot_ns = self._backend, self._account_boot_ns
        if not isinstance(backend, ModedBackend) or due_boot_ns is None or due_boot_ns > now.boot_ns:
            return
        self._account_boot_ns = None

        def answered(reply: Reply, at: Instant) -> None:
            if reply.verdict is Verdict.DONE and isinstance(backend, ContractBackend):
                self._ask_contracts(backend)
            else:
                self._know_account(reply, at)

        self.ask("ask_account", lambda at: backend.ask_account(at.wall_ns), answered)

    def _ask_contracts(self, backend: ContractBackend) -> None:
        """Likewise: a contract that is ten times what we count it as would be ten times the risk."""

        def answered(reply: Reply, at: Instant) -> None:
            if reply.verdict is Verdict.DONE:
                self._know_contracts(reply.contracts)
            self._know_account(reply, at)

        self.ask("ask_contracts", lambda at: backend.ask_contracts(), answered)

    def _know_contracts(self, there: Mapping[str, Contract]) -> None:
        former, self.wrong_contracts = self.wrong_contracts, {}
        for symbol, ours in self._contracts.items():
            theirs = there.get(symbol)
            if theirs != ours:
                text = f"{symbol}: configured are {_words(ours)}, the venue has {_words(theirs)}"
                self.wrong_contracts[symbol] = text
                if former.get(symbol) != text:
                    self.effects.append(Note("error", "wrong_contract", {"why": text}))

    def why_not(self, symbol: str) -> str:
        """Why nothing that adds risk in it may be sent to this account, "" where it may."""
        return self.wrong_account or self.wrong_contracts.get(symbol, "")

    def _know_account(self, reply: Reply, now: Instant) -> None:
        if reply.verdict is Verdict.UNKNOWN:
            self._account_boot_ns = now.boot_ns + NS_PER_S
            return
        self._account_boot_ns = now.boot_ns + ACCOUNT_NS
        if reply.verdict is Verdict.DONE:
            if not self._account_is_known:
                self._round_boot_ns = now.boot_ns
            self._account_is_known, self.wrong_account = True, ""
        else:
            if not self.wrong_account:
                self.effects.append(Note("error", "wrong_account", {"why": reply.text}))
            self.wrong_account = reply.text

    def _ask_order(self, venue_id: str, doubt: Doubt, now: Instant) -> None:
        order = self._desk.book.order(venue_id)
        waits = any(j.errand is not None and j.errand.venue_id == venue_id for q in self._queues.values() for j in q)
        if waits:
            doubt.due_boot_ns = now.boot_ns + doubt.wait_ns
            return
        doubt.asking, asked_venue_ns = True, [0]

        def make(at: Instant) -> HttpCall:
            asked_venue_ns[0] = self.clock.surely_before_ns(at.wall_ns) if self.clock.is_known else 0
            return self._backend.ask_order(order.terms, order.order_id, at.wall_ns)

        def answered(reply: Reply, at: Instant) -> None:
            doubt.asking = False
            if reply.verdict is Verdict.DONE:
                self._found(order, reply, asked_venue_ns[0], at)
            elif reply.verdict is Verdict.ABSENT and order.is_undecided:
                self._missed(order, asked_venue_ns[0], at)
            elif reply.verdict is Verdict.ABSENT and order.is_open and doubt.is_unlisted:
                self._vanished(order, asked_venue_ns[0], at)
            self._settle_doubt(order, doubt, at)

        self.ask("ask_order", make, answered)

    def _found(self, order: BridgedOrder, reply: Reply, asked_venue_ns: int, now: Instant) -> None:
        # Fills that are still owed are asked for again: what tells them may lag.
        self._fills_asked.pop(order.venue_id, None)
        for fact in reply.facts:
            self._desk.learn(fact, now)
            if isinstance(fact, OrderFact):
                self._desk.decide_amendment(order, fact, asked_venue_ns - self._settled_after_ns(order), now)
        wants_cancel = any(wish.kind == "F" for wish in order.wishes.values())
        last_ns = self._cancelled_boot_ns.get(order.venue_id, 0)
        if wants_cancel and order.is_open and now.boot_ns - last_ns >= CANCEL_AGAIN_NS:
            name = next(wish.cl_ord_id for wish in order.wishes.values() if wish.kind == "F")
            self._cancel(order, Errand("F", order.venue_id, name, 0), now)

    def _settled_after_ns(self, order: BridgedOrder) -> int:
        """How long after a last moment by our clock the venue, by its own, is done with a request."""
        backend = self._backend
        lingers_ns = backend.lingers_ns(order.terms.symbol) if isinstance(backend, LingeringBackend) else 0
        return self.clock.offset_ns + self.clock.uncertainty_ns + backend.processing_ns + lingers_ns

    def _missed(self, order: BridgedOrder, asked_venue_ns: int, now: Instant) -> None:
        """There is no such order: if that was asked late enough, and it is not among those that have ended since it was
        taken, and no fill of it is told after that, it never was."""
        if self.clock.is_known and asked_venue_ns > order.by_ns + self._settled_after_ns(order):
            self._ask_ended(order, "", now)

    def _vanished(self, order: BridgedOrder, asked_venue_ns: int, now: Instant) -> None:
        """The venue had the order, lists it no more and does not find it by its id. Where it forgets what was cancelled
        unfilled, and so much time has passed that it may have, all its fills decide; else a person has to look."""
        backend = self._backend
        forgets = isinstance(backend, ForgettingBackend) and self.clock.is_known
        after_ns = backend.forgets_after_ns if isinstance(backend, ForgettingBackend) else 0
        if not forgets or asked_venue_ns <= order.stamp_ns + after_ns + self._settled_after_ns(order):
            if order.venue_id not in self.unexplained:
                self.unexplained.add(order.venue_id)
                text = f"{order.cl_ord_id} of {order.client} is open here, and the venue neither lists nor finds it"
                self.effects.append(Note("error", "unexplained", {"text": text}))
            return
        known = order.cum_qty
        self._ask_fills(
            order.stamp_ns - OVERLAP_NS, "",
            lambda at: self._desk.forgotten(order, at) if order.cum_qty == known else None,
        )  # fmt: skip

    def _ask_ended(self, order: BridgedOrder, page: str, now: Instant) -> None:
        """Where our id finds an order only while it is open: those that have ended, page by page; then the fills."""
        since_ns = max(0, order.stamp_ns - OVERLAP_NS)
        first = self._backend.ask_ended(order.terms, since_ns, page, now.wall_ns)
        if first is None:
            self._ask_fills(since_ns, "", lambda at: self._desk.absent(order, at))
            return

        def make(at: Instant) -> HttpCall:
            return self._backend.ask_ended(order.terms, since_ns, page, at.wall_ns) or first

        def answered(reply: Reply, at: Instant) -> None:
            for fact in reply.facts:
                self._desk.learn(fact, at)
            if reply.verdict is Verdict.DONE and reply.next_page:
                self._ask_ended(order, reply.next_page, at)
            elif reply.verdict is Verdict.DONE and order.is_undecided:
                self._ask_fills(since_ns, "", lambda then: self._desk.absent(order, then))

        self.ask("ask_ended", make, answered)

    def ask(self, what: str, make: Callable[[Instant], HttpCall], answered: Answered) -> None:
        """Ask the venue over REST; `what` is the name of the back end's method."""
        self._queues["questions"].append(Job(what, self._backend.limit(what, ""), make, answered))

    def _settle_doubt(self, order: BridgedOrder, doubt: Doubt, now: Instant) -> None:
        owes = order.venue_id in self._desk.untold or order.venue_id in self._desk.owing
        if order.end or (order.is_open and not order.wishes and not owes):
            self._doubts.pop(order.venue_id, None)
            self._fills_asked.pop(order.venue_id, None)
            self._desk.doubts.pop(order.venue_id, None)
            return
        doubt.due_boot_ns = now.boot_ns + doubt.wait_ns
        doubt.wait_ns = min(2 * doubt.wait_ns, SLOWEST_DOUBT_NS)

    def _ask_fills(
        self, since_ns: int, page: str, done: Callable[[Instant], None], read: tuple[Fact, ...] = ()
    ) -> None:  # fmt: skip
        """All fills since then, page by page; `done` when the last one is merged, and not at all where one failed."""

        def answered(reply: Reply, at: Instant) -> None:
            facts = (*read, *reply.facts)
            if reply.verdict is Verdict.DONE and reply.next_page:
                self._ask_fills(since_ns, reply.next_page, done, facts)
                return
            self._learn_fills(facts, at)
            if reply.verdict is Verdict.DONE:
                done(at)
            elif self._round is not None:
                self._fail_round(at)

        def make(at: Instant) -> HttpCall:
            return self._backend.ask_fills(max(0, since_ns), page, at.wall_ns)

        self.ask("ask_fills", make, answered)

    def _ask_fills_of(self, order: BridgedOrder, page: str, read: tuple[Fact, ...] = ()) -> None:
        """All fills of one order that the venue has, page by page."""

        def answered(reply: Reply, at: Instant) -> None:
            facts = (*read, *reply.facts)
            if reply.verdict is Verdict.DONE and reply.next_page:
                self._ask_fills_of(order, reply.next_page, facts)
                return
            self._learn_fills(facts, at)
            self._asking_fills.discard(order.venue_id)

        def make(at: Instant) -> HttpCall:
            return self._backend.ask_fills_of(order.terms, order.order_id, page, at.wall_ns)

        self.ask("ask_fills_of", make, answered)

    def _learn_fills(self, facts: tuple[Fact, ...], now: Instant) -> None:
        """The oldest first over all pages, which may begin with the newest: what contracts realise follows from the
        order of their fills."""
        for fact in sorted(facts, key=lambda each: each.stamp_ns if isinstance(each, FillFact) else 0):
            self._desk.learn(fact, now)

    # ---- rounds

    def _wants_round(self) -> bool:
        return self._stream.is_up and self._account_is_known and self._round is None

    def _begin_round(self, now: Instant) -> None:
        """Read open orders and fills, and merge them."""
        if not self._account_is_known:
            return
        self._round_boot_ns = now.boot_ns + ROUND_NS
        if self._round is not None:
            return
        self._round_began_ns = now.wall_ns
        book = self._desk.book
        self._adoptable = []
        self._round, self._round_open = {"open", "fills"}, {o.venue_id for o in book.open.values() if o.is_open}
        since_ns = book.last_fill_ns or min((o.stamp_ns for o in book.open.values()), default=now.wall_ns)
        self._ask_fills(since_ns - OVERLAP_NS, "", lambda at: self._round_done("fills", at))
        self._ask_open("")

    def _ask_open(self, page: str) -> None:
        def answered(reply: Reply, at: Instant) -> None:
            for fact in reply.facts:
                assert isinstance(fact, OrderFact)
                self._round_open.discard(fact.venue_id)
                self._desk.learn(fact, at)
                if self._adopts and self._desk.book.at_venue(fact.venue_id, fact.order_id) is None:
                    self._adoptable.append(fact)
                if self.sweeps:
                    self._sweep_stranger(fact, at)
            if reply.verdict is not Verdict.DONE:
                self._fail_round(at)
            elif reply.next_page:
                self._ask_open(reply.next_page)
            else:
                self._round_done("open", at)

        def make(at: Instant) -> HttpCall:
            return self._backend.ask_open(page, at.wall_ns)

        if self.sweeps:
            # What is to be cancelled is found by it: it waits for no other question. No order wants its lane then.
            self._queues["orders"].appendleft(Job("ask_open", self._backend.limit("ask_open", ""), make, answered))
        else:
            self.ask("ask_open", make, answered)

    def _sweep_stranger(self, fact: OrderFact, now: Instant) -> None:
        """Under the kill switch what is none of ours is cancelled too: placed by hand, by a lost log, or over as
        far as we know."""
        ours = self._desk.book.at_venue(fact.venue_id, fact.order_id)
        if ours is not None and not ours.end and ours.order_id in ("", fact.order_id):
            if not any(wish.kind == "F" for wish in ours.wishes.values()):
                self._desk.sweep(now)
            return
        self._round_boot_ns = min(self._round_boot_ns, now.boot_ns + CANCEL_AGAIN_NS)
        backend = self._backend
        terms = BridgedTerms(fact.venue_id, fact.symbol, "", "", fact.order_qty, fact.price, order_id=fact.order_id)
        self._queues["cancels"].append(
            Job(
                "cancel", backend.limit("cancel", fact.symbol), lambda at: backend.cancel(terms, at.wall_ns),
                lambda reply, at: self._count("strangers_cancelled" if reply.verdict is Verdict.DONE else "not_swept"),
            )
        )  # fmt: skip

    def _fail_round(self, now: Instant) -> None:
        self._round = None
        self._round_boot_ns = now.boot_ns + NS_PER_S

    def _round_done(self, part: str, now: Instant) -> None:
        if self._round is None:
            return
        self._round.discard(part)
        if self._round:
            return
        self._round = None
        self._others_since_ns = max(self._others_since_ns, self._round_began_ns - OVERLAP_NS)
        if self._adopts:
            self._adopts = False
            for fact in self._adoptable:
                self._desk.adopt(fact, now)
        self.unexplained &= self._round_open
        for venue_id in self._round_open:
            # It was open before, and is not among the open ones any more.
            self._doubts.setdefault(venue_id, Doubt(now.boot_ns)).is_unlisted = True
        if self._stream.is_up and not self.is_live:
            self.is_live = True
            self.effects.append(Note("info", "live", {"offset_ms": self.clock.offset_ns / NS_PER_MS}))

    # ---- after the turn is logged

    def dispatch(self, now: Instant) -> None:
        """Give each free connection what waits in its lane and has room in its limit."""
        for wire in self._wires.values():
            queue = self._queues[wire.lane]
            if wire.http is None or wire.job is not None or not queue or self._room_ns(queue[0]) > now.boot_ns:
                continue
            job = queue.popleft()
            if job.limit is not None:
                self._used.setdefault(job.limit.name, deque()).append(now.boot_ns)
            wire.job, wire.call, wire.sent_boot_ns = job, job.make(now), now.boot_ns
            self.effects.append(Write(wire.number, wire.http.request(wire.call), job.by_boot_ns))
            self._count(job.what)

    def _room_ns(self, job: Job) -> int:
        """From when on the job has room in its limit, in boot terms."""
        limit = job.limit
        used = None if limit is None else self._used.get(limit.name)
        if limit is None or used is None:
            return 0
        most = limit.requests * SHARE[0] // SHARE[1]
        if len(used) < most:
            return 0
        while len(used) > most:
            used.popleft()
        return used[0] + limit.window_ns

    # ---- connections

    def _connect(self, now: Instant) -> None:
        """The WebSocket first: what is dialled at once is bounded, and nothing is taken before it is up."""
        if self._stream.wants_connection(now):
            self.open_stream(self._stream)
        for wire in list(self._wires.values()):
            if wire.due_boot_ns is not None and wire.due_boot_ns <= now.boot_ns:
                wire.due_boot_ns = None
                self.effects.append(Connect(wire.number, "rest"))

    def open_stream(self, stream: Stream) -> None:
        """Open a WebSocket, where the venue wants that with a token: of the next connection. It is opened where the
        configuration says, or not at all."""
        backend = self._backend
        if not isinstance(backend, TokenBackend):
            self._dial(stream)
            return

        def answered(reply: Reply, at: Instant) -> None:
            url = urlsplit(reply.stream)
            if reply.verdict is Verdict.DONE and url.netloc == stream.host:
                stream.target = f"{url.path}?{url.query}"
                self._dial(stream)
                return
            why = reply.text or f"it is at {url.netloc}, and `websocket` of [bridge] says {stream.host}"
            self.effects.append(Note("warning", "websocket_not_opened", {"code": reply.code, "why": why}))
            stream.lost(at)

        self.ask("ask_stream", lambda at: backend.ask_stream(at.wall_ns), answered)

    def _dial(self, stream: Stream) -> None:
        stream.number = self._next_number()
        self.effects.append(Connect(stream.number, "websocket"))

    def connected(self, number: int, now: Instant) -> None:
        """A connection of ours is up."""
        if number == self._stream.number:
            self._stream.connected(now, self.effects)
        elif number in self._wires:
            self._wires[number].http = HttpClient(self._host)
            self._wires[number].heard_boot_ns = now.boot_ns

    def data(self, number: int, data: bytes, now: Instant) -> None:
        """Bytes of the venue."""
        if number == self._stream.number:
            self._heard(data, now)
            return
        wire = self._wires.get(number)
        if wire is None or wire.http is None:
            return
        try:
            answer = wire.http.received(data)
        except BadHttp as error:
            self._end(wire, str(error), now, close=True)
            return
        if answer is None or wire.job is None:
            return
        job, wire.job, wire.heard_boot_ns = wire.job, None, now.boot_ns
        job.answered(self._backend.read(job.what, answer.status, answer.body, wire.call), now)
        if not answer.keeps:
            self._end(wire, "the venue keeps it no longer", now, close=True)

    def _heard(self, data: bytes, now: Instant) -> None:
        was_up = self._stream.is_up
        try:
            for text in self._stream.received(data, now, self.effects):
                push, facts = self._backend.read_push(text)
                for fact in facts:
                    self._desk.learn(fact, now)
                self._stream.pushed(push, now, self.effects)
        except BadAnswer as error:
            # What it told is read over REST.
            self.effects.append(Note("warning", "push_not_read", {"why": str(error)}))
            self._begin_round(now)
        if self._stream.is_up and not was_up:
            self._begin_round(now)
        elif was_up and not self._stream.is_up:
            self.is_live = False

    def closed(self, number: int, text: str, now: Instant) -> None:
        """A connection of ours is gone."""
        if number == self._stream.number:
            self._stream.lost(now)
            self.is_live = False
            self.effects.append(Note("warning", "websocket_lost", {"why": text}))
        elif number in self._wires:
            self._end(self._wires[number], text, now, close=False)

    def unwritten(self, number: int, now: Instant) -> None:
        """The request came too late to be written: none of its bytes have left."""
        wire = self._wires.get(number)
        if wire is not None and wire.job is not None:
            job, wire.job = wire.job, None
            if job.errand is not None:
                self._desk.never_left(job.errand, "its last moment passed before it could leave", now)
            self._end(wire, "a request was withdrawn", now, close=True)

    def _end(self, wire: Wire, text: str, now: Instant, *, close: bool) -> None:
        """The connection is over; what was in flight has no verdict."""
        job, wire.job = wire.job, None
        if close:
            self.effects.append(Close(wire.number))
        del self._wires[wire.number]
        wire.number, wire.http, wire.due_boot_ns = self._next_number(), None, now.boot_ns + RECONNECT_NS
        self._wires[wire.number] = wire
        if job is not None:
            self._count("without_verdict")
            job.answered(Reply(Verdict.UNKNOWN, "", text), now)
