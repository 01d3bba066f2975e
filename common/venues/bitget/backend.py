"""How Bitget is spoken to by a bridge: REST for what is asked and wanted, the private WebSocket for what happens.

Source: Bitget API documentation, classic account, v2, spot and futures, as stored 2025-11-30. CCXT signs, and does
nothing else. A new spot order is good until requestTime and receiveWindow together; one for contracts has no such
field. Our id finds a spot order for two hours alone, and a fill over REST has none of ours.

A spot market and a perpetual go by one name at the venue, and by two here: a symbol that ends in -PERP is the perpetual
of the name before that, margined in USDT, whose quantities are in the base asset. All of them are held across the
account, and each as one net position: an account of another mode is not traded with.
"""

import base64
import hashlib
import hmac
import re
import zlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from common.contracts import Contract, InstrumentKind
from common.exchange.order import BUY
from common.instant import NS_PER_MS, NS_PER_S
from common.venues.backend import (
    BookFact,
    BookRows,
    BridgedTerms,
    ChannelBooks,
    Fact,
    FillFact,
    HttpCall,
    Limit,
    OrderFact,
    Push,
    Reply,
    Signer,
    TradeFact,
    Verdict,
    book_rows,
    counted_window,
    side_of,
)
from common.venues.credentials import HmacPassphrase
from common.venues.dialect import plain
from common.venues.enveloped import EnvelopedAnswers
from common.venues.rest import OF_ANOTHER_FORM, BadAnswer, decimal_field, ms_to_ns, name_field

Row = Mapping[str, Any]

OK = "00000"
UNDECIDED = frozenset({"45001", "40725", "50008", "40604", "40010", "40015", "40200", "40908", "40910", "500"})
"""What says that nobody knows."""

USED = frozenset({"43118", "45034", "50060"})
"""Our id was used before: the venue has such an order, by whatever way it came."""

NO_SUCH_ORDER = frozenset({"43001", "40109", "40768", "22001"})
STATES = {"live": "0", "partially_filled": "1", "filled": "2", "cancelled": "4", "canceled": "4"}
PAGE_ROWS = 100
SUM_DEPTH = 25
MARGIN_ASSET = "USDT"
ONE_WAY, SINGLE_ASSET = "one_way_mode", "single"
"""posMode of an account that has one position in each contract, and assetMode of one whose margin is USDT alone."""

WRONG_MODE = "contracts are traded in an account of posMode one_way_mode with assetMode single, and this one has"
LINGERS_NS = 30 * NS_PER_S
"""A request is refused by the age of its signature: an order for contracts may come so late."""

_ID = re.compile(r"[0-9A-Za-z_-]{1,32}")
_SIDES = {"1": "buy", "2": "sell"}
_FORCES = {"1": "gtc", "3": "ioc", "4": "fok"}
_LIMITS = {"new": 10, "cancel": 10, "ask_fills": 10, "ask_fills_of": 10}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class BitgetPart(NamedTuple):
    """One of the venue's two parts: what its symbols are called here and there, where each request of it goes, and what
    stands in each (`asked`). `has_window`: a new order bears its last moment. `open_by` are the lists that open orders
    are in, by what is asked beside."""

    inst_type: str
    suffix: str
    asked: Mapping[str, str]
    has_window: bool
    new: str
    cancel: str
    order: str
    open: str
    ended: str
    fills: str
    open_by: tuple[Mapping[str, str], ...] = ({},)

    def name_of(self, symbol: str) -> str:
        """What the venue calls a symbol."""
        return symbol.removesuffix(self.suffix) if self.suffix else symbol

    def symbol_of(self, name: str) -> str:
        """What is called so at the venue. Contracts are told in small letters, too."""
        return f"{name.upper()}{self.suffix}" if self.suffix else name

    def page(self, path: str, symbol: str, by: Mapping[str, str] = {}) -> str:  # noqa: B006 (read only)
        """The first page of a list, of one symbol or of all: a path and a query."""
        query = urlencode({**({"symbol": self.name_of(symbol)} if symbol else {}), **self.asked, **by})
        return f"{path}?{query}" if query else path

    def open_pages(self, symbol: str) -> list[str]:
        """The first pages of the lists that all open orders are in, of one symbol or of all."""
        return [self.page(self.open, symbol, by) for by in self.open_by]


