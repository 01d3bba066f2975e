"""Deribit's REST side, as much as a desk asks of it: JSON-RPC over HTTP, each method a path.

Source: docs.deribit.com, "Authentication" and the methods' own pages. A request is signed with HMAC-SHA-256 over its
time, nonce, method, path with query, and body; answers are `{"result": ...}`, errors `{"error": {"code", "message"}}`.
Amounts are in units of the underlying, or of the quote currency for inverse contracts.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from decimal import Decimal

from common.exchange.history import ClosedOrder, TradeRow, closed_order
from common.exchange.limits import Window
from common.exchange.order import BUY, LIMIT, MARKET, STOP, STOP_LIMIT, Order
from common.exchange.rest import Json, Parameters, RestError, RestRequest, Route, Trouble
from common.exchange.settings import Instrument
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.venues.deribit.simulated.reports import client_name, plain

REQUESTS_PER_S = 20
BURST_S = 5
MAX_ROWS = 1000
DEFAULT_ROWS = 10
TOLERANCE_MS = 60_000
RECENT_NS = 86_400 * NS_PER_S
"""So long a trade is told without `historical`."""

NOT_FOUND, BAD_INSTRUMENT, TOO_MANY, UNAUTHORIZED, INVALID = 10004, 13020, 10028, 13009, -32602
_SIGNED = re.compile(r"deri-hmac-sha256 id=([^,]*),ts=(\d{1,15}),sig=([0-9a-f]{64}),nonce=([^,]*)")
_TYPES = {MARKET: "market", LIMIT: "limit", STOP: "stop_market", STOP_LIMIT: "stop_limit"}
_STATES = {"0": "open", "1": "open", "2": "filled", "4": "cancelled", "8": "rejected", "C": "cancelled"}
_TIME_IN_FORCE = {"1": "good_til_cancelled", "3": "immediate_or_cancel", "4": "fill_or_kill"}
_TROUBLES = {
    Trouble.GARBLED: (400, -32700, "Parse error"),
    Trouble.NO_ROUTE: (400, -32601, "Method not found"),
    Trouble.WRONG_METHOD: (405, -32601, "Method not found"),
    Trouble.FAILED: (500, 11094, "internal_server_error"),
    Trouble.LOST: (500, 11094, "internal_server_error"),
    Trouble.UNKNOWN: (504, 13888, "timed_out"),
}


def refused(status: int, code: int, text: str) -> RestError:
    """An error as the venue writes it."""
    return RestError(status, {"jsonrpc": "2.0", "error": {"code": code, "message": text}, "testnet": True})


def told(result: Json) -> Json:
    """An answer as the venue writes it."""
    return {"jsonrpc": "2.0", "result": result, "testnet": True}


class DeribitRest:
    """A `RestApi`."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._keys = {key.api_key: key for key in venue.settings.keys_for("rest")}
        self._asked = Window(BURST_S)
        public = {"get_time": self._time, "get_instrument": self._instrument}
        private = {
            "get_order_state": self._order,
            "get_order_state_by_label": self._orders_of_label,
            "get_open_orders": self._open_orders,
            "get_open_orders_by_instrument": self._open_orders,
            "get_user_trades_by_instrument": self._trades,
            "get_user_trades_by_instrument_and_time": self._trades,
            "get_user_trades_by_order": self._trades_of_order,
            "get_account_summaries": self._summaries,
            "get_positions": self._positions,
            "cancel_all_by_instrument": self._cancel_all,
        }
        self.routes: Mapping[tuple[str, str], Route] = {
            **{("GET", f"/api/v2/public/{name}"): Route(1, False, answer) for name, answer in public.items()},
            **{("GET", f"/api/v2/private/{name}"): Route(1, True, answer) for name, answer in private.items()},
        }

    # ---- what is said of a request

    def trouble(self, trouble: Trouble, text: str = "") -> RestError:
        status, code, words = _TROUBLES[trouble]
        return refused(status, code, text or words)

    def count(self, route: Route, now: Instant) -> None:
        if self._asked.count(now.boot_ns, route.weight) > BURST_S * REQUESTS_PER_S:
            raise refused(429, TOO_MANY, "too_many_requests")

    def headers(self, now: Instant) -> list[tuple[str, str]]:
        return []

    def authenticate(self, request: RestRequest, now: Instant) -> str:
        found = _SIGNED.fullmatch(request.headers.get("authorization", ""))
        key = self._keys.get(found[1]) if found is not None else None
        if found is None or key is None:
            raise refused(400, UNAUTHORIZED, "unauthorized")
        stamp, nonce = found[2], found[4]
        signed = f"{stamp}\n{nonce}\n{request.method}\n{request.target}\n{request.body}\n".encode("latin-1")
        ours = hmac.new(key.secret, signed, hashlib.sha256).hexdigest()
        if abs(int(stamp) - now.wall_ns // NS_PER_MS) > TOLERANCE_MS or not hmac.compare_digest(ours, found[3]):
            raise refused(400, UNAUTHORIZED, "unauthorized")
        return key.account

    def _named(self, p: Parameters) -> Instrument:
        instrument = self._venue.state.instruments.get(p.get("instrument_name", ""))
        if instrument is None:
            raise refused(400, BAD_INSTRUMENT, "not_found")
        return instrument

    # ---- methods

    def _time(self, account: str, p: Parameters, now: Instant) -> Json:
        return told(now.wall_ns // NS_PER_MS)

    def _instrument(self, account: str, p: Parameters, now: Instant) -> Json:
        i = self._named(p)
        return told(
            {
                "instrument_name": i.symbol,
                "kind": "future" if i.contract.kind != "option" else "option",
                "base_currency": i.base,
                "quote_currency": i.quote,
                "settlement_currency": i.contract.settle,
                "instrument_type": "reversed" if i.contract.inverse else "linear",
                "contract_size": plain(i.contract.multiplier),
                "tick_size": plain(i.tick_size),
                "min_trade_amount": plain(i.min_qty * i.contract.multiplier),
                "expiration_timestamp": i.expiry_ns // NS_PER_MS,
                "is_active": not 0 < i.expiry_ns <= now.wall_ns,
            }
        )

    def _order(self, account: str, p: Parameters, now: Instant) -> Json:
        found = self._venue.find(account, "", p.get("order_id", ""), "") if p.get("order_id") else None
        if found is None:
            raise refused(400, NOT_FOUND, "order_not_found")
        return told(self._order_json(found))

    def _orders_of_label(self, account: str, p: Parameters, now: Instant) -> Json:
        found = self._venue.find(account, "", "", p.get("label", ""))
        return told([] if found is None else [self._order_json(found)])

    def _open_orders(self, account: str, p: Parameters, now: Instant) -> Json:
        symbols = [self._named(p).symbol] if "instrument_name" in p else list(self._venue.state.instruments)
        orders = [order for symbol in symbols for order in self._venue.state.open_orders(account, symbol)]
        return told([self._order_json(order) for order in orders])

    def _trades(self, account: str, p: Parameters, now: Instant) -> Json:
        symbol, history = self._named(p).symbol, self._venue.history
        count = max(1, min(_whole(p, "count", DEFAULT_ROWS), MAX_ROWS))
        if "start_seq" in p:
            rows = history.trades(account, symbol, _whole(p, "start_seq", 0), MAX_ROWS * 10)
        else:
            start_ns = _whole(p, "start_timestamp", 0) * NS_PER_MS
            end_ns = _whole(p, "end_timestamp", now.wall_ns // NS_PER_MS) * NS_PER_MS + NS_PER_MS
            rows = [t for t in history.trades(account, symbol, 0, MAX_ROWS * 10) if start_ns <= t.stamp_ns < end_ns]
        rows = _of_its_age(rows, p, now)
        if p.get("sorting") != "asc":
            rows = rows[::-1]
        return told({"trades": [self._trade_json(row) for row in rows[:count]], "has_more": len(rows) > count})

    def _trades_of_order(self, account: str, p: Parameters, now: Instant) -> Json:
        order_id = p.get("order_id", "")
        rows = self._venue.history.trades_of(account, int(order_id)) if order_id.isdecimal() else []
        return told([self._trade_json(row) for row in _of_its_age(rows, p, now)])

    def _summaries(self, account: str, p: Parameters, now: Instant) -> Json:
        rows = [
            {"currency": asset, "balance": plain(b.free + b.locked), "equity": plain(b.free + b.locked)}
            for (owner, asset), b in self._venue.state.accounts.balances.items()
            if owner == account
        ]
        return told({"summaries": rows})

    def _positions(self, account: str, p: Parameters, now: Instant) -> Json:
        """Of all currencies; one that is closed is told for a while, of size 0."""
        rows = [
            {
                "instrument_name": symbol, "size": self._amount(symbol, qty),
                "direction": "buy" if qty > 0 else "sell" if qty < 0 else "zero",
            }
            for (owner, symbol), (qty, _) in self._venue.state.accounts.positions.items()
            if owner == account
        ]  # fmt: skip
        return told(rows)

    def _cancel_all(self, account: str, p: Parameters, now: Instant) -> Json:
        return told(len(self._venue.engine.cancel_all(account, self._named(p).symbol, now)))

    # ---- rows

    def _amount(self, symbol: str, contracts: Decimal) -> str:
        return plain(contracts * self._venue.state.instruments[symbol].contract.multiplier)

    def _order_json(self, found: Order | ClosedOrder) -> Json:
        o = found if isinstance(found, ClosedOrder) else closed_order(found)
        t = o.terms
        return {
            "order_id": str(o.order_id),
            "label": client_name(t.cl_ord_id),
            "instrument_name": t.symbol,
            "direction": "buy" if t.side == BUY else "sell",
            "order_type": _TYPES[t.ord_type],
            **({"trigger": "last_price"} if t.ord_type in (STOP, STOP_LIMIT) else {}),
            **({} if t.stop_px is None else {"trigger_price": plain(t.stop_px)}),
            **({"trigger_offset": plain(t.peg_offset)} if t.peg_offset is not None else {}),
            "order_state": _STATES[o.ord_status],
            "price": "market_price" if t.price is None else plain(t.price),
            "amount": self._amount(t.symbol, t.order_qty),
            "contracts": plain(t.order_qty),
            "filled_amount": self._amount(t.symbol, o.cum_qty),
            "average_price": plain(o.cum_quote / o.cum_qty if o.cum_qty else Decimal(0)),
            "time_in_force": _TIME_IN_FORCE[t.time_in_force],
            "post_only": t.post_only,
            "creation_timestamp": o.stamp_ns // NS_PER_MS,
            "last_update_timestamp": o.updated_ns // NS_PER_MS,
            "api": True,
        }

    def _trade_json(self, t: TradeRow) -> Json:
        return {
            "trade_id": f"{t.symbol}-{t.trade_id}",
            "trade_seq": t.trade_id,
            "instrument_name": t.symbol,
            "order_id": str(t.order_id),
            "label": client_name(t.cl_ord_id),
            "direction": "buy" if t.side == BUY else "sell",
            "price": plain(t.px),
            "amount": self._amount(t.symbol, t.qty),
            "contracts": plain(t.qty),
            "fee": plain(t.fee),
            "fee_currency": t.fee_asset,
            "liquidity": "M" if t.maker else "T",
            "timestamp": t.stamp_ns // NS_PER_MS,
        }


def _of_its_age(rows: list[TradeRow], p: Parameters, now: Instant) -> list[TradeRow]:
    """Those that are kept where it is asked: the recent ones, or with `historical` what is no longer recent."""
    is_old = p.get("historical") == "true"
    return [row for row in rows if (row.stamp_ns < now.wall_ns - RECENT_NS) is is_old]


def _whole(p: Parameters, name: str, default: int) -> int:
    value = p.get(name, "")
    if not value:
        return default
    if not value.isdecimal() or len(value) > 18:
        raise refused(400, INVALID, "Invalid params")
    return int(value)
