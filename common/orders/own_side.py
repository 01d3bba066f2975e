"""What became of our commands: sent, refused, withdrawn, expired or never received, and what is remembered of each.

An attempt is decided by the rules of `common.orders.outcome`, a command by its latest attempt; a cancel is a wish that
stays, whoever refused one attempt to fulfil it.
"""

import msgspec

from common.journal.frames import Record
from common.messages import (
    MAX_TIME_TO_LIVE_NS,
    MOST_FURTHER_ORDERS,
    AmendOrder,
    Attempt,
    CancelAll,
    CancelOrder,
    Expired,
    GapFilled,
    LostOrder,
    NewOrder,
    OrderStatus,
    Outbound,
    QueryOrder,
    RateRefused,
    Reason,
    Refused,
    Withdrawn,
    lost_number,
)
from common.orders.absence import sending_ns
from common.orders.books import OrderName, covers
from common.orders.changes import (
    AttemptEnded,
    AttemptSent,
    CancelWished,
    CommandDecided,
    NamedBySession,
    OrderChanged,
    Overtaken,
)
from common.orders.names import Remembered, sent_name
from common.orders.order_state import Order, Request, RequestKind
from common.orders.outcome import Evidence, Outcome, Outcomes, decide
from common.orders.telling import Telling
from common.request_identity import UNREAD, command_identity, request_identity


