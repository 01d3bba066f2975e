"""What a bridge makes of its clients' requests and of the venue's facts: records for its log, and reports of them.

Theory of operation. A request is recorded before a byte of it leaves, and reported as taken. From there on only the
venue's word, or evidence of absence, decides it: an answer that is lost, unclear or late decides nothing, and the order
is asked about until it is known. What is told twice (by an answer, a push, a question, after a restart) is recorded
once: an acknowledgement by the order, a fill by its trade, an end by being over. An end is told only when the fills add
up to what the venue says was filled.

Everything here is told by the turn's end, when the log has it. Nothing here reads a clock or knows of connections.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple, Protocol

from msgspec import structs

from common.exchange.fix_gateway import Client
from common.exchange.order import (
    BUY,
    FILL_OR_KILL,
    GOOD_TILL_CANCEL,
    IMMEDIATE_OR_CANCEL,
    LIMIT,
    MARKET,
    SELL,
    ZERO,
)
from common.exchange.requests import OUT_OF_RANGE, BadField, Request
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.venues.backend import (
    AmendFact,
    AmendingBackend,
    Backend,
    BridgedTerms,
    Fact,
    FillFact,
    GuardingBackend,
    OrderFact,
    Reply,
    Verdict,
)
from services.bridge import reports
from services.bridge.book import FILLED, NEW, PARTIALLY_FILLED, Book, BridgedOrder
from services.bridge.records import (
    DISCONNECTED,
    FORGOTTEN,
    KILLED,
    NEVER_LEFT,
    NEVER_REACHED,
    OWN_WISHES,
    TOLD,
    Acknowledged,
    Adopted,
    Amended,
    Ended,
    Filled,
    Guarded,
    OrderRecord,
    Refused,
    Reopened,
    Taken,
)

DEFAULT_LIFE_NS = NS_PER_S
"""The last moment of a D or G that names none, from when it is taken."""

LONGEST_LIFE_NS = 10 * NS_PER_S
"""A later last moment is refused: so long an order would stay undecided if its answer is lost."""

TOO_LATE, UNKNOWN_ORDER, DUPLICATE, OTHER = 0, 1, 6, 99
"""CxlRejReason(102)."""

USED = "this ClOrdID(11) was used before"

NOT_ABOVE_0 = "OrderQty(38) and Price(44) are above 0"
CANCELED, REJECTED = "4", "8"
POST_ONLY, REDUCE_ONLY = "6", "E"
"""ExecInst(18)."""


class Errand(NamedTuple):
    """What is wanted of the venue for a request: `kind` is its MsgType(35). `by_ns`: the last moment by our wall clock,
    0 for a cancel, which has none."""

    kind: str
    venue_id: str
    cl_ord_id: str
    by_ns: int


class Mouth(Protocol):
    """Says something to a client, under its session's next number. `first` is our own: the client who is told of orders
    that nobody has placed here."""

    first: str

    def tells_strictly(self, client: str) -> bool:
        """Whether the client is told what FIX 4.4 has, and nothing else."""

    def tell(self, client: str, msg_type: str, body: bytes, now: Instant) -> None: ...


class Desk:
    """See the module. `errands` are for whoever speaks to the venue, `doubts` the ids of orders to be asked about;
    `owing` how much the venue has told to be filled of those of which fewer fills are known."""

    def __init__(
        self,
        book: Book,
        record: Callable[[OrderRecord], None],
        unique: Callable[[], str],
        backend: Backend,
        symbols: frozenset[str],
        id_stem: str,
        contracts: frozenset[str] = frozenset(),
    ) -> None:
        """`record` applies a record and keeps it for the log; `unique` gives an ExecID(17) from the log's place;
        `id_stem` begins the ids at the venue of orders whose own names it does not take: no other log's is the same.
        `contracts` are those of the symbols that are traded in them."""
        self.book = book
        self.errands: list[Errand] = []
        self.doubts: dict[str, None] = {}
        self.owing: dict[str, Decimal] = {}
        self.withdrawn: set[str] = set()
        self.alarms: list[tuple[str, str]] = []
        """What a person has to know: the name of the event, and a sentence."""

        self._others: set[str] = set()
        self._others_fills: dict[tuple[str, str, str], FillFact] = {}
        self._others_told: dict[tuple[str, str, str], int] = {}
        self._record = record
        self.unique = unique
        self._backend = backend
        self._guarding = backend if isinstance(backend, GuardingBackend) else None
        self.symbols = symbols
        self._contracts = contracts
        self._id_stem = id_stem
        self.mouth: Mouth
        self.untold: dict[str, OrderFact] = {}

    def _tell(
        self, order: BridgedOrder, exec_type: str, now: Instant, *, asked: Taken | None = None, extra: str = ""
    ) -> None:
        body = reports.report(order, self.unique(), exec_type, now.wall_ns, asked=asked, extra=extra)
        self.mouth.tell(order.client, "8", body, now)

    # ---- requests

    def new_order(self, client: Client, request: Request, terms: BridgedTerms, why_not: str, now: Instant) -> None:
        """NewOrderSingle(D); `why_not` says why nothing can be sent now, "" where it can. Raises BadField."""
        name, by_ns = request.text(11), _last_moment(request, now)
        known = self.book.named(client.party.comp_id, name)
        reason = reports.DUPLICATE_REASON if known is not None else OTHER
        why_not = USED if known is not None else why_not or self._wrong(terms)
        if not why_not and not now.wall_ns < by_ns <= now.wall_ns + LONGEST_LIFE_NS:
            why_not = "its last moment has passed, or is further off than 10 s"
        if why_not:
            body = reports.rejected(name, terms, self.unique(), reason, why_not, now.wall_ns)
            self.mouth.tell(client.party.comp_id, "8", body, now)
            return
        passes = self._backend.takes_id(name) and not self.book.has(name)
        venue_id = name if passes else f"{self._id_stem}x{self.book.taken + 1}"
        tag = "" if self._guarding is None else self._guarding.tag_of(client.party.comp_id)
        called = structs.replace(terms, venue_id=venue_id, tag=tag)
        self._take(client, request, called, now, kind="D", by_ns=by_ns)
        self._tell(self.book.order(venue_id), "A", now)
        self.errands.append(Errand("D", venue_id, name, by_ns))

    def _wrong(self, terms: BridgedTerms) -> str:
        if terms.symbol not in self.symbols:
            return "no such Symbol(55)"
        post_only_rests = not terms.post_only or (terms.ord_type == LIMIT and terms.time_in_force == GOOD_TILL_CANCEL)
        if terms.side not in (BUY, SELL) or terms.ord_type not in (MARKET, LIMIT) or not post_only_rests:
            return "Side(54), OrdType(40) or ExecInst(18) is not served"
        if terms.time_in_force not in (GOOD_TILL_CANCEL, IMMEDIATE_OR_CANCEL, FILL_OR_KILL):
            return "TimeInForce(59) is not served"
        if terms.reduce_only and terms.symbol not in self._contracts:
            return "ExecInst(18)=E is for contracts"
        return self._unfit(terms)

    def _unfit(self, terms: BridgedTerms) -> str:
        """What is wrong with quantity and price, of a new order or of an amendment."""
        if terms.order_qty <= 0 or (terms.price is not None and terms.price <= 0):
            return NOT_ABOVE_0
        return self._backend.why_not(terms)

    def _take(
        self, client: Client, request: Request, terms: BridgedTerms, now: Instant, *, kind: str, by_ns: int = 0,
        orig: str = "",
    ) -> None:  # fmt: skip
        request_id = f"{self._id_stem}r{self.book.taken + 1}" if kind == "G" else ""
        self._record(
            Taken(
                client.party.comp_id, client.generation, request.msg_seq_num, kind, request.text(11), terms.venue_id,
                terms, by_ns, orig, request_id, now.wall_ns,
            )
        )  # fmt: skip

    def amend(self, client: Client, request: Request, wanted: BridgedTerms, why_not: str, now: Instant) -> None:
        """OrderCancelReplaceRequest(G). One at a time: the venue tells of the order, not of each request. Raises
        BadField."""
        order, by_ns = self._named(client, request), _last_moment(request, now)
        if self._is_used(client, request):
            self._refuse(client, request, order, DUPLICATE, USED, now)
            return
        if order is None or order.end:
            self._refuse(client, request, order, _why_gone(order), "no such order is open", now)
            return
        if not isinstance(self._backend, AmendingBackend):
            why_not = "the venue amends no order: cancel it, and place another"
        if not why_not and order.is_undecided:
            why_not = "the venue has not acknowledged the order yet"
        if not why_not and order.wishes:
            why_not = "another request about the order has no outcome yet"
        if not why_not and not now.wall_ns < by_ns <= now.wall_ns + LONGEST_LIFE_NS:
            why_not = "its last moment has passed, or is further off than 10 s"
        if not why_not and wanted.price is None:
            why_not = "an order without a price is not amended"
        if not why_not and (wanted.symbol, wanted.side) != (order.terms.symbol, order.terms.side):
            why_not = "Symbol(55) and Side(54) are not the order's"
        terms = structs.replace(order.terms, order_qty=wanted.order_qty, price=wanted.price)
        why_not = why_not or self._unfit(terms)
        if why_not:
            self._refuse(client, request, order, OTHER, why_not, now)
            return
        self._take(client, request, terms, now, kind="G", by_ns=by_ns, orig=order.cl_ord_id)
        self.errands.append(Errand("G", order.venue_id, request.text(11), by_ns))

    def cancel(self, client: Client, request: Request, now: Instant) -> None:
        """OrderCancelRequest(F). It is a wish: it is sent until the order is over. Raises BadField."""
        order = self._named(client, request)
        if self._is_used(client, request):
            self._refuse(client, request, order, DUPLICATE, USED, now)
            return
        if order is None or order.end:
            self._refuse(client, request, order, _why_gone(order), "no such order is open", now)
            return
        self._take(client, request, order.terms, now, kind="F", orig=order.cl_ord_id)
        self.errands.append(Errand("F", order.venue_id, request.text(11), 0))

    def cancel_all(self, client: Client, request: Request, now: Instant) -> None:
        """OrderMassCancelRequest(q): the client's own orders, of a symbol or all. Raises BadField."""
        kind, symbol = request.text(530), request.optional(55)
        is_served = ((kind == "1" and symbol in self.symbols) or kind == "7") and not self._is_used(client, request)
        orders = list(self.book.open_of(client.party.comp_id, symbol if kind == "1" else "")) if is_served else []
        for order in orders:
            self._take(client, request, order.terms, now, kind="F", orig=order.cl_ord_id)
            self.errands.append(Errand("F", order.venue_id, request.text(11), 0))
        where, response = (f"55={symbol}\x01" if symbol else ""), kind if is_served else "0"
        reason = "" if is_served else "532=0\x01"
        body = f"11={request.text(11)}\x0137={self.unique()}\x01530={kind}\x01531={response}\x01{reason}{where}"
        self.mouth.tell(client.party.comp_id, "r", f"{body}533={len(orders)}\x01".encode(), now)

    def sweep(self, now: Instant) -> None:
        """The kill switch: every order of every client is to be cancelled."""
        for order in list(self.book.open.values()):
            self._wish_away(order, KILLED, now)

    def give_up(self, client: str, now: Instant) -> None:
        """A client that asked for it is gone, or the bridge was: every order of his is to be cancelled."""
        for order in self.book.open_of(client):
            self._wish_away(order, DISCONNECTED, now)

    def _wish_away(self, order: BridgedOrder, name: str, now: Instant) -> None:
        if name not in order.wishes:
            self._record(
                Taken(order.client, 0, 0, "F", name, order.venue_id, order.terms, 0, order.cl_ord_id, "", now.wall_ns)
            )
        self.errands.append(Errand("F", order.venue_id, name, 0))

    def guard(self, client: str, *, wanted: bool) -> None:
        """The client's orders are to be cancelled when it is gone, or not any more."""
        self._record(Guarded(client, wanted))

    def owes_cancels(self, client: str) -> bool:
        """Whether orders of a client that was gone are still to be cancelled."""
        return any(DISCONNECTED in order.wishes for order in self.book.open_of(client))

    def status(self, client: Client, request: Request, now: Instant) -> None:
        """OrderStatusRequest(H), from the log. Raises BadField."""
        name = request.text(11)
        order, extra = self.book.named(client.party.comp_id, name), ""
        if request.has(790):
            extra = f"790={request.text(790)}\x01"
        if order is None:
            symbol, side = request.optional(55) or "[N/A]", request.optional(54) or "1"
            body = reports.unknown(name, symbol, side, self.unique(), extra, now.wall_ns)
        else:
            body = reports.status(order, self.unique(), now.wall_ns, extra)
        self.mouth.tell(client.party.comp_id, "8", body, now)

    def mass_status(self, client: Client, request: Request, now: Instant) -> None:
        """OrderMassStatusRequest(AF) for all orders that are not over. Raises BadField."""
        asked = request.text(584)
        orders = list(self.book.open_of(client.party.comp_id, request.optional(55)))
        for index, order in enumerate(orders, 1):
            last = "Y" if index == len(orders) else "N"
            extra = f"584={asked}\x01911={len(orders)}\x01912={last}\x01"
            body = reports.status(order, self.unique(), now.wall_ns, extra)
            self.mouth.tell(client.party.comp_id, "8", body, now)
        if not orders:
            extra = f"584={asked}\x01911=0\x01912=Y\x01"
            body = reports.unknown("NONE", "[N/A]", "1", self.unique(), extra, now.wall_ns)
            self.mouth.tell(client.party.comp_id, "8", body, now)

    def _named(self, client: Client, request: Request) -> BridgedOrder | None:
        """The order of a request by OrigClOrdID(41). A name of its own that was used before names no request again."""
        return self.book.named(client.party.comp_id, request.text(41))

    def _is_used(self, client: Client, request: Request) -> bool:
        """Whether its own name names an order or a request already: that would be known by it no more."""
        return self.book.named(client.party.comp_id, request.text(11)) is not None

    def _refuse(
        self, client: Client, request: Request, order: BridgedOrder | None, reason: int, text: str, now: Instant
    ) -> None:
        body = reports.cancel_rejected(request.text(11), request.text(41), order, request.msg_type, reason, text)
        self.mouth.tell(client.party.comp_id, "9", body, now)

    # ---- what becomes of them

    def never_left(self, errand: Errand, text: str, now: Instant) -> None:
        """No byte of the request has left, and none will."""
        order = self.book.order(errand.venue_id)
        if errand.kind == "D" and order.is_undecided:
            self._end(order, REJECTED, NEVER_LEFT, text, now)
        elif errand.kind == "G" and errand.cl_ord_id in order.wishes:
            self._come_to_nothing(order, order.wishes[errand.cl_ord_id], text, now)

    def withdraw(self, order: BridgedOrder, now: Instant) -> None:
        """The order is cancelled before a byte of it has left."""
        self._end(order, CANCELED, NEVER_LEFT, "cancelled before it left", now)

    def answered(self, errand: Errand, reply: Reply, now: Instant) -> None:
        """The venue's answer to a request; what it leaves open is asked about."""
        order = self.book.order(errand.venue_id)
        if errand.kind == "D" and reply.verdict is Verdict.DONE:
            self._acknowledge(order, reply.order_id, now)
        elif errand.kind == "D" and reply.verdict is Verdict.REFUSED and order.is_undecided:
            self._end(order, REJECTED, TOLD, f"{reply.code} {reply.text}", now)
        elif errand.kind == "G" and reply.verdict is Verdict.REFUSED and errand.cl_ord_id in order.wishes:
            self._come_to_nothing(order, order.wishes[errand.cl_ord_id], f"{reply.code} {reply.text}", now)
        for fact in reply.facts:
            self.learn(fact, now)
        if not order.end and (order.wishes or order.is_undecided or errand.kind == "F"):
            self.doubts[order.venue_id] = None

    def absent(self, order: BridgedOrder, now: Instant) -> None:
        """It was asked for after its last moment and the venue's processing, in orders and fills both, and is not
        there."""
        if order.is_undecided:
            self._end(order, REJECTED, NEVER_REACHED, "never reached the venue", now)

    def forgotten(self, order: BridgedOrder, now: Instant) -> None:
        """The venue had it, and has neither it nor a further fill of it any more: it was cancelled, long ago."""
        if order.is_open and order.venue_id not in self.untold:
            text = "cancelled: the venue tells neither of it nor of a further fill any more"
            self._end(order, CANCELED, FORGOTTEN, text, now)

    def learn(self, fact: Fact, now: Instant) -> None:
        """A fact of the venue, whoever told it, however often and in whatever order."""
        order = self.book.at_venue(fact.venue_id, getattr(fact, "order_id", ""))
        if order is None:
            if isinstance(fact, FillFact) and fact.side and fact.symbol in self.symbols:
                self._others_fills.setdefault((fact.symbol, fact.trade_id, fact.order_id), fact)
            return
        if isinstance(fact, FillFact):
            self._fill(order, fact, now)
        elif isinstance(fact, AmendFact):
            # Without a request of ours it was amended by hand or by the venue, and the order as it stands says how.
            wish = order.amendment
            if wish is None or wish.request_id != fact.request_id:
                return
            if fact.carried_out:
                self._amend(order, wish, now)
            else:
                self._come_to_nothing(order, wish, fact.text, now)
        else:
            self._see(order, fact, now)

    def tell_others_fills(self, since_ns: int, now: Instant) -> None:
        """Fills on the account of orders that no client here has placed (by hand, by the venue in a liquidation): they
        move the same position, and so the first client is told of those since then, by the venue's clock. While an
        order of ours in the symbol is undecided, a fill that bears no id of ours may be its."""
        if not self._others_fills:
            return
        undecided = {order.terms.symbol for order in self.book.open.values() if order.is_undecided}
        for place, fact in sorted(self._others_fills.items(), key=lambda each: each[1].stamp_ns):
            if fact.symbol in undecided or place in self._others_told:
                continue
            if self.book.at_venue(fact.venue_id, fact.order_id) is not None:
                self.learn(fact, now)
            elif fact.stamp_ns >= since_ns:
                self._others_told[place] = fact.stamp_ns
                self._tell_first(fact, now)
        self._others_fills = {place: f for place, f in self._others_fills.items() if f.symbol in undecided}
        self._others_told = {place: ns for place, ns in self._others_told.items() if ns >= since_ns}

    def _tell_first(self, fact: FillFact, now: Instant) -> None:
        first = self.mouth.first
        self.mouth.tell(first, "8", reports.others_fill(fact, strictly=self.mouth.tells_strictly(first)), now)

    def adopt(self, fact: OrderFact, now: Instant) -> None:
        """This log has just begun, and the order is open at the venue: one before it has placed it. Of its fills
        somebody has to be told."""
        is_ours = fact.symbol in self.symbols and self._backend.takes_id(fact.venue_id)
        if fact.side and fact.price is not None and is_ours:
            terms = BridgedTerms(fact.venue_id, fact.symbol, fact.side, LIMIT, fact.order_qty, fact.price)
            self._record(Adopted(self.mouth.first, fact.venue_id, terms, fact.order_id, now.wall_ns))
            self._tell(self.book.order(fact.venue_id), "D", now, extra="58=it was open when this log began\x01")
            self.learn(fact, now)

    def decide_amendment(self, order: BridgedOrder, fact: OrderFact, venue_ns: int, now: Instant) -> None:
        """The order was read after the last moment of its amendment, by the venue's clock: has it those terms?"""
        wish = order.amendment
        if wish is not None and not _has_terms(fact, wish.terms) and venue_ns > wish.by_ns:
            self._come_to_nothing(order, wish, "never reached the venue", now)

    def _see(self, order: BridgedOrder, fact: OrderFact, now: Instant) -> None:
        """The order as the venue tells it, perhaps as it was some time ago."""
        self._acknowledge(order, fact.order_id, now)
        self._see_terms(order, fact, now)
        if order.end:
            self._see_another(order, fact)
            return
        if fact.cum_qty > order.cum_qty:
            # A fill that is not told yet: it is asked for, and the end, if it is one, waits for it.
            self.doubts[order.venue_id] = None
            self.owing[order.venue_id] = max(fact.cum_qty, self.owing.get(order.venue_id, ZERO))
            if fact.ord_status in (FILLED, CANCELED):
                self.untold[order.venue_id] = fact
        elif fact.ord_status in (FILLED, CANCELED):
            # All that was filled is known. An amendment that asked for more has come too late for one that is filled.
            self._end(order, fact.ord_status, TOLD, "", now)

    def _see_terms(self, order: BridgedOrder, fact: OrderFact, now: Instant) -> None:
        """An amendment of ours was carried out, or the order has terms that nobody here has asked for: somebody has
        amended it by hand, or the venue has made one smaller that only reduces a position. What was so before something
        that was told already says nothing of either."""
        # A push may be more exact than the same over REST, which has milliseconds.
        told_ms, former_ms = fact.updated_ns // NS_PER_MS, order.told_ns // NS_PER_MS
        is_news, is_late = told_ms > former_ms, told_ms < former_ms
        order.told_ns = max(order.told_ns, fact.updated_ns)
        wish = order.amendment
        if wish is not None and not order.end and not is_late and _has_terms(fact, wish.terms):
            self._amend(order, wish, now)
            return
        is_open = fact.ord_status in (NEW, PARTIALLY_FILLED)
        grew = order.end == FILLED and is_open and fact.order_qty > order.terms.order_qty
        if (
            is_news and (grew or order.is_open) and fact.order_id == order.order_id and order.terms.ord_type == LIMIT
            and not _has_terms(fact, order.terms)
        ):  # fmt: skip
            wishes = list(order.wishes.values())
            self._record(Amended(order.venue_id, "", fact.order_qty, fact.price))
            self._tell(order, "D", now, extra="58=it has these terms at the venue, and nobody here asked for them\x01")
            self._too_late(order, wishes if order.end else [], now)

    def _see_another(self, order: BridgedOrder, fact: OrderFact) -> None:
        """Under the id of an order that is over the venue may have another: somebody has amended it by hand, where that
        puts another one in its place. It is none of ours, and somebody has to look."""
        is_open = fact.ord_status in (NEW, PARTIALLY_FILLED)
        if is_open and fact.order_id not in ("", order.order_id) and fact.order_id not in self._others:
            self._others.add(fact.order_id)
            text = f"{order.cl_ord_id} of {order.client} is over, and the venue has {fact.order_id} under its id"
            self.alarms.append(("another_order", text))

    def _acknowledge(self, order: BridgedOrder, order_id: str, now: Instant) -> None:
        if order.evidence == NEVER_REACHED:
            text = f"{order.cl_ord_id} of {order.client} was called never reached and is at the venue"
            self.alarms.append(("reopened", text))
            self._record(Reopened(order.venue_id, order_id))
            self._tell(order, "D", now, extra="58=it is at the venue after all\x01")
        elif order.is_undecided:
            self._record(Acknowledged(order.venue_id, order_id))
            self._tell(order, "0", now)

    def _fill(self, order: BridgedOrder, fact: FillFact, now: Instant) -> None:
        if fact.trade_id in order.fills:
            return
        self._acknowledge(order, fact.order_id, now)
        wishes = list(order.wishes.values())
        filled = Filled(
            order.venue_id, fact.trade_id, fact.px, fact.qty, fact.fee, fact.fee_asset, fact.maker, fact.stamp_ns
        )
        self._record(filled)
        body = reports.fill(order, filled, strictly=self.mouth.tells_strictly(order.client))
        self.mouth.tell(order.client, "8", body, now)
        if order.client != self.mouth.first:
            terms = order.terms
            told = fact._replace(
                venue_id=terms.venue_id, order_id=order.order_id, symbol=terms.symbol, side=terms.side
            )
            self._tell_first(told, now)
        if order.cum_qty >= self.owing.get(order.venue_id, ZERO):
            self.owing.pop(order.venue_id, None)
        untold = self.untold.get(order.venue_id)
        if not order.end and untold is not None and order.cum_qty >= untold.cum_qty:
            self._see(order, untold, now)
        if order.end:
            self.untold.pop(order.venue_id, None)
            self._too_late(order, wishes, now)

    def _amend(self, order: BridgedOrder, wish: Taken, now: Instant) -> None:
        wishes = [each for each in order.wishes.values() if each is not wish]
        self._record(Amended(order.venue_id, wish.cl_ord_id, wish.terms.order_qty, wish.terms.price))
        self._tell(order, "5", now, asked=wish)
        self._too_late(order, wishes if order.end else [], now)

    def _come_to_nothing(self, order: BridgedOrder, wish: Taken, text: str, now: Instant) -> None:
        wishes = [each for each in order.wishes.values() if each is not wish]
        self._record(Refused(order.venue_id, wish.cl_ord_id, text))
        if order.end:
            # It was filled, and only what this asked for might have been left of it.
            self._tell(order, "I", now)
            self._too_late(order, wishes, now)
        body = reports.cancel_rejected(wish.cl_ord_id, wish.orig_cl_ord_id, order, wish.kind, OTHER, text)
        self.mouth.tell(order.client, "9", body, now)

    def _end(self, order: BridgedOrder, ord_status: str, evidence: str, text: str, now: Instant) -> None:
        """The order is over. A cancel that asked for it is answered by that; all other wishes came too late."""
        wishes = list(order.wishes.values())
        self._record(Ended(order.venue_id, ord_status, evidence, text))
        self.untold.pop(order.venue_id, None)
        self.owing.pop(order.venue_id, None)
        asked = next((wish for wish in wishes if _answers(wish, ord_status)), None)
        extra = f"58={text}\x01" if text else ""
        extra += f"103={OTHER}\x01" if ord_status == REJECTED else ""
        self._tell(order, "I" if ord_status == FILLED else ord_status, now, asked=asked, extra=extra)
        self._too_late(order, [wish for wish in wishes if wish is not asked], now)

    def _too_late(self, order: BridgedOrder, wishes: list[Taken], now: Instant) -> None:
        """The order was over before these had an effect."""
        for wish in (each for each in wishes if each.cl_ord_id not in OWN_WISHES):
            body = reports.cancel_rejected(
                wish.cl_ord_id, wish.orig_cl_ord_id, order, wish.kind, TOO_LATE, "the order is over"
            )
            self.mouth.tell(order.client, "9", body, now)


