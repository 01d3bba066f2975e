"""Kraken's REST side, as much as a desk asks of it.

Source: docs.kraken.com, Spot REST, as of May 2026. A private request is a POST with a nonce, signed over its path and
body; every answer is 200 with a list of errors and, where there is none, a result.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from decimal import Decimal

from common.exchange.history import ClosedOrder, TradeRow, closed_order
from common.exchange.limits import Window
from common.exchange.numbers import digits
from common.exchange.order import BUY, LIMIT, MARKET, STOP, STOP_LIMIT, Order, Terms
from common.exchange.rest import Json, Parameters, RestError, RestRequest, Route, Trouble
from common.exchange.settings import Instrument
from common.exchange.venue import Venue
from common.instant import NS_PER_S, Instant
from common.venues.kraken.simulated.limits import Counters
from common.venues.kraken.simulated.market_data import precision
from common.venues.kraken.simulated.reports import words

PAGE = 50
LOOKED_THROUGH = 1000
UNKNOWN_ORDER = "EOrder:Unknown order"
INTERNAL_ERROR = "EGeneral:Internal error"
_TROUBLES = {
    Trouble.GARBLED: "EGeneral:Invalid arguments",
    Trouble.NO_ROUTE: "EGeneral:Unknown method",
    Trouble.WRONG_METHOD: "EGeneral:Unknown method",
    Trouble.FAILED: INTERNAL_ERROR,
    Trouble.LOST: INTERNAL_ERROR,
    Trouble.UNKNOWN: INTERNAL_ERROR,
}
_ORDER_TYPES = {MARKET: "market", LIMIT: "limit", STOP: "stop-loss", STOP_LIMIT: "stop-loss-limit"}
_STATUS = {"0": "open", "1": "open", "2": "closed", "4": "canceled", "C": "expired"}
_CODES = {"BTC": "XXBT", "ETH": "XETH", "USD": "ZUSD", "EUR": "ZEUR"}
_SHORT = {"BTC": "XBT"}


def refused(text: str) -> RestError:
    """An error as Kraken writes it."""
    return RestError(200, {"error": [text]})


class KrakenRest:
    """A `RestApi`."""

    def __init__(self, venue: Venue, counters: Counters) -> None:
        self._venue = venue
        self._counters = counters
        self._keys = {key.api_key: key for key in venue.settings.keys_for("rest")}
        self._nonces: dict[str, int] = {}
        self._weight = Window(60)
        public = {"Time": self._time, "AssetPairs": self._asset_pairs}
        private = {
            "OpenOrders": (1, self._open_orders), "ClosedOrders": (1, self._closed_orders),
            "QueryOrders": (1, self._query_orders), "TradesHistory": (2, self._trades_history),
            "BalanceEx": (1, self._balances), "CancelOrder": (0, self._cancel),
        }  # fmt: skip
        routes = {("GET", f"/0/public/{name}"): Route(1, False, answer) for name, answer in public.items()}
        routes |= {
            ("POST", f"/0/private/{name}"): Route(weight, True, answer) for name, (weight, answer) in private.items()
        }
        self.routes: Mapping[tuple[str, str], Route] = routes

    # ---- what is said of a request

    def trouble(self, trouble: Trouble, text: str = "") -> RestError:
        return refused(text or _TROUBLES[trouble])

    def count(self, route: Route, now: Instant) -> None:
        if self._weight.count(now.boot_ns, route.weight) > self._venue.settings.rest_weight_limit:
            raise refused("EAPI:Rate limit exceeded")

    def headers(self, now: Instant) -> list[tuple[str, str]]:
        return []

    def authenticate(self, request: RestRequest, now: Instant) -> str:
        key = self._keys.get(request.headers.get("api-key", ""))
        if key is None:
            raise refused("EAPI:Invalid key")
        nonce = request.parameters.get("nonce", "")
        try:
            secret = base64.b64decode(key.secret, validate=True)
        except binascii.Error:
            raise refused("EAPI:Invalid key") from None
        digest = hashlib.sha256(f"{nonce}{request.signed}".encode()).digest()
        ours = base64.b64encode(hmac.digest(secret, request.path.encode() + digest, "sha512")).decode()
        if not hmac.compare_digest(ours, request.headers.get("api-sign", "")):
            raise refused("EAPI:Invalid signature")
        if not nonce.isdecimal() or len(nonce) > 20 or int(nonce) <= self._nonces.get(key.api_key, 0):
            raise refused("EAPI:Invalid nonce")
        self._nonces[key.api_key] = int(nonce)
        return key.account

    # ---- endpoints

    def _time(self, account: str, p: Parameters, now: Instant) -> Json:
        return _answer({"unixtime": now.wall_ns // NS_PER_S})

    def _asset_pairs(self, account: str, p: Parameters, now: Instant) -> Json:
        return _answer({_pair(i): _pair_row(i) for i in self._venue.state.instruments.values()})

    def _open_orders(self, account: str, p: Parameters, now: Instant) -> Json:
        state = self._venue.state
        orders = [closed_order(o) for symbol in state.instruments for o in state.open_orders(account, symbol)]
        return _answer({"open": self._rows(orders, p)})

    def _closed_orders(self, account: str, p: Parameters, now: Instant) -> Json:
        """The last ones; of one name whatever it was the name of, however long ago."""
        history, name = self._venue.history, p.get("cl_ord_id", "")
        if name:
            found = history.order_named(account, name)
            rows = [] if found is None else [found]
        else:
            last = [o for symbol in self._venue.state.instruments for o in history.last_orders(account, symbol, PAGE)]
            rows = sorted(last, key=lambda o: o.updated_ns, reverse=True)[:PAGE]
        return _answer({"closed": self._rows(rows, p), "count": len(rows)})

    def _rows(self, orders: list[ClosedOrder], p: Parameters) -> dict[str, Json]:
        name = p.get("cl_ord_id", "")
        wanted = [o for o in orders if not name or name in (o.terms.cl_ord_id, *o.former_names)]
        return {str(o.order_id): self._order_row(o, name) for o in wanted}

    def _order_row(self, o: ClosedOrder, name: str = "") -> Json:
        instrument = self._venue.state.instruments[o.terms.symbol]
        t = o.terms
        return {
            "cl_ord_id": name or t.cl_ord_id,
            "status": _STATUS[o.ord_status],
            "opentm": o.stamp_ns / NS_PER_S,
            "closetm": 0 if o.ord_status in "01" else o.updated_ns / NS_PER_S,
            "descr": {
                "pair": _alt_name(instrument),
                "type": "buy" if t.side == BUY else "sell",
                "ordertype": _order_type(t),
                "price": digits((t.price if t.stop_px is None else t.stop_px) or Decimal(0)),
                "price2": digits(t.price or Decimal(0)) if t.stop_px is not None else "0",
                "order": words(t),
            },
            "vol": f"{t.order_qty:f}",
            "vol_exec": f"{o.cum_qty:f}",
            "cost": f"{o.cum_quote:f}",
            "oflags": "post,fciq" if t.post_only else "fciq",
        }

    def _query_orders(self, account: str, p: Parameters, now: Instant) -> Json:
        """Up to fifty; what of several is not known is left out."""
        order_ids = p.get("txid", "").split(",")
        if len(order_ids) > PAGE:
            raise refused("EGeneral:Invalid arguments:txid")
        orders = [self._venue.find(account, "", order_id, "") for order_id in order_ids]
        rows = [closed_order(order) if isinstance(order, Order) else order for order in orders if order is not None]
        if not rows:
            raise refused(UNKNOWN_ORDER)
        return _answer({str(row.order_id): self._order_row(row) for row in rows})

    def _trades_history(self, account: str, p: Parameters, now: Instant) -> Json:
        """The newest come first, fifty at a time, from the offset on."""
        history, offset, start = self._venue.history, _whole(p, "ofs"), _whole(p, "start")
        rows = [t for s in self._venue.state.instruments for t in history.last_trades(account, s, LOOKED_THROUGH)]
        rows = sorted((t for t in rows if t.stamp_ns > start * NS_PER_S), key=lambda t: t.exec_id, reverse=True)
        page = rows[offset : offset + PAGE]
        return _answer({"trades": {f"T{t.exec_id}": self._trade_row(t) for t in page}, "count": len(rows)})

    def _trade_row(self, t: TradeRow) -> Json:
        return {
            "ordertxid": str(t.order_id),
            "pair": _pair(self._venue.state.instruments[t.symbol]),
            "time": t.stamp_ns / NS_PER_S,
            "type": "buy" if t.side == BUY else "sell",
            "ordertype": "limit",
            "price": f"{t.px:f}",
            "cost": f"{t.px * t.qty:f}",
            "fee": f"{t.fee:f}",
            "vol": f"{t.qty:f}",
            "maker": t.maker,
            "trade_id": t.trade_id,
        }

    def _balances(self, account: str, p: Parameters, now: Instant) -> Json:
        balances = self._venue.state.accounts.balances
        return _answer(
            {
                _CODES.get(asset, asset): {"balance": f"{b.free + b.locked:f}", "hold_trade": f"{b.locked:f}"}
                for (owner, asset), b in balances.items()
                if owner == account
            }
        )

    def _cancel(self, account: str, p: Parameters, now: Instant) -> Json:
        found = self._venue.find(account, "", p.get("txid", ""), "")
        if not isinstance(found, Order):
            raise refused(UNKNOWN_ORDER)
        self._venue.engine.cancel(found, now)
        return _answer({"count": 1})


def _answer(result: Json) -> Json:
    return {"error": [], "result": result}


def _pair(i: Instrument) -> str:
    return f"{_CODES.get(i.base, i.base)}{_CODES.get(i.quote, i.quote)}"


def _alt_name(i: Instrument) -> str:
    return f"{_SHORT.get(i.base, i.base)}{_SHORT.get(i.quote, i.quote)}"


def _pair_row(i: Instrument) -> Json:
    return {
        "altname": _alt_name(i),
        "wsname": f"{_SHORT.get(i.base, i.base)}/{_SHORT.get(i.quote, i.quote)}",
        "base": _CODES.get(i.base, i.base),
        "quote": _CODES.get(i.quote, i.quote),
        "pair_decimals": precision(i.tick_size),
        "lot_decimals": precision(i.lot_size),
        "ordermin": f"{i.min_qty:f}",
        "costmin": f"{i.min_notional:f}",
        "tick_size": f"{i.tick_size:f}",
        "status": "online",
    }


def _whole(p: Parameters, name: str) -> int:
    value = p.get(name, "") or "0"
    if not value.isdecimal() or len(value) > 18:
        raise refused(f"EGeneral:Invalid arguments:{name}")
    return int(value)


def _order_type(t: Terms) -> str:
    """An order's type as REST names it."""
    word = _ORDER_TYPES[t.ord_type]
    return word.replace("stop-loss", "take-profit") if t.take_profit else word
