"""The dialect "deribit": Deribit's production gateway, order entry and market data over one kind of session.

Source: docs.deribit.com/fix-api/production, as of 2026-02-17; README.md beside this file has the oddities. What it
means for us: numbers start at 1 with each connection and nothing is resent; ClOrdID(11) of a report is Deribit's own
id and OrigClOrdID(41) is ours, which is put right here, so that nothing above sees it; reports tell the state that an
order is in, under ExecType(150)=I; quantities are contracts; fees are not told.
"""

import base64
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from msgspec import structs

from common.fix.session_types import SessionSettings
from common.fix.wire import parse_utc_timestamp
from common.messages import (
    AmendOrder,
    CancelOrder,
    CancelRejected,
    ExecutionReport,
    NewOrder,
    QueryOrder,
    Several,
    Terms,
    Unreadable,
    VenueEvent,
)
from common.venues.credentials import Credentials, HmacSecret
from common.venues.deribit.fields import tag_of
from common.venues.deribit.venue import PROFILE
from common.venues.dialect import (
    BadReport,
    Body,
    BookEntry,
    DepthQuestion,
    Identity,
    SubscriptionRejected,
    nonce_ms,
    plain,
)
from common.venues.market_data import SNAPSHOT, TRADE, book_entries, subscription_rejected
from common.venues.reading import (
    ZERO,
    Fields,
    Notes,
    group,
    integer,
    name,
    require,
    require_character,
    required_number,
    text,
    unreadable,
)
from common.venues.signers import sha256
from common.venues.standard import (
    StandardDialect,
    mass_cancel_reported,
    needed_credentials,
    related_symbols,
    request_rejected,
    settings_from_one,
)

_NO_FILLS, _FILL_ID, _FILL_PX, _FILL_QTY, _FILL_LIQUIDITY = map(tag_of, (1362, 1363, 1364, 1365, 1443))
_STATE = "I"
_ENDS = {"4": "4", "8": "8", "C": "C", "3": "C"}
"""By OrdStatus(39), ExecType(150) of a report that ends an order: done for the day is the end here."""

_OVER = frozenset("2348C")
_PLAIN_TEXTS = frozenset({"success", "notification"})
"""Text(58) of what was asked for and of what was not: it says nothing of the order."""

_UNKNOWN_ORDER = frozenset({"not_found", "order_not_found"})
_TRIGGERED = "7"
_STOP_TYPES = {"3": "S", "4": "J"}
"""By OrdType(40) of a stop and a stop-limit order, how it is written here."""

_TRAILING_STOP = "4"
_BY_LAST_PRICE = "5127=2\x01"
_UNITS = b"0"  # QtyType(854): quantities are of the underlying, ContractMultiplier(231) of it to a contract
_FIRST_OF_NAME = "abcdefghijklmnopqrstuvwxyz"
"""Our own names begin so; Deribit's ids are digits, some with the currency in capitals before them."""


def logon_raw_data(secret: bytes, timestamp_ms: int) -> bytes:
    """RawData(96) of Logon(A): the time, which has to grow, and a nonce that nobody can guess.

    The nonce follows from the time and the secret, since a dialect draws no random number.
    """
    nonce = base64.b64encode(sha256(b"nonce\x00%d\x00%b" % (timestamp_ms, secret)))
    return b"%d.%b" % (timestamp_ms, nonce)


def logon_password(raw_data: bytes, secret: bytes) -> bytes:
    """Password(554) of Logon(A): SHA-256 over RawData(96) and the secret behind it, in base64."""
    return base64.b64encode(sha256(raw_data + secret))


def _status_head(f: Fields) -> ExecutionReport | None:
    """The first answer to OrderMassStatusRequest(AF), which counts those that follow: none is "no such order"."""
    if integer(f, b"911"):
        return None
    asked = require(f, b"584")
    ours = asked[0] in _FIRST_OF_NAME
    return ExecutionReport(
        asked if ours else "", "", "" if ours else asked, "", _STATE, "8", text(f, b"55"), "", None, None, ZERO, ZERO,
        None, None, text=text(f, b"58"), unknown_order=True,
    )  # fmt: skip


