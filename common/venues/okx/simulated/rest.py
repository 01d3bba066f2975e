"""OKX's REST side, as much as trading spot and linear perpetuals needs.

The account is of futures mode with one net position in each contract, held across the account.

Source: OKX API v5 documentation as stored 2025-11-25; error codes, expTime and limits likewise. An order's refusal is
HTTP 200 with code "1" and the reason in the row's sCode; of a batch it may be code "2".
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from common.exchange.engine import Cause, Refusal
from common.exchange.faults import Kind
from common.exchange.history import ClosedOrder, closed_order
from common.exchange.limits import Window
from common.exchange.numbers import digits, read_number
from common.exchange.order import (
    BUY,
    EXPIRE_BOTH,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    FILL_OR_KILL,
    GOOD_TILL_CANCEL,
    IMMEDIATE_OR_CANCEL,
    LIMIT,
    MARKET,
    SELL,
    Asked,
    Order,
    Terms,
)
from common.exchange.rest import BODY, Json, Parameters, RestError, RestRequest, Route, Trouble
from common.exchange.venue import Venue
from common.fix.wire import parse_utc_timestamp
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.venues.okx.simulated.dead_man import TooManyTagsError
from common.venues.okx.simulated.rows import (
    GONE_FOR_AMEND,
    GONE_FOR_CANCEL,
    PARAMETER,
    Row,
    balance_row,
    code_of,
    fill_row,
    inst_type,
    instrument_row,
    is_swap,
    ms,
    order_row,
    position_row,
    td_mode,
)
from common.venues.okx.simulated.websocket import OkxWebSocket

VALID_NS = 30 * NS_PER_S
FORGOTTEN_AFTER_NS = 7_200 * NS_PER_S
"""A cancelled order without a fill is not told of any more."""

LIMIT_S, ORDERS_LIMIT, ASKED_LIMIT, BATCHED_LIMIT = 2, 60, 60, 300
"""Of each user and instrument: new orders, amendments and cancels each; of each user: questions of each kind. Orders
that are several in one request count apart, each as one."""

ENTRY = "fix"
"""The scope of faults that are about orders, whichever way these are entered."""

PAGE = 100
LOOKED_THROUGH = 5_000
MAX_BATCH = 20
NO_SUCH_ORDER = "51603"
TOO_MANY_TAGS = "51071"
_TROUBLES = {
    Trouble.GARBLED: (400, "50002", "Incorrect json data format"),
    Trouble.NO_ROUTE: (404, "404", "Not Found"),
    Trouble.WRONG_METHOD: (405, "405", "Method Not Allowed"),
    Trouble.FAILED: (503, "50001", "Service temporarily unavailable. Try again later"),
    Trouble.LOST: (500, "51149", "Order timed out. Please try again."),
    Trouble.UNKNOWN: (500, "51149", "Order timed out. Please try again."),
}
_TIMES_IN_FORCE = {"ioc": IMMEDIATE_OR_CANCEL, "fok": FILL_OR_KILL}
_SELF_TRADE = {"": EXPIRE_MAKER, "cancel_maker": EXPIRE_MAKER, "cancel_taker": EXPIRE_TAKER, "cancel_both": EXPIRE_BOTH}
_ORDERING = ("/api/v5/trade/order", "/api/v5/trade/batch-orders", "/api/v5/trade/amend-order")

_decode_rows = msgspec.json.Decoder(list[dict[str, str | int | float | bool | None]]).decode


class _Bad(Exception):
    """One order's request is refused: sCode and sMsg."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text


