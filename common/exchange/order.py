"""An order as the exchange keeps it while it is open, and what it is asked to be."""

from decimal import Decimal
from typing import NamedTuple

BUY = "1"
SELL = "2"
MARKET = "1"
LIMIT = "2"
STOP = "3"
STOP_LIMIT = "4"
PEGGED = "P"
GOOD_TILL_CANCEL = "1"
IMMEDIATE_OR_CANCEL = "3"
FILL_OR_KILL = "4"
GOOD_TILL_DATE = "6"
RESTING = (GOOD_TILL_CANCEL, GOOD_TILL_DATE)

NEW = "0"
PARTIALLY_FILLED = "1"
FILLED = "2"
CANCELED = "4"
REJECTED = "8"
EXPIRED = "C"
PENDING_NEW = "A"

NO_PREVENTION = "1"
EXPIRE_TAKER = "2"
EXPIRE_MAKER = "3"
EXPIRE_BOTH = "4"
DECREMENT = "D"

MARKET_PEG = "4"
PRIMARY_PEG = "5"
TRAILING = "8"
OFFSET_PRICE = "0"
OFFSET_BASIS_POINTS = "1"
OFFSET_LEVELS = "3"
BASIS_POINTS = 10_000

ZERO = Decimal(0)


class Terms(NamedTuple):
    """A new order as asked for. Codes are FIX's: Side(54), OrdType(40), TimeInForce(59); `price` is None for a market
    order.

    `account` is "" for the exchange's own background traders, whose balances nobody counts. `session` is whom reports
    go to. `self_trade` says who expires when an account meets itself, or that it trades with itself
    (SelfTradePreventionMode's codes), or that both are less by the smaller one. `stop_px`: the order sleeps until a
    trade is at that price or beyond it, above for a buy and below for a sale. `expire_ns` is ExpireTime(126) of one
    that is good till a date. `reduce_only`: no fill of it makes the account's position in contracts larger.
    `display_qty`: the book shows no more of it at once. `cash_qty`: by what amount of the quote asset it was asked for,
    from which `order_qty` follows. `take_profit`: it wakes below its stop price for a buy and above for a sale.
    `peg_price_type`: PegPriceType(1094): 8 of a trailing stop, whose stop price stays `peg_offset` from the best trade
    since it tracks, in basis points or in the quote asset (`peg_offset_type`, PegOffsetType(836), 1 or 0); 4 and 5 of
    one that got its price from the other or its own side of the book, `peg_offset` levels deep. `list_id` names the
    list that it is of by the id of its first order, `cl_list_id` by the client's own name: `pending` orders wait until
    the first one is filled, and of those that are `exclusive` one alone trades. A pending one that is `paid` sells what
    the first one buys: until that is filled `order_qty` is the first one's, and nobody is told.
    """

    account: str
    session: str
    cl_ord_id: str
    symbol: str
    side: str
    ord_type: str
    order_qty: Decimal
    price: Decimal | None
    time_in_force: str = GOOD_TILL_CANCEL
    post_only: bool = False
    self_trade: str = EXPIRE_MAKER
    stop_px: Decimal | None = None
    expire_ns: int = 0
    reduce_only: bool = False
    display_qty: Decimal | None = None
    cash_qty: Decimal | None = None
    take_profit: bool = False
    peg_price_type: str = ""
    peg_offset: Decimal | None = None
    peg_offset_type: str = ""
    list_id: int = 0
    cl_list_id: str = ""
    pending: bool = False
    exclusive: bool = False
    paid: bool = False

    @property
    def is_trailing(self) -> bool:
        """Whether its stop price follows the market."""
        return self.peg_price_type == TRAILING

    @property
    def is_pegged(self) -> bool:
        """Whether its price came from the book."""
        return self.peg_price_type in (MARKET_PEG, PRIMARY_PEG)

    @property
    def rises(self) -> bool:
        """Whether it is a price above that it waits for."""
        return (self.side == BUY) is not self.take_profit


def has_reached(terms: Terms, last_px: Decimal) -> bool:
    """Whether a trade at that price is at the order's stop price or beyond it."""
    if terms.stop_px is None:
        return False
    return last_px >= terms.stop_px if terms.rises else last_px <= terms.stop_px


def trigger_px(terms: Terms, best_px: Decimal) -> Decimal:
    """Where a trailing stop wakes that has seen `best_px`: so far above it for a buy, so far below for a sale."""
    assert terms.peg_offset is not None
    offset = terms.peg_offset if terms.peg_offset_type == OFFSET_PRICE else best_px * terms.peg_offset / BASIS_POINTS
    return best_px + offset if terms.side == BUY else best_px - offset


