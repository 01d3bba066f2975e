"""What is the same of KuCoin's REST side whatever is traded: signing, headers, limits, failures, names, cancels.

Source: KuCoin documentation as stored 2025-11-29, authentication and rate limits; the codes as in ccxt 4.5, which tells
them apart. Every answer is an object of code and data; "200000" is the code of what is well.
"""

import base64
import hashlib
import hmac
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from decimal import Decimal
from urllib.parse import unquote

from common.exchange.engine import Cause, Refusal
from common.exchange.faults import Kind
from common.exchange.limits import Window
from common.exchange.numbers import read_number
from common.exchange.order import Order, Terms
from common.exchange.rest import Json, Parameters, RestError, RestRequest, Route, Trouble
from common.exchange.tokens import Tokens
from common.exchange.topics import PING_INTERVAL_MS, PING_TIMEOUT_MS
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.venues.families.kucoin.simulated.rows import ms

VALID_NS = 5 * NS_PER_S
"""A request whose KC-API-TIMESTAMP is so far off is refused: the documents want less than that."""

POOL_S = 30
"""For so long the weight of a user's requests is counted."""

ENTRY = "fix"
"""The scope of faults that are about orders, whichever way these are entered."""

LOOKED_THROUGH = 5_000
Answer = Callable[[str, Parameters, Instant], Json]
_OK = "200000"
_TROUBLES = {
    Trouble.GARBLED: (400, "400000", "Bad Request"),
    Trouble.NO_ROUTE: (404, "404000", "URL Not Found -- The requested resource could not be found"),
    Trouble.WRONG_METHOD: (405, "405000", "Method Not Allowed"),
    Trouble.FAILED: (503, "500000", "Service Unavailable"),
    Trouble.LOST: (500, "500000", "Internal Server Error"),
    Trouble.UNKNOWN: (500, "500000", "Internal Server Error"),
}
_ID_SIGNS = frozenset("-_")