class _Quantities:
    """Reads the quantities of one message, in contracts."""

    def __init__(self, f: Fields, notes: Notes) -> None:
        self._fields = f
        self._notes = notes
        self._units = required_number(f, b"231") if f.get(b"854") == _UNITS else Decimal(1)
        if self._units <= 0:
            raise BadReport(f"ContractMultiplier(231) is {self._units}")

    def told(self, tag: bytes) -> Decimal | None:
        """A quantity that may be missing."""
        value = self._notes.decimal(self._fields, tag)
        return value if value is None or self._units == 1 else value / self._units

    def required(self, fields: Fields, tag: bytes) -> Decimal:
        """A quantity that must be there."""
        value = required_number(fields, tag)
        return value if self._units == 1 else value / self._units


class _Fill:
    """What a report says of one trade: its group NoFills(1362) where it has one, else its own fields."""

    def __init__(self, f: Fields, entry: Fields | None, quantities: _Quantities, notes: Notes) -> None:
        if entry is None:
            self.qty = quantities.required(f, b"32")
            self.px = notes.decimal(f, b"31") or ZERO
            self.key, self.maker = require(f, b"17"), f.get(b"851") == b"1"
        else:
            self.qty = quantities.required(entry, _FILL_QTY)
            self.px = notes.decimal(entry, _FILL_PX) or ZERO
            # INSTRUMENT#tradeseq: the number counts within the instrument, and so does a trade's key.
            self.key = require(entry, _FILL_ID).rpartition("#")[2]
            self.maker = entry.get(_FILL_LIQUIDITY) == b"1"


def _report(f: Fields, raw: bytes) -> ExecutionReport | Several:
    """What identifies a fill, or tells of a change, has to be readable; the rest is noted where it is not.

    Without ReportFillsAsExecReports(9015)=Y one report may tell several fills.
    """
    told_type, ord_status, notes = require_character(f, b"150"), require_character(f, b"39"), Notes()
    quantities = _Quantities(f, notes)
    entries = group(raw, _NO_FILLS) if _NO_FILLS in f else []
    fills = [_Fill(f, entry, quantities, notes) for entry in entries]
    if told_type == "F" and not fills:
        fills = [_Fill(f, None, quantities, notes)]
    is_over, words = ord_status in _OVER, text(f, b"58")
    state = ExecutionReport(
        cl_ord_id=text(f, b"41"),
        orig_cl_ord_id="",
        order_id=name(f, b"37") or name(f, b"11"),
        exec_id=text(f, b"17"),
        exec_type=_ENDS.get(ord_status, "L" if told_type == _TRIGGERED else _STATE),
        ord_status=_ENDS.get(ord_status, ord_status),
        symbol=text(f, b"55"),
        side=text(f, b"54"),
        order_qty=quantities.told(b"38"),
        price=notes.decimal(f, b"44"),
        last_qty=ZERO,
        last_px=ZERO,
        cum_qty=quantities.told(b"14"),
        # A cancelled order's is OrderQty(38) less CumQty(14), as if it were open.
        leaves_qty=ZERO if is_over else quantities.told(b"151"),
        transact_ns=notes.time_ns(f, b"60"),
        error_code=notes.integer(f, b"103"),
        text="" if words in _PLAIN_TEXTS else words,
        avg_px=notes.decimal(f, b"6"),
    )
    state = structs.replace(state, unread=tuple(notes))
    told = [
        structs.replace(state, exec_type="F", last_qty=x.qty, last_px=x.px, trade_key=x.key, maker=x.maker)
        for x in fills
    ]
    if len(told) > 1:
        return Several(tuple(told))
    return told[0] if told else state


def _cancel_rejected(f: Fields, raw: bytes) -> CancelRejected:
    """It bears the names of the request: ours in ClOrdID(11), Deribit's in OrigClOrdID(41)."""
    words = text(f, b"58")
    return CancelRejected(
        cl_ord_id=text(f, b"11"),
        orig_cl_ord_id="",
        order_id=name(f, b"41"),
        ord_status=text(f, b"39"),
        error_code=Notes().integer(f, b"102"),
        text=words,
        unknown_order=words in _UNKNOWN_ORDER,
    )