class OkxRestApi:
    """A `RestApi`. `pushes` hears of amendments that are taken and then fail."""

    def __init__(self, venue: Venue, pushes: OkxWebSocket) -> None:
        self._venue = venue
        self._pushes = pushes
        self._keys = {key.api_key: key for key in venue.settings.keys_for("rest")}
        self._windows: dict[tuple[str, str, str], Window] = {}
        public = {
            "public/time": self._time, "public/instruments": self._instruments, "market/books": self._book,
            "market/ticker": self._ticker,
        }  # fmt: skip
        asking = {
            "trade/order": self._order, "trade/orders-pending": self._pending, "trade/fills": self._fills,
            "trade/fills-history": self._fills, "account/balance": self._balance,
            "account/positions": self._positions, "account/config": self._config, "account/bills-archive": self._bills,
        }  # fmt: skip
        acting = {
            "trade/order": self._new, "trade/amend-order": self._amend, "trade/cancel-order": self._cancel,
            "trade/batch-orders": self._new_batch, "trade/cancel-batch-orders": self._cancel_batch,
            "trade/cancel-all-after": self._cancel_all_after,
        }  # fmt: skip
        routes = {("GET", f"/api/v5/{path}"): Route(1, False, answer) for path, answer in public.items()}
        routes |= {("GET", f"/api/v5/{path}"): Route(1, True, answer) for path, answer in asking.items()}
        routes |= {("POST", f"/api/v5/{path}"): Route(1, True, answer) for path, answer in acting.items()}
        self.routes: Mapping[tuple[str, str], Route] = routes

    # ---- what is said of a request

    def trouble(self, trouble: Trouble, text: str = "") -> RestError:
        """As OKX says it."""
        status, code, words = _TROUBLES[trouble]
        return RestError(status, {"code": code, "msg": text or words, "data": []})

    def count(self, route: Route, now: Instant) -> None:
        """Nothing is counted before it is known of whom it is."""

    def headers(self, now: Instant) -> list[tuple[str, str]]:
        """None of its own."""
        return []

    def authenticate(self, request: RestRequest, now: Instant) -> str:
        """Key, passphrase, time and signature over time, method, path with query, and body; then expTime."""
        headers = request.headers
        key = self._keys.get(headers.get("ok-access-key", ""))
        if key is None:
            raise _refused(401, "50111", "Invalid OK-ACCESS-KEY")
        if headers.get("ok-access-passphrase", "") != key.passphrase:
            raise _refused(401, "50105", "Request header OK-ACCESS-PASSPHRASE incorrect.")
        stamp = headers.get("ok-access-timestamp", "")
        if abs(_stamp_ns(stamp) - now.wall_ns) > VALID_NS:
            raise _refused(401, "50102", "Timestamp request expired")
        signed = f"{stamp}{request.method}{request.target}{request.body}".encode()
        ours = base64.b64encode(hmac.digest(key.secret, signed, hashlib.sha256)).decode()
        if not hmac.compare_digest(ours, headers.get("ok-access-sign", "")):
            raise _refused(401, "50113", "Invalid Sign")
        expires = headers.get("exptime", "")
        ordering = expires and request.method == "POST" and request.path in _ORDERING
        if ordering and (not expires.isdecimal() or int(expires[:18]) * NS_PER_MS < now.wall_ns):
            raise _refused(400, "50004", "API endpoint request timeout (does not mean the request failed).")
        return key.account

    def _counted(
        self, account: str, what: str, of: str, limit: int, now: Instant, within_s: int = LIMIT_S
    ) -> None:  # fmt: skip
        """`of` is the instrument or the tag that has a limit of its own."""
        window = self._windows.setdefault((account, what, of), Window(within_s))
        if window.used(now.boot_ns) >= limit or self._venue.faults.strikes(Kind.BARRED, "rest"):
            raise _refused(429, "50011", "Too Many Requests")
        window.count(now.boot_ns)

    # ---- public

    def _time(self, account: str, p: Parameters, now: Instant) -> Json:
        return _answer([{"ts": ms(now.wall_ns)}])

    def _instruments(self, account: str, p: Parameters, now: Instant) -> Json:
        wanted = self._symbols(p)
        return _answer([instrument_row(self._venue.state.instruments[symbol]) for symbol in wanted])

    def _symbols(self, p: Parameters) -> list[str]:
        """The instruments that are asked for, by their name or their kind."""
        kind, symbol = p.get("instType", ""), p.get("instId", "")
        return [
            each for each in self._venue.state.instruments if kind in ("", inst_type(each)) and symbol in ("", each)
        ]

    def _book(self, account: str, p: Parameters, now: Instant) -> Json:
        book, depth = self._venue.state.books.get(p.get("instId", "")), int(p.get("sz", "1")[:4])
        if book is None:
            raise _refused(200, "51001", "Instrument ID does not exist")
        sides = {
            name: [[digits(level.price), digits(level.qty), "0", "1"] for level in list(side.walk())[:depth]]
            for name, side in (("asks", book.asks), ("bids", book.bids))
        }
        return _answer([{**sides, "ts": ms(now.wall_ns)}])

    def _ticker(self, account: str, p: Parameters, now: Instant) -> Json:
        symbol = p.get("instId", "")
        book = self._venue.state.books.get(symbol)
        if book is None:
            raise _refused(200, "51001", "Instrument ID does not exist")
        bid, ask = book.bids.best(), book.asks.best()
        last = book.last_px or self._venue.state.instruments[symbol].start_price
        row: Row = {"instType": inst_type(symbol), "instId": symbol, "last": digits(last), "ts": ms(now.wall_ns)}
        for name, level in (("bid", bid), ("ask", ask)):
            row[f"{name}Px"] = "" if level is None else digits(level.price)
            row[f"{name}Sz"] = "" if level is None else digits(level.qty)
        return _answer([row])

    # ---- questions

    def _order(self, account: str, p: Parameters, now: Instant) -> Json:
        self._counted(account, "order", "", ASKED_LIMIT, now)
        found = self._find(account, p)
        if found is None or self._is_forgotten(found, now) or self._venue.hides(found.stamp_ns, now):
            raise _refused(200, NO_SUCH_ORDER, "Order does not exist")
        return _answer([order_row(found)])

    def _is_forgotten(self, order: Order | ClosedOrder, now: Instant) -> bool:
        ended = order.ord_status not in "012"
        return ended and not order.cum_qty and order.updated_ns + FORGOTTEN_AFTER_NS < now.wall_ns

    def _pending(self, account: str, p: Parameters, now: Instant) -> Json:
        """The newest first, from the id `after` on."""
        self._counted(account, "pending", "", ASKED_LIMIT, now)
        state = self._venue.state
        orders = [order for symbol in self._symbols(p) for order in state.open_orders(account, symbol)]
        before = int(p.get("after") or 1 << 62)
        rows = sorted((o for o in orders if o.order_id < before), key=lambda o: o.order_id, reverse=True)
        return _answer([order_row(o) for o in rows if not self._venue.hides(o.stamp_ns, now)][:PAGE])

    def _fills(self, account: str, p: Parameters, now: Instant) -> Json:
        """The newest first, from the bill `after` on."""
        self._counted(account, "fills", "", ASKED_LIMIT, now)
        history = self._venue.history
        if p.get("ordId"):
            rows = history.trades_of(account, int(p["ordId"][:18]))
        else:
            rows = [row for each in self._symbols(p) for row in history.last_trades(account, each, LOOKED_THROUGH)]
        before, begin_ns = int(p.get("after") or 1 << 62), int(p.get("begin") or 0) * NS_PER_MS
        wanted = [row for row in rows if row.exec_id < before and row.stamp_ns >= begin_ns]
        newest = sorted(wanted, key=lambda row: row.exec_id, reverse=True)
        return _answer([fill_row(row) for row in newest][: int(p.get("limit") or PAGE)])

    def _balance(self, account: str, p: Parameters, now: Instant) -> Json:
        balances, engine = self._venue.state.accounts.balances, self._venue.engine
        rows = [
            balance_row(
                asset, b.free, b.locked, engine.margin(account, asset), engine.equity(account, asset) - b.free
            )
            for (owner, asset), b in balances.items()
            if owner == account
        ]  # fmt: skip
        return _answer([{"details": rows, "uTime": ms(now.wall_ns)}])

    def _positions(self, account: str, p: Parameters, now: Instant) -> Json:
        """Of what is held alone."""
        state, wanted = self._venue.state, self._symbols(p)
        rows = [
            position_row(state.instruments[symbol], qty, average, self._venue.engine.last_px(symbol))
            for (owner, symbol), (qty, average) in state.accounts.positions.items()
            if owner == account and symbol in wanted and qty
        ]
        return _answer(rows)

    def _bills(self, account: str, p: Parameters, now: Instant) -> Json:
        """Of funding, which nobody is paid here."""
        if p.get("type", "") != "8":
            raise _refused(200, PARAMETER, "Parameter type error: this simulated side has bills of funding alone")
        return _answer([])

    def _config(self, account: str, p: Parameters, now: Instant) -> Json:
        return _answer([{"uid": account, "mainUid": account, "acctLv": "2", "posMode": "net_mode", "autoLoan": False}])

    def _find(self, account: str, p: Parameters) -> Order | ClosedOrder | None:
        """By ordId, which wins, else by clOrdId."""
        found = self._venue.find(account, p.get("instId", ""), p.get("ordId", ""), p.get("clOrdId", ""))
        return closed_order(found) if isinstance(found, Order) else found

    def _open(self, account: str, p: Parameters) -> Order | None:
        found = self._venue.find(account, p.get("instId", ""), p.get("ordId", ""), p.get("clOrdId", ""))
        return found if isinstance(found, Order) and found.is_open else None

    # ---- acts

    def _new(self, account: str, p: Parameters, now: Instant) -> Json:
        self._counted(account, "new", p.get("instId", ""), ORDERS_LIMIT, now)
        return _one(self._placed(account, p, now))

    def _amend(self, account: str, p: Parameters, now: Instant) -> Json:
        self._counted(account, "amend", p.get("instId", ""), ORDERS_LIMIT, now)
        return _one(self._amended(account, p, now))

    def _cancel(self, account: str, p: Parameters, now: Instant) -> Json:
        self._counted(account, "cancel", p.get("instId", ""), ORDERS_LIMIT, now)
        return _one(self._cancelled(account, p, now))

    def _cancel_all_after(self, account: str, p: Parameters, now: Instant) -> Json:
        timeout, tag = p.get("timeOut", ""), p.get("tag", "")
        self._counted(account, "cancel-all-after", tag, 1, now, within_s=1)
        if not _is_tag(tag):
            raise _refused(200, PARAMETER, "Parameter tag error")
        try:
            fires_ms = self._pushes.switch.set(account, tag, int(timeout) if timeout.isdecimal() else -1, now)
        except ValueError as error:
            raise _refused(200, PARAMETER, f"Parameter timeOut error: {error}") from None
        except TooManyTagsError:
            text = "You've reached the maximum limit for tag level cancel all after timers."
            raise _refused(200, TOO_MANY_TAGS, text) from None
        return _answer([{"triggerTime": str(fires_ms), "tag": tag, "ts": ms(now.wall_ns)}])

    def _new_batch(self, account: str, p: Parameters, now: Instant) -> Json:
        return self._batch(account, "new", p, now, self._placed)

    def _cancel_batch(self, account: str, p: Parameters, now: Instant) -> Json:
        return self._batch(account, "cancel", p, now, self._cancelled)

    def _batch(
        self, account: str, what: str, p: Parameters, now: Instant, act: Callable[[str, Parameters, Instant], Row]
    ) -> Json:
        try:
            asked = _decode_rows(p.get(BODY, ""))
        except msgspec.DecodeError:
            raise self.trouble(Trouble.GARBLED) from None
        if not 0 < len(asked) <= MAX_BATCH:
            raise _refused(200, PARAMETER, "Parameter order list error")
        for each in asked:
            symbol = str(each.get("instId", ""))
            if len(asked) == 1:
                self._counted(account, what, symbol, ORDERS_LIMIT, now)
            else:
                self._counted(account, f"{what} of many", symbol, BATCHED_LIMIT, now)
        rows = [act(account, {name: str(value) for name, value in each.items()}, now) for each in asked]
        failed = sum(row["sCode"] != "0" for row in rows)
        code = "0" if not failed else "1" if failed == len(rows) else "2"
        return {"code": code, "msg": "", "data": rows}

    def _placed(self, account: str, p: Parameters, now: Instant) -> Row:
        try:
            terms = self._terms(account, p)
            rejected = self._venue.faults.strikes(Kind.REJECT, ENTRY)
            if rejected is not None:
                raise _Bad("51008", rejected.text or "Order failed. Insufficient balance")
            refusal = self._venue.engine.check(terms, now.wall_ns)
            if refusal is Refusal.WOULD_TAKE:
                # An order that may not take is taken in, and cancelled at once.
                order = self._venue.engine.place_to_cancel(terms, now, Cause.WOULD_TAKE)
            elif refusal is not None:
                raise _Bad(code_of(refusal), refusal.value)
            else:
                order = self._venue.engine.place(terms, now)
            self._pushes.switch.tagged(order.order_id, p.get("tag", ""))
        except _Bad as bad:
            return _acted("", p, bad, now)
        return _acted(str(order.order_id), p, None, now)

    def _terms(self, account: str, p: Parameters) -> Terms:
        name, kind, side = p.get("clOrdId", ""), p.get("ordType", ""), p.get("side", "")
        if not name.isascii() or not name.isalnum() or len(name) > 32:
            raise _Bad(PARAMETER, "Parameter clOrdId error")
        if not _is_tag(p.get("tag", "")):
            raise _Bad(PARAMETER, "Parameter tag error")
        symbol = p.get("instId", "")
        if p.get("tdMode") != td_mode(symbol) or side not in ("buy", "sell"):
            raise _Bad(PARAMETER, "Parameter tdMode or side error")
        if is_swap(symbol) and p.get("posSide", "net") != "net":
            raise _Bad(PARAMETER, "Parameter posSide error")
        if self._venue.find(account, "", "", name) is not None:
            raise _Bad("51016", "Duplicated client order ID")
        is_market = kind == "market"
        if is_market and side == "buy" and not is_swap(symbol) and p.get("tgtCcy") != "base_ccy":
            raise _Bad(PARAMETER, "Parameter tgtCcy error: this simulated side takes base_ccy alone")
        if kind not in ("market", "limit", "post_only", "ioc", "fok") or p.get("stpMode", "") not in _SELF_TRADE:
            raise _Bad(PARAMETER, "Parameter ordType or stpMode error")
        return Terms(
            account, account, name, symbol, BUY if side == "buy" else SELL,
            MARKET if is_market else LIMIT, _decimal(p, "sz"), None if is_market else _decimal(p, "px"),
            _TIMES_IN_FORCE.get(kind, GOOD_TILL_CANCEL), kind == "post_only",
            self._venue.prevention(_SELF_TRADE[p.get("stpMode", "")] if p.get("stpMode") else ""),
            # Of a spot order it says nothing.
            reduce_only=is_swap(symbol) and p.get("reduceOnly", "").lower() == "true",
        )  # fmt: skip

    def _amended(self, account: str, p: Parameters, now: Instant) -> Row:
        order = self._open(account, p)
        try:
            if order is None:
                raise _Bad(GONE_FOR_AMEND, "Order modification failed as the order does not exist")
            qty = _decimal(p, "newSz") if p.get("newSz") else order.order_qty
            px = _decimal(p, "newPx") if p.get("newPx") else order.price
        except _Bad as bad:
            return _acted(p.get("ordId", ""), p, bad, now)
        refusal = self._venue.engine.check_replace(order, order.cl_ord_id, qty, px)
        if refusal is not None:
            self._pushes.amend_failed(order, p.get("reqId", ""), code_of(refusal), refusal.value, now)
        else:
            self._venue.engine.replace(order, Asked(order.cl_ord_id, p.get("reqId", "")), qty, px, now)
        return _acted(str(order.order_id), p, None, now)

    def _cancelled(self, account: str, p: Parameters, now: Instant) -> Row:
        order = self._open(account, p)
        if order is None:
            gone = _Bad(GONE_FOR_CANCEL, "Cancellation failed as the order has been filled, canceled or does not exist")
            return _acted(p.get("ordId", ""), p, gone, now)
        if not self._venue.faults.strikes(Kind.SILENT, ENTRY):
            if self._venue.faults.strikes(Kind.LATE_FILL, ENTRY):
                self._venue.fill_late(order, now)
            if order.is_open:
                self._venue.engine.cancel(order, now)
        return _acted(str(order.order_id), p, None, now)


