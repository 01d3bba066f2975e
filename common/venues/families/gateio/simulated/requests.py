"""What is the same of Gate.io's REST side whatever is traded: signing, headers, limits, failures, parameters, cancels.

Source: Gate APIv4 documentation as stored 2025-11-25: signing, headers, limits. What was done is answered with the bare
object or list; a failure is a status with `label` and `message`.
"""

import hashlib
import hmac
from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import unquote

from common.exchange.engine import Refusal
from common.exchange.faults import Kind
from common.exchange.history import ClosedOrder
from common.exchange.limits import Window
from common.exchange.numbers import read_number
from common.exchange.order import FILL_OR_KILL, GOOD_TILL_CANCEL, IMMEDIATE_OR_CANCEL, Asked, Order
from common.exchange.rest import Json, Parameters, RestError, RestRequest, Route, Trouble
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.venues.families.gateio.simulated.rows import NO_TEXT, PARAMETER, Row
from common.venues.families.gateio.simulated.websocket import GateioWebSocket

VERSION = "/api/v4"
VALID_NS = 60 * NS_PER_S
DAY_S = 24 * 3600
ENTRY = "fix"
"""The scope of faults that are about orders, whichever way these are entered."""

MAX_ORDERS, MAX_FILLS, DEFAULT_ROWS = 100, 1000, 100
LOOKED_THROUGH = 5_000
NOT_FOUND = "ORDER_NOT_FOUND"


class Quota(NamedTuple):
    """At most so many requests in so many seconds."""

    requests: int
    length_s: int


CANCELS, OTHERS = Quota(200, 1), Quota(200, 10)
"""A user's cancels; all else of each endpoint."""

SHORTEST_COUNTDOWN_S = 5

_TROUBLES = {
    Trouble.GARBLED: (400, "INVALID_REQUEST_BODY", "Request body is not valid JSON"),
    Trouble.NO_ROUTE: (404, "URL_NOT_FOUND", "Request URL not found"),
    Trouble.WRONG_METHOD: (405, "METHOD_NOT_ALLOWED", "Method not allowed"),
    Trouble.FAILED: (400, "SERVER_ERROR", "Server error"),
    Trouble.LOST: (500, "INTERNAL", "Internal server error"),
    Trouble.UNKNOWN: (500, "INTERNAL", "Internal server error"),
}
TIMES_IN_FORCE = {
    "gtc": GOOD_TILL_CANCEL, "poc": GOOD_TILL_CANCEL, "ioc": IMMEDIATE_OR_CANCEL, "fok": FILL_OR_KILL,
}  # fmt: skip
_ID_SIGNS = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-.")


