"""What the `rest.py` of each venue's folder is made of: one venue's part of CCXT alone, and the questions asked of it.

CCXT's own `__init__` imports every venue that it knows, which takes 0.3 s and 40 MB at each start of an account. The
package is entered without running it.
"""

import importlib
import logging
import re
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from msgspec import structs

from common.instant import NS_PER_MS
from common.messages import Answer, Ask, RestOrder, Ticker, Trade, cut
from common.venues.backend import HttpCall, Signer
from common.venues.credentials import Credentials, HmacPassphrase
from common.venues.nonces import GrowingNonce
from common.venues.pace import Pace
from common.venues.rest import OF_ANOTHER_FORM, BadAnswer, Listed, RestSettings, decimal_field, masked
from common.venues.ways import Shared, Way

MS_PER_S = 1000
OF_THE_KILL_SWITCH = frozenset({"cancel_all", "cancel", "open_orders"})
"""What it asks, see `services/account/core.py`."""

ApiT = TypeVar("ApiT")


class Clock(Protocol):
    """What is needed of the module `time`, which a venue's `rest.py` alone may import."""

    CLOCK_BOOTTIME: int

    def clock_gettime(self, clk_id: int, /) -> float: ...
    def sleep(self, seconds: float, /) -> None: ...


def ccxt_client(
    name: str,
    settings: RestSettings,
    options: Mapping[str, object],
    clock: Clock,
    *,
    pace: Pace | None = None,
    cost_of: Callable[[float], float] = float,
) -> Any:
    """A client of CCXT's class `name` that speaks to `settings.url` alone, numbers never as float. Without `pace` it
    goes as fast as CCXT says that the venue allows; `cost_of` is what a request takes of the pace by its cost in CCXT.
    """
    exchange = ccxt_class(name)({**options, "timeout": settings.timeout_ms})
    exchange.urls["api"] = _aimed(exchange.urls["api"], settings.url)
    pace = pace or Pace(MS_PER_S / exchange.rateLimit)
    return _at_pace(exchange, settings, Throttle(clock, pace, cost_of, settings.way))


def bare_client(sign: Callable[..., Mapping[str, object]], settings: RestSettings, clock: Clock, pace: Pace) -> Any:
    """A client of CCXT's base for a venue that CCXT does not cover: `request` calls an endpoint, which `sign`, in place
    of CCXT's method of that name, writes out. Numbers are never a float."""
    _enter()
    exchange = importlib.import_module("ccxt.base.exchange").Exchange(
        {"id": settings.venue, "timeout": settings.timeout_ms}
    )
    exchange.sign = sign
    return _at_pace(exchange, settings, Throttle(clock, pace, float, settings.way))


def _at_pace(exchange: Any, settings: RestSettings, throttle: "Throttle") -> Any:
    exchange.number = Decimal
    exchange.throttle = throttle
    if settings.ca:
        exchange.validateServerSsl = settings.ca
    return exchange


def _aimed(urls: Mapping[str, Any], url: str) -> dict[str, Any]:
    """The same table, in which every address is `url`: at some venues there is a table for each part of it."""
    return {part: _aimed(told, url) if isinstance(told, dict) else url for part, told in urls.items()}


def growing_nonce(exchange: Any, settings: RestSettings, api_key: str, clock: Clock) -> GrowingNonce:
    """The numbers that the requests of `exchange` bear from now on, by its own clock."""
    kept = None if settings.nonces is None else settings.nonces.of_key(api_key)
    nonce, fetch = GrowingNonce(lambda: int(exchange.milliseconds()), kept, clock.sleep, settings.way), exchange.fetch

    def fetch_and_tell(*request: object) -> object:
        try:
            return fetch(*request)
        finally:
            nonce.answered()

    exchange.nonce, exchange.fetch = nonce, fetch_and_tell
    return nonce


def at_host(settings: RestSettings, path: str = "") -> RestSettings:
    """The settings with `path` alone behind the host, for a venue whose path CCXT has by heart, and signs."""
    parts = urlsplit(settings.url)
    return structs.replace(settings, url=f"{parts.scheme}://{parts.netloc}{path}")


def passphrase_options(credentials: Credentials, venue: str) -> dict[str, object]:
    """What CCXT signs with at a venue of secret and passphrase. Raises ValueError, which names the `venue`, where the
    credentials are of another kind."""
    if not isinstance(credentials, HmacPassphrase):
        raise ValueError(f"{venue}'s requests are signed with a secret and a passphrase: set the venue's [credentials]")
    secret = credentials.secret.decode("ascii")
    return {"apiKey": credentials.api_key, "secret": secret, "password": credentials.passphrase}