class Asked:
    """The request that a change follows from, which the engine hands on to whoever reports the change.

    `cl_ord_id` and `orig_cl_ord_id` are the names that the report bears, "" for the order's own. With `held` reports
    are kept there, as (session, body), instead of sent.
    """

    __slots__ = ("cl_ord_id", "held", "orig_cl_ord_id")

    def __init__(self, cl_ord_id: str = "", orig_cl_ord_id: str = "", *, hold: bool = False) -> None:
        self.cl_ord_id = cl_ord_id
        self.orig_cl_ord_id = orig_cl_ord_id
        self.held: list[tuple[str, bytes]] | None = [] if hold else None


class Order:
    """A live order; only `state.State` changes it. `ord_status` holds OrdStatus(39)'s code, times are Unix
    nanoseconds.
    """

    __slots__ = (
        "account", "amendments", "cl_ord_id", "cum_qty", "cum_quote", "display_qty", "expire_ns", "former_names",
        "holds", "ord_status", "ord_type", "order_id", "order_qty", "paid_qty", "post_only", "price", "reduce_only",
        "released", "resting", "self_trade",
        "session", "shown_qty", "side", "stamp_ns", "stop_px", "symbol", "terms", "time_in_force", "trailed_px",
        "triggered", "updated_ns",
    )  # fmt: skip

    def __init__(self, order_id: int, terms: Terms, stamp_ns: int) -> None:
        self.order_id = order_id
        self.terms = terms
        (self.account, self.session, self.cl_ord_id, self.symbol, self.side, self.ord_type, self.order_qty, self.price,
         self.time_in_force, self.post_only, self.self_trade, self.stop_px,
         self.expire_ns, self.reduce_only, self.display_qty, *_) = terms  # fmt: skip
        self.shown_qty = ZERO
        self.cum_qty = ZERO
        self.cum_quote = ZERO
        self.ord_status = NEW
        self.resting = False
        self.triggered = False
        self.trailed_px: Decimal | None = None
        self.holds = False
        self.released = not terms.pending
        self.paid_qty = ZERO
        self.stamp_ns = stamp_ns
        self.updated_ns = stamp_ns
        self.former_names: tuple[str, ...] = ()
        self.amendments = 0

    def change(self, cl_ord_id: str, order_qty: Decimal, price: Decimal | None) -> None:
        """Give the order new terms."""
        self.cl_ord_id, self.order_qty, self.price = cl_ord_id, order_qty, price
        self.terms = self.terms._replace(cl_ord_id=cl_ord_id, order_qty=order_qty, price=price)

    def pay(self, order_qty: Decimal) -> None:
        """Give the order the quantity that its list's first one has paid."""
        self.order_qty, self.terms = order_qty, self.terms._replace(order_qty=order_qty, paid=False)

    @property
    def leaves_qty(self) -> Decimal:
        """What is still to be filled; zero once closed."""
        return self.order_qty - self.cum_qty if self.ord_status in (NEW, PARTIALLY_FILLED) else ZERO

    @property
    def visible_qty(self) -> Decimal:
        """What the book shows of it while it rests."""
        return self.leaves_qty if self.display_qty is None else self.shown_qty

    def show_next(self) -> None:
        """The next part of an iceberg order is what is seen of it."""
        if self.display_qty is not None:
            self.shown_qty = min(self.display_qty, self.leaves_qty)

    @property
    def waits(self) -> bool:
        """Whether it is pending: the first order of its list is not filled yet."""
        return not self.released

    @property
    def sleeps(self) -> bool:
        """Whether it waits for its stop price."""
        return (self.stop_px is not None or self.terms.is_trailing) and not self.triggered

    def track(self, last_px: Decimal) -> None:
        """A trailing stop keeps the best trade that it has seen, from the first one at its stop price on."""
        if self.trailed_px is None:
            if self.stop_px is None or has_reached(self.terms, last_px):
                self.trailed_px = last_px
        else:
            self.trailed_px = min(self.trailed_px, last_px) if self.side == BUY else max(self.trailed_px, last_px)

    def is_reached(self, last_px: Decimal) -> bool:
        """Whether a trade at that price wakes it."""
        if not self.terms.is_trailing:
            return has_reached(self.terms, last_px)
        if self.trailed_px is None:
            return False
        at = trigger_px(self.terms, self.trailed_px)
        return last_px >= at if self.side == BUY else last_px <= at

    @property
    def is_open(self) -> bool:
        """Neither filled, cancelled, expired nor rejected."""
        return self.ord_status in (NEW, PARTIALLY_FILLED)
