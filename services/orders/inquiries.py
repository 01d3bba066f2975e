"""What must be asked of a venue, and when: reconciliation after a logon, and orders that nobody has heard of since.

Theory of operation. A *round* begins when a session has caught up (TestRequest(1) answered on a new connection). It
holds every order then open at the venue; each leaves the round when an answer about it, or a failure, was journaled.
At a venue with OrderStatusRequest(H) every order is asked for over the ring; elsewhere REST is asked in bulk first
(open orders and new trades of each symbol), and one by one only for what the bulk did not settle. When the round is
empty the gate may open.

Beside the rounds, a *doubt* is an order that is unknown, whose fills the ledger misses or has by a person's word alone,
of which a report could not be read, or which the venue claims not to know: it is asked about again and again, from
FIRST_NS to SLOWEST_NS apart, until it is settled by evidence. So are the trades of a symbol whose gap a round has not
closed, since a question failed. Trades are asked for over REST wherever there is one: no status request tells them.

This module decides what to ask; the core sends it. Nothing here changes the books.
"""

import enum
from collections.abc import Callable

import msgspec

from common.instant import NS_PER_MS, NS_PER_S
from common.messages import Answer, Ask, Attempt
from common.orders.books import TRADES_PAGE, Books, OrderName
from common.orders.leg import Leg
from common.orders.order_state import Order
from common.orders.telling import is_number, newest_ns
from services.orders.settings import VenueWays

FIRST_NS = 500 * NS_PER_MS
SLOWEST_NS = 5 * NS_PER_S
BY_HAND_NS = 30 * NS_PER_S
"""Between two questions at last where a person has booked what is missing: only its price and its fee are to come."""

GATE_REPEAT_NS = 200 * NS_PER_MS
ANSWER_NS = 3 * NS_PER_S
"""A question is asked again when it, and all of its kind, have had no answer for so long: its link loses what a dead
peer held. While others of its kind are answered it waits its turn: to ask again would only lengthen the queue.
"""

NOT_TAKEN_NS = 200 * NS_PER_MS
"""A question that did not leave this process, since the account is not there or its link is full, is asked again."""

REFUSED_NS = 500 * NS_PER_MS
"""So is a query that did not reach the venue, most often since the session's rate is used up: each refusal is a record,
and each attempt counts in the rate that is to become free.
"""

QUERIES_UNDER_WAY = 64
ASKS_UNDER_WAY = 8
"""Questions to one account at a time; they share its rate with the cancels."""


class Lack(enum.Enum):
    """What is not known of an order that its venue may tell; the value is the sentence shown to people."""

    NOTHING = "all is known"
    FEE = "the fee of a fill, and nothing else"
    MORE = "its state, its fills or their prices"


class Doubt(msgspec.Struct, gc=False):
    """How often an order, or a gap, was asked about, and when it is asked about again."""

    due_ns: int
    wait_ns: int
    times: int = 0

    def asked(self, boot_ns: int, slowest_ns: int = SLOWEST_NS) -> None:
        """It is asked about now: the next time after the wait, and then after a longer one."""
        self.times += 1
        self.due_ns = boot_ns + self.wait_ns
        self.wait_ns = min(2 * self.wait_ns, slowest_ns)


class _Question(msgspec.Struct, gc=False):
    """One question under way: an ask by its number, or a query by its attempt."""

    asked_boot_ns: int
    what: str
    symbol: str
    orders: tuple[OrderName, ...]
    ids: tuple[str, str] = ("", "")
    taken: bool = True

    @property
    def by_id(self) -> bool:
        """Whether it is about one order."""
        return self.ids != ("", "")


def _query_patience_ns(query: _Question) -> int:
    """Until when a query's answer is awaited, or, where it was refused, the next one waits."""
    return query.asked_boot_ns + (ANSWER_NS if query.taken else REFUSED_NS)