class KucoinRequests(ABC):
    """What every `RestApi` of KuCoin's has. `tokens` are what the WebSocket is opened with.

    `pool`: the weight of a user's requests at the lowest level. `parameter` is the code of a parameter that is not
    taken, `used_already` what is said of a clientOid that was used, `no_balance` what of a balance that is short.
    """

    pool: int
    parameter: str
    used_already: str
    no_balance: str

    def __init__(self, venue: Venue, tokens: Tokens) -> None:
        self._venue = venue
        self._tokens = tokens
        self._keys = {key.api_key: key for key in venue.settings.keys_for("rest")}
        self._pools: dict[str, Window] = {}
        self._pool: Window | None = None

    def _routes(
        self, public: Mapping[tuple[str, str], Answer], signed: Mapping[tuple[str, str], tuple[int, Answer]]
    ) -> dict[tuple[str, str], Route]:
        """The table of a `RestApi`: what has to be signed for, with its weight."""
        routes = {key: Route(1, False, answer) for key, answer in public.items()}
        routes |= {key: Route(weight, True, self._within(weight, answer)) for key, (weight, answer) in signed.items()}
        return routes

    # ---- what each market has of its own

    @abstractmethod
    def _code_of(self, refusal: Refusal) -> str:
        """The code of what the engine does not do."""

    @abstractmethod
    def _order_name(self, order_id: int) -> str:
        """orderId."""

    # ---- what is said of a request

    def trouble(self, trouble: Trouble, text: str = "") -> RestError:
        """As KuCoin says it."""
        status, code, words = _TROUBLES[trouble]
        return RestError(status, {"code": code, "msg": text or words})

    def count(self, route: Route, now: Instant) -> None:
        """Nothing is counted before it is known of whom it is."""
        self._pool = None

    def headers(self, now: Instant) -> list[tuple[str, str]]:
        """How much of the user's pool is left, and for how many milliseconds that is counted."""
        if self._pool is None:
            return []
        left = max(0, self.pool - self._pool.used(now.boot_ns))
        told = {"limit": self.pool, "remaining": left, "reset": POOL_S * 1000}
        return [(f"gw-ratelimit-{name}", str(value)) for name, value in told.items()]

    def authenticate(self, request: RestRequest, now: Instant) -> str:
        """Key, time, passphrase and signature over time, method, path with query as it reads undone, and body."""
        headers = request.headers
        key, stamp = self._keys.get(headers.get("kc-api-key", "")), headers.get("kc-api-timestamp", "")
        if key is None:
            raise refused("400003", "KC-API-KEY not exists", 401)
        if not stamp.isdecimal() or abs(int(stamp[:16]) * NS_PER_MS - now.wall_ns) >= VALID_NS:
            raise refused("400002", "KC-API-TIMESTAMP Invalid", 401)
        if not hmac.compare_digest(_mac(key.secret, key.passphrase), headers.get("kc-api-passphrase", "")):
            raise refused("400004", "KC-API-PASSPHRASE error", 401)
        signed = f"{stamp}{request.method}{unquote(request.target)}{request.body}"
        if not hmac.compare_digest(_mac(key.secret, signed), headers.get("kc-api-sign", "")):
            raise refused("400005", "Invalid KC-API-SIGN", 401)
        return key.account

    def _within(self, weight: int, answer: Answer) -> Answer:
        """The answer while the user's pool has room for it."""

        def counted(account: str, p: Parameters, now: Instant) -> Json:
            self._pool = pool = self._pools.setdefault(account, Window(POOL_S))
            if pool.used(now.boot_ns) + weight > self.pool or self._venue.faults.strikes(Kind.BARRED, "rest"):
                raise refused("429000", "Too many requests in a short period of time, please retry later", 429)
            pool.count(now.boot_ns, weight)
            return answer(account, p, now)

        return counted

    # ---- what every market has

    def _time(self, account: str, p: Parameters, now: Instant) -> Json:
        return answered(ms(now.wall_ns))

    def _token(self, account: str, p: Parameters, now: Instant) -> Json:
        server = {
            "endpoint": self._venue.settings.websocket_url, "encrypt": False, "protocol": "websocket",
            "pingInterval": PING_INTERVAL_MS, "pingTimeout": PING_TIMEOUT_MS,
        }  # fmt: skip
        return answered({"token": self._tokens.give(account, now), "instanceServers": [server]})

    # ---- acts

    def _named(self, account: str, p: Parameters) -> str:
        """The clientOid of a new order. Raises RestError."""
        name = p.get("clientOid", "")
        signs = set(name) - _ID_SIGNS
        if not 0 < len(name) <= 40 or not name.isascii() or not "".join(sorted(signs)).isalnum():
            raise refused(self.parameter, "clientOid is of another form")
        if self._venue.find(account, "", "", name) is not None:
            raise refused(self.parameter, self.used_already)
        return name

    def _decimal(self, p: Parameters, name: str) -> Decimal:
        try:
            return read_number(p.get(name, ""))
        except ValueError:
            raise refused(self.parameter, f"{name} is of another form") from None

    def _placed(self, terms: Terms, now: Instant) -> Json:
        """Take an order in. Raises RestError where the engine does not."""
        engine, rejected = self._venue.engine, self._venue.faults.strikes(Kind.REJECT, ENTRY)
        if rejected is not None:
            raise refused(self._code_of(Refusal.BALANCE), rejected.text or self.no_balance)
        refusal = engine.check(terms, now.wall_ns)
        if refusal is Refusal.WOULD_TAKE:
            # An order that may not take is taken in, and cancelled at once.
            order = engine.place_to_cancel(terms, now, Cause.WOULD_TAKE)
        elif refusal is not None:
            raise refused(self._code_of(refusal), refusal.value)
        else:
            order = engine.place(terms, now)
        return answered({"orderId": self._order_name(order.order_id), "clientOid": terms.cl_ord_id})

    def _close(self, order: Order, now: Instant) -> None:
        """A cancel is carried out, as far as no fault is about it; its end is told by the WebSocket, or by the order
        when it is asked for."""
        if self._venue.faults.strikes(Kind.SILENT, ENTRY):
            return
        if self._venue.faults.strikes(Kind.LATE_FILL, ENTRY):
            self._venue.fill_late(order, now)
        if order.is_open:
            self._venue.engine.cancel(order, now)


def _mac(secret: bytes, text: str) -> str:
    return base64.b64encode(hmac.digest(secret, text.encode(), hashlib.sha256)).decode()


def answered(data: object) -> Json:
    """What is well."""
    return {"code": _OK, "data": data}


def refused(code: str, text: str, status: int = 200) -> RestError:
    """A refusal as KuCoin writes it."""
    return RestError(status, {"code": code, "msg": text})
