"""The folded state of the order manager: orders by every name they have, fills, positions, sessions, and its digest.

Closed orders stay for a while, since repeats and late reports come late; then they leave memory, oldest first. One that
still counts at worst (`common.orders.worst`), since fills of it are to come or an amendment may be carried out, stays.
"""

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import partial
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from common.instant import NS_PER_S
from common.left_out import LeftOut
from common.messages import (
    MAX_TIME_TO_LIVE_NS,
    SIDE_BUY,
    SIDE_SELL,
    AssetRates,
    Booked,
    CancelAll,
    DayBegan,
    DayPrice,
    ExecutionReport,
    Reason,
    RestOrder,
    SessionState,
    is_lost_number,
    lost_number,
)
from common.orders.absence import DOWN
from common.orders.belief import order_of
from common.orders.facts import Holding, KnownVenues, VenueFacts
from common.orders.fills import FillChange
from common.orders.forgotten import Forgotten, ForgottenOrder
from common.orders.ledger import MAX_RETIRED_FILLS, FillLedger
from common.orders.leg import Leg
from common.orders.names import REMEMBERED_COMMANDS, Names, Remembered
from common.orders.numbers import ZERO
from common.orders.order_state import Order
from common.orders.positions import Position, copy_of
from common.orders.words import FILLS
from common.orders.worst import NOTHING, at_worst

CLOSED_ORDERS: Final = 4096

EXTERNAL_ORDERS = 1024
"""Orders of somebody else on our account that are remembered, and fills of orders that nobody has named yet."""

RATES_OLD_NS: Final = 150 * NS_PER_S
"""Rates that were told longer ago are not those of now; who tells them does it well within this."""

ENDED_ORDERS: Final = 4096
"""Orders out of memory, ours and others, of which it is known since when they are over: so many may end while an answer
of REST is under way."""

TRADES_PAGE = 1000
"""Trades in one answer of REST at most; a full one is followed by another question."""

LOGGED_ON = frozenset({SessionState.LOGGED_ON, SessionState.CAUGHT_UP, SessionState.OPENED})
"""A session's states in which cancels may be sent."""

OrderName = tuple[str, int]
Place = tuple[str, str]
"""Account and symbol."""

Share = tuple[str, str, str]
"""Whose part of which position: strategy, account and symbol."""


class Bounds(NamedTuple):
    """How much stays in memory of what is over: closed orders and outcomes of commands over all strategies, and trades
    of orders that left memory or were nobody's. The rest is looked up."""

    closed_orders: int = CLOSED_ORDERS
    remembered: int = REMEMBERED_COMMANDS
    retired_fills: int = MAX_RETIRED_FILLS


BOUNDS: Final = Bounds()


class Move(NamedTuple):
    """One change of a strategy's part of a position ("" is nobody's), and the order that it is of; number 0 is none."""

    strategy: str
    number: int
    change: FillChange


NOBODY: Final[OrderName] = ("", 0)

CLOCKS_KEPT: Final = 8
"""Answers about trades whose clock is kept: as many may come while another question is under way."""


class TradesAsked(msgspec.Struct, gc=False):
    """The last time that all trades of a symbol were told from the last known one on.

    `clocks` are the answers' records and the venue's clock then, of the last CLOCKS_KEPT answers, the newest last.
    """

    asked_lsn: int = 0
    venue_ns: int = 0
    strangers: int = 0
    clocks: list[tuple[int, int]] = []

    def venue_ns_by(self, lsn: int) -> int:
        """The latest time of the venue's clock that was told by this record; 0 where none was."""
        return max((venue_ns for told_lsn, venue_ns in self.clocks if told_lsn <= lsn), default=0)


class Baseline(msgspec.Struct, frozen=True, gc=False):
    """What an account held before anything that the log knows of moved it: told by the venue, with our own fills of
    before beside it, so that later balances can be compared with later fills.

    It is the first answer that came while no order of ours was open there, as of `lsn` and `stamp_ns`. `balances` are
    free and locked together, by asset; `positions` are as they stood.
    """

    lsn: int
    stamp_ns: int
    balances: tuple[tuple[str, Decimal], ...]
    positions: tuple[Position, ...]