def _told(f: Fields, raw: bytes) -> VenueEvent | None:
    """ExecutionReport(8), or the head of an answer to OrderMassStatusRequest(AF)."""
    return _status_head(f) if b"150" not in f and b"584" in f else _report(f, raw)


class Deribit(StandardDialect):
    """Deribit's side of the wire, as the module says."""

    profile = PROFILE
    listed_as = {"tick_size": b"969", "multiplier": b"231"}
    readers = {"8": _told, "9": _cancel_rejected, "3": request_rejected, "r": mass_cancel_reported}

    def session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """CancelOnDisconnect(9001), one queue for answers and pushes (9007), and a report for each fill
        (9015) are asked for."""
        return _settings(identity, credentials, b"9001=Y\x019007=Y\x019015=Y\x01")

    def market_data_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """Reports of orders are kept away (9009), and nothing is to be cancelled with it."""
        return _settings(identity, credentials, b"9001=N\x019009=Y\x01")

    def encode_new(self, command: NewOrder, wall_ns: int) -> Body:
        """NewOrderSingle(D), its quantity in contracts."""
        c = command
        # Over REST the label alone is our name.
        names = f"11={c.cl_ord_id}\x01100010={c.cl_ord_id}\x0155={c.symbol}\x0154={c.side}\x01"
        return Body("D", f"{names}{_terms(c)}{_kind(c.terms)}59={c.terms.time_in_force}\x01".encode())

    def encode_amend(self, command: AmendOrder, wall_ns: int) -> Body:
        """OrderCancelReplaceRequest(G): the complete new terms. The order keeps its name."""
        c = command
        names = f"{_request_names(c.cl_ord_id, c.orig_cl_ord_id, c.order_id)}55={c.symbol}\x0154={c.side}\x01"
        return Body("G", f"{names}{_terms(c)}".encode())

    def encode_cancel(self, command: CancelOrder, wall_ns: int) -> Body:
        """OrderCancelRequest(F) by Deribit's id where it is known, which is faster."""
        c = command
        return Body("F", f"{_request_names(c.cl_ord_id, c.orig_cl_ord_id, c.order_id)}55={c.symbol}\x01".encode())

    def encode_query(self, command: QueryOrder) -> Body | None:
        """OrderMassStatusRequest(AF) for one order, which may be closed: by Deribit's id, else by our name."""
        if command.order_id:
            return Body("AF", f"584={command.order_id}\x01585=1\x019014=0\x01".encode())
        return Body("AF", f"584={command.cl_ord_id}\x01585=1\x019014=1\x0155={command.symbol}\x01".encode())

    def encode_mass_cancel(self, cl_ord_id: str, symbol: str, wall_ns: int) -> Body | None:
        """OrderMassCancelRequest(q) with MassCancelRequestType(530)=1, orders of one instrument."""
        return Body("q", f"11={cl_ord_id}\x01530=1\x0155={symbol}\x01".encode())

    def unread(self, fields: Fields, why: str) -> Unreadable | None:
        """The names of a report are put right; an OrderCancelReject(9) bears those of the request."""
        if fields.get(b"35") != b"8":
            return unreadable(fields, why)
        ours = {b"11": fields.get(b"41", b""), b"37": fields.get(b"37", fields.get(b"11", b""))}
        return unreadable({**fields, **ours, b"41": b""}, why)

    def encode_subscribe(self, md_req_id: str, symbols: Sequence[str]) -> list[Body]:
        """MarketDataRequest(V) twice: the best prices, each time whole (MDUpdateType(265)=0), and the trades."""
        trades = f"262={md_req_id}-trades\x01263=1\x01264=0\x01265=1\x01267=1\x01269=2\x01{related_symbols(symbols)}"
        return [_prices(f"{md_req_id}-book", "1", symbols), Body("V", trades.encode())]

    def encode_refresh(self, md_req_id: str, former_id: str, symbols: Sequence[str]) -> list[Body]:
        """MarketDataRequest(V) with SubscriptionRequestType(263)=0: a snapshot beside the subscription."""
        return [_prices(md_req_id, "0", symbols)]

    def encode_depth(self, md_req_id: str, symbol: str, levels: int) -> DepthQuestion | None:
        """The same snapshot of one book with the 20 best prices of each side, the most that are told whole."""
        return DepthQuestion(md_req_id, _prices(md_req_id, "0", [symbol], 20))

    def encode_instruments(self, req_id: str) -> Body | None:
        """SecurityListRequest(x) for all."""
        return Body("x", f"320={req_id}\x01559=4\x01".encode())

    def decode_market_data(self, msg_type: str, raw: bytes) -> list[BookEntry] | SubscriptionRejected:
        """The trades of a W are of before the subscription: none of them is news."""
        if msg_type == "Y":
            return subscription_rejected(raw)
        return [e for e in book_entries(msg_type, raw, b"54") if e.what != TRADE or e.action != SNAPSHOT]