SPOT = BitgetPart(
    "SPOT", "", {}, True, "v2/spot/trade/place-order", "v2/spot/trade/cancel-order", "v2/spot/trade/orderInfo",
    "v2/spot/trade/unfilled-orders", "v2/spot/trade/history-orders", "v2/spot/trade/fills",
)  # fmt: skip
FUTURES = BitgetPart(
    "USDT-FUTURES", "-PERP", {"productType": "USDT-FUTURES"}, False, "v2/mix/order/place-order",
    "v2/mix/order/cancel-order", "v2/mix/order/detail", "v2/mix/order/orders-pending", "v2/mix/order/orders-history",
    "v2/mix/order/fills",
    # Those that have a fill are listed where they are asked for. They are read last: none is missed meanwhile.
    ({}, {"status": "partially_filled"}),
)  # fmt: skip
_PARTS = {part.inst_type: part for part in (SPOT, FUTURES)}


def part_of(symbol: str) -> BitgetPart:
    """Where a symbol is traded."""
    return FUTURES if symbol.endswith(FUTURES.suffix) else SPOT


def has_contracts(symbols: Sequence[str]) -> bool:
    """Whether perpetuals are among these."""
    return any(part_of(symbol) is FUTURES for symbol in symbols)


def rows_of(data: Any, part: BitgetPart, name: str) -> list[Row]:
    """The rows of a list, which for contracts is the field `name` of a table, and null where it is empty."""
    rows: list[Row] = (data[name] or []) if part is FUTURES else data
    return rows