class OwnSide:
    """See the module."""

    def __init__(self, told: Telling, outcomes: Outcomes, *, identities: bool = True) -> None:
        """`outcomes` has what the log has not decided yet; `identities` as for `Fold`."""
        self._books = told.books
        self._told = told
        self._outcomes = outcomes
        self._identities = identities

    def outbound(self, record: Record, outbound: Outbound) -> None:
        """A message of ours has its number, and is void where it is stamped too late."""
        command, books = outbound.command, self._books
        session = books.sessions.get(outbound.session) or books.session(outbound.session, outbound.account)
        if outbound.generation == session.generation and outbound.msg_seq_num > session.last_outbound:
            session.last_outbound = outbound.msg_seq_num
        if isinstance(command, NewOrder):
            for each in command.orders:
                self._number_attempt(each.attempt)
            self._new_sent(record, outbound, command)
        elif isinstance(command, AmendOrder):
            self._number_attempt(command.attempt)
            self._request_sent(record, outbound, command)
        elif isinstance(command, CancelOrder):
            self._request_sent(record, outbound, command)
        elif isinstance(command, QueryOrder):
            self._told.changes.append(AttemptSent(command.attempt))
        elif outbound.own is not None:
            self._told.changes.append(NamedBySession(outbound.own))

    def _number_attempt(self, attempt: Attempt) -> None:
        self._books.highest_attempt = max(self._books.highest_attempt, (attempt.epoch, attempt.counter))

    def _new_sent(self, record: Record, outbound: Outbound, command: NewOrder) -> None:
        books = self._books
        if command.cl_ord_id in books.by_id or self._is_over(command):
            return
        if self._see(record, command) is not Outcome.SENT:
            self._end_attempt(record, command, Outcome.EXPIRED, Reason.EXPIRED, "")
            return
        orders = command.orders
        if any(map(self._is_name_taken, orders)):
            self._told.changes.append(AttemptSent(command.attempt))
            theirs = f"another order of that name was sent as {command.cl_ord_id}"
            name = f"{command.strategy}/{command.number}"
            self._told.differs(command.account, name, "sent", theirs, "counted as nobody's")
            return
        sent_ns = self._sent_ns(record, outbound)
        list_number = command.number if command.further else 0
        for index, each in enumerate(orders):
            order = Order.sent(each, record.lsn, sent_ns, outbound.connection, outbound.msg_seq_num, list_number)
            books.add_order(order)
            # The list's name is its first order's: a repeat of the request is told by all of it.
            self._decide(record, each if index else command, "sent", Reason.NONE, "")
            self._told.changes += (AttemptSent(each.attempt), OrderChanged(order, "pending_new"))
            for wished in books.cancel_alls_at(record.stamp_ns):
                if covers(wished, order, was_under_way=True):
                    self._wish_of_all(order, wished)

    def lost_order(self, record: Record, lost: LostOrder) -> None:
        """An order that only the lost end of a log knew: it may be live, and is asked about."""
        books, command = self._books, lost.sent.command
        if not isinstance(command, NewOrder):
            return
        first = lost_number(record.lsn)
        list_number = first if command.further else 0
        for number, each in enumerate(command.orders, first):
            name = each.cl_ord_id
            if name in books.by_id or books.forgotten_order(each.account, name) is not None:
                continue
            named = msgspec.structs.replace(each, number=number)
            order = Order.sent(named, record.lsn, lost.sent_ns, lost.connection, list_number=list_number)
            order.unknown = True
            books.add_order(order)
            for amendment in lost.amendments:
                self._lost_amendment(lost, order, amendment)
            self._told.changes.append(OrderChanged(order, "unknown"))
            theirs = f"sent as ClOrdID(11) {name} for {each.strategy}/{each.number}; {lost.frame}"
            self._told.differs(order.account, order.shown_name, "no such order", theirs, "UNKNOWN until it is settled")

    def _lost_amendment(self, lost: LostOrder, order: Order, sent: Outbound) -> None:
        """By whose name the order may go, and with whose terms."""
        command = sent.command
        if isinstance(command, AmendOrder) and command.orig_cl_ord_id in order.ids:
            self._books.name_id(order, command.cl_ord_id)
            owner = order.owner_of(command.orig_cl_ord_id)
            request = _request(sent, command, lost.sent_ns, owner)
            request.unknown, request.connection = True, lost.connection
            order.request_sent(request)

    def sent_with(self, attempt: Attempt) -> list[Attempt]:
        """Every attempt that left in the message of this one: those of its list, where it is that of a list's first
        order."""
        first = self._books.by_id.get(sent_name(attempt, self._books.by_id))
        if first is None or first.attempt != attempt or first.number != first.list_number:
            return [attempt]
        return [each.attempt for each in self.list_of(first)]

    def list_of(self, order: Order) -> list[Order]:
        """Every order of its list that is in memory; it alone where it is of none."""
        if not order.list_number:
            return [order]
        numbers = range(order.list_number, order.list_number + 1 + MOST_FURTHER_ORDERS)
        found = (self._books.orders.get((order.strategy, number)) for number in numbers)
        return [each for each in found if each is not None and each.list_number == order.list_number]

    def _is_name_taken(self, command: NewOrder) -> bool:
        """Whether the name is another order's, in memory or out of it: a second one would take its place."""
        name = (command.strategy, command.number)
        known = self._books.names.get(*name)
        return name in self._books.orders or (known is not None and known.outcome == Outcome.SENT.value)

    def _request_sent(self, record: Record, outbound: Outbound, command: AmendOrder | CancelOrder) -> None:
        order = self._books.orders.get((command.target_strategy, command.target_number))
        if command.cl_ord_id in self._books.by_id or self._is_over(command):
            return
        is_cancel = isinstance(command, CancelOrder)
        if self._see(record, command) is not Outcome.SENT:
            self._end_attempt(record, command, Outcome.EXPIRED, Reason.EXPIRED, "")
            return
        self._decide(record, command, "sent", Reason.NONE, "")
        self._told.changes.append(AttemptSent(command.attempt))
        if order is None:
            return
        if isinstance(command, CancelOrder):
            self._wish(order, command)
        owner = order.owner_of(command.orig_cl_ord_id)
        self._books.name_id(order, command.cl_ord_id)
        was_closed = order.is_closed
        order.request_sent(_request(outbound, command, self._sent_ns(record, outbound), owner))
        if was_closed:
            self._books.touched(order, record.lsn, is_news=False)
            self._told.changes.append(Overtaken(order))
        else:
            event = "pending_cancel" if is_cancel else "pending_replace"
            self._told.order_changed(record, order, event, is_news=not is_cancel)

    def _sent_ns(self, record: Record, outbound: Outbound) -> int:
        """From when the venue's window counts; the stamp where there is none."""
        if not self._books.window_ns(outbound.account):
            return record.stamp_ns
        return sending_ns(outbound.raw, record.stamp_ns)

    def refused(self, record: Record, refused: Refused) -> None:
        """A command goes no further, or a client's request was no command."""
        command = refused.command
        if refused.attempt is None or command is None:
            self._request_refused(record, refused)
            return
        if isinstance(command, QueryOrder):
            self._told.changes.append(AttemptEnded(refused.attempt, refused.reason, command))
            return
        if not isinstance(command, NewOrder | AmendOrder | CancelOrder):
            return
        if command.cl_ord_id in self._books.by_id or self._is_over(command):
            return
        outcome = self._outcomes.see_evidence(command.attempt, Evidence.REFUSED, command.deadline_ns, record.stamp_ns)
        if isinstance(command, CancelOrder):
            # The wish stays, whoever refused this attempt to fulfil it.
            self._decide(record, command, "accepted", refused.reason, refused.text)
            order = self._books.orders.get((command.target_strategy, command.target_number))
            if order is not None:
                self._wish(order, command)
                self._books.touched(order, record.lsn, is_news=False)
            self._told.changes.append(AttemptEnded(command.attempt, refused.reason, command))
            return
        self._end_attempt(record, command, outcome, refused.reason, refused.text)

    def rate_refused(self, record: Record, refused: RateRefused) -> None:
        """Commands of a strategy that sends more than it may."""
        for each in refused.attempts:
            name, attempt = (refused.strategy, each.number), (each.attempt.epoch, each.attempt.counter)
            known, by_id = self._books.names.get(*name), self._books.by_id
            if sent_name(each.attempt, by_id) in by_id or (known is not None and known.attempt == attempt):
                continue
            outcome = self._outcomes.see_evidence(each.attempt, Evidence.REFUSED, each.deadline_ns, record.stamp_ns)
            is_expired = outcome is Outcome.EXPIRED
            reason, text = (Reason.EXPIRED, "") if is_expired else (refused.reason, refused.text)
            if self._may_decide(record, name, each.attempt, outcome.value):
                self._remember(name, Remembered(each.identity, attempt, outcome.value, reason, text, record.lsn))
            self._told.changes.append(AttemptEnded(each.attempt, reason, None))

    def _request_refused(self, record: Record, refused: Refused) -> None:
        """Orders refused the client's request itself. A cancel may have been sent before: its first answer stands."""
        if not refused.number or self._books.names.get(refused.strategy, refused.number) is not None:
            return
        identity = request_identity(refused.request) if refused.request is not None else UNREAD
        remembered = Remembered(identity, (0, 0), "refused", refused.reason, refused.text, record.lsn)
        self._remember((refused.strategy, refused.number), remembered)

    def withdrawn(self, record: Record, withdrawn: Withdrawn) -> None:
        """A number never reached the socket."""
        if withdrawn.attempt is not None:
            for attempt in self.sent_with(withdrawn.attempt):
                self._one_withdrawn(record, attempt, withdrawn.reason)

    def _one_withdrawn(self, record: Record, attempt: Attempt, reason: Reason) -> None:
        name = sent_name(attempt, self._books.by_id)
        order = self._books.by_id.get(name)
        self._told.changes.append(AttemptEnded(attempt, reason, None))
        if order is None:
            self._outcomes.see_evidence(attempt, Evidence.WITHDRAWN, None, record.stamp_ns)
            return
        if order.attempt == attempt:
            if order.legs[0].word or order.ending is not None:
                return
            ends = order.conclude(order.legs[0], OrderStatus.WITHDRAWN, reason)
            self._decided_withdrawn(record, order, reason)
            self._told.order_changed(record, order, "withdrawn" if ends else "settled")
            return
        self._told.lingering_ended(record, order, name)
        request = order.request_ended(name)
        if request is not None:
            if request.kind is not RequestKind.CANCEL:
                self._decided_withdrawn(record, request, reason)
            self._told.order_changed(record, order, "settled")

    def gap_filled(self, record: Record, gap: GapFilled) -> None:
        """The venue asked again for what adds risk: that was not sent again."""
        for attempt in gap.attempts:
            for each in self.sent_with(attempt):
                self._not_received(record, each)

    def _not_received(self, record: Record, attempt: Attempt) -> None:
        """The venue asked for it: it never had it, unless it has said anything of it, be it unreadable."""
        name, reason = sent_name(attempt, self._books.by_id), Reason.NOT_RECEIVED
        order = self._books.by_id.get(name)
        self._told.changes.append(AttemptEnded(attempt, reason, None))
        if order is None:
            return
        if order.attempt == attempt:
            leg = order.legs[0]
            was_heard = order.in_doubt or leg.answered or not leg.is_unheard
            if order.ending is None and not leg.concluded and not was_heard:
                order.conclude(leg, OrderStatus.VOID, reason, reason.sentence)
                self._told.order_changed(record, order, "settled")
            return
        request = order.requests.get(name)
        lingers = order.lingering.get(name)
        if lingers is not None and not lingers.answered:
            self._told.lingering_ended(record, order, name)
        elif request is not None and not _was_answered(order, request):
            order.request_ended(name)
            self._told.order_changed(record, order, "settled")

    def expired(self, record: Record, expired: Expired) -> None:
        """The log had no word of an attempt in time, as its own record says."""
        known = self._books.names.get(expired.strategy, expired.number)
        attempt = (expired.attempt.epoch, expired.attempt.counter)
        if known is None or known.attempt < attempt:
            remembered = Remembered(expired.identity, attempt, "expired", Reason.EXPIRED, "", record.lsn)
            self._books.names.put_command(expired.strategy, expired.number, remembered)
            self._told.changes.append(
                CommandDecided(expired.strategy, expired.number, "expired", Reason.EXPIRED, Reason.EXPIRED.sentence)
            )

    def _see(self, record: Record, command: NewOrder | AmendOrder | CancelOrder) -> Outcome:
        if not self._outcomes.held:
            return decide(Outcome.PENDING, Evidence.OUTBOUND, command.deadline_ns, record.stamp_ns)
        outcome = self._outcomes.see_evidence(command.attempt, Evidence.OUTBOUND, command.deadline_ns, record.stamp_ns)
        # What was sent lives on in the order; `outcomes` keeps only what the log has not decided.
        self._outcomes.forget(command.attempt)
        return outcome

    def _is_over(self, command: NewOrder | AmendOrder | CancelOrder) -> bool:
        """Whether this very attempt has its final outcome already, so that nothing logged later changes it."""
        if isinstance(command, CancelOrder):
            return False
        known = self._books.names.get(command.strategy, command.number)
        attempt = (command.attempt.epoch, command.attempt.counter)
        return known is not None and known.attempt == attempt

    def _end_attempt(
        self, record: Record, command: NewOrder | AmendOrder | CancelOrder, outcome: Outcome, reason: Reason, text: str
    ) -> None:
        if outcome is Outcome.EXPIRED:
            reason, text = Reason.EXPIRED, ""
        self._decide(record, command, outcome.value, reason, text)
        self._told.changes.append(AttemptEnded(command.attempt, reason, command))

    def _decide(
        self, record: Record, command: NewOrder | AmendOrder | CancelOrder, outcome: str, reason: Reason, text: str
    ) -> None:
        """The command's outcome, unless a later attempt of it is known; a cancel's first answer stands."""
        name, attempt = (command.strategy, command.number), (command.attempt.epoch, command.attempt.counter)
        is_answered = isinstance(command, CancelOrder) and self._is_answered(command)
        if not is_answered and self._may_decide(record, name, command.attempt, outcome):
            identity = command_identity(command) if self._identities else b""
            self._remember(name, Remembered(identity, attempt, outcome, reason, text, record.lsn))

    def _is_answered(self, cancel: CancelOrder) -> bool:
        """Whether the cancel has its first answer, or may have had it: whoever was not told repeats it. Its outcome may
        have left memory; the wish for it stays for as long as its order may be open."""
        names = self._books.names
        name = (cancel.strategy, cancel.number)
        if names.get(*name) is not None or names.may_be_forgotten(*name):
            return True
        order = self._books.orders.get((cancel.target_strategy, cancel.target_number))
        return order is not None and (order.wish_strategy, order.wish_number) == (cancel.strategy, cancel.number)

    def _may_decide(self, record: Record, name: OrderName, attempt: Attempt, outcome: str) -> bool:
        """Whether the attempt is the latest that is known of the command, and not too late to be anything: once the
        wait after the restart is over, the name is the present life's to answer.

        A word that comes after the deadline decides nothing of a command whose outcome may have left memory: an
        emergency file tells again what the log has heard in time.
        """
        books = self._books
        if attempt.epoch < books.epoch and record.stamp_ns > books.epoch_ns + MAX_TIME_TO_LIVE_NS:
            return False
        known = books.names.get(*name)
        if known is None:
            return outcome != Outcome.EXPIRED.value or not books.names.may_be_forgotten(*name)
        return known.attempt < (attempt.epoch, attempt.counter)

    def _remember(self, name: OrderName, outcome: Remembered) -> None:
        self._books.names.put_command(*name, outcome)
        self._told.changes.append(CommandDecided(*name, outcome.outcome, outcome.reason, outcome.text))

    def _decided_withdrawn(self, record: Record, command: Order | Request, reason: Reason) -> None:
        """What was sent was withdrawn after all. It is remembered anew where it has left memory meanwhile."""
        name, attempt = (command.strategy, command.number), (command.attempt.epoch, command.attempt.counter)
        known = self._books.names.get(*name)
        identity = known.identity if known is not None else b""
        self._remember(name, Remembered(identity, attempt, "withdrawn", reason, "", record.lsn))

    def _wish(self, order: Order, command: CancelOrder | CancelAll) -> None:
        if not order.wish_number and not order.is_closed:
            order.wish_strategy, order.wish_number = command.strategy, command.number

    def cancel_all(self, record: Record, wished: CancelAll) -> None:
        """The wishes of all orders that the command is about; it has no other record."""
        if self._books.names.get(wished.strategy, wished.number) is not None:
            return
        outcome, reason = ("refused", Reason.UNKNOWN_VENUE) if wished.left_open else ("accepted", Reason.NONE)
        remembered = Remembered(request_identity(wished), (0, 0), outcome, reason, wished.text, record.lsn)
        self._remember((wished.strategy, wished.number), remembered)
        self._books.cancel_alls.append((record.stamp_ns, wished))
        for account in self._books.open:
            for order in self._books.open_orders(account):
                if covers(wished, order, was_under_way=False):
                    self._wish_of_all(order, wished)
                    self._books.touched(order, record.lsn, is_news=False)

    def _wish_of_all(self, order: Order, wished: CancelAll) -> None:
        self._wish(order, wished)
        self._told.changes.append(CancelWished(order, wished.strategy, wished.number))


def _request(outbound: Outbound, command: AmendOrder | CancelOrder, sent_ns: int, owner: str) -> Request:
    kind, order_qty, price = RequestKind.CANCEL, command.order_qty, None
    if isinstance(command, AmendOrder):
        kind, price = RequestKind.AMEND, command.price
        if outbound.opens:
            kind, order_qty = RequestKind.REPLACE, command.order_qty - command.cum_qty
    return Request(
        kind, command.attempt, command.strategy, command.number, command.cl_ord_id, order_qty, price,
        outbound.connection, sent_ns, owner=owner, session=outbound.session,
    )  # fmt: skip


def _was_answered(order: Order, request: Request) -> bool:
    """Whether the venue has said something to it, be it unreadable: then it has received it."""
    return request.answered or any(leg.answered for leg in order.legs if leg.owner == request.cl_ord_id)
