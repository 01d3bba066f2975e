"""What an order of ours is: its legs, its unanswered requests, and the state that is computed of them.

Quantities come from the ledger alone (`common.orders.ledger`), the venue's word of each leg from its reports
(`common.orders.leg`). The state shown is computed, never stored: from the word, the quantities and the requests under
way.

One order of ours may be several orders of the venue: an amendment that can only cancel and send anew adds a *leg*.
Risk's worst case counts legs and the ledger only.
"""

import enum
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from common.messages import (
    Attempt,
    ExecutionReport,
    NewOrder,
    OfTerms,
    OrderStatus,
    Reason,
    Terms,
)
from common.orders.leg import AskedTerms, Leg
from common.orders.numbers import ZERO
from common.orders.words import (
    CANCELED,
    DONE_FOR_DAY,
    EXPIRED,
    FILLED,
    NEW,
    ORDER_STATUS,
    PENDING_CANCEL,
    PENDING_NEW,
    PENDING_REPLACE,
    REJECTED,
    REPLACED,
    STOPPED,
    SUSPENDED,
    TERMINAL_WORDS,
    names_of_order,
)


class RequestKind(enum.StrEnum):
    """What was asked about an order that the venue may know."""

    CANCEL = "cancel"
    AMEND = "amend"
    REPLACE = "replace"


ANSWERED_BY: Final[dict[RequestKind, str]] = {
    RequestKind.CANCEL: CANCELED + REJECTED,
    RequestKind.AMEND: REPLACED + REJECTED,
    RequestKind.REPLACE: NEW + REJECTED,
}
"""By what was asked, ExecType(150) of the reports that answer it. OrderCancelReject(9), Reject(3) and
BusinessMessageReject(j) answer each of them, and nothing else does: a fill may bear a request's names too.
"""


def tells_amended(report: ExecutionReport) -> bool:
    """Whether a report under an amendment's ClOrdID(11), whose answer could not be read, is of the order as amended: a
    status answer bears the name that the order goes by, unless OrdStatus(39) says that something is pending yet."""
    return report.exec_type == ORDER_STATUS and report.ord_status not in (PENDING_CANCEL, PENDING_REPLACE)


def told_amendment(report: ExecutionReport, leg: "Leg", amendments: Sequence["Request"]) -> "Request | None":
    """The amendment in place that a report of state answers: one under the order's own ClOrdID(11), with the very terms
    that were asked for. Some venues tell states alone, and give an order no other name.
    """
    if report.cl_ord_id != leg.cl_ord_id or not tells_amended(report):
        return None
    terms = (report.order_qty, report.price)
    return next((each for each in amendments if (each.order_qty, each.price) == terms), None)


def answered_amendment(report: ExecutionReport, leg: Leg, asked: Mapping[str, Decimal]) -> str:
    """The ClOrdID(11) of the leg's amendment in place that a report of Replaced accepts, of those `asked` with their
    OrderQty(38): the one it names, else the one whose quantity it has (a venue may keep the order's name), else the
    oldest; "" where it is an earlier acceptance that is told again.
    """
    if report.cl_ord_id in asked:
        return report.cl_ord_id
    is_named_by_amendment = leg.owner != leg.cl_ord_id == report.cl_ord_id
    if leg.is_told_again(report) or (report.exec_type == REPLACED and is_named_by_amendment):
        return ""
    oldest = next(iter(asked), "")
    return next((name for name, order_qty in asked.items() if order_qty == report.order_qty), oldest)


class Request(msgspec.Struct, gc=False):
    """A cancel or amendment that was sent and is not answered.

    `strategy`, `number` name the command. A REPLACE has a leg of its own, the new order. `unknown`: it may have reached
    the venue, and whether it did is not known. `session`, `connection` and `sent_ns` say where and when (for the
    venue's window). `answered`: the venue said something to it that could not be read. `owner` is the leg that it is
    about.
    """

    kind: RequestKind
    attempt: Attempt
    strategy: str
    number: int
    cl_ord_id: str
    order_qty: Decimal
    price: Decimal | None
    connection: int = 0
    sent_ns: int = 0
    unknown: bool = False
    answered: bool = False
    owner: str = ""
    session: str = ""