class BitgetBackend(ChannelBooks, EnvelopedAnswers):
    """A `Backend`."""

    ok = OK
    undecided = UNDECIDED
    books_channel = "books"
    trades_channel = "trade"
    processing_ns = 2 * NS_PER_S
    ping_ns = 25 * NS_PER_S
    websocket_path = "/private"
    books_path = "/public"
    greets = False
    id_form = "1 to 32 letters, digits, - and _"
    questions = 20
    """Of each kind in a second."""

    def __init__(self, symbols: tuple[str, ...], credentials: HmacPassphrase, sign: Signer) -> None:
        """`symbols` are those whose orders are listened to and whose fills are asked for; `sign` signs what goes over
        REST."""
        self._symbols = symbols
        self._parts = [part for part in (SPOT, FUTURES) if any(part_of(symbol) is part for symbol in symbols)]
        spot = [SPOT.name_of(symbol) for symbol in symbols if part_of(symbol) is SPOT]
        topics = [(SPOT, name) for name in spot] + ([(FUTURES, "default")] if FUTURES in self._parts else [])
        self._topics = [{"instType": part.inst_type, "channel": "orders", "instId": name} for part, name in topics]
        self._credentials = credentials
        self._sign = sign

    def limit(self, what: str, symbol: str) -> Limit:
        """See `Backend`: of each kind of a user, whatever the symbol; orders for contracts are counted apart."""
        if symbol and part_of(symbol) is FUTURES:
            return Limit(f"{what} {FUTURES.inst_type}", _LIMITS["new"], NS_PER_S)
        name = "ask_fills" if what == "ask_fills_of" else what
        return Limit(name, min(_LIMITS.get(what, self.questions), self.questions), NS_PER_S)

    def takes_id(self, text: str) -> bool:
        """clientOid: how long it may be is told differently, this is the least."""
        return _ID.fullmatch(text) is not None

    def why_not(self, terms: BridgedTerms) -> str:
        """See `Backend`."""
        if terms.price is None and terms.side == BUY and part_of(terms.symbol) is SPOT:
            return "a market order to buy is for an amount of the quote asset there"
        return ""

    # ---- what is sent

    def new(self, terms: BridgedTerms, wall_ns: int, last_venue_ns: int) -> HttpCall:
        """See `Backend`. Nothing tells the last moment of an order for contracts: see `LingeringBackend`."""
        part = part_of(terms.symbol)
        asked: dict[str, object] = {
            "symbol": part.name_of(terms.symbol), "side": _SIDES[terms.side], "size": plain(terms.order_qty),
            "orderType": "market" if terms.price is None else "limit", "clientOid": terms.venue_id,
            "force": "post_only" if terms.post_only else _FORCES[terms.time_in_force], **part.asked,
        }  # fmt: skip
        asked |= {} if terms.price is None else {"price": plain(terms.price)}
        if part.has_window:
            stamp_ms, window_ms = counted_window(wall_ns, last_venue_ns)
            asked |= {"requestTime": str(stamp_ms), "receiveWindow": str(window_ms)}
        else:
            asked |= {"marginMode": "crossed", "marginCoin": MARGIN_ASSET}
            asked |= {"reduceOnly": "YES"} if terms.reduce_only else {}
        return self._sign("POST", part.new, asked, wall_ns)

    def cancel(self, terms: BridgedTerms, wall_ns: int) -> HttpCall:
        """See `Backend`: by the venue's id where ours is not known."""
        part = part_of(terms.symbol)
        name = {"clientOid": terms.venue_id} if terms.venue_id else {"orderId": terms.order_id}
        return self._sign("POST", part.cancel, {"symbol": part.name_of(terms.symbol), **name, **part.asked}, wall_ns)

    def ask_order(self, terms: BridgedTerms, order_id: str, wall_ns: int) -> HttpCall:
        """See `Backend`: by the venue's id as soon as it is known, which finds it for longer."""
        part = part_of(terms.symbol)
        name = {"orderId": order_id} if order_id else {"clientOid": terms.venue_id}
        where = {"symbol": part.name_of(terms.symbol), **part.asked} if part is FUTURES else {}
        return self._sign("GET", part.order, {**name, **where}, wall_ns)

    def ask_open(self, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`: of one part after the other, the newest first, older than an order's id."""
        return self._paged(page or self._stages("ask_open", "")[0], {}, wall_ns)

    def ask_ended(self, terms: BridgedTerms, since_ns: int, page: str, wall_ns: int) -> HttpCall | None:
        """See `Backend`: our id finds no order that is older than two hours, and no fill. So the symbol's open orders
        are read, and then those that have ended."""
        asked = {"startTime": str(since_ns // NS_PER_MS)}
        return self._paged(page or self._stages("ask_ended", terms.symbol)[0], asked, wall_ns)

    def ask_fills(self, since_ns: int, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`: symbol by symbol, of the last 90 days, the newest first."""
        asked = {"startTime": str(since_ns // NS_PER_MS)}
        return self._paged(page or self._stages("ask_fills", "")[0], asked, wall_ns)

    def ask_fills_of(self, terms: BridgedTerms, order_id: str, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`."""
        return self._paged(page or self._stages("ask_fills_of", terms.symbol)[0], {"orderId": order_id}, wall_ns)

    def ask_time(self) -> HttpCall:
        """See `Backend`."""
        return HttpCall("GET", "/api/v2/public/time")

    # ---- pages: a path and a query, of one list after another

    def _stages(self, what: str, symbol: str) -> list[str]:
        """The first page of each list that is read for a question, of one symbol where it is about one."""
        part = part_of(symbol)
        if what == "ask_open":
            return [page for each in self._parts for page in each.open_pages("")]
        if what == "ask_ended":
            return [*part.open_pages(symbol), part.page(part.ended, symbol)]
        if what == "ask_fills_of":
            return [part.page(part.fills, symbol)]
        return [part_of(each).page(part_of(each).fills, each) for each in self._symbols]

    def _paged(self, page: str, asked: Mapping[str, str], wall_ns: int) -> HttpCall:
        path, _, query = page.partition("?")
        return self._sign("GET", path, {**asked, "limit": str(PAGE_ROWS), **dict(parse_qsl(query))}, wall_ns)

    def _page_after(self, what: str, call: HttpCall, last_id: str) -> str:
        """What follows a page: older rows, the next list, or nothing."""
        url = urlsplit(call.target)
        query, path = dict(parse_qsl(url.query)), url.path.removeprefix("/api/")
        part = FUTURES if "productType" in query else SPOT
        symbol = part.symbol_of(query["symbol"]) if "symbol" in query else ""
        by = {"status": query["status"]} if "status" in query else {}
        page, stages = part.page(path, symbol, by), self._stages(what, symbol)
        if last_id:
            return f"{page}&idLessThan={last_id}" if "?" in page else f"{page}?idLessThan={last_id}"
        return next(iter(stages[stages.index(page) + 1 :]), "")

    # ---- what is answered

    def acted(self, what: str, code: str, text: str, data: Any) -> Reply:
        """See `EnvelopedAnswers`. An order that only reduces may be taken without the venue's id of it: then it is
        asked for."""
        if code == OK:
            return Reply(Verdict.DONE, code, text, name_field(data, "orderId"))
        if code in USED:
            return Reply(Verdict.UNKNOWN, code, text)
        if what == "cancel" and code in NO_SUCH_ORDER:
            return Reply(Verdict.ABSENT, code, text)
        return Reply(Verdict.REFUSED, code, text)

    def is_no_order(self, code: str, text: str, data: Any) -> bool:
        """See `EnvelopedAnswers`."""
        return code in NO_SUCH_ORDER or (code == OK and data == [])

    def told(self, what: str, data: Any, call: HttpCall) -> Reply:
        """See `EnvelopedAnswers`."""
        if what == "ask_time":
            return Reply(Verdict.DONE, venue_ns=ms_to_ns(data["serverTime"]))
        if what == "ask_account":
            return _account(data)
        if what == "ask_contracts":
            found = {FUTURES.symbol_of(name_field(row, "symbol")): row for row in data}
            contracts = {s: _contract(row) for s, row in found.items() if row["symbolType"] == "perpetual"}
            return Reply(Verdict.DONE, contracts=contracts)
        part = FUTURES if "/mix/" in call.target else SPOT
        if what == "ask_order":
            return Reply(Verdict.DONE, facts=tuple(_order(row, part) for row in (data if part is SPOT else [data])))
        tells_fills = what in ("ask_fills", "ask_fills_of")
        rows = rows_of(data, part, "fillList" if tells_fills else "entrustedList")
        last_id = name_field(rows[-1], "tradeId" if tells_fills else "orderId") if len(rows) >= PAGE_ROWS else ""
        # The oldest first: what contracts realise follows from the order of their fills.
        facts: list[Fact] = [_fill(row, part) if tells_fills else _order(row, part) for row in reversed(rows)]
        return Reply(Verdict.DONE, facts=tuple(facts), next_page=self._page_after(what, call, last_id))

    # ---- the private WebSocket

    def login(self, wall_ns: int) -> str:
        """See `Backend`: signed over the time in seconds and a fixed path."""
        stamp = str(wall_ns // NS_PER_S)
        signed = hmac.digest(self._credentials.secret, f"{stamp}GET/user/verify".encode(), hashlib.sha256)
        argument = {
            "apiKey": self._credentials.api_key, "passphrase": self._credentials.passphrase, "timestamp": stamp,
            "sign": base64.b64encode(signed).decode(),
        }  # fmt: skip
        return _encode({"op": "login", "args": [argument]}).decode()

    def subscribe(self, wall_ns: int) -> str:
        """See `Backend`: spot symbol by symbol, and contracts all at once."""
        return _encode({"op": "subscribe", "args": self._topics}).decode()

    def ping(self, wall_ns: int) -> str:
        """See `Backend`."""
        return "ping"

    def read_push(self, text: str) -> tuple[Push, tuple[Fact, ...]]:
        """See `Backend`. All orders are told once the last of them is subscribed to: the answers come in order."""
        if text == "pong":
            return Push.OTHER, ()
        try:
            told = _decode(text)
            event = told.get("event")
            if event == "subscribe":
                arg, last = told["arg"], self._topics[-1]
                is_last = (arg["instType"], arg["instId"]) == (last["instType"], last["instId"])
                return (Push.SUBSCRIBED if is_last else Push.OTHER), ()
            if event is not None:
                return {"login": Push.LOGGED_IN, "error": Push.REFUSED}.get(str(event), Push.OTHER), ()
            rows = told.get("data", ())
            return Push.OTHER, tuple(fact for row in rows for fact in _pushed(row, _PARTS[told["arg"]["instType"]]))
        except (msgspec.DecodeError, *OF_ANOTHER_FORM) as error:
            raise BadAnswer(f"a push cannot be read: {error}") from error

    # ---- the public WebSocket

    def _channel(self, op: str, channel: str, symbols: Sequence[str]) -> str:
        places = [(part_of(symbol), symbol) for symbol in symbols]
        arguments = [
            {"instType": part.inst_type, "channel": channel, "instId": part.name_of(symbol)} for part, symbol in places
        ]
        return _encode({"op": op, "args": arguments}).decode()

    def read_prices(self, text: str) -> tuple[Push, tuple[BookFact | TradeFact, ...]]:
        """See `BookBackend`. A subscription to trades begins with some that are old: a snapshot, which is left out."""
        if text == "pong":
            return Push.OTHER, ()
        try:
            told = _decode(text)
            if told.get("event") == "error":
                return Push.REFUSED, ()
            arg, whole, rows = told["arg"], told.get("action") == "snapshot", told.get("data", ())
            symbol = _PARTS[arg["instType"]].symbol_of(name_field(arg, "instId"))
            if arg["channel"] == self.trades_channel:
                # The newest are told first.
                return Push.OTHER, () if whole else tuple(_trade(symbol, row) for row in reversed(rows))
            return Push.OTHER, tuple(
                BookFact(
                    symbol, whole, book_rows(row["bids"]), book_rows(row["asks"]), check=str(row["checksum"])
                )
                for row in rows
            )  # fmt: skip
        except (msgspec.DecodeError, *OF_ANOTHER_FORM) as error:
            raise BadAnswer(f"prices cannot be read: {error}") from error

    def book_sum(self, bids: BookRows, offers: BookRows) -> str:
        """CRC32 with a sign over the best 25 levels as they are written, bid and offer in turn."""
        sides = [[f"{px}:{qty}" for px, qty in rows[:SUM_DEPTH]] for rows in (bids, offers)]
        parts = [part for n in range(SUM_DEPTH) for rows in sides for part in rows[n : n + 1]]
        unsigned = zlib.crc32(":".join(parts).encode())
        return str(unsigned - (1 << 32) if unsigned >> 31 else unsigned)


class BitgetContractsBackend(BitgetBackend):
    """With perpetuals beside spot: a `ModedBackend`, a `ContractBackend` and a `LingeringBackend`."""

    questions = 10

    def lingers_ns(self, symbol: str) -> int:
        """See `LingeringBackend`."""
        return 0 if part_of(symbol).has_window else LINGERS_NS

    def refused(self, what: str, status: int, code: str, text: str) -> Reply | None:
        """See `EnvelopedAnswers`. An account that is none of this kind says so by a code."""
        if what != "ask_account" or status == 429 or code in ("429", OK):
            return None
        return Reply(Verdict.REFUSED, code, f"contracts cannot be traded with this account: {code} {text}")

    def ask_account(self, wall_ns: int) -> HttpCall:
        """See `ModedBackend`. Both modes are of the whole account, and told with any contract of it."""
        first = next(symbol for symbol in self._symbols if part_of(symbol) is FUTURES)
        asked = {"symbol": FUTURES.name_of(first), "marginCoin": MARGIN_ASSET, **FUTURES.asked}
        return self._sign("GET", "v2/mix/account/account", asked, wall_ns)

    def ask_contracts(self) -> HttpCall:
        """See `ContractBackend`."""
        return HttpCall("GET", f"/api/v2/mix/market/contracts?{urlencode(FUTURES.asked)}")


def _trade(symbol: str, row: Row) -> TradeFact:
    return TradeFact(
        symbol, name_field(row, "tradeId"), decimal_field(row, "price"), decimal_field(row, "size"),
        side_of(row.get("side")), ms_to_ns(row["ts"]),
    )  # fmt: skip


def _account(data: Any) -> Reply:
    """Whether the account is of the mode that orders for contracts are made for."""
    mode = str(data["posMode"]), str(data["assetMode"])
    is_right = mode == (ONE_WAY, SINGLE_ASSET)
    return Reply(Verdict.DONE if is_right else Verdict.REFUSED, text=f"{WRONG_MODE} {' and '.join(mode)}")


def _contract(row: Row) -> Contract:
    """One of it is one of the base asset: sizeMultiplier is a step of quantities, and multiplies nothing."""
    base, taken = name_field(row, "baseCoin"), [str(asset) for asset in row["supportMarginCoins"]]
    settle = MARGIN_ASSET if MARGIN_ASSET in taken else taken[0]
    return Contract(InstrumentKind.PERPETUAL, Decimal(1), settle == base, settle)


def _state(row: Row) -> str:
    """Of one order for contracts it stands in another field than of a list of them."""
    told = str(row["status"] if "status" in row else row["state"])
    if told not in STATES:
        raise BadAnswer(f"status is {told!r}")
    return STATES[told]


def _price(row: Row) -> Decimal | None:
    return decimal_field(row, "price") if row.get("orderType") == "limit" else None


def _order(row: Row, part: BitgetPart) -> OrderFact:
    """An order as REST tells it."""
    return OrderFact(
        str(row.get("clientOid") or ""), name_field(row, "orderId"), part.symbol_of(name_field(row, "symbol")),
        _state(row), decimal_field(row, "size"), _price(row), decimal_field(row, "baseVolume"),
        ms_to_ns(row.get("uTime") or row["cTime"]), side_of(row.get("side")),
    )  # fmt: skip


def fee_of(row: Row) -> tuple[Decimal, str]:
    """What a fill over REST has cost, and in which asset: charged is below 0 there. That of contracts is a list, empty
    where nothing was charged."""
    detail = row["feeDetail"]
    if isinstance(detail, list):
        detail = detail[0] if detail else {"totalFee": "0"}
    return -decimal_field(detail, "totalFee"), str(detail.get("feeCoin") or "")


def _fill(row: Row, part: BitgetPart) -> FillFact:
    """A fill as REST tells it. It has no id of ours."""
    px, qty = ("price", "baseVolume") if part is FUTURES else ("priceAvg", "size")
    return FillFact(
        "", name_field(row, "orderId"), part.symbol_of(name_field(row, "symbol")), name_field(row, "tradeId"),
        decimal_field(row, px), decimal_field(row, qty), *fee_of(row), row.get("tradeScope") == "maker",
        ms_to_ns(row["cTime"]), side_of(row.get("side")),
    )  # fmt: skip


def _pushed(row: Row, part: BitgetPart) -> list[Fact]:
    """A push is the order as it stands, and the trade that is its cause, which is told first. Of spot size is money, of
    contracts the quantity."""
    name, order_id = str(row.get("clientOid") or ""), name_field(row, "orderId")
    symbol = part.symbol_of(name_field(row, "instId"))
    facts: list[Fact] = []
    if row.get("tradeId"):
        facts.append(
            FillFact(
                name, order_id, symbol, name_field(row, "tradeId"), decimal_field(row, "fillPrice"),
                decimal_field(row, "baseVolume"), -decimal_field(row, "fillFee"), str(row.get("fillFeeCoin") or ""),
                str(row.get("tradeScope")).upper().startswith("M"), ms_to_ns(row["fillTime"]),
                side_of(row.get("side")),
            )
        )  # fmt: skip
    qty, filled = decimal_field(row, "size" if part is FUTURES else "newSize"), decimal_field(row, "accBaseVolume")
    told_ns, side = ms_to_ns(row["uTime"]), side_of(row.get("side"))
    return [*facts, OrderFact(name, order_id, symbol, _state(row), qty, _price(row), filled, told_ns, side)]
