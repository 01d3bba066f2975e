"""The order entry link: who may command, which command is a repeat, and what a command that came now meets.

Nothing is told of the log before it is read up to the own epoch record: hellos and questions wait until then, and are
answered by the status meanwhile. An instance that has had no welcome yet waits until this process is live, since what a
former life sent, and the numbers of that, may turn up before.
"""

from decimal import Decimal
from typing import TypeVar

import msgspec
import orjson

from common.instant import Instant
from common.messages import (
    HIGHEST_NUMBER,
    PROTOCOL,
    UNDECODABLE,
    Alive,
    AmendRequest,
    AnyEntryRequest,
    Attempt,
    CancelAllRequest,
    CancelRequest,
    ClientRequest,
    CommandOutcome,
    Expired,
    Hello,
    Kind,
    NewOrderRequest,
    QueryAnswer,
    QueryRequest,
    Reason,
    Refused,
    StatusChanged,
    Terms,
    Welcome,
    WelcomeComplete,
    cut,
    is_lost_number,
    older_event,
    upgraded,
)
from common.orders.fold import WRITER
from common.orders.views import own_position_event, standing_order
from common.request_identity import request_identity, same_request
from services.orders.archive import answer_query
from services.orders.attempts import Routes
from services.orders.cancels import CancelRequests, Parts
from services.orders.clients import STRATEGIES
from services.orders.watch import Watch

T = TypeVar("T")
U = TypeVar("U")

MAX_DIGITS = 18
MAX_EXPONENT = 18
"""What a quantity or price may have at most: digits as they are written, and decimal places or zeros behind them."""

WAITING = STRATEGIES
"""Hellos, and questions, that wait for the log to be read; the oldest is dropped first, and asked again."""

_decode_any = msgspec.msgpack.Decoder(AnyEntryRequest).decode