class Order(OfTerms, msgspec.Struct, gc=False):
    """One order of a strategy, from the moment that its message was sent: its terms, legs and unanswered requests.

    `ending` is set where something other than the venue's word closed it (a withdrawal, proof that it never arrived, an
    operator's verdict). `unknown`: its NewOrderSingle(D) may have reached the venue and nothing was heard of it.
    `wish_strategy`, `wish_number` name the command that wants it cancelled, whatever it takes (0: none does).
    `touched_lsn` is the last record that said something about it, `ids` every ClOrdID(11) that ever was about it.
    `in_doubt`: the venue said something about it that could not be read or believed, and has not been asked since.
    `lingering` are amendments that the order's end has overtaken, and that the venue may carry out all the same: they
    count at worst (`common.orders.worst`), and nobody waits for their answer. `list_number` is the number of the first
    order of its list, 0 where it is of none.
    """

    attempt: Attempt
    strategy: str
    number: int
    venue: str
    symbol: str
    terms: Terms
    label: str
    legs: list[Leg]
    requests: dict[str, Request]
    unknown: bool = False
    ending: OrderStatus | None = None
    reason: Reason = Reason.NONE
    text: str = ""
    sent_lsn: int = 0
    sent_ns: int = 0
    sent_connection: int = 0
    sent_number: int = 0
    touched_lsn: int = 0
    wish_strategy: str = ""
    wish_number: int = 0
    ids: list[str] = []
    in_doubt: bool = False
    lingering: dict[str, Request] = {}
    account: str = ""
    session: str = ""
    list_number: int = 0

    def __post_init__(self) -> None:
        """An older snapshot has one name for the venue, the account and the session."""
        if not self.account:
            self.account = self.session = self.venue
            for request in self.all_requests:
                request.session = self.venue

    @classmethod
    def sent(
        cls, command: NewOrder, lsn: int, sent_ns: int, connection: int, number: int = 0, list_number: int = 0
    ) -> "Order":
        """The order as it stands once its message, MsgSeqNum(34) `number`, is in the log in time for `connection`."""
        leg = Leg(command.cl_ord_id, command.cl_ord_id, command.order_qty, command.price)
        return cls(
            command.attempt, command.strategy, command.number, command.venue, command.symbol, command.terms,
            command.label, [leg], {}, sent_lsn=lsn, sent_ns=sent_ns, sent_connection=connection, sent_number=number,
            touched_lsn=lsn, ids=[command.cl_ord_id], account=command.account, session=command.session,
            list_number=list_number,
        )  # fmt: skip

    # -- what it is ----------------------------------------------------------------------------------------------------

    @property
    def name(self) -> tuple[str, int]:
        """Strategy and number."""
        return self.strategy, self.number

    @property
    def shown_name(self) -> str:
        """The name for people, such as maker/17."""
        return f"{self.strategy}/{self.number}"

    @property
    def cum_qty(self) -> Decimal:
        """CumQty(14) over all legs, by the ledger."""
        legs = self.legs
        return legs[0].cum_qty if len(legs) == 1 else sum((leg.cum_qty for leg in legs), ZERO)

    def avg_px(self, unpriced_qty: Decimal = ZERO) -> Decimal:
        """AvgPx(6) over all legs, by the ledger, without the `unpriced_qty` whose price is not known; 0 before the
        first fill."""
        cum = self.cum_qty - unpriced_qty
        return sum((leg.cum_value for leg in self.legs), ZERO) / cum if cum else ZERO

    @property
    def triggered(self) -> bool:
        """Whether its stop price was reached, as far as was told: a stop order that is filled was triggered."""
        return self.terms.is_stop and any(leg.triggered or leg.filled_qty for leg in self.legs)

    @property
    def leaves_qty(self) -> Decimal:
        """LeavesQty(151): what may still be filled over all legs. While a replacement is unanswered, both legs
        count."""
        if self.ending is not None:
            return ZERO
        legs = self.legs
        return legs[0].leaves_qty if len(legs) == 1 else sum((leg.leaves_qty for leg in legs), ZERO)

    @property
    def leg(self) -> Leg:
        """The leg that a cancel or amendment should name: the oldest that may still trade, else the last."""
        legs = self.legs
        return legs[0] if len(legs) == 1 else next((leg for leg in legs if leg.is_open), legs[-1])

    def leg_of(self, report: ExecutionReport) -> Leg | None:
        """The leg that a report is about; None where it rejects something that is no leg any more."""
        legs = self.legs
        if len(legs) == 1 and legs[0].cl_ord_id == report.cl_ord_id:
            return legs[0]
        if report.order_id:
            for leg in legs:
                if leg.has_order_id(report.order_id):
                    return leg
        for name in names_of_order(report):
            for leg in reversed(legs):
                if name and name in (leg.cl_ord_id, leg.owner):
                    return leg
        return None if report.exec_type == REJECTED else self.leg

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is to be expected of it: it was ended, or every leg was."""
        if self.ending is not None:
            return True
        legs = self.legs
        if len(legs) == 1:
            return legs[0].word in TERMINAL_WORDS or legs[0].concluded
        return not any(leg.is_open for leg in legs)

    @property
    def is_unknown(self) -> bool:
        """Whether it, or a request about it, may have reached the venue without our knowing.

        So too where a leg is open before one that the venue took in, and no replacement is under way: the earlier one
        has ended, whatever became of the later, and we were not told.
        """
        if self.is_closed:
            return False
        if self.unknown or any(request.unknown for request in self.requests.values()):
            return True
        if len(self.legs) == 1 or not self._is_replaced(self.leg):
            return False
        return not any(request.kind is RequestKind.REPLACE for request in self.requests.values())

    @property
    def lingers_unknown(self) -> bool:
        """Whether its end has overtaken an amendment that may have reached the venue without our knowing."""
        return any(request.unknown for request in self.lingering.values())

    @property
    def unknown_since_ns(self) -> int:
        """When the oldest message of which it is not known what became was sent; of an order that is UNKNOWN."""
        sent = [request.sent_ns for request in self.requests.values() if request.unknown]
        return self.sent_ns if self.unknown or not sent else min(sent)

    def _is_replaced(self, leg: Leg) -> bool:
        later = self.legs[self.legs.index(leg) + 1 :]
        return any(each.is_open or each.filled_qty or each.word not in ("", REJECTED) for each in later)

    @property
    def status(self) -> OrderStatus:
        """The state to show. FIX's precedence, but for one thing: what is filled is FILLED, even with a cancel under
        way."""
        if self.ending is not None:
            return self.ending
        if self.is_closed:
            return _CLOSED_STATUS.get(self.legs[-1].word, OrderStatus.VOID)
        if self.unknown:
            return OrderStatus.UNKNOWN
        if self.requests:
            kinds = {request.kind for request in self.requests.values()}
            return OrderStatus.PENDING_CANCEL if RequestKind.CANCEL in kinds else OrderStatus.PENDING_REPLACE
        legs = self.legs
        leg = legs[0] if len(legs) == 1 else next(leg for leg in reversed(legs) if leg.is_open)
        named = _OPEN_STATUS.get(leg.word)
        if named is not None:
            return named
        return OrderStatus.PARTIALLY_FILLED if any(each.filled_qty for each in legs) else OrderStatus.NEW

    # -- what happens to it --------------------------------------------------------------------------------------------

    def request_sent(self, request: Request) -> None:
        """A cancel or amendment left for the venue. A REPLACE brings a leg, since from now on both may trade.

        One that the order's end has overtaken lingers.
        """
        if self.is_closed:
            self._linger(request)
            return
        self._await(request)

    def _await(self, request: Request) -> None:
        self.requests[request.cl_ord_id] = request
        if request.kind is RequestKind.REPLACE:
            self.legs.append(Leg(request.cl_ord_id, request.cl_ord_id, request.order_qty, request.price))

    def take_up(self, report: ExecutionReport) -> None:
        """A replacement that lingers is heard of: it has a leg, as one that was sent in time."""
        for name in (report.cl_ord_id, report.orig_cl_ord_id):
            request = self.lingering.get(name)
            if request is not None:
                self._give_leg(request)

    def _give_leg(self, request: Request) -> None:
        """A replacement that lingers may be an order of its own by now: it has a leg, as one that was sent in time."""
        if request.kind is RequestKind.REPLACE and self.lingering.pop(request.cl_ord_id, None) is not None:
            self.revive()
            self._await(request)

    def owner_of(self, cl_ord_id: str) -> str:
        """The leg that this ClOrdID(11) names, by its owner: its own, or an amendment's of it; the last leg where
        nothing has it."""
        for leg in self.legs:
            if cl_ord_id in (leg.owner, leg.cl_ord_id, *leg.former_cl_ord_ids):
                return leg.owner
        request = self.requests.get(cl_ord_id) or self.lingering.get(cl_ord_id)
        return request.owner if request is not None and request.owner else self.legs[-1].owner

    def amendments(self, leg: Leg) -> list[Request]:
        """The amendments in place of the leg that the venue may still accept."""
        if not self.requests and not self.lingering:
            return []
        return [r for r in self.all_requests if r.kind is RequestKind.AMEND and r.owner in ("", leg.owner)]

    def request_ended(self, cl_ord_id: str) -> Request | None:
        """The request came to nothing (rejected, withdrawn, never received); a replacement's leg that was not heard
        of goes."""
        request = self.requests.pop(cl_ord_id, None)
        self.lingering.pop(cl_ord_id, None)
        if request is not None and request.kind is RequestKind.REPLACE and len(self.legs) > 1:
            leg = next((leg for leg in self.legs if leg.owner == cl_ord_id), None)
            if leg is not None and leg.is_unheard:
                self.legs.remove(leg)
        return request

    def hear_report(self, leg: Leg, report: ExecutionReport) -> bool:
        """Take a report on `leg`, its fill already counted. False when its word came too late to change the state."""
        # It may have been held for never received, or closed by a person: the venue's word is the stronger one.
        is_sign_of_life = report.exec_type != REJECTED and leg.word not in TERMINAL_WORDS
        if leg.concluded and report.exec_type != REJECTED:
            leg.revive()
        asked = self._asked(leg, report) if self.requests or self.lingering else []
        terms = [AskedTerms(each.order_qty, each.price) for each in asked] if asked else []
        if self.terms.paid and report.exec_type == NEW and (report.order_qty or ZERO) < leg.order_qty:
            # What it sells is what the venue has counted: no more than was asked for, at most.
            terms.append(AskedTerms(report.order_qty or ZERO, leg.price))
        counted = leg.hear_report(report, terms)
        self.unknown = leg.answered = False
        if self.ending is not None and (is_sign_of_life or leg.is_open):
            self.revive()
        if self.requests or self.lingering:
            self._answer_requests(leg, report, asked)
        if leg is self.legs[-1]:
            self._take_terms(leg)
        if (leg.word in TERMINAL_WORDS or self.ending is not None) and self.is_closed:
            self.overtake_requests()
            last = self.legs[-1]
            if last.word in (REJECTED, EXPIRED):
                self.reason = Reason.VENUE_REJECTED if last.word == REJECTED else self.reason
                self.text = last.text
        return counted

    def told_by_rest(self, leg: Leg, cl_ord_id: str) -> None:
        """REST has told of `leg` under `cl_ord_id`: the order exists, and so does a replacement that was under way. An
        amendment in place whose name it goes by was carried out."""
        self.unknown = leg.answered = False
        self.requests.pop(leg.owner, None)
        named = next((each for each in self.amendments(leg) if each.cl_ord_id == cl_ord_id), None)
        if named is not None:
            self._drop_request(named)
            leg.rename(cl_ord_id)
        if leg is self.legs[-1]:
            self._take_terms(leg)

    @property
    def all_requests(self) -> tuple[Request, ...]:
        """What waits for an answer, and before it what the order's end has overtaken."""
        return (*self.lingering.values(), *self.requests.values())

    @property
    def awaits(self) -> list[Attempt]:
        """Whose answer is still to come, oldest first: its own message's, each request's; none that is unknown."""
        leg = self.legs[0]
        own = leg.is_unheard and not self.unknown and self.ending is None and not leg.concluded
        requests = [request.attempt for request in self.all_requests if not request.unknown]
        return [self.attempt, *requests] if own else requests

    def unanswered(self, attempt: Attempt) -> None:
        """What was sent so has had no answer and may or may not have arrived."""
        if attempt == self.attempt:
            self.unknown = True
        for request in self.all_requests:
            if request.attempt == attempt:
                self.not_known(request)

    def not_known(self, request: Request) -> None:
        """Nobody knows what became of the request. The venue is asked about a leg: a replacement that lingers has one
        from here on, and with it the order is open again."""
        request.unknown = True
        self._give_leg(request)

    def connection_lost(self, session: str) -> bool:
        """What that session sent and is not answered may or may not have arrived. Whether that changed anything."""
        by_session = {request.attempt: request.session for request in self.all_requests}
        attempts = [each for each in self.awaits if by_session.get(each, self.session) == session]
        for attempt in attempts:
            self.unanswered(attempt)
        return bool(attempts)

    def conclude(self, leg: Leg, status: OrderStatus, reason: Reason, text: str = "") -> bool:
        """Something other than the venue's word on it ends the leg, and the order where no other may still trade.
        Whether it does."""
        leg.conclude()
        self.unknown = False
        if any(each.is_open for each in self.legs):
            return False
        self._end(status, reason, text)
        return True

    def decide(self, status: OrderStatus, cum_qty: Decimal, text: str) -> None:
        """An operator's verdict: nothing of the order lives, and `cum_qty` of it was filled. What the ledger has not of
        that is to come on the last leg that lived."""
        to_come = max(cum_qty - self.cum_qty, ZERO)
        last = next((leg for leg in reversed(self.legs) if leg.is_open), self.legs[-1])
        for leg in self.legs:
            leg.conclude(to_come if leg is last else ZERO)
        self.lingering.clear()
        self._end(status, Reason.OPERATOR, text)

    def revive(self) -> None:
        """The venue's word on a leg of it is stronger than what had ended the order."""
        self.ending, self.reason, self.text = None, Reason.NONE, ""

    def _end(self, status: OrderStatus, reason: Reason, text: str) -> None:
        self.ending, self.reason, self.text = status, reason, text
        self.unknown = False
        self.requests.clear()

    def overtake_requests(self) -> None:
        """The venue's word has closed the order: its requests have no answer to wait for any more."""
        for request in self.requests.values():
            self._linger(request)
        self.requests.clear()
        for name in [name for name, request in self.lingering.items() if not self._may_linger(request)]:
            del self.lingering[name]

    def _linger(self, request: Request) -> None:
        if self._may_linger(request):
            self.lingering[request.cl_ord_id] = request

    def _may_linger(self, request: Request) -> bool:
        """Whether the venue may carry it out after the order's end. What ended otherwise than filled is not amended any
        more; a filled order is, where the amendment crossed its last fill (C.3.a), and a replacement is an order of
        its own, unless it has its leg already."""
        if request.kind is RequestKind.REPLACE:
            return all(leg.owner != request.cl_ord_id for leg in self.legs)
        leg = next((leg for leg in self.legs if leg.owner == request.owner), self.legs[-1])
        return request.kind is RequestKind.AMEND and (leg.word == FILLED or leg.word not in TERMINAL_WORDS)

    def _answer_requests(self, leg: Leg, report: ExecutionReport, asked: Sequence[Request]) -> None:
        """A report answers the request that it names, and only that one, if it is what answers such a request."""
        requests, exec_type = self.requests, report.exec_type
        named = requests.get(report.cl_ord_id) or self.lingering.get(report.cl_ord_id)
        if named is None:
            answered = asked[0] if exec_type == REPLACED and asked else told_amendment(report, leg, asked)
            if answered is not None:
                self._drop_request(answered)
        elif named.kind is RequestKind.AMEND and named.answered and tells_amended(report):
            self._drop_request(named)
            leg.rename(named.cl_ord_id)
        elif exec_type in ANSWERED_BY[named.kind] and (
            # The new leg answers for the whole, accepted or refused; the old one's cancel is only the first half.
            named.kind is not RequestKind.REPLACE or leg.owner == named.cl_ord_id
        ):
            self._drop_request(named)
            if named.kind is RequestKind.REPLACE and leg.word == REJECTED and not leg.filled_qty:
                self.legs.remove(leg)

    def _drop_request(self, request: Request) -> None:
        self.requests.pop(request.cl_ord_id, None)
        self.lingering.pop(request.cl_ord_id, None)

    def _asked(self, leg: Leg, report: ExecutionReport) -> list[Request]:
        """The amendments in place whose terms the report may tell: the one that it accepts, else all in flight."""
        amendments = self.amendments(leg)
        if report.exec_type != REPLACED:
            return amendments
        answered = answered_amendment(report, leg, {each.cl_ord_id: each.order_qty for each in amendments})
        return [each for each in amendments if each.cl_ord_id == answered]

    def _take_terms(self, leg: Leg) -> None:
        """The order's own terms follow the venue's once it has accepted them."""
        if leg.word and leg.word != REJECTED:
            order_qty = leg.order_qty
            if len(self.legs) > 1:
                order_qty += sum(earlier.cum_qty for earlier in self.legs[:-1])
            if (order_qty, leg.price) != (self.terms.order_qty, self.terms.price):
                self.terms = msgspec.structs.replace(self.terms, order_qty=order_qty, price=leg.price)


_OPEN_STATUS = {
    "": OrderStatus.PENDING_NEW,
    PENDING_NEW: OrderStatus.PENDING_NEW,
    SUSPENDED: OrderStatus.SUSPENDED,
    STOPPED: OrderStatus.SUSPENDED,
    DONE_FOR_DAY: OrderStatus.DONE_FOR_DAY,
}

_CLOSED_STATUS = {
    FILLED: OrderStatus.FILLED,
    CANCELED: OrderStatus.CANCELED,
    REJECTED: OrderStatus.REJECTED,
    EXPIRED: OrderStatus.EXPIRED,
}
