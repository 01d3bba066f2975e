"""What the exchange answers over its control link: its own truth, and the switch for its faults. All JSON-ready."""

from collections.abc import Callable
from decimal import Decimal

from common.exchange.engine import Cause
from common.exchange.faults import FAULT_SENTENCES, BadFault, Fault
from common.exchange.history import ClosedOrder, TradeRow
from common.exchange.numbers import read_number
from common.exchange.order import LIMIT, ZERO, Order, Terms
from common.exchange.venue import Venue
from common.instant import Instant

Detail = dict[str, object]
MAX_ROWS = 1000


class BadAct(ValueError):
    """The act is not known, or its arguments make no sense."""


class Control:
    """Answers one act at a time. `sessions` and `inflict` are the core's: numbers of all sessions, and a fault's
    first strike.
    """

    def __init__(
        self, venue: Venue, sessions: Callable[[], dict[str, Detail]], inflict: Callable[[Fault, Instant], None]
    ) -> None:
        self._venue = venue
        self._sessions = sessions
        self._inflict = inflict
        self._acts: dict[str, Callable[[Detail, Instant], Detail]] = {
            "book": self._book,
            "orders": self._orders,
            "positions": self._positions,
            "balances": self._balances,
            "trades": self._trades,
            "sessions": lambda arguments, now: {"sessions": sessions()},
            "state": self._state,
            "fault": self._fault,
            "order": self._order,
            "place": self._place,
            "cancel": self._cancel,
            "correct": self._correct,
        }

    def answer(self, act: str, arguments: Detail, now: Instant) -> Detail:
        """The detail of the answer. Raises BadAct with what was wrong and what there is."""
        handler = self._acts.get(act)
        if handler is None:
            raise BadAct(f"no act {act!r}: there is {', '.join(sorted(self._acts))}")
        try:
            return handler(arguments, now)
        except BadFault as error:
            raise BadAct(str(error)) from error

    # ---- arguments

    def _account(self, arguments: Detail) -> str:
        account = str(arguments.get("account", "")) or next(iter(self._venue.settings.accounts), "")
        if account not in self._venue.settings.accounts:
            raise BadAct(f"no account {account!r}: there is {', '.join(self._venue.settings.accounts)}")
        return account

    def _symbols(self, arguments: Detail) -> list[str]:
        symbol = str(arguments.get("symbol", ""))
        if symbol and symbol not in self._venue.state.books:
            raise BadAct(f"no symbol {symbol!r}: there is {', '.join(self._venue.state.books)}")
        return [symbol] if symbol else list(self._venue.state.books)

    def _row(self, order: Order | ClosedOrder) -> Detail:
        return order_row(order, self._venue.side.order_name)

    # ---- acts

    def _book(self, arguments: Detail, now: Instant) -> Detail:
        """The levels of each book, best first, with how much of each is the account's."""
        account, depth = self._account(arguments), _whole(arguments, "depth", 10)
        books: Detail = {}
        for symbol in self._symbols(arguments):
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

    def _orders(self, arguments: Detail, now: Instant) -> Detail:
        account = self._account(arguments)
        rows = [
            self._row(o) for symbol in self._symbols(arguments) for o in self._venue.state.open_orders(account, symbol)
        ]
        return {"account": account, "orders": rows, "as_of_ns": now.wall_ns}

    def _order(self, arguments: Detail, now: Instant) -> Detail:
        """One order, open or closed, by `cl_ord_id` or `order_id`; `order` is null for one that was never placed."""
        found = self._venue.find(
            self._account(arguments), "", str(arguments.get("order_id", "")), str(arguments.get("cl_ord_id", ""))
        )
        return {"order": None if found is None else self._row(found)}

    def _place(self, arguments: Detail, now: Instant) -> Detail:
        """A limit order of an account from the exchange's own screen: `cl_ord_id`, `symbol`, `side`, `qty`, `price`.

        Whoever trades that account over FIX hears of it, as of any order of the account.
        """
        account = self._account(arguments)
        parties = (party.comp_id for party in self._venue.settings.parties if party.account == account)
        qty, price = (_number(arguments, name) for name in ("qty", "price"))
        name, symbol, side = (str(arguments.get(key, "")) for key in ("cl_ord_id", "symbol", "side"))
        terms = Terms(account, next(parties, ""), name, symbol, side, LIMIT, qty, price)
        refusal = self._venue.engine.check(terms)
        if refusal is not None:
            raise BadAct(refusal.value)
        return {"order": self._row(self._venue.engine.place(terms, now))}

    def _cancel(self, arguments: Detail, now: Instant) -> Detail:
        """The same screen's cancel of an open order, by `cl_ord_id`."""
        order = self._venue.state.find(self._account(arguments), str(arguments.get("cl_ord_id", "")))
        if order is None or not order.is_open:
            raise BadAct("no such order is open")
        self._venue.engine.cancel(order, now, Cause.SCREEN)
        return {"order": self._row(order)}

    def _correct(self, arguments: Detail, now: Instant) -> Detail:
        """Take back one side of a trade, or correct it to `qty` at `px`: that of the account's order `order_id` in the
        trade `trade_id`. `trade` is null where there is no such, or it was taken back already."""
        account, order_id = self._account(arguments), _whole(arguments, "order_id", 0)
        if self._venue.side.correct is None:
            dialect = self._venue.settings.dialect
            raise BadAct(f"dialect {dialect} has no reports of a trade that is cancelled or corrected")
        trade_id = _whole(arguments, "trade_id", 0)
        rows = [row for row in self._venue.history.trades_of(account, order_id) if row.trade_id == trade_id and row.qty]
        if not rows:
            return {"trade": None}
        qty, px = (_number(arguments, name, default) for name, default in (("qty", "0"), ("px", str(rows[0].px))))
        if not ZERO <= qty <= rows[0].qty or not px:
            raise BadAct(f"`qty` is from 0 to what was filled, {rows[0].qty}, and `px` above 0")
        self._venue.correct(rows[0], qty, px, now)
        return {"trade": trade_dict(rows[0])}

    def _balances(self, arguments: Detail, now: Instant) -> Detail:
        account = self._account(arguments)
        rows = {
            asset: {"free": _text(b.free), "locked": _text(b.locked)}
            for (owner, asset), b in self._venue.state.accounts.balances.items()
            if owner == account
        }
        return {"account": account, "balances": rows, "as_of_ns": now.wall_ns}

    def _positions(self, arguments: Detail, now: Instant) -> Detail:
        """What each asset's balance has changed by since the account was opened."""
        account = self._account(arguments)
        first = self._venue.settings.accounts[account]
        rows = {}
        for (owner, asset), b in self._venue.state.accounts.balances.items():
            if owner == account:
                start = self._venue.state.accounts.deposits.get((account, asset), first.get(asset, Decimal(0)))
                rows[asset] = {
                    "now": _text(b.free + b.locked),
                    "start": _text(start),
                    "change": _text(b.free + b.locked - start),
                }
        return {"account": account, "positions": rows, "as_of_ns": now.wall_ns}

    def _trades(self, arguments: Detail, now: Instant) -> Detail:
        """The account's trades of each symbol, from `from_trade_id` on, or the newest `limit`."""
        account, limit = self._account(arguments), _whole(arguments, "limit", 50)
        history = self._venue.history
        rows: list[Detail] = []
        for symbol in self._symbols(arguments):
            if "from_trade_id" in arguments:
                found = history.trades(account, symbol, _whole(arguments, "from_trade_id", 0), min(limit, MAX_ROWS))
            else:
                found = history.last_trades(account, symbol, min(limit, MAX_ROWS))
            rows += [trade_dict(row) for row in found]
        return {"account": account, "trades": rows, "as_of_ns": now.wall_ns}

    def _state(self, arguments: Detail, now: Instant) -> Detail:
        """Everything that `reconcile` compares, as of one instant: between two turns nothing moves.

        `trades_from` is {symbol: trade id}: with it come the trades from there on, at most MAX_ROWS a symbol.
        """
        account = self._account(arguments)
        asked = arguments.get("trades_from", {})
        if not isinstance(asked, dict):
            raise BadAct("`trades_from` is a table of trade ids by symbol")
        trades = {
            symbol: [
                trade_dict(t) for t in self._venue.history.trades(account, symbol, _whole(asked, symbol, 0), MAX_ROWS)
            ]
            for symbol in asked
            if symbol in self._venue.state.books
        }
        state = self._venue.state
        return {
            "as_of_ns": now.wall_ns,
            "lsn": self._venue.store.last_lsn,
            "account": account,
            "orders": self._orders({"account": account}, now)["orders"],
            "balances": self._balances({"account": account}, now)["balances"],
            "positions": self._positions({"account": account}, now)["positions"],
            "contracts": {
                symbol: _text(qty) for (owner, symbol), (qty, _) in state.accounts.positions.items() if owner == account
            },
            "last_trade_ids": {
                symbol: max((t.trade_id for t in self._venue.history.last_trades(account, symbol, 1)), default=0)
                for symbol in state.books
            },
            "trade_count": state.accounts.trade_counts.get(account, 0),
            "sessions": self._sessions(),
            "trades": trades,
            "counts": dict(self._venue.counts),
        }

    def _fault(self, arguments: Detail, now: Instant) -> Detail:
        """Begin a fault (`kind`, `scope`, `count`, `ms`, `text`), or `list` or `clear` them."""
        faults = self._venue.faults
        kind = str(arguments.get("kind", "list"))
        if kind == "clear":
            return {"cleared": faults.clear()}
        if kind != "list":
            count = _whole(arguments, "count", 0 if kind in ("slow", "stall", "maintenance") else 1)
            scope = str(arguments.get("scope", "fix"))
            text = str(arguments.get("text", ""))
            fault = faults.add(kind, scope, count, _whole(arguments, "ms", 1000), text)
            self._inflict(fault, now)
        return {
            "faults": [
                {"number": f.number, "kind": f.kind, "scope": f.scope, "count": f.count, "ms": f.ms, "struck": f.struck}
                for f in faults.active
            ],
            "struck": dict(faults.struck),
            "kinds": {kind.value: sentence for kind, sentence in FAULT_SENTENCES.items()},
        }


def _whole(arguments: Detail, name: str, default: int) -> int:
    value = arguments.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadAct(f"`{name}` is a whole number, not below 0")
    return value


def _number(arguments: Detail, name: str, default: str = "") -> Decimal:
    try:
        return read_number(str(arguments.get(name, default)))
    except ValueError as error:
        raise BadAct(f"`{name}`: {error}") from None


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