def http_signer(exchange: Any, section: list[str]) -> Signer:
    """What signs for a bridge: `exchange` is a client of CCXT, `section` where it keeps the endpoints, such as
    "private"."""

    def sign(method: str, path: str, parameters: Mapping[str, object], wall_ns: int) -> HttpCall:
        exchange.nonce = lambda: wall_ns // NS_PER_MS
        signed = exchange.sign(path, section, method, dict(parameters))
        url, body = urlsplit(signed["url"]), signed["body"] or ""
        target = url.path + (f"?{url.query}" if url.query else "")
        return HttpCall(method, target, tuple(signed["headers"].items()), body.encode())

    return sign


class Throttle:
    """What CCXT calls before each request: it sleeps, by its `clock`, until the venue's pace has room for it."""

    def __init__(
        self, clock: Clock, pace: Pace, cost_of: Callable[[float], float], way: Way | None = None
    ) -> None:
        """`cost_of` is what a request takes of the pace by its cost in CCXT, `way` which of two this is: they share
        their paces."""
        self.clock = clock
        self._way = Way(Shared(), is_first=True) if way is None else way
        self._pace = self._due = self._way.shared.pace("", pace)
        self._cost_of = cost_of

    def pace_apart(self, exchange: Any, apart: Mapping[str, Pace]) -> None:
        """Have requests of the client `exchange` to these paths wait for a pace of their own, as the venue counts them.

        Which path a request goes to CCXT tells where it asks for its cost alone, right before it waits.
        """
        cost_in_ccxt = exchange.calculate_rate_limiter_cost
        paces = {path: self._way.shared.pace(path, pace) for path, pace in apart.items()}

        def cost(api: object, method: str, path: str, *more: object) -> object:
            self._due = paces.get(path, self._pace)
            return cost_in_ccxt(api, method, path, *more)

        exchange.calculate_rate_limiter_cost = cost

    def __call__(self, cost: float | None = None) -> None:
        """See the class: a request of no cost in CCXT costs 1."""
        takes, now_s = 1.0 if cost is None else self._cost_of(cost), self.clock.clock_gettime(self.clock.CLOCK_BOOTTIME)
        delay_s = self._way.delay_s(self._due, takes, now_s)
        if delay_s:
            self.clock.sleep(delay_s)