class Day(msgspec.Struct, frozen=True, gc=False):
    """The day that the log last told of, and what was held when it began, by strategy ("" is nobody's)."""

    day: str = ""
    zone: str = ""
    began_ns: int = 0
    lsn: int = 0
    prices: tuple[DayPrice, ...] = ()
    parts: tuple[tuple[str, Position], ...] = ()


class Converting(msgspec.Struct, frozen=True, gc=False):
    """What the log last told assets to be worth in a currency."""

    currency: str = ""
    told_ns: int = 0
    rates: dict[str, Decimal] = {}

    def is_told(self, stamp_ns: int) -> bool:
        """Whether that is recent enough at this stamp to convert what is paid now."""
        return stamp_ns - self.told_ns <= RATES_OLD_NS if self.told_ns else False


class AccountBooks(msgspec.Struct, gc=False):
    """What the log says of one account's fills, and what the account last told over REST.

    `gaps` holds, for each symbol whose fills may have been missed while a session was away, the last trade identity
    from before ("" for none): a fill told on a new connection has a higher one, and proves nothing of those between.
    `gaps_since_ns` says since when, by the venue's clock: SendingTime(52) of the last message of the connection that
    was lost, or before the one that could not be read; `gaps_lsn` is the record that last opened one. `missed_lsn` is
    the last record that says that something was missed while logged on, of whatever order. `listed` is for each symbol
    the record as of which its open orders were asked for and told.
    """

    account: str
    last_trade_keys: dict[str, str] = {}
    gaps: dict[str, str] = {}
    trades_asked: dict[str, TradesAsked] = {}
    balances: tuple[tuple[str, Decimal, Decimal], ...] = ()
    balances_lsn: int = 0
    baseline: Baseline | None = None
    gaps_since_ns: dict[str, int] = {}
    gaps_lsn: int = 0
    missed_lsn: int = 0
    listed: dict[str, int] = {}


class SessionBooks(msgspec.Struct, gc=False):
    """What the log says of one session: its connection, its numbers and its gate. `up_connection` is the last one that
    the venue let log on, at `up_lsn`.

    `last_outbound` and `last_inbound` are the highest MsgSeqNum(34) of the generation that the log holds, `heard_raw`
    is the last message that the venue sent.
    """

    session: str
    account: str
    connection: int = 0
    generation: int = 0
    state: SessionState = SessionState.DISCONNECTED
    opened_connection: int = 0
    latched: bool = False
    down_lsn: int = 0
    down_ns: int = 0
    up_lsn: int = 0
    sender_comp_id: str = ""
    last_outbound: int = 0
    last_inbound: int = 0
    heard_raw: bytes = b""
    up_connection: int = 0

    @property
    def logged_on(self) -> bool:
        """Whether cancels may be sent."""
        return self.state in LOGGED_ON


class External(msgspec.Struct, gc=False):
    """An order on our account that is not ours, as it was at `lsn`: of an answer, when that was asked for. `venue` is
    the account's name, as older snapshots have it.
    """

    venue: str
    order: RestOrder
    lsn: int


class Ended(msgspec.Struct, array_like=True, frozen=True):
    """An order on our account that is not in memory, somebody else's or one of ours that left it, and was over by
    `lsn`; `names` are ClOrdIDs(11) of it."""

    account: str
    symbol: str
    order_id: str
    names: tuple[str, ...]
    lsn: int


class Leaving:
    """Who keeps what leaves the books' memory and may be asked for by name later; this one keeps nothing."""

    def order_left(self, books: "Books", order: Order) -> None:
        """A closed order leaves memory."""

    def command_left(self, books: "Books", name: OrderName, remembered: Remembered) -> None:
        """What became of a command leaves memory."""