class AccountInquiries:
    """One account's rounds and doubts. `step` sends what is due through the two functions given."""

    def __init__(
        self,
        account: str,
        ways: VenueWays,
        books: Books,
        ask: Callable[[Ask], None],
        query: Callable[[Order], Attempt],
        first_number: int,
    ) -> None:
        """`ask` sends an Ask to the account; `query` sends a QueryOrder down the ring and returns its attempt.

        Asks are numbered from `first_number` on, above any number of a former life.
        """
        self.account = account
        self._venue = books.known.venue_of(account)
        self._ways = ways
        self._books = books
        self._send_ask = ask
        self._send_query = query
        self._number = self._since = first_number
        self._doubts: dict[OrderName, Doubt] = {}
        self._gaps: dict[str, Doubt] = {}
        self._asks: dict[int, _Question] = {}
        self._queries: dict[Attempt, _Question] = {}
        self._round: dict[OrderName, None] = {}
        self._stale: dict[OrderName, None] = {}
        self._answered: set[bool] = set()
        self._heard_boot_ns = {False: 0, True: 0}
        self._bulk: list[tuple[str, str]] = []
        self._told_upto_ns: dict[str, int] = {}
        """Up to when a symbol's trades were told, while there are more of them."""

        self.connections: dict[str, int] = {}
        self._gates_wanted: set[str] = set()
        self.round_is_on = False

    # ---- what begins and ends ----

    def caught_up(self, session: str, connection: int) -> None:
        """A new connection of a session is up: everything open must be heard of before its gate may open."""
        self.connections[session] = connection
        self._gates_wanted.add(session)
        self._asks.clear()
        self._queries.clear()
        self.audit()

    def audit(self) -> None:
        """Begin a round: whatever is open is asked about, whether or not a gate waits for it.

        Where FIX is asked and nobody is logged on, the next logon begins it.
        """
        if self._ways.has_query and not self._books.is_logged_on(self.account):
            return
        self.round_is_on = True
        self._since = self._number
        self._gaps.clear()
        self._told_upto_ns.clear()
        names = [order.name for order in self._books.open_orders(self.account)]
        self._round = dict.fromkeys(names) if self._ways.has_query or self._ways.has_rest else {}
        self._bulk = []
        if self._ways.has_rest:
            self._bulk = [(what, symbol) for symbol in self._symbols() for what in ("open_orders", "trades")]

    def connection_ended(self, session: str) -> None:
        """A session's connection has ended, and what was asked over it may have no answer. The round is void with the
        account's last connection; the doubts stay."""
        self._gates_wanted.discard(session)
        self._queries.clear()
        if self._books.is_logged_on(self.account):
            return
        self.round_is_on = False
        self._round.clear()
        self._bulk.clear()
        self._told_upto_ns.clear()
        self._gaps.clear()

    def watch_gaps(self, boot_ns: int) -> None:
        """No round is on: ask for the trades of what has a gap until it is told."""
        gaps = self._books.account(self.account).gaps if self._ways.has_rest else {}
        self._gaps = {symbol: Doubt(boot_ns + FIRST_NS, FIRST_NS) for symbol in self._symbols() if symbol in gaps}

    def _symbols(self) -> list[str]:
        """Those of the configuration, and whatever else is open or owned at the venue."""
        held = [h.symbol for h in self._books.holdings() if h.account == self.account and not h.is_empty]
        return list(dict.fromkeys((*self._ways.symbols, *held)))

    def opened(self, session: str) -> None:
        """The session has journaled that its gate is open."""
        self._gates_wanted.discard(session)

    def needs_asking(self, order: Order) -> bool:
        """Whether something about the order is not known that this venue may tell."""
        return self._lack(order) is not Lack.NOTHING

    def _lack(self, order: Order) -> Lack:
        """What is not known of the order that this venue may tell."""
        if self._books.needs_asking(order, for_trades=self._ways.has_rest):
            return Lack.MORE
        return Lack.FEE if self._books.lacks_fee(order) else Lack.NOTHING

    def _misses_trades(self, order: Order, leg: Leg) -> bool:
        """Whether the venue's trades of the leg are to be asked for: it misses some, or their price or fee, or has them
        by a person's word alone."""
        if leg.told_cum_qty > leg.cum_qty or self._books.leg_lacks_fee(order, leg):
            return True
        ledger = self._books.ledger
        return bool(ledger.unpriced_qty(leg.owner)) or ledger.is_by_hand(leg.owner)

    def doubt(self, order: Order, boot_ns: int) -> None:
        """Ask about this order until it is settled."""
        if order.name not in self._doubts and (self._ways.has_query or self._ways.has_rest):
            self._doubts[order.name] = Doubt(boot_ns, FIRST_NS)

    def told(self, order: Order, settled: bool) -> None:
        """A journaled answer about the order counted, or came too late to."""
        if settled:
            self._round.pop(order.name, None)
        else:
            self._stale[order.name] = None
        self._queries = {a: question for a, question in self._queries.items() if order.name not in question.orders}

    def settled(self, name: OrderName) -> None:
        """Nothing more is to be asked about the order."""
        self._doubts.pop(name, None)
        self._round.pop(name, None)

    def query_failed(self, attempt: Attempt, *, for_good: bool) -> None:
        """A query went no further; it is sent again after REFUSED_NS, unless the venue itself rejected it."""
        question = self._queries.get(attempt)
        if question is None:
            return
        question.taken = False
        if for_good:
            del self._queries[attempt]
            for name in question.orders:
                self._round.pop(name, None)

    def answered(self, answer: Answer) -> None:
        """A journaled answer of the account. An individual failure, or "not found", lets the order out of the round."""
        question = self._asks.pop(answer.ask.number, None) or self._asked_again(answer.ask)
        if question is None:
            return
        # The account answers those about one order, and those in bulk, each in the order of their numbers. One that was
        # asked again keeps its place there: those before it are asked again too, and keep theirs.
        for number in [n for n, q in self._asks.items() if q.by_id == question.by_id and n < answer.ask.number]:
            self._lose(number)
        self._answered.add(question.by_id)
        if question.what == "order":
            for name in question.orders:
                if name not in self._stale:
                    self._round.pop(name, None)
        self._stale.clear()
        if question.what != "trades":
            return
        if len(answer.trades) >= TRADES_PAGE:
            self._ask_on(answer)
        else:
            self._told_upto_ns.pop(question.symbol, None)

    def _ask_on(self, answer: Answer) -> None:
        """There is another page: where the names of trades have no order, from the time of the newest of this one on.
        Where that is no later than what was asked for, nothing is gained by it, and the gap stays."""
        symbol, upto_ns = answer.ask.symbol, newest_ns(answer.trades)
        if not is_number(answer.trades[-1].trade_key):
            if upto_ns <= answer.ask.since_ns:
                return
            self._told_upto_ns[symbol] = upto_ns
        self._bulk.append(("trades", symbol))

    def _asked_again(self, ask: Ask) -> _Question | None:
        """The question that took the place of this one, which is answered late: who needs longer than he is waited for
        would otherwise answer for ever what nobody asks any more.
        """
        if ask.number <= self._since:
            return None
        wanted = (ask.what, ask.symbol, (ask.cl_ord_id, ask.order_id))
        same = (number for number, q in self._asks.items() if (q.what, q.symbol, q.ids) == wanted)
        return self._asks.pop(next(same, 0), None)

    def ask_not_taken(self, number: int) -> None:
        """The account's link did not take the question."""
        question = self._asks.get(number)
        if question is not None:
            question.taken = False

    @property
    def gates_may_open(self) -> bool:
        """Whether a gate waits and nothing is left to be heard of."""
        return bool(self._gates_wanted) and not self.round_is_on

    def doubts(self) -> int:
        """How many orders are in doubt."""
        return len(self._doubts)

    def doubted(self) -> list[tuple[Order, Doubt]]:
        """The orders in doubt, those that are asked about next first."""
        found = [(order, doubt) for name, doubt in self._doubts.items() if (order := self._books.orders.get(name))]
        return sorted(found, key=lambda each: each[1].due_ns)

    # ---- what is sent ----

    def step(self, boot_ns: int, *, logged_on: bool) -> None:
        """Send what is due, within the bounds."""
        if self.round_is_on and not (self._bulk or self._round or self._bulk_under_way()):
            self.round_is_on = False
            self.watch_gaps(boot_ns)
        if not (self._bulk or self._round or self._doubts or self._gaps or self._asks or self._queries):
            return
        for by_id in self._answered:
            self._heard_boot_ns[by_id] = boot_ns
        self._answered.clear()
        self._forget_unanswered(boot_ns)
        if not self.round_is_on:
            self._bulk += [(what, symbol) for symbol in self._due_gaps(boot_ns) for what in ("open_orders", "trades")]
        while self._bulk and len(self._asks) < ASKS_UNDER_WAY:
            what, symbol = self._bulk.pop(0)
            self._ask_symbol(what, symbol, boot_ns)
        if self._bulk or self._bulk_under_way():
            return
        under_way = {name for question in (*self._asks.values(), *self._queries.values()) for name in question.orders}
        # A round has every open order: what is in doubt beside it waits for its end.
        for name in list(self._round) or self._due(boot_ns):
            order = self._books.orders.get(name)
            if order is None or order.is_closed and not self.needs_asking(order):
                self.settled(name)
                continue
            if name not in under_way and not self._ask_about(order, boot_ns, logged_on=logged_on):
                # It stays due, and its turn comes before that of those who were asked about now.
                break
            doubt = self._doubts.get(name)
            if doubt is not None and doubt.due_ns <= boot_ns:
                doubt.asked(boot_ns, SLOWEST_NS if self._books.needs_asking(order) else BY_HAND_NS)

    def next_ns(self) -> int | None:
        """When `step` has something to do, in boot time; 0 for as soon as may be, while a round is on."""
        if self.round_is_on and not self._bulk_under_way():
            return 0
        if not self._doubts and not self._gaps and not self._asks and not self._queries:
            return None
        times = [doubt.due_ns for doubt in (*self._doubts.values(), *self._gaps.values())]
        times += [self._patience_ns(question) for question in self._asks.values()]
        times += [_query_patience_ns(question) for question in self._queries.values()]
        return min(times, default=None)

    def _due(self, boot_ns: int) -> list[OrderName]:
        """The orders in doubt whose time has come, those who have waited longest first."""
        due = [(doubt.due_ns, name) for name, doubt in self._doubts.items() if doubt.due_ns <= boot_ns]
        return [name for _, name in sorted(due)]

    def _due_gaps(self, boot_ns: int) -> list[str]:
        """The symbols whose gap is open and due, and whose trades are not being asked for."""
        symbols: list[str] = []
        gaps = self._books.account(self.account).gaps if self._gaps else {}
        for symbol, doubt in list(self._gaps.items()):
            if symbol not in gaps:
                del self._gaps[symbol]
            elif doubt.due_ns <= boot_ns:
                doubt.asked(boot_ns)
                if not self._asks_trades(symbol) and ("trades", symbol) not in self._bulk:
                    symbols.append(symbol)
        return symbols

    def _forget_unanswered(self, boot_ns: int) -> None:
        for number, question in list(self._asks.items()):
            if boot_ns >= self._patience_ns(question):
                self._lose(number)
        self._queries = {a: q for a, q in self._queries.items() if boot_ns < _query_patience_ns(q)}

    def _patience_ns(self, question: _Question) -> int:
        """Until when its answer is awaited."""
        if not question.taken:
            return question.asked_boot_ns + NOT_TAKEN_NS
        return max(question.asked_boot_ns, self._heard_boot_ns[question.by_id]) + ANSWER_NS

    def _lose(self, number: int) -> None:
        """The question will not be answered; one of the round's bulk is asked again."""
        question = self._asks.pop(number)
        if question.what != "order" and not question.orders and self.round_is_on:
            self._bulk.append((question.what, question.symbol))

    def _bulk_under_way(self) -> bool:
        return self.round_is_on and any(q.what != "order" and not q.orders for q in self._asks.values())

    def _ask_about(self, order: Order, boot_ns: int, *, logged_on: bool) -> bool:
        """One order's questions. False when no more may be under way."""
        name, ways = order.name, self._ways
        queries = ways.has_query and logged_on
        is_full = queries and len(self._queries) >= QUERIES_UNDER_WAY
        if is_full or (ways.has_rest and len(self._asks) >= ASKS_UNDER_WAY):
            return False
        # Over FIX absence is no proof where a request may outlive its connection: in doubt REST is asked, too.
        by_rest = ways.has_rest and (not ways.has_query or name in self._doubts)
        if name not in self._round and self._lack(order) is Lack.FEE:
            queries = by_rest = False
        is_unknown = order.is_unknown or order.lingers_unknown
        if by_rest and is_unknown and name not in self._round and not self._asks_trades(order.symbol):
            # Absence is known only when the symbol's trades were told too; a round has just asked for them in bulk.
            self._ask_symbol("trades", order.symbol, boot_ns, (name,))
            self._ask_whose(order.symbol, boot_ns)
        for leg in order.legs if ways.has_rest else ():
            if leg.order_id and self._misses_trades(order, leg):
                self._ask(Ask(self._venue, 0, "trades", order.symbol, order_id=leg.order_id), boot_ns, (name,))
        if queries:
            self._queries[self._send_query(order)] = _Question(boot_ns, "query", order.symbol, (name,))
        for leg in order.legs if by_rest else ():
            if leg.is_open or order.in_doubt or order.lingers_unknown:
                # Where a name finds an order only while it is open, it is looked for among those that have ended since.
                ask = Ask(self._venue, 0, "order", order.symbol, leg.cl_ord_id, leg.order_id, since_ns=order.sent_ns)
                self._ask(ask, boot_ns, (name,))
        return True

    def _ask_whose(self, symbol: str, boot_ns: int) -> None:
        """Fills of an order that nobody has named hold back every proof of absence: ask for its name, each in turn."""
        strangers = self._books.strangers(self.account, symbol)
        if strangers:
            order_id = strangers[self._number % len(strangers)]
            self._ask(Ask(self._venue, 0, "order", symbol, order_id=order_id), boot_ns, ())

    def _asks_trades(self, symbol: str) -> bool:
        """Whether the symbol's trades are being asked for: one question serves all its orders."""
        return any(q.what == "trades" and q.symbol == symbol and not q.by_id for q in self._asks.values())

    def _ask_symbol(self, what: str, symbol: str, boot_ns: int, orders: tuple[OrderName, ...] = ()) -> None:
        """A question about a whole symbol. Trades are asked for from the last known one, never the account's
        history."""
        account = self._books.account(self.account)
        last = account.gaps.get(symbol, account.last_trade_keys.get(symbol, ""))
        since_ns = self._since_ns(symbol) if what == "trades" and not last else 0
        # For an order in doubt they are asked for from its beginning.
        since_ns = max(since_ns, 0 if orders else self._told_upto_ns.get(symbol, 0)) if since_ns else 0
        if what == "trades" and not last and not since_ns:
            return
        # The last one again: where two orders of ours met in one trade, only one half of it may have been told.
        from_key = last if what == "trades" else ""
        self._ask(Ask(self._venue, 0, what, symbol, from_trade_key=from_key, since_ns=since_ns), boot_ns, orders)

    def _since_ns(self, symbol: str) -> int:
        """From when on there may be trades, where none is known: since an order was sent, or the last word was heard
        of a venue that we lost. 0 for neither.
        """
        sent = [order.sent_ns for order in self._books.open_orders(self.account) if order.symbol == symbol]
        lost_ns = self._books.account(self.account).gaps_since_ns.get(symbol, 0)
        return min([*sent, lost_ns] if lost_ns else sent, default=0)

    def _ask(self, ask: Ask, boot_ns: int, orders: tuple[OrderName, ...]) -> None:
        self._number += 1
        numbered = msgspec.structs.replace(ask, number=self._number, asked_lsn=self._books.lsn)
        self._asks[self._number] = _Question(boot_ns, ask.what, ask.symbol, orders, (ask.cl_ord_id, ask.order_id))
        self._send_ask(numbered)