class Entry:
    """See the module."""

    def __init__(self, parts: Parts, cancel_requests: CancelRequests, routes: Routes, watch: Watch) -> None:
        """What takes risk away goes to `cancel_requests`; `watch` hears who lives."""
        self._books, self._archive, self._clients, self._life, self._decisions, self._flights, self._names = parts
        self._cancel_requests = cancel_requests
        self._routes = routes
        self._watch = watch
        self._hellos: dict[bytes, Hello] = {}
        self._questions: dict[tuple[bytes, QueryRequest], None] = {}

    def received(self, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        """A client's hello, command or question."""
        message = upgraded(message)
        if isinstance(message, QueryRequest):
            if self._life.has_read:
                self._answer(peer, message)
            else:
                self._wait(peer, self._questions, (peer, message), None)
            return
        if isinstance(message, Hello):
            self._hellos.pop(peer, None)
            if self._may_welcome(message):
                self._hello(peer, message, now)
            else:
                self._wait(peer, self._hellos, peer, message)
            return
        if isinstance(message, Alive):
            self._alive(peer, message, now)
            return
        assert isinstance(message, NewOrderRequest | AmendRequest | CancelRequest | CancelAllRequest)
        strategy = self._commander(peer, message)
        if strategy:
            self._request(strategy, message, now)

    def _alive(self, peer: bytes, sign: Alive, now: Instant) -> None:
        """A sign of life: of nobody's, or of a former life of this process, it must say hello first."""
        strategy = self._clients.strategy_of(peer)
        if strategy and sign.epoch == self._life.epoch:
            self._watch.hear_sign(strategy, now, ends=sign.ends)
        elif not sign.ends and not self._clients.is_superseded(peer):
            self._clients.reply(peer, self._life.status(0))

    def _commander(self, peer: bytes, request: ClientRequest) -> str:
        """Whose command that is; "" where the peer may give none now, which it is told."""
        strategy = self._clients.strategy_of(peer)
        if self._clients.is_superseded(peer):
            self._clients.reply(peer, StatusChanged("superseded", request.number, self._life.epoch))
            return ""
        if not strategy or request.epoch != self._life.epoch:
            # It was meant for a former life, or comes from somebody who must say hello first.
            self._decisions.counts["stale_epoch"] += 1
            self._clients.reply(peer, self._life.status(request.number))
            return ""
        return strategy

    def not_read(self, peer: bytes, data: bytes, why: str, now: Instant) -> None:
        """A message beyond what the link takes, and `why`: who waits for its answer is told."""
        try:
            meant = _decode_any(data)
        except UNDECODABLE:
            return
        if isinstance(meant, QueryRequest):
            detail = orjson.dumps({"state": self._life.state, "error": cut(why)})
            self._clients.reply(peer, QueryAnswer(meant.token, self._books.lsn, detail=detail))
        elif isinstance(meant, Hello):
            self._clients.reply(peer, StatusChanged("refused", text=cut(why)))
        elif not isinstance(meant, Alive):
            strategy = self._commander(peer, meant)
            if strategy:
                self._refuse_unread(strategy, meant.number, why, now)

    def _refuse_unread(self, strategy: str, number: int, why: str, now: Instant) -> None:
        """The command is refused under its number, where there can be such a one; nothing else of it is kept."""
        name = (strategy, number)
        if not 0 < number <= HIGHEST_NUMBER:
            self._tell_refused(*name, Reason.OUT_OF_BOUNDS, cut(why))
        elif not self._life.live or self._life.away:
            self._clients.tell(strategy, self._life.status(number))
        elif number > self._decisions.highest_of(strategy):
            self._decisions.use_number(*name)
            self._decisions.decide(Kind.REFUSED, Refused(WRITER, Reason.OUT_OF_BOUNDS, cut(why), *name, None), now)
        elif name not in self._flights and name not in self._decisions:
            # A number heard before: its refusal again, else another body was meant by it.
            known = self._archive.command(*name)
            same = known is not None and known.reason is Reason.OUT_OF_BOUNDS
            self._tell_refused(*name, Reason.OUT_OF_BOUNDS if same else Reason.NAME_REUSED)

    def admit(self, now: Instant) -> None:
        """The log is read, or this process is live: answer those who waited for that, in the order they came."""
        questions, self._questions = self._questions, {}
        for peer, question in questions:
            self._answer(peer, question)
        for peer, hello in list(self._hellos.items()):
            if self._may_welcome(hello):
                del self._hellos[peer]
                self._hello(peer, hello, now)

    def _may_welcome(self, hello: Hello) -> bool:
        return self._life.live or (self._life.has_read and hello.epoch > 0)

    def _wait(self, peer: bytes, waiting: dict[T, U], key: T, value: U) -> None:
        self._clients.reply(peer, StatusChanged(self._life.state))
        waiting[key] = value
        if len(waiting) > WAITING:
            del waiting[next(iter(waiting))]

    def _answer(self, peer: bytes, question: QueryRequest) -> None:
        answer = answer_query(question, self._life.state, self._books, self._archive, self._names)
        if question.protocol < PROTOCOL:
            answer = msgspec.structs.replace(answer, orders=tuple(map(older_event, answer.orders)))
        self._clients.reply(peer, answer)

    def _hello(self, peer: bytes, hello: Hello, now: Instant) -> None:
        """Grant the name; then what was missed, all positions, and the open orders of who does not know them.

        Nor does who knows them of another life: what was lost on its way from that one, this one cannot know.
        """
        if self._clients.is_old_news(peer, hello):
            self._clients.reply(peer, StatusChanged("superseded"))
            return
        books, highest = self._books, self._decisions.highest_of(hello.strategy)
        state, grant = self._life.state, self._life.grant
        welcome = Welcome(hello.strategy, hello.instance, grant.epoch, highest, state, books.lsn, term=grant.term)
        resumed = self._clients.hello(peer, hello, welcome, grant.term_after_lsn)
        self._watch.hello(hello, now)
        if not resumed or hello.epoch != grant.epoch:
            for order in books.open_orders_of(hello.strategy):
                _, index = self._names.give()
                self._clients.reply(peer, standing_order(books, order, index))
        for position in books.positions.values():
            # Whose fill moved it last is not told here: nobody's did just now.
            told = own_position_event(books, position, *self._names.give(), hello.strategy)
            self._clients.reply(peer, msgspec.structs.replace(told, strategy=""))
        self._clients.reply(peer, WelcomeComplete(*self._names.give()))

    def _request(self, strategy: str, request: ClientRequest, now: Instant) -> None:
        unnamed = ""
        if isinstance(request, NewOrderRequest):
            request, unnamed = self._routes.with_account(request)
        if request.number <= self._decisions.highest_of(strategy):
            self._repeat(strategy, request, now)
            return
        adds_risk = isinstance(request, NewOrderRequest | AmendRequest)
        if not self._life.live or (adds_risk and self._life.away):
            self._later(strategy, request)
            return
        last = request.number + (len(request.further) if isinstance(request, NewOrderRequest) else 0)
        if last > HIGHEST_NUMBER:
            self._tell_refused(strategy, request.number, Reason.OUT_OF_BOUNDS, "its orders have no numbers left")
            return
        if is_lost_number(request.number) or is_lost_number(last):
            self._tell_refused(strategy, request.number, Reason.OUT_OF_BOUNDS, "no command has such a number")
            return
        self._decisions.use_number(strategy, last)
        if adds_risk and self._life.stopping:
            self._decisions.refuse(strategy, request, Reason.SHUTDOWN, "the order manager is stopping", now)
            return
        if adds_risk and self._books.left_out.halts:
            self._decisions.refuse(strategy, request, Reason.HALTED, self._books.left_out.text, now)
            return
        reason, text = (Reason.UNKNOWN_ACCOUNT, unnamed) if unnamed else _why_not_a_number(request)
        if reason is not Reason.NONE:
            self._decisions.refuse(strategy, request, reason, text, now)
            return
        match request:
            case NewOrderRequest():
                self._flights.new(strategy, request, now)
            case AmendRequest():
                self._flights.amend(strategy, request, now)
            case CancelRequest():
                self._cancel_requests.cancel(strategy, request, now)
            case CancelAllRequest():
                self._cancel_requests.cancel_all(strategy, request, now)

    def _later(self, strategy: str, request: ClientRequest) -> None:
        """No outcome can be given yet: a status. A cancel is kept; what adds risk is the strategy's to repeat."""
        if isinstance(request, CancelRequest):
            self._cancel_requests.keep(strategy, request)
        self._clients.tell(strategy, self._life.status(request.number))

    def _repeat(self, strategy: str, request: ClientRequest, now: Instant) -> None:
        """A number heard before: answered from memory, if the body is the same, once the log has decided."""
        name = (strategy, request.number)
        if name in self._flights or name in self._decisions:
            return
        known = self._archive.command(*name)
        if known is None and not self._life.live:
            # What a former life sent under this number may still come.
            self._later(strategy, request)
            return
        if known is None and not isinstance(request, CancelRequest) and self._cancel_requests.is_under_way(name):
            # Another body than the cancel's that was taken: it is told so once the log has that one's outcome.
            return
        same = known is not None and same_request(request_identity(request), known.identity)
        if known is None and isinstance(request, CancelRequest):
            self._cancel_requests.cancel(strategy, request, now)
        elif known is None and isinstance(request, CancelAllRequest):
            self._cancel_requests.cancel_all(strategy, request, now)
        elif known is None and not self._archive.index.complete:
            self._tell_refused(*name, Reason.DUPLICATE_NAME)
        elif known is None:
            self._decisions.decide(Kind.EXPIRED, Expired(*name, Attempt(0, 0), 0, request_identity(request)), now)
        elif same:
            outcome = CommandOutcome(known.lsn, 0, *name, known.outcome, known.reason, known.text, True)
            self._clients.tell(strategy, outcome)
        else:
            self._tell_refused(*name, Reason.NAME_REUSED)

    def _tell_refused(self, strategy: str, number: int, reason: Reason, text: str = "") -> None:
        """Told and not logged: the log has, or may have, another word of that name, or can have none."""
        text = text or reason.sentence
        told = CommandOutcome(*self._names.give(), strategy, number, "refused", reason, text, True)
        self._clients.tell(strategy, told)


def _why_not_a_number(request: ClientRequest) -> tuple[Reason, str]:
    """Why a quantity or price cannot be counted with: nothing down the ring, nor the log, is to hold such a one."""
    if isinstance(request, AmendRequest):
        return _why_not_bounded(request)
    for terms in (request.terms, *request.further) if isinstance(request, NewOrderRequest) else ():
        further = (
            (terms.stop_px, Reason.BAD_PRICE, "StopPx(99)"),
            (terms.display_qty, Reason.BAD_QUANTITY, "DisplayQty(1138)"),
            (terms.cash_order_qty, Reason.BAD_QUANTITY, "CashOrderQty(152)"),
            (terms.peg_offset, Reason.BAD_PRICE, "PegOffsetValue(211)"),
        )
        reason, text = _why_not_bounded(terms, *further)
        if reason is Reason.NONE and not 0 <= terms.expire_ns <= HIGHEST_NUMBER:
            return Reason.OUT_OF_BOUNDS, "ExpireTime(126) is no time of this age"
        if reason is not Reason.NONE:
            return reason, text
    return Reason.NONE, ""


def _why_not_bounded(asked: Terms | AmendRequest, *further: tuple[Decimal | None, Reason, str]) -> tuple[Reason, str]:
    own = (asked.order_qty, Reason.BAD_QUANTITY, "OrderQty(38)"), (asked.price, Reason.BAD_PRICE, "Price(44)")
    for number, reason, field in (*own, *further):
        if number is not None and not _is_bounded(number):
            wanted = f"a finite number of at most {MAX_DIGITS} digits, {MAX_EXPONENT} of them decimal places"
            return reason, f"{field} is not {wanted}"
    return Reason.NONE, ""


def _is_bounded(number: Decimal) -> bool:
    _, digits, exponent = number.as_tuple()
    return isinstance(exponent, int) and len(digits) <= MAX_DIGITS and -MAX_EXPONENT <= exponent <= MAX_EXPONENT
