"""How OKX is spoken to by a bridge: REST for what is asked and wanted, the private WebSocket for what happens.

Source: OKX API v5 documentation as stored 2025-11-25. CCXT signs, and does nothing else. An order's refusal comes with
HTTP 200 and code "1", and only the row's sCode says why. A new order and an amendment carry expTime, after which, by
the venue's clock, they cannot take effect any more.

A symbol that ends in -SWAP is a perpetual, whose quantities are contracts. All of them are held across the account, and
each as one net position: an account of another mode is not traded with.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import msgspec

from common.contracts import Contract, InstrumentKind
from common.instant import NS_PER_MS, NS_PER_S
from common.venues.backend import (
    NO_CALL,
    AmendFact,
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
    side_of,
)
from common.venues.credentials import HmacPassphrase
from common.venues.dialect import plain
from common.venues.rest import OF_ANOTHER_FORM, BadAnswer, decimal_field, ms_to_ns, name_field

Row = Mapping[str, Any]

NOT_FOUND = "51603"
UNDECIDED = frozenset({"50004", "51054", "51149", "51412", "50001", "50013", "50026"})
"""What says that nobody knows, or that the venue is at its limits, which is read as that."""

GONE = frozenset({"51400", "51401", "51402", "51410", "51503", "51509", "51510"})
"""The order of a cancel or an amendment is filled, cancelled or unknown: the order has to be read."""

STATES = {"live": "0", "partially_filled": "1", "filled": "2", "canceled": "4", "mmp_canceled": "4"}
ACTS = ("new", "amend", "cancel")
RECENT_FILLS_NS = 71 * 3600 * NS_PER_S
"""The endpoint of recent fills has three days of them; the one of older ones may be late by minutes."""

TAG_STEM, GUARDED_TAGS = "fixring", 20
"""What a client's tag begins with; and how many tags the switch may be set for at a time."""

PAGE_ROWS = 100
SPOT, SWAP = "SPOT", "SWAP"
"""instType."""

FUTURES_MODE, NET_MODE = "2", "net_mode"
"""acctLv of an account that has contracts beside spot, each with the margin of its own currency, and posMode of one
that has one position in each."""

WRONG_MODE = "contracts are traded in an account of acctLv 2 (futures mode) with posMode net_mode, and this one has"
_ID = re.compile(r"[0-9A-Za-z]{1,32}")
_SIDES = {"1": "buy", "2": "sell"}
_KINDS = {"1": "limit", "3": "ioc", "4": "fok"}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def kind_of(symbol: str) -> str:
    """instType of an instrument, by its name."""
    return SWAP if symbol.endswith("-SWAP") else SPOT


@cache
def _tag_of(client: str) -> str:
    return TAG_STEM + hashlib.sha256(client.encode()).hexdigest()[: 16 - len(TAG_STEM)]


