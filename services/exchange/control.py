"""What the exchange answers over its control link: its own truth, and the switch for its faults. All JSON-ready."""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, TypeVar

import msgspec

from common.actor.acts import Cannot, ControlAct, Done, NoArguments
from common.exchange.engine import Cause
from common.exchange.faults import FAULT_SENTENCES, BadFault, Fault
from common.exchange.history import ClosedOrder, TradeRow
from common.exchange.numbers import read_number
from common.exchange.order import LIMIT, ZERO, Order, Terms
from common.exchange.settings import asset_of
from common.exchange.venue import Venue
from common.instant import Instant

Detail = dict[str, object]
MAX_ROWS = 1000


Whole = Annotated[int, msgspec.Meta(ge=0)]
A = TypeVar("A", bound=msgspec.Struct)


class OfAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose: "" is the first account."""

    account: str = ""


class OfSymbols(OfAccount, frozen=True, forbid_unknown_fields=True):
    """In what: "" is each symbol."""

    symbol: str = ""


class BookArguments(OfSymbols, frozen=True, forbid_unknown_fields=True):
    """How many levels of each side."""

    depth: Whole = 10


class TradesArguments(OfSymbols, frozen=True, forbid_unknown_fields=True):
    """From which trade on, or how many of the newest."""

    from_trade_id: Whole | None = None
    limit: Whole = 50


class StateArguments(OfAccount, frozen=True, forbid_unknown_fields=True):
    """From which trade id on the trades of each symbol are wanted."""

    trades_from: dict[str, Whole] = {}


class FaultArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fault to begin; its `count` is one where the kind strikes messages, and without a bound where it lasts."""

    kind: str = "list"
    scope: str = "fix"
    count: Whole | None = None
    ms: Whole = 1000
    text: str = ""


class OrderArguments(OfAccount, frozen=True, forbid_unknown_fields=True):
    """One order, by either of its names."""

    order_id: str = ""
    cl_ord_id: str = ""


class PlaceArguments(OfAccount, frozen=True, forbid_unknown_fields=True):
    """A limit order."""

    cl_ord_id: str = ""
    symbol: str = ""
    side: str = ""
    qty: str = ""
    price: str = ""


class MoveArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a symbol is to trade."""

    symbol: str = ""
    price: str = ""


class CancelArguments(OfAccount, frozen=True, forbid_unknown_fields=True):
    """An open order."""

    cl_ord_id: str = ""


class CorrectArguments(OfAccount, frozen=True, forbid_unknown_fields=True):
    """One side of a trade, and what it is to be; `px` "" leaves its price."""

    order_id: Whole = 0
    trade_id: Whole = 0
    qty: str = "0"
    px: str = ""


class Control:
    """The acts that there are. `sessions` and `inflict` are the core's: numbers of all sessions, and a fault's first
    strike.
    """

    def __init__(
        self, venue: Venue, sessions: Callable[[], dict[str, Detail]], inflict: Callable[[Fault, Instant], None]
    ) -> None:
        self._venue = venue
        self._sessions = sessions
        self._inflict = inflict
        self.acts = {
            "book": _act(BookArguments, self._book),
            "orders": _act(OfSymbols, self._orders),
            "positions": _act(OfAccount, self._positions),
            "balances": _act(OfAccount, self._balances),
            "trades": _act(TradesArguments, self._trades),
            "sessions": _act(NoArguments, lambda asked, now: {"sessions": sessions()}),
            "state": _act(StateArguments, self._state),
            "fault": _act(FaultArguments, self._fault),
            "order": _act(OrderArguments, self._order),
            "place": _act(PlaceArguments, self._place),
            "move": _act(MoveArguments, self._move),
            "cancel": _act(CancelArguments, self._cancel),
            "correct": _act(CorrectArguments, self._correct),
        }

    # ---- arguments

    def _account(self, asked: OfAccount) -> str:
        account = asked.account or next(iter(self._venue.settings.accounts), "")
        if account not in self._venue.settings.accounts:
            raise Cannot(f"no account {account!r}: there is {', '.join(self._venue.settings.accounts)}")
        return account

    def _symbols(self, asked: OfSymbols) -> list[str]:
        symbol = asked.symbol
        if symbol and symbol not in self._venue.state.books:
            raise Cannot(f"no symbol {symbol!r}: there is {', '.join(self._venue.state.books)}")
        return [symbol] if symbol else list(self._venue.state.books)

    def _row(self, order: Order | ClosedOrder) -> Detail:
        return order_row(order, self._venue.side.order_name)

    # ---- acts

    def _book(self, asked: BookArguments, now: Instant) -> Detail:
        """The levels of each book, best first, with how much of each is the account's."""
        account, depth = self._account(asked), asked.depth
        books: Detail = {}
        for symbol in self._symbols(asked):
            book = self._venue.state.books[symbol]
            sides: Detail = {}
            for name, side in (("bids", book.bids), ("asks", book.asks)):
                rows: list[Detail] = []
                for level in side.walk():
                    if len(rows) == depth:
                        break
                    own = sum((o.visible_qty for o in level.orders.values() if o.account == account), Decimal(0))
                    rows.append({"px": _text(level.price), "qty": _text(level.qty), "own_qty": _text(own)})
                sides[name] = rows
            books[symbol] = {**sides, "last_px": None if book.last_px is None else _text(book.last_px)}
        return {"books": books, "as_of_ns": now.wall_ns}

    def _orders(self, asked: OfSymbols, now: Instant) -> Detail:
        account = self._account(asked)
        rows = [
            self._row(o) for symbol in self._symbols(asked) for o in self._venue.state.open_orders(account, symbol)
        ]
        return {"account": account, "orders": rows, "as_of_ns": now.wall_ns}

    def _order(self, asked: OrderArguments, now: Instant) -> Detail:
        """One order, open or closed, by `cl_ord_id` or `order_id`; `order` is null for one that was never placed."""
        found = self._venue.find(
            self._account(asked), "", asked.order_id, asked.cl_ord_id
        )
        return {"order": None if found is None else self._row(found)}

    def _place(self, asked: PlaceArguments, now: Instant) -> Detail:
        """A limit order of an account from the exchange's own screen: `cl_ord_id`, `symbol`, `side`, `qty`, `price`.

        Whoever trades that account over FIX hears of it, as of any order of the account.
        """
        account = self._account(asked)
        parties = (party.comp_id for party in self._venue.settings.parties if party.account == account)
        qty, price = _number("qty", asked.qty), _number("price", asked.price)
        terms = Terms(account, next(parties, ""), asked.cl_ord_id, asked.symbol, asked.side, LIMIT, qty, price)
        refusal = self._venue.engine.check(terms)
        if refusal is not None:
            raise Cannot(refusal.value)
        return {"order": self._row(self._venue.engine.place(terms, now))}

    def _move(self, asked: MoveArguments, now: Instant) -> Detail:
        """The market goes to `price` at once: somebody takes all that rests before it in `symbol`, and trades there."""
        instrument, price = self._venue.state.instruments.get(asked.symbol), _number("price", asked.price)
        if instrument is None:
            raise Cannot(f"no symbol {asked.symbol!r}: there is {', '.join(self._venue.state.books)}")
        if not 0 < price <= instrument.max_price or price % instrument.tick_size:
            raise Cannot(f"`price` is a multiple of {instrument.tick_size:f} above 0, at most {instrument.max_price:f}")
        self._venue.engine.move_to(asked.symbol, price, now)
        return {"last_px": _text(self._venue.engine.last_px(asked.symbol))}

    def _cancel(self, asked: CancelArguments, now: Instant) -> Detail:
        """The same screen's cancel of an open order, by `cl_ord_id`."""
        order = self._venue.state.find(self._account(asked), asked.cl_ord_id)
        if order is None or not order.is_open:
            raise Cannot("no such order is open")
        self._venue.engine.cancel(order, now, Cause.SCREEN)
        return {"order": self._row(order)}

    def _correct(self, asked: CorrectArguments, now: Instant) -> Detail:
        """Take back one side of a trade, or correct it to `qty` at `px`: that of the account's order `order_id` in the
        trade `trade_id`. `trade` is null where there is no such, or it was taken back already."""
        account = self._account(asked)
        if self._venue.side.correct is None:
            dialect = self._venue.settings.dialect
            raise Cannot(f"dialect {dialect} has no reports of a trade that is cancelled or corrected")
        trades = self._venue.history.trades_of(account, asked.order_id)
        rows = [row for row in trades if row.trade_id == asked.trade_id and row.qty]
        if not rows:
            return {"trade": None}
        qty, px = _number("qty", asked.qty), _number("px", asked.px or str(rows[0].px))
        if not ZERO <= qty <= rows[0].qty or not px:
            raise Cannot(f"`qty` is from 0 to what was filled, {rows[0].qty}, and `px` above 0")
        self._venue.correct(rows[0], qty, px, now)
        return {"trade": trade_dict(rows[0])}

    def _balances(self, asked: OfAccount, now: Instant) -> Detail:
        account = self._account(asked)
        rows = {
            asset: {"free": _text(b.free), "locked": _text(b.locked)}
            for (owner, asset), b in self._venue.state.accounts.balances.items()
            if owner == account
        }
        return {"account": account, "balances": rows, "as_of_ns": now.wall_ns}

    def _positions(self, asked: OfAccount, now: Instant) -> Detail:
        """What each asset has changed by since the account was opened, whatever wallet it is in."""
        account, accounts = self._account(asked), self._venue.state.accounts
        first = self._venue.settings.accounts[account]
        held: dict[str, tuple[Decimal, Decimal]] = {}
        for (owner, name), b in accounts.balances.items():
            if owner == account:
                start, total = held.get(asset_of(name), (ZERO, ZERO))
                start += accounts.deposits.get((account, name), first.get(name, ZERO))
                held[asset_of(name)] = start, total + b.free + b.locked
        rows = {
            asset: {"now": _text(total), "start": _text(start), "change": _text(total - start)}
            for asset, (start, total) in held.items()
        }
        return {"account": account, "positions": rows, "as_of_ns": now.wall_ns}

    def _trades(self, asked: TradesArguments, now: Instant) -> Detail:
        """The account's trades of each symbol, from `from_trade_id` on, or the newest `limit`."""
        account, limit = self._account(asked), min(asked.limit, MAX_ROWS)
        history = self._venue.history
        rows: list[Detail] = []
        for symbol in self._symbols(asked):
            if asked.from_trade_id is not None:
                found = history.trades(account, symbol, asked.from_trade_id, limit)
            else:
                found = history.last_trades(account, symbol, limit)
            rows += [trade_dict(row) for row in found]
        return {"account": account, "trades": rows, "as_of_ns": now.wall_ns}

    def _state(self, asked: StateArguments, now: Instant) -> Detail:
        """Everything that `reconcile` compares, as of one instant: between two turns nothing moves.

        `trades_from` is {symbol: trade id}: with it come the trades from there on, at most MAX_ROWS a symbol.
        """
        account = self._account(asked)
        trades = {
            symbol: [trade_dict(t) for t in self._venue.history.trades(account, symbol, from_trade_id, MAX_ROWS)]
            for symbol, from_trade_id in asked.trades_from.items()
            if symbol in self._venue.state.books
        }
        state = self._venue.state
        return {
            "as_of_ns": now.wall_ns,
            "lsn": self._venue.store.last_lsn,
            "account": account,
            "orders": self._orders(OfSymbols(account), now)["orders"],
            "balances": self._balances(OfAccount(account), now)["balances"],
            "positions": self._positions(OfAccount(account), now)["positions"],
            "contracts": {
                symbol: _text(qty) for (owner, symbol), (qty, _) in state.accounts.positions.items() if owner == account
            },
            "contract_costs": {asset: _text(cost) for asset, cost in state.held_at_cost(account).items()},
            "last_trade_ids": {
                symbol: max((t.trade_id for t in self._venue.history.last_trades(account, symbol, 1)), default=0)
                for symbol in state.books
            },
            "trade_count": state.accounts.trade_counts.get(account, 0),
            "sessions": self._sessions(),
            "trades": trades,
            "counts": dict(self._venue.counts),
        }

    def _fault(self, asked: FaultArguments, now: Instant) -> Detail:
        """Begin a fault (`kind`, `scope`, `count`, `ms`, `text`), or `list` or `clear` them."""
        faults, kind = self._venue.faults, asked.kind
        if kind == "clear":
            return {"cleared": faults.clear()}
        if kind != "list":
            one = 0 if kind in ("slow", "stall", "maintenance") else 1
            try:
                fault = faults.add(kind, asked.scope, one if asked.count is None else asked.count, asked.ms, asked.text)
                self._inflict(fault, now)
            except BadFault as error:
                raise Cannot(str(error)) from error
        return {
            "faults": [
                {"number": f.number, "kind": f.kind, "scope": f.scope, "count": f.count, "ms": f.ms, "struck": f.struck}
                for f in faults.active
            ],
            "struck": dict(faults.struck),
            "kinds": {kind.value: sentence for kind, sentence in FAULT_SENTENCES.items()},
        }