def _answer(rows: list[Row]) -> Json:
    return {"code": "0", "msg": "", "data": rows}


def _one(row: Row) -> Json:
    failed = row["sCode"] != "0"
    return {"code": "1" if failed else "0", "msg": "All operations failed" if failed else "", "data": [row]}


def _acted(order_id: str, p: Parameters, bad: _Bad | None, now: Instant) -> Row:
    code, text = ("0", "") if bad is None else (bad.code, bad.text)
    row: Row = {"ordId": order_id, "clOrdId": p.get("clOrdId", ""), "tag": p.get("tag", ""), "ts": ms(now.wall_ns)}
    return {**row, "reqId": p.get("reqId", ""), "sCode": code, "sMsg": text}


def _refused(status: int, code: str, text: str) -> RestError:
    return RestError(status, {"code": code, "msg": text, "data": []})


def _is_tag(text: str) -> bool:
    """An order's tag, which may be missing."""
    return not text or (text.isascii() and text.isalnum() and len(text) <= 16)


def _decimal(p: Parameters, name: str) -> Decimal:
    try:
        return read_number(p.get(name, ""))
    except ValueError:
        raise _Bad(PARAMETER, f"Parameter {name} error") from None


def _stamp_ns(stamp: str) -> int:
    """An ISO 8601 time with milliseconds, Unix; 0 for what is none."""
    try:
        return parse_utc_timestamp(stamp.replace("-", "").replace("T", "-").removesuffix("Z").encode())
    except ValueError:
        return 0