class OkxBackend(ChannelBooks):
    """A `Backend`. `kinds` are instType of all that is traded."""

    kinds: tuple[str, ...] = (SPOT,)

    books_channel = "books"
    trades_channel = "trades"
    processing_ns = 2 * NS_PER_S
    ping_ns = 15 * NS_PER_S
    guard_s = 60
    forgets_after_ns = 2 * 3600 * NS_PER_S
    websocket_path = "/private"
    books_path = "/public"
    greets = False
    id_form = "1 to 32 letters and digits"

    def __init__(self, credentials: HmacPassphrase, sign: Signer) -> None:
        """`sign` signs what goes over REST."""
        self._credentials = credentials
        self._sign = sign

    def limit(self, what: str, symbol: str) -> Limit:
        """New orders, amendments and cancels of each instrument; questions of each kind."""
        name = f"{what} {symbol}" if what in ACTS else what
        return Limit(name, 60, 2 * NS_PER_S)

    def takes_id(self, text: str) -> bool:
        """clOrdId: letters and digits alone, no hyphen and no underscore."""
        return _ID.fullmatch(text) is not None

    def why_not(self, terms: BridgedTerms) -> str:
        """It has all that a bridge takes."""
        return ""

    # ---- what is sent

    def new(self, terms: BridgedTerms, wall_ns: int, last_venue_ns: int) -> HttpCall:
        """See `Backend`. A market order's quantity is in the base asset of a spot market, which has to be said."""
        is_spot = kind_of(terms.symbol) == SPOT
        asked: dict[str, object] = {
            "instId": terms.symbol, "tdMode": "cash" if is_spot else "cross", "clOrdId": terms.venue_id,
            "side": _SIDES[terms.side], "ordType": _kind(terms), "sz": plain(terms.order_qty),
        }  # fmt: skip
        asked |= {"tag": terms.tag} if terms.tag else {}
        asked |= {"reduceOnly": True} if terms.reduce_only else {}
        if terms.price is not None:
            asked["px"] = plain(terms.price)
        elif is_spot:
            asked["tgtCcy"] = "base_ccy"
        return _by(self._sign("POST", "trade/order", asked, wall_ns), last_venue_ns)

    def amend(self, terms: BridgedTerms, request_id: str, wall_ns: int, last_venue_ns: int) -> HttpCall:
        """See `Backend`."""
        asked = {
            "instId": terms.symbol, "clOrdId": terms.venue_id, "reqId": request_id, "newSz": plain(terms.order_qty),
        }  # fmt: skip
        asked |= {} if terms.price is None else {"newPx": plain(terms.price)}
        return _by(self._sign("POST", "trade/amend-order", asked, wall_ns), last_venue_ns)

    def cancel(self, terms: BridgedTerms, wall_ns: int) -> HttpCall:
        """See `Backend`."""
        by = {"clOrdId": terms.venue_id} if terms.venue_id else {"ordId": terms.order_id}
        return self._sign("POST", "trade/cancel-order", {"instId": terms.symbol, **by}, wall_ns)

    def tag_of(self, client: str) -> str:
        """See `GuardingBackend`: at most 16 letters and digits, whatever the client is called. No amendment changes an
        order's tag, so each bears one from the first, whether its client asks for the switch yet or not."""
        return _tag_of(client)

    def arm(self, names: Sequence[str], former: Sequence[str], wall_ns: int) -> list[HttpCall]:
        """See `GuardingBackend`: tag by tag."""
        wanted = dict.fromkeys(former, 0) | dict.fromkeys(names[:GUARDED_TAGS], self.guard_s)
        return [
            self._sign("POST", "trade/cancel-all-after", {"timeOut": str(seconds), "tag": tag}, wall_ns)
            for tag, seconds in wanted.items()
        ]

    def ask_order(self, terms: BridgedTerms, order_id: str, wall_ns: int) -> HttpCall:
        """See `Backend`: by our id, which finds it open or ended."""
        return self._sign("GET", "trade/order", {"instId": terms.symbol, "clOrdId": terms.venue_id}, wall_ns)

    def ask_open(self, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`: of every kind, the newest first, `after` an order's id."""
        return self._sign("GET", "trade/orders-pending", {"after": page} if page else {}, wall_ns)

    def ask_fills(self, since_ns: int, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`: the newest first, `after` a bill's id. Those of more than three days are kept elsewhere, and
        asked for one kind after the other: a page is a kind, a stroke and an id."""
        kind, _, after = page.partition("/")
        asked = {"begin": str(since_ns // NS_PER_MS)} | ({"after": after} if after else {})
        if since_ns > wall_ns - RECENT_FILLS_NS:
            return self._sign("GET", "trade/fills", asked, wall_ns)
        return self._sign("GET", "trade/fills-history", {"instType": kind or self.kinds[0], **asked}, wall_ns)

    def ask_ended(self, terms: BridgedTerms, since_ns: int, page: str, wall_ns: int) -> None:
        """Our id finds an order that has ended too."""

    def ask_fills_of(self, terms: BridgedTerms, order_id: str, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`: of the last three days likewise."""
        asked = {"instType": kind_of(terms.symbol), "instId": terms.symbol, "ordId": order_id}
        return self._sign("GET", "trade/fills", asked | ({"after": page} if page else {}), wall_ns)

    def ask_time(self) -> HttpCall:
        """See `Backend`."""
        return HttpCall("GET", "/api/v5/public/time")

    # ---- what is answered

    def read(self, what: str, status: int, body: bytes, call: HttpCall = NO_CALL) -> Reply:
        """See `Backend`."""
        try:
            answer = _decode(body)
            code, rows = str(answer["code"]), list(answer["data"])
            if what in ACTS:
                return _acted(what, status, code, answer, rows)
            if what == "arm":
                done = status == 200 and code == "0"
                return Reply(Verdict.DONE if done else Verdict.UNKNOWN, code, str(answer["msg"]))
            if code == NOT_FOUND:
                return Reply(Verdict.ABSENT, code, str(answer["msg"]))
            if status != 200 or code != "0":
                return Reply(Verdict.UNKNOWN, code, str(answer["msg"]))
            if what == "ask_fills":
                return Reply(Verdict.DONE, facts=_fills(rows), next_page=self._fills_page(rows, call))
            return _told(what, rows)
        except (msgspec.DecodeError, *OF_ANOTHER_FORM) as error:
            return Reply(Verdict.UNKNOWN, str(status), f"{type(error).__name__}: {error}"[:200])

    def _fills_page(self, rows: list[Row], call: HttpCall) -> str:
        (kind,) = parse_qs(call.target.partition("?")[2]).get("instType", [""])
        if len(rows) >= PAGE_ROWS:
            return f"{kind}/{name_field(rows[-1], 'billId')}"
        left = self.kinds[self.kinds.index(kind) + 1 :] if kind else ()
        return f"{left[0]}/" if left else ""

    # ---- the private WebSocket

    def login(self, wall_ns: int) -> str:
        """See `Backend`: signed over the time in seconds and a fixed path."""
        stamp = str(wall_ns // NS_PER_S)
        signed = hmac.digest(self._credentials.secret, f"{stamp}GET/users/self/verify".encode(), hashlib.sha256)
        argument = {
            "apiKey": self._credentials.api_key, "passphrase": self._credentials.passphrase, "timestamp": stamp,
            "sign": base64.b64encode(signed).decode(),
        }  # fmt: skip
        return _encode({"op": "login", "args": [argument]}).decode()

    def subscribe(self, wall_ns: int) -> str:
        """See `Backend`: one subscription, so that one answer says that it is there."""
        kind = self.kinds[0] if len(self.kinds) == 1 else "ANY"
        return _encode({"op": "subscribe", "args": [{"channel": "orders", "instType": kind}]}).decode()

    def ping(self, wall_ns: int) -> str:
        """See `Backend`."""
        return "ping"

    def read_push(self, text: str) -> tuple[Push, tuple[Fact, ...]]:
        """See `Backend`."""
        if text == "pong":
            return Push.OTHER, ()
        try:
            told = _decode(text)
            event = told.get("event")
            if event is not None:
                events = {"login": Push.LOGGED_IN, "subscribe": Push.SUBSCRIBED, "error": Push.REFUSED}
                return events.get(str(event), Push.OTHER), ()
            return Push.OTHER, tuple(fact for row in told.get("data", ()) for fact in _pushed(row))
        except (msgspec.DecodeError, *OF_ANOTHER_FORM) as error:
            raise BadAnswer(f"a push cannot be read: {error}") from error

    # ---- the public WebSocket

    def read_prices(self, text: str) -> tuple[Push, tuple[BookFact | TradeFact, ...]]:
        """See `BookBackend`. seqId is the number of a push and prevSeqId of the one before it."""
        if text == "pong":
            return Push.OTHER, ()
        try:
            told = _decode(text)
            if told.get("event") == "error":
                return Push.REFUSED, ()
            channel, rows = told["arg"]["channel"], told.get("data", ())
            if channel == self.trades_channel:
                return Push.OTHER, tuple(map(_trade, rows))
            whole = told.get("action") == "snapshot"
            return Push.OTHER, tuple(
                BookFact(
                    name_field(told["arg"], "instId"), whole, book_rows(row["bids"]), book_rows(row["asks"]),
                    int(row["prevSeqId"]) + 1, int(row["seqId"]),
                )
                for row in rows
            )  # fmt: skip
        except (msgspec.DecodeError, *OF_ANOTHER_FORM) as error:
            raise BadAnswer(f"prices cannot be read: {error}") from error

    def book_sum(self, bids: BookRows, offers: BookRows) -> str:
        """There is none any more: numbers tell a gap."""
        return ""


class OkxContractsBackend(OkxBackend):
    """With perpetuals beside spot: a `ModedBackend` and a `ContractBackend`."""

    kinds = (SPOT, SWAP)

    def ask_account(self, wall_ns: int) -> HttpCall:
        """See `ModedBackend`."""
        return self._sign("GET", "account/config", {}, wall_ns)

    def ask_contracts(self) -> HttpCall:
        """See `ContractBackend`."""
        return HttpCall("GET", f"/api/v5/public/instruments?instType={SWAP}")


def _trade(row: Row) -> TradeFact:
    return TradeFact(
        name_field(row, "instId"), name_field(row, "tradeId"), decimal_field(row, "px"), decimal_field(row, "sz"),
        side_of(row.get("side")), ms_to_ns(row["ts"]),
    )  # fmt: skip


def _kind(terms: BridgedTerms) -> str:
    if terms.price is None:
        return "market"
    return "post_only" if terms.post_only else _KINDS[terms.time_in_force]


def _by(call: HttpCall, last_venue_ns: int) -> HttpCall:
    """With expTime, which is not signed."""
    return call._replace(headers=(*call.headers, ("expTime", str(last_venue_ns // NS_PER_MS))))


def _acted(what: str, status: int, code: str, answer: Row, rows: list[Row]) -> Reply:
    """What was answered to an order, an amendment or a cancel."""
    row = rows[0] if rows else {}
    decisive = str(row.get("sCode") or code)
    text = str(row.get("sMsg") or answer["msg"])
    if decisive == "0" and status == 200:
        return Reply(Verdict.DONE, decisive, text, str(row["ordId"]))
    if status >= 500 or decisive in UNDECIDED or decisive == "0":
        return Reply(Verdict.UNKNOWN, decisive, text)
    if what != "new" and decisive in GONE:
        return Reply(Verdict.ABSENT, decisive, text)
    return Reply(Verdict.REFUSED, decisive, text)


def _told(what: str, rows: list[Row]) -> Reply:
    if what == "ask_time":
        return Reply(Verdict.DONE, venue_ns=ms_to_ns(rows[0]["ts"]))
    if what == "ask_account":
        mode = str(rows[0]["acctLv"]), str(rows[0]["posMode"])
        is_right = mode == (FUTURES_MODE, NET_MODE)
        return Reply(Verdict.DONE if is_right else Verdict.REFUSED, text=f"{WRONG_MODE} {' and '.join(mode)}")
    if what == "ask_contracts":
        told = {str(row.get("instId")): _contract(row) for row in rows}
        return Reply(Verdict.DONE, contracts={symbol: each for symbol, each in told.items() if each is not None})
    is_full = len(rows) >= PAGE_ROWS
    if what == "ask_fills_of":
        return Reply(Verdict.DONE, facts=_fills(rows), next_page=name_field(rows[-1], "billId") if is_full else "")
    page = name_field(rows[-1], "ordId") if is_full and what == "ask_open" else ""
    return Reply(Verdict.DONE, facts=tuple(_order(row) for row in rows), next_page=page)


def _order(row: Row) -> OrderFact:
    price = decimal_field(row, "px") if row.get("px") else None
    if str(row["state"]) not in STATES:
        raise BadAnswer(f"state is {row['state']!r}")
    return OrderFact(
        str(row.get("clOrdId") or ""), name_field(row, "ordId"), name_field(row, "instId"), STATES[str(row["state"])],
        decimal_field(row, "sz"), price, decimal_field(row, "accFillSz"), ms_to_ns(row.get("uTime") or 0),
        side_of(row.get("side")),
    )  # fmt: skip


def _contract(row: Row) -> Contract | None:
    """What one of it is: ctVal times ctMult of ctValCcy, which is the quote asset of an inverse one. None where that
    cannot be read: one of the venue's hundreds says nothing of the others."""
    try:
        multiplier = decimal_field(row, "ctVal") * decimal_field(row, "ctMult")
        return Contract(InstrumentKind.PERPETUAL, multiplier, row["ctType"] == "inverse", name_field(row, "settleCcy"))
    except OF_ANOTHER_FORM:
        return None


def _fills(rows: list[Row]) -> tuple[FillFact, ...]:
    """The oldest first: what contracts realise follows from the order of their fills. What is of no order, a block
    trade, is of none of ours."""
    return tuple(_fill(row, "fee", "feeCcy", "ts") for row in reversed(rows) if row.get("ordId"))


def _fill(row: Row, fee: str, fee_asset: str, stamp: str) -> FillFact:
    """A fee that is charged is below 0 here; a rebate is told apart."""
    charged = -decimal_field(row, fee) if row.get(fee) else Decimal(0)
    return FillFact(
        str(row.get("clOrdId") or ""), name_field(row, "ordId"), name_field(row, "instId"), name_field(row, "tradeId"),
        decimal_field(row, "fillPx"), decimal_field(row, "fillSz"), charged, str(row.get(fee_asset) or ""),
        row.get("execType") == "M", ms_to_ns(row.get(stamp) or 0), side_of(row.get("side")),
    )  # fmt: skip


def _pushed(row: Row) -> list[Fact]:
    """A push is the order as it stands; a trade, or the result of an amendment, comes along. The trade is told first,
    so that an end never comes before what it counts."""
    facts: list[Fact] = []
    if row.get("tradeId"):
        facts.append(_fill(row, "fillFee", "fillFeeCcy", "fillTime"))
    order = _order(row)
    result = str(row.get("amendResult") or "")
    if result:
        carried_out = result in ("0", "2")
        facts.append(AmendFact(order.venue_id, str(row.get("reqId") or ""), carried_out, str(row.get("msg") or "")))
    return [*facts, order]