def _settings(identity: Identity, credentials: Credentials | None, options: bytes) -> SessionSettings:
    why = "Deribit's Logon(A) needs a client id and its secret"
    signer = needed_credentials(credentials, HmacSecret, why)

    def logon_fields(msg_seq_num: int, sending_time: bytes) -> bytes:
        timestamp_ms = nonce_ms(identity.last_nonce_ms, parse_utc_timestamp(sending_time))
        raw_data = logon_raw_data(signer.secret, timestamp_ms)
        password = logon_password(raw_data, signer.secret)
        key = signer.api_key.encode()
        return b"95=%d\x0196=%b\x01553=%b\x01554=%b\x01%b" % (len(raw_data), raw_data, key, password, options)

    settings = settings_from_one(identity, logon_fields)
    return replace(settings, expects_reset_echo=False, header_order=(49, 56, 34, 52))


def _terms(c: NewOrder | AmendOrder) -> str:
    """Quantity in contracts, price, and ExecInst(18): 6A, a post-only order that would take is rejected, not moved;
    E, the order only reduces the position. DisplayQty(1138) is in contracts, too."""
    price = "" if c.price is None else f"44={plain(c.price)}\x01"
    codes = ("6A" if c.terms.is_post_only else "") + ("E" if c.terms.is_reduce_only else "")
    exec_inst = f"18={codes}\x01" if codes else ""
    shown = "" if c.terms.display_qty is None else f"1138={plain(c.terms.display_qty)}\x01"
    return f"38={plain(c.order_qty)}\x01854=1\x01{price}{exec_inst}{shown}"


def _kind(terms: Terms) -> str:
    """OrdType(40), and what wakes a stop order: the last trade at StopPx(99), or so far from the best one since."""
    if not terms.is_stop:
        return f"40={terms.ord_type}\x01"
    at = "" if terms.stop_px is None else f"99={plain(terms.stop_px)}\x01"
    if not terms.is_trailing or terms.peg_offset is None:
        return f"40={_STOP_TYPES[terms.ord_type]}\x01{at}{_BY_LAST_PRICE}"
    follows = f"211={plain(terms.peg_offset)}\x011094={terms.peg_price_type}\x01"
    return f"40={_TRAILING_STOP}\x01{at}{follows}{_BY_LAST_PRICE}"


def _request_names(cl_ord_id: str, orig_cl_ord_id: str, order_id: str) -> str:
    """OrigClOrdID(41) is Deribit's id; without it ClOrdID(11) has to be the name of the order itself."""
    return f"11={cl_ord_id}\x0141={order_id}\x01" if order_id else f"11={orig_cl_ord_id}\x01"


def _prices(md_req_id: str, action: str, symbols: Sequence[str], depth: int = 1) -> Body:
    head = f"262={md_req_id}\x01263={action}\x01264={depth}\x01265=0\x01267=2\x01269=0\x01269=1\x01"
    return Body("V", f"{head}{related_symbols(symbols)}".encode())
