"""The order entry link: who may command, which command is a repeat, and what a command that came now meets."""

from decimal import Decimal

import msgspec
import orjson

from common.instant import Instant
from common.messages import (
    UNDECODABLE,
    AmendRequest,
    Attempt,
    CancelAllRequest,
    CancelRequest,
    ClientRequest,
    CommandOutcome,
    EntryRequest,
    Hello,
    NewOrderRequest,
    QueryAnswer,
    QueryRequest,
    Reason,
    StatusChanged,
    Welcome,
    cut,
)
from services.orders.archive import Archive
from services.orders.books import Books
from services.orders.cancel_requests import CancelRequests
from services.orders.clients import Clients
from services.orders.decisions import Decisions
from services.orders.flights import Flights
from services.orders.life import Life
from services.orders.names import request_identity, same_request
from services.orders.queries import answer_query
from services.orders.views import position_event

MAX_DIGITS = 18
MAX_EXPONENT = 18
"""What a quantity or price may have at most: digits as they are written, and decimal places or zeros behind them."""

_decode_any = msgspec.msgpack.Decoder(EntryRequest).decode

AFTER_ALL_EVENTS = 1 << 20
"""The index of what is told as it stands after the record, behind every event that the record gave."""


class Entry:
    """See the module."""

    def __init__(
        self,
        clients: Clients,
        life: Life,
        decisions: Decisions,
        flights: Flights,
        cancel_requests: CancelRequests,
        books: Books,
        archive: Archive,
    ) -> None:
        """What adds risk goes to `flights`, what takes it away to `cancel_requests`."""
        self._clients = clients
        self._life = life
        self._decisions = decisions
        self._flights = flights
        self._cancel_requests = cancel_requests
        self._books = books
        self._archive = archive

    def received(self, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        """A client's hello, command or question."""
        if isinstance(message, QueryRequest):
            self._clients.reply(peer, answer_query(message, self._life.state, self._books, self._archive))
            return
        if not self._life.granted:
            return
        if isinstance(message, Hello):
            self._hello(peer, message)
            return
        assert isinstance(message, NewOrderRequest | AmendRequest | CancelRequest | CancelAllRequest)
        strategy = self._clients.strategy_of(peer)
        if self._clients.is_superseded(peer):
            self._clients.reply(peer, StatusChanged("superseded", message.number, self._life.epoch))
        elif not strategy or message.epoch != self._life.epoch:
            # It was meant for a former life, or comes from somebody who must say hello first.
            self._decisions.counts["stale_epoch"] += 1
            self._clients.reply(peer, self._life.status(message.number))
        else:
            self._request(strategy, message, now)

    def not_read(self, peer: bytes, data: bytes, why: str) -> None:
        """A message beyond what the link takes, and `why`: who waits for its answer is told, and nothing is kept."""
        try:
            meant = _decode_any(data)
        except UNDECODABLE:
            return
        strategy = self._clients.strategy_of(peer)
        if isinstance(meant, QueryRequest):
            detail = orjson.dumps({"state": self._life.state, "error": cut(why)})
            self._clients.reply(peer, QueryAnswer(meant.token, self._books.lsn, detail=detail))
        elif not isinstance(meant, Hello) and strategy:
            self._clients.reply(
                peer,
                CommandOutcome(
                    self._books.lsn, 0, strategy, meant.number, "refused", Reason.OUT_OF_BOUNDS, cut(why), True
                ),
            )

    def _hello(self, peer: bytes, hello: Hello) -> None:
        """Grant the name; then what was missed, or the open orders as they are; and all positions in any case."""
        books, highest = self._books, self._decisions.highest_of(hello.strategy)
        welcome = Welcome(hello.strategy, hello.instance, self._life.epoch, highest, self._life.state, books.lsn)
        if not self._clients.hello(peer, hello, welcome):
            for order in [o for venue in books.open for o in books.open_orders(venue)]:
                if order.strategy == hello.strategy:
                    self._clients.reply(peer, self._archive.shown(order))
        for position in books.positions.values():
            self._clients.reply(peer, position_event(position, books.lsn, AFTER_ALL_EVENTS, ""))

    def _request(self, strategy: str, request: ClientRequest, now: Instant) -> None:
        if request.number <= self._decisions.highest_of(strategy):
            self._repeat(strategy, request, now)
            return
        adds_risk = isinstance(request, NewOrderRequest | AmendRequest)
        if not self._life.live or (adds_risk and self._life.away):
            self._later(strategy, request)
            return
        self._decisions.take(strategy, request.number)
        if adds_risk and self._life.stopping:
            self._decisions.refuse(strategy, request, Reason.SHUTDOWN, "the order manager is stopping", now)
            return
        reason, text = _why_not_a_number(request)
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
        same = known is not None and same_request(request_identity(request), known.identity)
        if known is None and isinstance(request, CancelRequest):
            self._cancel_requests.cancel(strategy, request, now)
        elif isinstance(request, CancelAllRequest) and (known is None or same):
            # The log may hold some of the cancels that it became and not all: wish them again, and count.
            self._cancel_requests.cancel_all(strategy, request, now)
        elif known is None and not self._archive.complete:
            self._refuse_repeat(strategy, request, Reason.DUPLICATE_NAME)
        elif known is None:
            self._decisions.expire(strategy, request.number, Attempt(0, 0), 0, now)
        elif same:
            outcome = CommandOutcome(known.lsn, 0, *name, known.outcome, known.reason, known.text, True)
            self._clients.tell(strategy, outcome)
        else:
            self._refuse_repeat(strategy, request, Reason.NAME_REUSED)

    def _refuse_repeat(self, strategy: str, request: ClientRequest, reason: Reason) -> None:
        """Told and not logged: the log has, or may have, another word of that name."""
        outcome = CommandOutcome(self._books.lsn, 0, strategy, request.number, "refused", reason, reason.sentence, True)
        self._clients.tell(strategy, outcome)


def _why_not_a_number(request: ClientRequest) -> tuple[Reason, str]:
    """Why a quantity or price cannot be counted with: nothing down the ring, nor the log, is to hold such a one."""
    if not isinstance(request, NewOrderRequest | AmendRequest):
        return Reason.NONE, ""
    wanted = f"not a finite number of at most {MAX_DIGITS} digits, {MAX_EXPONENT} of them decimal places"
    if request.order_qty is not None and not _is_bounded(request.order_qty):
        return Reason.BAD_QUANTITY, f"OrderQty(38) is {wanted}"
    if request.price is not None and not _is_bounded(request.price):
        return Reason.BAD_PRICE, f"Price(44) is {wanted}"
    return Reason.NONE, ""


def _is_bounded(number: Decimal) -> bool:
    _, digits, exponent = number.as_tuple()
    return isinstance(exponent, int) and len(digits) <= MAX_DIGITS and -MAX_EXPONENT <= exponent <= MAX_EXPONENT
