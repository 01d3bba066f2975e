"""The actor `account@NAME`: orders' questions to the venue's REST side, their answers into the journal; and the kill
switch.

Theory of operation. Questions come over a PULL link and wait in a queue; a worker has one at a time, or, where the
venue lists orders, those about several orders: what the lists are without is asked for alone. Cancels have a worker of
their own, since one must not wait for an answer that is slow. An answer is
appended to the journal, whence orders takes it; while the journal is away answers are kept, as many as have room, for a
question whose answer was lost is asked again. Under the kill latch the account cancels every open order of every
configured symbol and asks what is left there, and then in any symbol, over and over, with the worker of cancels; while
a sweep goes on no question begins, and none of it needs the journal. A sweep that finds nothing is told as such at
once, but what a session sent on a connection that has died may take effect for the venue's window after the kill:
sweeps go on until one that began behind that window finds nothing.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass
from itertools import takewhile

import msgspec
import orjson

from common.actor.acts import Cannot, Confirmed, ControlAct, WhateverIsSaid, do_act
from common.actor.core import Call, Core, Exit, Send
from common.actor.links import Appender
from common.exit_status import ExitStatus
from common.instant import NS_PER_MS, Instant, earliest
from common.latch import Latch, unreadable_latch
from common.messages import (
    MAX_RECORD_BYTES,
    Answer,
    Ask,
    ControlAnswer,
    ControlRequest,
    Kind,
    OperatorAct,
    encode,
)
from common.venues.rest import Listed, Listing, Question, Unlisted

SINGLE = 2
"""The queue of questions about one order."""

MAX_QUESTIONS = 2_000
"""Questions waiting for the worker; orders asks again what finds no room."""

MAX_KEPT_ANSWERS = 2_000
"""Answers kept while the journal is away."""

SWEEP_PAUSE_NS = 200 * NS_PER_MS
"""Between two sweeps of the kill switch, while something is left or a call failed."""

WATCH_PAUSE_NS = 1_000 * NS_PER_MS
"""Between two sweeps while nothing is left and something may be under way yet."""

EVERYTHING_OPEN = ("open_orders", "")
"""The last question of a sweep that has found nothing: an order may rest in a symbol that is not configured."""

CANCELS = "cancels"
"""The worker that asks for nothing but cancels, and for what the kill switch's cancels have left."""

FIRST = frozenset({"cancel_all", "cancel"})
BULK = frozenset({"open_orders", "balances", "positions", "funding", "time"})


class AccountSettings(msgspec.Struct, frozen=True):
    """One account, `name` ("" where it is called like the venue): its venue, the symbols that the kill switch sweeps,
    how long after the death of a connection one of its requests may still take effect there, and how many orders are
    looked for in its lists at once, 0 for none.
    """

    venue: str
    symbols: tuple[str, ...]
    window_ns: int
    name: str = ""
    lists_orders: int = 0

    @property
    def account(self) -> str:
        """The account's name."""
        return self.name or self.venue


_Subject = tuple[str | int, ...]
_Queue = OrderedDict[_Subject, Ask]
"""Questions by what they ask, in the order of their numbers: one that is asked again waits as the later one alone."""


@dataclass
class _Working:
    """One of the workers, and what it is asked: nothing while it is free. `is_sweep`: by the kill switch."""

    worker: str
    asks: tuple[Ask, ...] = ()
    number: int = 0
    is_sweep: bool = False