class CcxtRest(Protocol[ApiT]):
    """Answers questions through `api`. `ask` never raises: what fails is an answer that says so.

    Each venue's REST side is a subclass, with its `Api`.
    """

    api: ApiT
    _venue: str
    _nonce: GrowingNonce | None
    _questions: dict[str, Callable[[Ask], Answer]]

    CODE: re.Pattern[str] | None = None
    """Finds the venue's own error code in the text of CCXT's error, as its first group."""

    NOT_FOUND_CODE: int = 0
    """The code of an answer that there is no such order."""

    def __init__(self, venue: str, api: ApiT, nonce: GrowingNonce | None = None) -> None:
        """`api` as CCXT has it; `nonce` gives the numbers of its requests, where the venue wants them to grow."""
        self._venue = venue
        self.api = api
        self._nonce = nonce
        self._questions = {
            "order": self._order,
            "open_orders": self._open_orders,
            "trades": self._trades,
            "history": self._trades,
            "balances": self._balances,
            "time": self._time,
            "cancel_all": self._cancel_all,
        }

    def ask(self, ask: Ask, *, unlisted: bool = False) -> Answer:
        """One blocking call, or the few that one question needs. With the venue's own code where an error has one."""
        if self._nonce is not None:
            # The kill switch is not to wait for a disk: its request goes out, and is at worst refused.
            self._nonce.must_be_kept = ask.what not in OF_THE_KILL_SWITCH
        try:
            return self._order(ask, self._clock_ns()) if unlisted else self._questions[ask.what](ask)
        except ccxt_errors().BaseError as error:
            return Answer(self._venue, ask, True, self.error_code(error), masked(error))
        except (OSError, *OF_ANOTHER_FORM) as error:
            # A file may be gone, such as the authorities' certificates: the question failed, and the next may not.
            return Answer(self._venue, ask, True, 0, f"{type(error).__name__}: {masked(error)}")
        finally:
            if self._nonce is not None:
                self._nonce.answered()

    def look_up(self, asks: Sequence[Ask]) -> Listed:
        """See `RestSide`."""
        if self._nonce is not None:
            self._nonce.must_be_kept = True
        try:
            found = sorted(self._listed(asks), key=lambda each: each[0].number)
        except (ccxt_errors().BaseError, OSError, *OF_ANOTHER_FORM):
            # Each is asked about alone then, and told why that failed.
            return Listed((), failed=True)
        return Listed(tuple(Answer(self._venue, ask, False, order=order) for ask, order in found))

    def error_code(self, error: BaseException) -> int:
        """The venue's own code in CCXT's error, 0 where there is none: CCXT's classes are not to be decided by."""
        found = self.CODE.search(str(error)) if self.CODE else None
        return int(found[1]) if found else 0

    def _order(self, ask: Ask, venue_ns: int = 0) -> Answer:
        """That there is none is believed only when it was said twice, the second time with the venue's clock read in
        between, so that `venue_ns` is never later than the answer: who was told once already has read it since.
        """
        for _ in range(2):
            found = self._find(ask)
            if isinstance(found, RestOrder):
                return Answer(self._venue, ask, False, order=found, venue_ns=venue_ns)
            if venue_ns:
                return self._absent(ask, found, venue_ns)
            venue_ns = self._clock_ns()
        raise BadAnswer("the order was neither told nor denied")

    def _absent(self, ask: Ask, text: str, venue_ns: int) -> Answer:
        """Twice not found."""
        return Answer(self._venue, ask, False, self.NOT_FOUND_CODE, text, True, venue_ns=venue_ns)

    def _told_trades(self, ask: Ask, trades: tuple[Trade, ...], notes: list[str], venue_ns: int) -> Answer:
        """Trades, with what of them could not be read."""
        unread = cut(f"not read: {', '.join(notes)}") if notes else ""
        return Answer(self._venue, ask, False, text=unread, trades=trades, venue_ns=venue_ns)

    def _time(self, ask: Ask) -> Answer:
        return Answer(self._venue, ask, False, venue_ns=self._clock_ns())

    @abstractmethod
    def _clock_ns(self) -> int:
        """The venue's clock."""

    @abstractmethod
    def _find(self, ask: Ask) -> RestOrder | str:
        """The order, or in what words there is none."""

    def _listed(self, asks: Sequence[Ask]) -> Iterable[tuple[Ask, RestOrder]]:
        """The orders that the venue's lists have, at a venue whose profile says that it `lists_orders`."""
        raise BadAnswer("nothing is known of the venue's lists")

    @abstractmethod
    def _open_orders(self, ask: Ask) -> Answer: ...

    @abstractmethod
    def _trades(self, ask: Ask) -> Answer: ...

    @abstractmethod
    def _balances(self, ask: Ask) -> Answer: ...

    @abstractmethod
    def _cancel_all(self, ask: Ask) -> Answer: ...


def read_ticker(symbol: str, row: Mapping[str, Any], fields: tuple[str, str, str, str, str]) -> Ticker:
    """The best prices; a side without a price is empty. `fields` hold bid and quantity, ask and quantity, and the last
    trade's price."""
    bid, bid_qty, ask, ask_qty, last = (
        decimal_field(row, field) if row[field] not in (None, "") else None for field in fields
    )
    return Ticker(symbol, bid, bid_qty or Decimal(0), ask, ask_qty or Decimal(0), last or None)


def ccxt_class(name: str) -> Any:
    """CCXT's class of that venue. Raises ImportError where CCXT is not installed, or has no such venue."""
    _enter()
    return getattr(importlib.import_module(f"ccxt.{name}"), name)


def ccxt_errors() -> Any:
    """The module of CCXT's errors, `BaseError` the first of them. Raises ImportError where CCXT is not installed."""
    _enter()
    return importlib.import_module("ccxt.base.errors")


def _enter() -> None:
    if "ccxt" in sys.modules:
        return
    whole = find_spec("ccxt")
    if whole is None:
        raise ImportError("ccxt is not installed; scripts/start installs it")
    bare = ModuleSpec("ccxt", None, is_package=True)
    bare.submodule_search_locations = whole.submodule_search_locations
    sys.modules["ccxt"] = module_from_spec(bare)
    for noisy in ("ccxt", "urllib3"):
        # Their DEBUG lines hold the API key and the signed URL.
        logging.getLogger(noisy).setLevel(logging.WARNING)