def _act(arguments: type[A], answer: Callable[[A, Instant], Detail]) -> ControlAct:
    """An act whose answer is a table and no sentence; whoever asks is nobody in particular."""
    return ControlAct(arguments, lambda asked, by, now: Done("", msgspec.json.encode(answer(asked, now))))


def _number(name: str, text: str) -> Decimal:
    try:
        return read_number(text)
    except ValueError as error:
        raise Cannot(f"`{name}`: {error}") from None


def _text(value: Decimal) -> str:
    return format(value, "f")


def order_row(order: Order | ClosedOrder, order_name: Callable[[int], str]) -> Detail:
    """An order as control and the command line show it, its id as the venue writes it."""
    t = order.terms
    return {
        "order_id": order_name(order.order_id),
        "cl_ord_id": t.cl_ord_id,
        "symbol": t.symbol,
        "side": t.side,
        "ord_type": t.ord_type,
        "order_qty": _text(t.order_qty),
        "price": None if t.price is None else _text(t.price),
        "stop_px": None if t.stop_px is None else _text(t.stop_px),
        "take_profit": t.take_profit,
        "peg_price_type": t.peg_price_type,
        "peg_offset": None if t.peg_offset is None else _text(t.peg_offset),
        "cum_qty": _text(order.cum_qty),
        "leaves_qty": _text(order.leaves_qty),
        "ord_status": order.ord_status,
        "stamp_ns": order.stamp_ns,
    }


def trade_dict(row: TradeRow) -> Detail:
    """A trade as control and the command line show it. `exec_id` is its report's ExecID(17) where the
    venue's own reports bear it."""
    return {
        "symbol": row.symbol,
        "trade_id": row.trade_id,
        "exec_id": row.exec_id,
        "order_id": str(row.order_id),
        "cl_ord_id": row.cl_ord_id,
        "side": row.side,
        "px": _text(row.px),
        "qty": _text(row.qty),
        "fee": _text(row.fee),
        "fee_asset": row.fee_asset,
        "maker": row.maker,
        "stamp_ns": row.stamp_ns,
    }