class AccountCore(Core):
    """See the module."""

    def __init__(self, settings: AccountSettings, latch: Latch) -> None:
        """`latch` is the account's own latch file, not loaded yet."""
        super().__init__(f"account@{settings.account}")
        self._settings = settings
        self._latch = latch
        self._appender = Appender(self, self.name)
        self._queues: tuple[_Queue, _Queue, _Queue] = (OrderedDict(), OrderedDict(), OrderedDict())
        self._alone: OrderedDict[_Subject, Ask | Unlisted] = OrderedDict()
        self._bulk_was_last = False
        self._asking, self._cancelling = _Working(""), _Working(CANCELS)
        self._call_number = 0
        self._kept: deque[tuple[Kind, msgspec.Struct]] = deque(maxlen=MAX_KEPT_ANSWERS)
        self._sweep: deque[tuple[str, str]] = deque()
        self._sweep_left = 0
        self._symbols = dict.fromkeys(settings.symbols)
        self._sweep_boot_ns: int | None = None
        self._sweep_began_ns = 0
        self._watch_until_ns = 0
        self._nothing_left = False
        self._swept = False
        self._killed_by = ""
        self._asked = self._answered = self._failed = self._dropped = 0
        self._last_error = self._failing = ""
        self._stopping = False
        self._acts = {"kill": ControlAct(WhateverIsSaid, self._kill), "resume": ControlAct(Confirmed, self._resume)}

    # ---- the shell's calls ----

    def started(self, now: Instant) -> None:
        """Ask for an epoch; a latch that is set is swept for at once, journal or not."""
        try:
            self._latch.load()
        except OSError as error:
            self.effects.append(Exit(ExitStatus.FAILURE, unreadable_latch(self.name, error)))
            return
        self._appender.request_epoch(now)
        if self._latch.set:
            self._watch(now)
            self._begin_sweep(now)
        self._work(now)

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        """A question, a word of the journal, or a person's request."""
        if isinstance(message, Ask):
            self._question(message)
        elif isinstance(message, ControlRequest):
            self._control(peer, message, now)
        else:
            self._journal(message, now)
        self._work(now)

    def call_finished(self, number: int, result: msgspec.Struct, now: Instant) -> None:
        """The worker's answer."""
        done = [each for each in (self._asking, self._cancelling) if each.asks and each.number == number]
        if not done or not isinstance(result, Answer | Listed):
            return
        working = done[0]
        asks, working.asks = working.asks, ()
        if isinstance(result, Answer):
            result = self._take_answer(asks[0], result, now)
            if working.is_sweep:
                self._swept_one(result, now)
        else:
            for answer in result.answers:
                self._take_answer(answer.ask, answer, now)
            told = {answer.ask.number for answer in result.answers}
            for ask in (ask for ask in asks if ask.number not in told):
                self._alone[_subject(ask)] = ask if result.failed else Unlisted(ask)
        self._work(now)

    def _take_answer(self, ask: Ask, result: Answer, now: Instant) -> Answer:
        result = _fitting(result)
        self._answered += 1
        self._failing = result.text if result.failed else ""
        if result.failed:
            self._failed += 1
            self._last_error = result.text
            self.note(
                "warning", "rest_failed", what=ask.what, symbol=ask.symbol, code=result.error_code, text=result.text
            )
        self._keep(Kind.ANSWER, result, now)
        return result

    def next_deadline_ns(self) -> int | None:
        """See `Core`."""
        times = [self._appender.next_deadline_ns(), self._sweep_boot_ns]
        return earliest(*times)

    def timer(self, now: Instant) -> None:
        """Ask the journal again, sweep again."""
        self._appender.timer(now)
        if self._sweep_boot_ns is not None and now.boot_ns >= self._sweep_boot_ns:
            self._begin_sweep(now)
            self._work(now)

    def turn_ended(self, now: Instant) -> None:
        """Send the turn's appends."""
        if self._appender.granted:
            while self._kept and not self._appender.full:
                self._appender.append(*self._kept.popleft(), now)
        self._appender.turn_ended(now)

    def stop(self, now: Instant) -> None:
        """Nothing here is worth waiting for: what was not answered is asked again."""
        self._stopping = True
        self.effects.append(Exit(0, "stopped"))

    def status(self, now: Instant) -> dict[str, object]:
        """See `Core`."""
        return {
            "state": "latched" if self._latch.set else "live" if self._appender.granted else "starting",
            "epoch": self._appender.epoch,
            "lsn": self._appender.last_lsn,
            "latched": self._latch.set,
            "latch_failure": self._latch.failure,
            "kill": self._kill_state,
            "nothing_open": self._latch.set and self._nothing_left,
            "verified": self._latch.set and self._swept,
            "watching_until_ns": self._watching_until_ns(now),
            "waiting": self._waiting,
            "asked": self._asked,
            "answered": self._answered,
            "failed": self._failed,
            "dropped": self._dropped,
            "last_error": self._last_error,
            "failing": self._failing,
            "kept_answers": len(self._kept),
        }

    # ---- questions ----

    @property
    def _waiting(self) -> int:
        """How many questions wait for the worker."""
        return sum(len(queue) for queue in (*self._queues, self._alone))

    def _question(self, ask: Ask) -> None:
        self._asked += 1
        if self._waiting >= MAX_QUESTIONS:
            self._dropped += 1
            return
        rank = 0 if ask.what in FIRST else 1 if ask.what in BULK or not ask.order_id + ask.cl_ord_id else SINGLE
        by = _subject(ask)
        if rank == SINGLE and by in map(_subject, self._asking.asks):
            # Who asks again takes that answer, and would have waited for this one in vain, and all others with him.
            return
        if by in self._alone:
            self._alone[by] = Unlisted(ask) if isinstance(self._alone[by], Unlisted) else ask
            return
        # One that is asked again keeps its place: at the end it would wait for ever behind those that are new.
        self._queues[rank][by] = ask

    def _work(self, now: Instant) -> None:
        """Give each worker that is free its next call: the sweep, then cancels; bulk and single orders."""
        if self._stopping:
            return
        if not self._cancelling.asks:
            self._cancelling.is_sweep = bool(self._sweep)
            if self._sweep:
                what, symbol = self._sweep[0]
                lsn, account = self._appender.last_lsn, self._settings.account
                self._call(
                    self._cancelling, Ask(self._settings.venue, 0, what, symbol, asked_lsn=lsn, account=account)
                )
            elif self._queues[0]:
                self._call(self._cancelling, self._queues[0].popitem(last=False)[1])
        # What may be asked of the venue in a second is the sweep's while there is one.
        if not self._asking.asks and not self._sweep:
            question = self._next_question()
            if question is not None:
                self._call(self._asking, question)

    def _call(self, working: _Working, question: Question) -> None:
        if isinstance(question, Listing):
            working.asks = question.asks
        else:
            working.asks = (question.ask if isinstance(question, Unlisted) else question,)
        self._call_number += 1
        working.number = self._call_number
        self.effects.append(Call(working.number, question, working.worker))

    def _next_question(self) -> Question | None:
        """After a question in bulk one about a single order has its turn: where the venue's pace is slow the next in
        bulk is due by then, again and again."""
        _, bulk, single = self._queues
        self._bulk_was_last = bool(bulk) and not ((self._alone or single) and self._bulk_was_last)
        if self._bulk_was_last:
            return bulk.popitem(last=False)[1]
        if self._alone:
            return self._alone.popitem(last=False)[1]
        if not single:
            return None
        # Those that are listed together come one after the other: what is answered out of turn would be asked again.
        listed = tuple(takewhile(lambda ask: ask.what == "order", single.values()))[: self._settings.lists_orders]
        if len(listed) < 2:
            return single.popitem(last=False)[1]
        for ask in listed:
            del single[_subject(ask)]
        return Listing(listed)

    def _keep(self, kind: Kind, payload: msgspec.Struct, now: Instant) -> None:
        """For the journal: with this turn, or when it is back."""
        self._kept.append((kind, payload))

    def _journal(self, message: msgspec.Struct, now: Instant) -> None:
        self._appender.take_message(message, now)

    # ---- the kill switch ----

    def _watch(self, now: Instant) -> None:
        """From now on nothing new is sent; what was sent may take effect until the venue's window is over."""
        self._watch_until_ns = now.boot_ns + self._settings.window_ns
        self._nothing_left = self._swept = False

    @property
    def _kill_state(self) -> str:
        """Where the kill switch stands: "off", "cancelling", "watching" (nothing is open as yet) or "clear"."""
        if not self._latch.set:
            return "off"
        return "clear" if self._swept else "watching" if self._nothing_left else "cancelling"

    def _watching_until_ns(self, now: Instant) -> int:
        """Until when something may be under way that nobody has seen, by the wall clock; 0 where nothing may."""
        if not self._latch.set or self._swept:
            return 0
        return now.wall_ns + max(0, self._watch_until_ns - now.boot_ns)

    def _begin_sweep(self, now: Instant) -> None:
        """Every symbol: cancel all, then see what is left."""
        self._sweep_boot_ns = None
        self._sweep_began_ns = now.boot_ns
        self._sweep_left = 0
        self._sweep.extend(("cancel_all", symbol) for symbol in self._symbols)
        self._sweep.extend(("open_orders", symbol) for symbol in self._symbols)

    def _swept_one(self, answer: Answer, now: Instant) -> None:
        asked = self._sweep.popleft()
        if answer.failed or (asked[0] == "open_orders" and answer.orders):
            self._sweep_left += max(1, len(answer.orders))
            self._nothing_left = False
            self._symbols.update(dict.fromkeys(order.symbol for order in answer.orders))
        if not self._sweep and not self._sweep_left and asked != EVERYTHING_OPEN:
            self._sweep.append(EVERYTHING_OPEN)
        if self._sweep:
            return
        if self._sweep_left:
            self._sweep_boot_ns = now.boot_ns + SWEEP_PAUSE_NS
            return
        if not self._nothing_left:
            self._nothing_left = True
            until_ns = self._watching_until_ns(now)
            self.note("info", "nothing_open", account=self._settings.account, watching_until_ns=until_ns)
        if self._sweep_began_ns < self._watch_until_ns:
            # The sweep that ends the watch is not to begin a pause too late.
            self._sweep_boot_ns = max(now.boot_ns, min(now.boot_ns + WATCH_PAUSE_NS, self._watch_until_ns))
            return
        self._swept = True
        done = OperatorAct(self.name, "kill", self._killed_by, "verified over REST: no order is open")
        self._keep(Kind.OPERATOR, done, now)

    def _control(self, peer: bytes, request: ControlRequest, now: Instant) -> None:
        answer = do_act(self.name, self._acts, request, now)
        detailed = ControlAnswer(answer.token, answer.ok, answer.text, orjson.dumps(self.status(now)))
        self.effects.append(Send("control", detailed, peer))

    def _resume(self, arguments: Confirmed, by: str, now: Instant) -> str:
        if not arguments.confirm:
            raise Cannot('resume needs the argument "confirm": true')
        if not self._latch.release():
            raise Cannot(f"the latch stays: {self._latch.failure}")
        self._sweep.clear()
        self._sweep_boot_ns, self._nothing_left, self._swept = None, False, False
        # A call under way is of the sweep that ends here; the next sweep asks again.
        self._cancelling.is_sweep = False
        self._keep(Kind.OPERATOR, OperatorAct(self.name, "resume", by), now)
        return "resumed"

    def _kill(self, _: WhateverIsSaid, by: str, now: Instant) -> str:
        self._latch.latch()
        self._killed_by = by
        self._watch(now)
        self._keep(Kind.OPERATOR, OperatorAct(self.name, "kill", by, "latched"), now)
        if not self._sweep:
            self._begin_sweep(now)
        return "latched; cancelling everything"


def _subject(ask: Ask) -> _Subject:
    """What is asked, whoever asks it and when."""
    return (ask.what, ask.symbol, ask.cl_ord_id, ask.order_id, ask.from_trade_key, ask.since_ns)


def _fitting(answer: Answer) -> Answer:
    """The answer, or that it failed where no record can hold it: nothing is concluded then, and it is asked again."""
    size_bytes = len(encode(answer))
    if size_bytes <= MAX_RECORD_BYTES:
        return answer
    text = f"an answer of {size_bytes} bytes, with {len(answer.orders)} orders and {len(answer.trades)} trades: "
    return Answer(answer.venue, answer.ask, True, text=f"{text}a record has at most {MAX_RECORD_BYTES}")