class Books:
    """The registry under the fold. `common.orders.fold` applies records to it; nothing else changes it."""

    def __init__(
        self,
        accounts: Mapping[str, VenueFacts],
        *,
        bounds: Bounds = BOUNDS,
        left_out: LeftOut | None = None,
        memory: Forgotten | None = None,
        leaving: Leaving | None = None,
    ) -> None:
        """`accounts`: the configured ones, each with its venue's facts. What the log tells of a venue, configured or
        not, goes before.

        What has no room within the `bounds` of memory goes into `memory`, and is looked up there; without one into
        memory again, for as long as the process lives. `leaving` is told of each order and command that leaves.
        `left_out` says which records to leave out.
        """
        self._leaving = leaving or Leaving()
        self._memory: Forgotten = Forgotten() if memory is None else memory
        self.left_out = LeftOut() if left_out is None else left_out
        self.known = KnownVenues(accounts)
        self.orders: dict[OrderName, Order] = {}
        self.by_id: dict[str, Order] = {}
        self.by_order_id: dict[tuple[str, str, str], Order] = {}
        self.open: defaultdict[str, dict[OrderName, Order]] = defaultdict(dict)
        """The open orders by account."""
        self._open_of: defaultdict[str, dict[int, Order]] = defaultdict(dict)
        self.closed: OrderedDict[OrderName, None] = OrderedDict()
        self.unsettled: dict[OrderName, None] = {}
        """Closed orders of which something is still to come."""
        self.ledger = FillLedger(bounds.retired_fills, self.known.base_of, self._memory)
        self.positions: dict[tuple[str, str], Position] = {}
        self.own: dict[Share, Position] = {}
        """The part of a position that is a strategy's, by strategy, account and symbol; of "" is what is nobody's.

        Added up over the strategies they are the account's position in quantity, cash, fees and number of fills.
        """
        self.names = Names(bounds.remembered, partial(self._leaving.command_left, self))
        self.bounds = bounds
        self.accounts: dict[str, AccountBooks] = {}
        self.sessions: dict[str, SessionBooks] = {}
        self.externals: dict[tuple[str, str, str], External] = {}
        self.ended: dict[tuple[str, str, str], Ended] = {}
        """Orders that are over and not in memory: what is told of them late opens none again."""
        self.unclaimed: dict[tuple[str, str, str], list[str]] = {}
        self.nobodys: dict[tuple[str, str, str], list[str]] = {}
        """The fills of the latest orders on our accounts that are none of ours, by what they are filled under."""
        self.cancel_alls: list[tuple[int, CancelAll]] = []
        self.day = Day()
        self.rates = Converting()
        self.discrepancies = 0
        self.lsn = 0
        self.stamp_ns = 0
        self.epoch = 0
        self.epoch_ns = 0
        self.highest_attempt = (0, 0)
        self.changed: dict[OrderName, Order] = {}
        """The orders that the last record has changed: for who counts them."""
        self.changed_shares: dict[Share, None] = {}
        """Likewise the parts of positions."""
        self.moves: list[Move] = []
        """What the last record moved, part by part: added up they are the positions."""
        self.changed_externals: dict[tuple[str, str, str], None] = {}
        """Likewise those of somebody else."""
        self._dirty: dict[OrderName, None] = {}
        """Orders whose part of the digest is another one: those that are open, and those that were when it was taken
        last. Who never takes it keeps no other, since of what is over it has nothing."""
        self._dirty_shares: dict[Share, None] = {}
        self._hashes: dict[object, int] = {}
        self._digest = 0

    # ---- orders ----

    def add_order(self, order: Order) -> None:
        """A new order, open."""
        self.by_id[order.legs[0].cl_ord_id] = order
        self.orders[order.name] = self.changed[order.name] = order
        self._put_open(order.name, order)
        self._dirty[order.name] = None

    def take_order(self, order: Order) -> None:
        """An order as it was in a snapshot, under every name that it has."""
        if order.ending is not None:
            # Older snapshots know the end of the order alone.
            for leg in order.legs:
                if leg.is_open:
                    leg.conclude()
        self.orders[order.name] = order
        for cl_ord_id in order.ids:
            self.by_id[cl_ord_id] = order
        for leg in order.legs:
            for order_id in (leg.order_id, *leg.former_order_ids) if leg.order_id else ():
                self._bears((order.account, order.symbol, order_id), order)
        if order.is_closed:
            self._put_closed(order.name, order)
        else:
            self._dirty[order.name] = None
            self._put_open(order.name, order)

    def name_id(self, order: Order, cl_ord_id: str) -> None:
        """One more ClOrdID(11), a new one, is about this order."""
        order.ids.append(cl_ord_id)
        self.by_id[cl_ord_id] = order

    def touched(self, order: Order, lsn: int, *, is_news: bool = True) -> None:
        """The order changed: keep its place among the open and the closed right.

        What is no news of it, a cancel on its way or in vain, does not make an answer stale that was asked for before:
        cancels insist, and one that is slower to come than the next cancel would never count.
        """
        name = order.name
        if is_news:
            order.touched_lsn = lsn
        self.changed[name] = order
        is_open = self.open[order.account]
        if not order.is_closed:
            self._dirty[name] = None
            if name not in is_open:
                self._put_open(name, order)
                self.closed.pop(name, None)
                self.unsettled.pop(name, None)
            return
        if name in self._hashes:
            self._dirty[name] = None
        else:
            self._dirty.pop(name, None)
        if name in is_open:
            self._drop_open(name, order)
            # Its end is the wish's, even where a bust opens it again.
            order.wish_strategy, order.wish_number = "", 0
            self._put_closed(name, order)
        elif (name in self.unsettled) != self._is_unsettled(order):
            self.closed.pop(name, None)
            self.unsettled.pop(name, None)
            self._put_closed(name, order)
        if len(self.closed) > self.bounds.closed_orders:
            self._forget(self.closed.popitem(last=False)[0])

    def _put_open(self, name: OrderName, order: Order) -> None:
        self.open[order.account][name] = self._open_of[name[0]][name[1]] = order

    def _drop_open(self, name: OrderName, order: Order) -> None:
        del self.open[order.account][name]
        of_strategy = self._open_of[name[0]]
        del of_strategy[name[1]]
        if not of_strategy:
            # Every order that is typed by hand has a strategy of its own: they must not add up.
            del self._open_of[name[0]]

    def _put_closed(self, name: OrderName, order: Order) -> None:
        (self.unsettled if self._is_unsettled(order) else self.closed)[name] = None

    def _is_unsettled(self, order: Order) -> bool:
        """Whether a closed order still counts at worst, or has fills that the venue's own words have to replace, or
        whose fee it is asked for."""
        return at_worst(order) != NOTHING or self.is_by_hand(order) or self.lacks_fee(order)

    def lacks_fee(self, order: Order) -> bool:
        """Whether a fill of the order has a fee that FIX has not told, and REST tells."""
        # Asked of every order that ends; nearly every venue tells its fees over FIX.
        if not self.known.find(order.account).fees_by_rest:
            return False
        return any(self.ledger.lacks_fee(leg.owner) for leg in order.legs)

    def leg_lacks_fee(self, order: Order, leg: Leg) -> bool:
        """The same of one leg's fills."""
        return self.known.find(order.account).fees_by_rest and self.ledger.lacks_fee(leg.owner)

    def register_order_id(self, order: Order, leg: Leg, order_id: str) -> list[FillChange]:
        """The venue's own name of a leg is known; fills that REST told under it before now find their order. Returns
        them."""
        place = (order.account, order.symbol, order_id)
        if not self._bears(place, order):
            return []
        self.stranger_gone(place)
        trade_keys, nobodys = self.unclaimed.pop(place, []), self.nobodys.pop(place, [])
        if is_lost_number(order.number):
            # It was taken for somebody else's, whose fills wait for no order of ours.
            trade_keys = nobodys
        claimed = [self.claim(order, leg, trade_key, order_id) for trade_key in trade_keys]
        return [change for change in claimed if change is not None]

    def claim(self, order: Order, leg: Leg, trade_key: str, order_id: str) -> FillChange | None:
        """A fill that was nobody's turns out to be the leg's, which takes it: the position has it already.

        None if it is not so.
        """
        change = self.ledger.claim(order.account, order.symbol, trade_key, leg.owner, order_id, order.side)
        if change is not None:
            leg.fill(change.net)
            moved = change.whole_fill()
            self._move_share(NOBODY, moved.opposite())
            self._move_share(order.name, moved)
            if change.gave_way is not None:
                self.move(change.gave_way)
        return change

    def _bears(self, place: tuple[str, str, str], order: Order) -> bool:
        """The order has, or had, this OrderID(37). Whether that is news: the last order that was sent with it has it,
        since FIX promises that it is another's no more than for a day."""
        held = self.by_order_id.get(place)
        if held is order or (held is not None and _sent(held) > _sent(order)):
            return False
        self.by_order_id[place] = order
        return True

    def order_of(self, venue: str, symbol: str, order_id: str) -> Order | None:
        """The order of that OrderID(37); where no symbol that we know is named, in whatever symbol has it alone."""
        return order_of(self.by_order_id, venue, symbol, order_id, self.known.find(venue).bases)

    def unpriced_qty(self, order: Order) -> Decimal:
        """How much of the order's fills has a price that the venue has not told."""
        return sum((self.ledger.unpriced_qty(leg.owner) for leg in order.legs), ZERO)

    def missing_qty(self, order: Order) -> Decimal:
        """How much of the order the venue has told in CumQty(14) beyond the fills that are known."""
        return sum((max(leg.told_cum_qty - leg.cum_qty, ZERO) for leg in order.legs), ZERO)

    def misses_fills(self, order: Order) -> bool:
        """Whether the venue has told of a larger CumQty(14) than the fills that are known, or of fills without their
        price, and no operator has settled it."""
        if order.reason is Reason.OPERATOR and order.ending is not None:
            return False
        return any(leg.told_cum_qty > leg.cum_qty for leg in order.legs) or self.unpriced_qty(order) > ZERO

    def is_by_hand(self, order: Order) -> bool:
        """Whether a fill of the order stands by a person's word alone: its price is his, and its fee is not known."""
        return self.ledger.has_by_hand and any(self.ledger.is_by_hand(leg.owner) for leg in order.legs)

    def needs_asking(self, order: Order, *, for_trades: bool = False) -> bool:
        """Whether something about the order is not known, so that the venue has to be asked. `for_trades`: it can be
        asked for trades too, and then a person's word on a fill is none that ends the asking."""
        is_unknown = order.is_unknown or order.lingers_unknown or order.in_doubt
        return is_unknown or self.misses_fills(order) or for_trades and self.is_by_hand(order)

    def open_orders(self, account: str) -> list[Order]:
        """The account's open orders, oldest first."""
        return list(self.open.get(account, {}).values())

    def open_orders_of(self, strategy: str) -> list[Order]:
        """The strategy's open orders, oldest first."""
        return list(self._open_of.get(strategy, {}).values())

    def open_count(self) -> int:
        """How many orders are open in all accounts."""
        return sum(len(orders) for orders in self.open.values())

    def forgotten_order(self, account: str, *cl_ord_ids: str) -> ForgottenOrder | None:
        """The order of this account that has left memory and that one of these ClOrdIDs(11) names; None where none
        does."""
        named = (self._memory.order_of(cl_ord_id) for cl_ord_id in cl_ord_ids if cl_ord_id)
        ours = (each for each in named if each is not None and each.account == account and self._was_ours(each))
        return next(ours, None)

    def _was_ours(self, order: ForgottenOrder) -> bool:
        """Whether the books had the order before the record that is folded.

        Of any other nothing is told before our log has it. One of a lost end may have had fills, and whoever reads the
        log again has in its memory what came of it later.
        """
        return not is_lost_number(order.number) or order.number < lost_number(self.lsn)

    def _forget(self, name: OrderName) -> None:
        order = self.orders.pop(name)
        self._memory.put_names(order.ids, ForgottenOrder(*name, order.account, order.symbol, order.side), self.lsn)
        self._leaving.order_left(self, order)
        for cl_ord_id in order.ids:
            self.by_id.pop(cl_ord_id, None)
        for leg in order.legs:
            for order_id in (leg.order_id, *leg.former_order_ids):
                place = (order.account, order.symbol, order_id)
                if self.by_order_id.get(place) is order:
                    del self.by_order_id[place]
                    # REST may have been asked while it was open, and tell it later than this.
                    self._note_ended(Ended(*place, tuple(order.ids), order.touched_lsn))
            self.ledger.retire(leg.owner)

    # ---- positions, sessions, strangers ----

    def move(self, change: FillChange, strategy: str = "") -> None:
        """A change of the ledger moves the position. `strategy` is whose it is where the ledger knows of no order."""
        place = (change.account, change.symbol)
        self._position(place).count_fill(change, *self.known.counted_by(place))
        self._move_share(self._whose(change, strategy), change)

    def _position(self, place: tuple[str, str]) -> Position:
        return self.positions.get(place) or self.positions.setdefault(place, self._flat(*place))

    def _flat(self, account: str, symbol: str) -> Position:
        return Position(self.known.venue_of(account), symbol, account=account)

    def book(self, told: Booked, key: str) -> None:
        """What a person says has come to a strategy without a fill; `key` names the word."""
        side = SIDE_BUY if told.qty > ZERO else SIDE_SELL
        qty = abs(told.qty)
        change = FillChange(told.account, told.symbol, key, "", side, qty, qty * told.px, ())
        if told.is_transfer:
            self._position((told.account, told.symbol))
            self._move_share((told.from_strategy, 0), change.opposite())
            self._move_share((told.strategy, 0), change)
        else:
            self.move(change, told.strategy)
            # Balances of before have nothing of it.
            self.account(told.account).baseline = None

    def take_rates(self, told: AssetRates) -> None:
        """Fees that are paid from here on are converted with these."""
        self.rates = Converting(
            told.currency, self.stamp_ns, {each.asset: each.rate for each in told.rates if each.rate > ZERO}
        )

    def begin_day(self, told: DayBegan) -> None:
        """What is held now is what the day's profit counts from; a day that was told before has begun already."""
        if told.began_ns <= self.day.began_ns:
            return
        parts = tuple((share[0], copy_of(held)) for share, held in self.own.items())
        self.day = Day(told.day, told.zone, told.began_ns, self.lsn, told.prices, parts)

    def _whose(self, change: FillChange, strategy: str) -> OrderName:
        """The order of a change of the ledger, the `strategy` alone where that is all that is known, or nobody."""
        order = self.by_id.get(change.owner)
        if order is not None:
            return order.name
        name = self._memory.name_of(change.owner) if change.owner else None
        return name or (strategy, 0)

    def _move_share(self, whose: OrderName, change: FillChange) -> None:
        """A strategy's part of a position moves."""
        place, share = (change.account, change.symbol), (whose[0], change.account, change.symbol)
        held = self._own(share)
        held.count_fill(change, *self.known.counted_by(place))
        if change.fees and self.rates.is_told(self.stamp_ns):
            held.date_fees(change, self.rates.currency, self.rates.rates)
        self.moves.append(Move(*whose, change))
        self.changed_shares[share] = self._dirty_shares[share] = None

    def _own(self, share: Share) -> Position:
        return self.own.get(share) or self.own.setdefault(share, self._flat(*share[1:]))

    def share(self, share: Share) -> Decimal:
        """How much of a position is a strategy's."""
        held = self.own.get(share)
        return ZERO if held is None else held.quantity

    @property
    def shares(self) -> dict[Share, Decimal]:
        """How much is whose, of all that is not 0 and not nobody's."""
        return {share: held.quantity for share, held in self.own.items() if share[0] and held.quantity}

    def take_own(self, parts: Iterable[tuple[str, Position]]) -> None:
        """The strategies' parts of positions as they were in a snapshot."""
        self.own = {(strategy, held.account, held.symbol): held for strategy, held in parts}
        self._dirty_shares = dict.fromkeys(self.own)

    def take_shares(self, shares: Mapping[Share, Decimal]) -> None:
        """What an older snapshot knows, which has quantities alone: each is taken to have cost what the account's
        position cost on average, and the rest is nobody's."""
        rest = {place: position.quantity for place, position in self.positions.items()}
        for (strategy, account, symbol), quantity in shares.items():
            self._take_share((strategy, account, symbol), quantity)
            rest[account, symbol] = rest.get((account, symbol), ZERO) - quantity
        for (account, symbol), quantity in rest.items():
            self._take_share(("", account, symbol), quantity)

    def _take_share(self, share: Share, quantity: Decimal) -> None:
        held, whole = self._own(share), self.positions.get(share[1:])
        held.quantity, self._dirty_shares[share] = quantity, None
        if whole is not None and quantity:
            held.average_price, held.unit_cost = whole.average_price, whole.unit_cost

    def account(self, account: str) -> AccountBooks:
        """What is known of the account."""
        return self.accounts.get(account) or self.accounts.setdefault(account, AccountBooks(account))

    def session(self, session: str, account: str) -> SessionBooks:
        """What is known of the account's session."""
        return self.sessions.get(session) or self.sessions.setdefault(session, SessionBooks(session, account))

    def sessions_of(self, account: str) -> list[SessionBooks]:
        """The account's sessions that the log has told of."""
        return [session for session in self.sessions.values() if session.account == account]

    def is_logged_on(self, account: str) -> bool:
        """Whether a session of the account takes cancels."""
        return any(session.logged_on for session in self.sessions_of(account))

    def is_under_way(self, session: str, connection: int) -> bool:
        """Whether that connection still lives: what it carried may be answered yet."""
        books = self.sessions.get(session)
        return books is not None and books.connection == connection and books.state not in DOWN

    def take_balances(self, venue: str, balances: tuple[tuple[str, Decimal, Decimal], ...]) -> None:
        """What the account holds, free and locked by asset, as the venue told it."""
        books = self.account(venue)
        books.balances, books.balances_lsn = balances, self.lsn
        if books.baseline is None and not self.open.get(venue):
            held = tuple((asset, free + locked) for asset, free, locked in balances)
            positions = tuple(copy_of(position) for position in self.positions_at(venue))
            books.baseline = Baseline(self.lsn, self.stamp_ns, held, positions)

    def positions_at(self, account: str) -> list[Position]:
        """The account's positions."""
        return [position for position in self.positions.values() if position.account == account]

    def window_ns(self, venue: str) -> int:
        """How long after its connection's death a request may still take effect there."""
        return self.known.find(venue).window_ns

    def holdings(self) -> list[Holding]:
        """What is open and what is owned, by place."""
        open_orders = Counter((o.account, o.symbol) for orders in self.open.values() for o in orders.values())
        places = sorted({*open_orders, *self.positions})
        held = {place: position.quantity for place, position in self.positions.items()}
        venue_of = self.known.venue_of
        return [
            Holding(venue_of(account), symbol, open_orders[account, symbol], held.get((account, symbol), ZERO), account)
            for account, symbol in places
        ]

    def stranger(self, venue: str, order: RestOrder, lsn: int) -> bool:
        """An open order that is not ours, as it was at `lsn`. Whether it is news."""
        place = (venue, order.symbol, order.order_id)
        known = self.externals.get(place)
        if known is not None and lsn < known.lsn:
            return False
        self.externals[place] = External(venue, order, lsn)
        self.ended.pop(place, None)
        self.changed_externals[place] = None
        if len(self.externals) > EXTERNAL_ORDERS:
            self.stranger_gone(next(iter(self.externals)))
        return known is None

    def external(self, venue: str, report: ExecutionReport) -> RestOrder | None:
        """What is shown of somebody else's open order that the report tells of. Some venues leave
        Symbol(55) out of an answer to a request."""
        if not report.order_id:
            return None
        places = [(venue, report.symbol, report.order_id)]
        if not report.symbol:
            places = [place for place in self.externals if (place[0], place[2]) == (venue, report.order_id)]
        known = self.externals.get(places[0]) if len(places) == 1 else None
        return None if known is None else known.order

    def stranger_ended(self, place: tuple[str, str, str], names: tuple[str, ...], lsn: int) -> None:
        """The order there, which goes by these ClOrdIDs(11), was over by `lsn`."""
        known = self.externals.get(place)
        also = () if known is None else (known.order.cl_ord_id,)
        self._note_ended(Ended(*place, tuple(filter(None, (*names, *also))), lsn))
        self.stranger_gone(place)

    def _note_ended(self, ended: Ended) -> None:
        place = (ended.account, ended.symbol, ended.order_id)
        self.ended.pop(place, None)
        self.ended[place] = ended
        if len(self.ended) > ENDED_ORDERS:
            del self.ended[next(iter(self.ended))]

    def is_over(self, venue: str, report: ExecutionReport) -> bool:
        """Whether that order, which is not in memory, is over, as far as was heard: another one may have its
        OrderID(37), and is told of by its own ClOrdID(11) or, where it has none, before its fills are."""
        ended = self.ended.get((venue, report.symbol, report.order_id))
        if ended is None:
            return False
        return report.cl_ord_id in ended.names if report.cl_ord_id else report.exec_type in FILLS

    def stranger_gone(self, place: tuple[str, str, str]) -> None:
        """The order there is over, or is one of ours."""
        if self.externals.pop(place, None) is not None:
            self.changed_externals[place] = None

    def note_nobodys(self, venue: str, symbol: str, order_id: str, trade_key: str) -> None:
        """A fill of an order that is none of ours; it is one of ours after all where a lost end of a log knew it."""
        self.nobodys.setdefault((venue, symbol, order_id), []).append(trade_key)
        if len(self.nobodys) > EXTERNAL_ORDERS:
            del self.nobodys[next(iter(self.nobodys))]

    def unclaim(self, venue: str, symbol: str, order_id: str, trade_key: str) -> None:
        """A fill of an order that nobody has named yet."""
        self.unclaimed.setdefault((venue, symbol, order_id), []).append(trade_key)
        if len(self.unclaimed) > EXTERNAL_ORDERS:
            del self.unclaimed[next(iter(self.unclaimed))]

    def strangers(self, venue: str, symbol: str) -> list[str]:
        """The OrderID(37) of each order that has fills and that nobody has named yet: it may be one of ours."""
        named = {place for place, external in self.externals.items() if external.order.cl_ord_id}
        return [place[2] for place in self.unclaimed if place[:2] == (venue, symbol) and place not in named]

    def cancel_alls_at(self, stamp_ns: int) -> list[CancelAll]:
        """The commands to cancel many that may still meet what was under way when they came; the others are dropped."""
        if not self.cancel_alls:
            return []
        self.cancel_alls = [(at_ns, a) for at_ns, a in self.cancel_alls if stamp_ns <= at_ns + MAX_TIME_TO_LIVE_NS]
        return [wished for _, wished in self.cancel_alls]

    # ---- the digest ----

    def digest(self) -> bytes:
        """The hash of the folded state: open orders, positions, the strategies' parts of them and highest numbers, in
        whatever order they came."""
        for name in self._dirty:
            order = self.orders.get(name)
            counts = order is not None and not order.is_closed
            self._rehash(name, _encode(order) if counts else None)
        self._dirty.clear()
        for place, position in self.positions.items():
            self._rehash(place, _encode(_hashed(position)))
        for share in self._dirty_shares:
            self._rehash(share, _encode(_hashed(self.own[share])))
        self._dirty_shares.clear()
        for strategy, highest in self.names.highest.items():
            self._rehash(strategy, _encode(highest))
        return self._digest.to_bytes(8, "big")

    def _rehash(self, key: object, encoded: bytes | None) -> None:
        old = self._hashes.pop(key, 0)
        new = 0
        if encoded is not None:
            new = int.from_bytes(blake2b(_encode(key) + encoded, digest_size=8).digest(), "big")
            self._hashes[key] = new
        self._digest ^= old ^ new


def covers(wished: CancelAll, order: Order, *, was_under_way: bool) -> bool:
    """Whether a command to cancel many is about the order: it was open at the command's record or, under way then, has
    come since. Nothing is that is younger than the command.

    Numbers rise, so an own order with a higher one was wanted after the command, and another strategy's with a higher
    one than it had under way. What only the lost end of a log knew is older than all.
    """
    if (wished.target_strategy or wished.strategy) not in ("*", order.strategy):
        return False
    if wished.venue not in ("", order.venue) or wished.symbol not in ("", order.symbol):
        return False
    if wished.account not in ("", order.account) or order.account in wished.left_open:
        return False
    if order.strategy == wished.strategy:
        return order.number < wished.number or (is_lost_number(order.number) and not was_under_way)
    return not was_under_way or order.number <= dict(wished.under_way).get(order.strategy, 0)


def _hashed(position: Position) -> tuple[Decimal, Decimal, Decimal, list[tuple[str, Decimal]]]:
    return position.quantity, position.average_price, position.realised_profit, sorted(position.fees.items())


def _sent(order: Order) -> tuple[int, int]:
    """By what orders are told apart as earlier and later sent."""
    return order.attempt.epoch, order.attempt.counter


_encode = msgspec.msgpack.Encoder().encode