def _has_terms(fact: OrderFact, terms: BridgedTerms) -> bool:
    """Whether the venue tells the order with this quantity and price."""
    return (fact.order_qty, fact.price) == (terms.order_qty, terms.price)


def _answers(wish: Taken, ord_status: str) -> bool:
    """Whether the end of an order is what a client's cancel asked for."""
    return wish.kind == "F" and ord_status == CANCELED and wish.cl_ord_id not in OWN_WISHES


def _why_gone(order: BridgedOrder | None) -> int:
    """CxlRejReason(102) of a request about an order that is not open."""
    return UNKNOWN_ORDER if order is None else TOO_LATE


def terms_of(request: Request) -> BridgedTerms:
    """What a D or G asks for. Raises BadField."""
    ord_type = request.text(40)
    price: Decimal | None = None if ord_type == MARKET else request.decimal(44)
    time_in_force = request.optional(59) or "0"
    instructions = set(request.optional(18).split())
    if not instructions <= {POST_ONLY, REDUCE_ONLY}:
        raise BadField(OUT_OF_RANGE, 18, "only ExecInst(18)=6 and E are served")
    return BridgedTerms(
        "", request.text(55), request.text(54), ord_type, request.decimal(38), price,
        # A day of a venue that never closes has no end: Day(0) rests like GoodTillCancel(1).
        "1" if time_in_force == "0" else time_in_force, POST_ONLY in instructions,
        reduce_only=REDUCE_ONLY in instructions,
    )  # fmt: skip


def _last_moment(request: Request, now: Instant) -> int:
    """ValidUntilTime(62) by our wall clock."""
    return request.time_ns(62) if request.has(62) else now.wall_ns + DEFAULT_LIFE_NS