class GateioRequests(ABC):
    """What every `RestApi` of Gate.io's has. `pushes` knows what the latest amendment of an order was called."""

    sides: Mapping[str, str]
    """Side(54) of what a cancel of all orders of a symbol calls it."""

    labels: Mapping[Refusal, str]
    """What the engine does not do, in the venue's words."""

    def __init__(self, venue: Venue, pushes: GateioWebSocket) -> None:
        self._venue = venue
        self._pushes = pushes
        self._keys = {key.api_key: key for key in venue.settings.keys_for("rest")}
        self._windows: dict[tuple[str, str], Window] = {}
        self._told = (OTHERS, 0, 0)

    # ---- what each area has of its own

    @abstractmethod
    def _symbol(self, p: Parameters) -> str:
        """The instrument that is named. Raises RestError."""

    @abstractmethod
    def _symbols(self, p: Parameters) -> list[str]:
        """The one that is named, else all."""

    @abstractmethod
    def _row(self, order: Order | ClosedOrder) -> Row:
        """An order as it is told."""

    @abstractmethod
    def _find(self, account: str, p: Parameters, now: Instant) -> Order | ClosedOrder:
        """The order that is named. Raises RestError."""

    @abstractmethod
    def _open(self, account: str, p: Parameters, now: Instant) -> Order:
        """The open order that is named. Raises RestError."""

    # ---- what is said of a request

    def trouble(self, trouble: Trouble, text: str = "") -> RestError:
        """As Gate.io says it."""
        status, label, words = _TROUBLES[trouble]
        return refused(status, label, text or words)

    def count(self, route: Route, now: Instant) -> None:  # noqa: B027 - nothing is counted here, at any of them
        """Each answer counts for itself, once it is known of whom the request is."""

    def headers(self, now: Instant) -> list[tuple[str, str]]:
        """What is left of the limit that the last request counted against."""
        quota, used, until_s = self._told
        return [
            ("X-Gate-RateLimit-Requests-Remain", str(max(0, quota.requests - used))),
            ("X-Gate-RateLimit-Limit", str(quota.requests)),
            ("X-Gate-RateLimit-Reset-Timestamp", str(until_s or now.wall_ns // NS_PER_S)),
        ]

    def authenticate(self, request: RestRequest, now: Instant) -> str:
        """Key, time and signature over method, path, query, the body's digest and time; then the last moment."""
        headers = request.headers
        key, stamp = self._keys.get(headers.get("key", "")), headers.get("timestamp", "")
        if key is None:
            raise refused(401, "INVALID_KEY", "Invalid key provided")
        if not stamp.isdecimal() or abs(int(stamp[:12]) * NS_PER_S - now.wall_ns) > VALID_NS:
            raise refused(401, "REQUEST_EXPIRED", "gap between request Timestamp and server time exceeds 60")
        path, _, query = request.target.partition("?")
        digest = hashlib.sha512(request.body.encode()).hexdigest()
        signed = "\n".join((request.method, path, unquote(query), digest, stamp)).encode()
        ours = hmac.new(key.secret, signed, hashlib.sha512).hexdigest()
        if not hmac.compare_digest(ours, headers.get("sign", "")):
            raise refused(401, "INVALID_SIGNATURE", "Signature mismatch")
        expires = headers.get("x-gate-exptime", "")
        if expires and (not expires.isdecimal() or int(expires[:18]) * NS_PER_MS < now.wall_ns):
            raise refused(400, "REQUEST_EXPIRED", "The request is later than x-gate-exptime")
        return key.account

    def _counted(self, account: str, what: str, quota: Quota, now: Instant) -> None:
        window = self._windows.setdefault((account, what), Window(quota.length_s))
        barred = bool(account) and self._venue.faults.strikes(Kind.BARRED, "rest") is not None
        if barred or window.used(now.boot_ns) >= quota.requests:
            self._told = (quota, quota.requests, now.wall_ns // NS_PER_S + quota.length_s)
            raise refused(429, "TOO_MANY_REQUESTS", "Request Rate Limit Exceeded")
        self._told = (quota, window.count(now.boot_ns), 0)

    # ---- orders

    def _order(self, account: str, p: Parameters, now: Instant) -> Json:
        self._counted(account, "order", OTHERS, now)
        found = self._find(account, p, now)
        if self._venue.hides(found.stamp_ns, now):
            raise refused(404, NOT_FOUND, "Order not found")
        return self._row(found)

    def _amended(self, order: Order, qty: Decimal, px: Decimal | None, p: Parameters, now: Instant) -> Json:
        """Carry an amendment out. A quantity that is not above what is filled cancels."""
        if qty <= order.cum_qty:
            self._venue.engine.cancel(order, now)
            return self._row(order)
        self._raise_refusal(self._venue.engine.check_replace(order, order.cl_ord_id, qty, px))
        self._pushes.name_amendment(order.order_id, p.get("amend_text") or "-")
        self._venue.engine.replace(order, Asked(order.cl_ord_id), qty, px, now)
        return self._row(order)

    def _cancel(self, account: str, p: Parameters, now: Instant) -> Json:
        self._counted(account, "cancel", CANCELS, now)
        order = self._open(account, p, now)
        self._close(order, now)
        return self._row(order)

    def _cancel_all(self, account: str, p: Parameters, now: Instant) -> Json:
        """A symbol's, of one side or both."""
        self._counted(account, "cancel", CANCELS, now)
        side = p.get("side", "")
        wanted = [code for name, code in self.sides.items() if side in ("", name)]
        orders = [o for o in self._venue.state.open_orders(account, self._symbol(p)) if o.side in wanted]
        for order in orders:
            self._venue.engine.cancel(order, now)
        return [self._row(order) for order in orders]

    def _countdown(self, account: str, p: Parameters, now: Instant) -> Json:
        """Of a symbol, or of all."""
        self._counted(account, "countdown_cancel_all", OTHERS, now)
        timeout = p.get("timeout", "")
        if not timeout.isdecimal() or 0 < int(timeout) < SHORTEST_COUNTDOWN_S:
            raise refused(400, PARAMETER, "invalid argument: timeout")
        fires_ms = [self._pushes.switch.set(account, symbol, int(timeout), now) for symbol in self._symbols(p)]
        return {"triggerTime": str(fires_ms[0])}

    # ---- what every area has

    def _time(self, account: str, p: Parameters, now: Instant) -> Json:
        self._counted("", "time", OTHERS, now)
        return {"server_time": now.wall_ns // NS_PER_MS}

    def _detail(self, account: str, p: Parameters, now: Instant) -> Json:
        """A classic account."""
        self._counted(account, "detail", OTHERS, now)
        return {"user_id": 1, "ip_whitelist": [], "currency_pairs": [], "key": {"mode": 1}, "tier": 0}

    def _name(self, p: Parameters) -> str:
        """What follows "t-" in `text`; without a text, one that nobody can give."""
        text = p.get("text", "")
        if not text:
            return f"{NO_TEXT}{self._venue.unique()}"
        name = text.removeprefix("t-")
        if not text.startswith("t-") or not 0 < len(name) <= 28 or not set(name) <= _ID_SIGNS:
            raise refused(400, PARAMETER, "invalid argument: text")
        return name

    def _close(self, order: Order, now: Instant) -> None:
        """A cancel is carried out, as far as no fault is about it."""
        if self._venue.faults.strikes(Kind.SILENT, ENTRY):
            return
        if self._venue.faults.strikes(Kind.LATE_FILL, ENTRY):
            self._venue.fill_late(order, now)
        if order.is_open:
            self._venue.engine.cancel(order, now)

    def _raise_refusal(self, refusal: Refusal | None) -> None:
        """What the engine does not do, by its label. Raises RestError where there is such."""
        if refusal is not None:
            raise refused(400, self.labels.get(refusal, PARAMETER), refusal.value)

    def _refuse_by_fault(self) -> None:
        """Raises RestError where a fault has the next order refused."""
        rejected = self._venue.faults.strikes(Kind.REJECT, ENTRY)
        if rejected is not None:
            raise refused(400, "BALANCE_NOT_ENOUGH", rejected.text or "Not enough balance")


def refused(status: int, label: str, text: str) -> RestError:
    """A failure as Gate.io writes it."""
    return RestError(status, {"label": label, "message": text})


def decimal_of(p: Parameters, name: str) -> Decimal:
    """A number without a sign. Raises RestError."""
    try:
        return read_number(p.get(name, ""))
    except ValueError:
        raise refused(400, PARAMETER, f"invalid argument: {name}") from None


def whole_of(p: Parameters, name: str, default: int, most: int) -> int:
    """A number from 1 on."""
    text = p.get(name) or str(default)
    if not text.isdecimal() or not 1 <= int(text[:18]) <= most:
        raise refused(400, PARAMETER, f"invalid argument: {name}")
    return int(text)


def span_of(p: Parameters, now: Instant) -> tuple[int, int]:
    """The span of ends that is asked for, in nanoseconds: 7 days where a bound is left out, at most 30."""
    now_s = now.wall_ns // NS_PER_S
    begin, end = (int(p[name][:12]) if p.get(name, "").isdecimal() else None for name in ("from", "to"))
    if begin is None:
        begin, end = (end or now_s) - 7 * DAY_S, end or now_s
    elif end is None:
        end = begin + 7 * DAY_S
    if not 0 <= end - begin <= 30 * DAY_S:
        raise refused(400, PARAMETER, "invalid argument: the span from..to is longer than 30 days")
    return begin * NS_PER_S, (end + 1) * NS_PER_S - 1
