"""The dialect "bybit": Bybit Spot's order entry over FIX 4.4.

Source: bybit-exchange/docs, fix-api/{guide,create-order,amend-order,cancel-order,execution-report}.mdx and order.xml,
as of August 2026. What it means for us: Logon(A) is signed with RSA over a word and a time; numbers start at 1 with
each connection and nothing is resent; a request is acknowledged first and reported on after it, or before; ClOrdID(11)
of a cancel or an amendment is the order's, so ReqId(30006) is the request's own name, by which what bears no other is
known; fills stand in the group NoFills(30050); a stop order is a market or limit order with another OrderFilter(30024),
which its cancel has too for as long as it sleeps. Prices, the state of an order and a cancel of all are not on FIX.
"""

from decimal import Decimal

from msgspec import structs

from common.fix.session_types import SessionSettings
from common.fix.wire import parse_utc_timestamp
from common.instant import NS_PER_MS
from common.messages import (
    AmendOrder,
    CancelOrder,
    CancelRejected,
    ExecutionReport,
    NewOrder,
    RequestRejected,
    Several,
    Unreadable,
    VenueEvent,
)
from common.venues.bybit.fields import tag_of
from common.venues.bybit.venue import PROFILE, takes_profit
from common.venues.credentials import Credentials, RsaKey
from common.venues.dialect import BadReport, Body, Identity, plain
from common.venues.reading import (
    ZERO,
    Fields,
    Notes,
    group,
    name,
    require,
    require_character,
    required_number,
    text,
    unreadable,
)
from common.venues.signers import rsa_key, rsa_sha256_signature
from common.venues.standard import StandardDialect, needed_credentials, request_rejected, settings_from_one

EXPIRES_AFTER_MS = 5000
RECV_WINDOW_MAX_MS = 60_000

AMBIGUOUS_CODES = frozenset({10000, 10016, 170001, 170007})
"""The server's own failures and timeouts: what became of the request is not known."""

UNKNOWN_ORDER_CODE = 170213
_ENDED_BY_CODE = {170139: "2", 170142: "4"}
"""Why a cancel or an amendment comes too late, as OrdStatus(39) of the order."""

_REQ_ID, _MARKET_UNIT = tag_of(30006), tag_of(30013)
_FILL_EXEC_ID, _FILL_QTY, _FILL_PX, _FILL_TIME = map(tag_of, range(30051, 30055))
_FILL_COMMISSION, _FILL_COMM_CURR = tag_of(30055), tag_of(30056)
_FILL_IS_MAKER, _FILL_LEAVES_QTY = tag_of(30058), tag_of(30064)
_NO_FILLS, _LAST_PRICE = tag_of(30050), tag_of(30046)
_IN_QUOTE = b"quoteCoin"
_ASLEEP = "30024=StopOrder\x01"
_AWAKE_TYPES = {"3": "1", "4": "2"}
"""By OrdType(40) of a stop and a stop-limit order, what it is once it is awake, which is what stands there here."""


_PARTIALLY_FILLED = "1"
_PARTIALLY_FILLED_CANCELED, _DEACTIVATED, _UNTRIGGERED, _TRIGGERED = "F", "D", "U", "T"
_ORD_STATUS = {
    _PARTIALLY_FILLED_CANCELED: "4",
    _DEACTIVATED: "4",
    _TRIGGERED: "A",
    _UNTRIGGERED: "9",
}
"""OrdStatus(39) that FIX 4.4 has not, or means otherwise: one that was filled in part and cancelled is cancelled; one
that waits for its trigger is suspended, and one that was triggered is on its way into the book."""

_EXEC_TYPE = {_DEACTIVATED: "4", _UNTRIGGERED: "0", _TRIGGERED: "L"}
"""ExecType(150), likewise: one that is suspended as it comes is new."""


def logon_signature(pem: bytes, expires_ms: int) -> bytes:
    """RawData(96) of Logon(A): base64 of the RSA signature (PKCS#1 v1.5, SHA-256) over the word `GET/realtime` and
    Expires(30023). Source: fix-api/guide.mdx and demo_fix_order.py. Raises BadKey.
    """
    return rsa_sha256_signature(pem, b"GET/realtime%d" % expires_ms)


def _report(f: Fields, cl_ord_id: str, orig_cl_ord_id: str) -> ExecutionReport:
    """A report of no fill, or an acknowledgement. A refusal bears no names but ReqId(30006)."""
    exec_type, notes = require_character(f, b"150"), Notes()
    ord_status = require_character(f, b"39")
    code = notes.integer(f, b"103") if exec_type == "8" else 0
    return ExecutionReport(
        cl_ord_id=cl_ord_id or orig_cl_ord_id,
        orig_cl_ord_id=orig_cl_ord_id if cl_ord_id else "",
        order_id=name(f, b"37"),
        exec_id="",
        exec_type=_EXEC_TYPE.get(exec_type, exec_type),
        ord_status=_ORD_STATUS.get(ord_status, ord_status),
        symbol=text(f, b"55"),
        side=text(f, b"54"),
        order_qty=_qty(f, b"38", notes),
        price=notes.decimal(f, b"44"),
        last_qty=ZERO,
        last_px=ZERO,
        cum_qty=notes.decimal(f, b"14"),
        leaves_qty=_qty(f, b"151", notes),
        transact_ns=notes.time_ns(f, b"60"),
        error_code=code,
        text=_words(f),
        # A refusal whose code cannot be read may be one of those that say that the outcome is not known.
        ambiguous=exec_type == "8" and (code in AMBIGUOUS_CODES or "OrdRejReason(103)" in notes),
        unread=tuple(notes),
        avg_px=notes.decimal(f, b"6"),
        take_profit=_direction(f) if ord_status == _UNTRIGGERED else None,
    )


def _direction(f: Fields) -> bool | None:
    """Whether an order that sleeps takes profit: what it waits for follows from StopPx(99), and from the last price as
    it came, LastPriceOnCreated(30046). None where that cannot be read."""
    notes = Notes()
    stop_px, last_px, side = notes.decimal(f, b"99"), notes.decimal(f, _LAST_PRICE), text(f, b"54")
    return None if stop_px is None or last_px is None else takes_profit(side, stop_px, last_px)


def _fills(f: Fields, raw: bytes) -> VenueEvent:
    """Each fill of the group NoFills(30050) as a report of its own. The order's quantities are those after the last of
    them, so those of the others follow backwards."""
    order, fills = _report(f, text(f, b"11"), ""), group(raw, _NO_FILLS)
    if not fills:
        raise BadReport(f"ExecutionReport(8) of ExecType(150)=F without {_NO_FILLS}")
    reports: list[ExecutionReport] = []
    cum_qty, ord_status = order.cum_qty, order.ord_status
    for fill in reversed(fills):
        report = _fill(order, fill, cum_qty, ord_status)
        reports.insert(0, report)
        cum_qty = None if cum_qty is None else cum_qty - report.last_qty
        ord_status = _PARTIALLY_FILLED
    return reports[0] if len(reports) == 1 else Several(tuple(reports))


def _fill(order: ExecutionReport, fill: Fields, cum_qty: Decimal | None, ord_status: str) -> ExecutionReport:
    """What identifies a fill has to be readable; the rest is noted where it is not."""
    notes = Notes(order.unread)
    fee_qty, fee_asset = notes.decimal(fill, _FILL_COMMISSION) or ZERO, text(fill, _FILL_COMM_CURR)
    if fee_qty and not fee_asset:
        notes.note(_FILL_COMM_CURR)
    trade_key = require(fill, _FILL_EXEC_ID)
    return ExecutionReport(
        cl_ord_id=order.cl_ord_id,
        orig_cl_ord_id=order.orig_cl_ord_id,
        order_id=order.order_id,
        exec_id=trade_key,
        exec_type="F",
        ord_status=ord_status,
        symbol=order.symbol,
        side=order.side,
        order_qty=order.order_qty,
        price=order.price,
        last_qty=required_number(fill, _FILL_QTY),
        last_px=notes.decimal(fill, _FILL_PX) or ZERO,
        cum_qty=cum_qty,
        leaves_qty=notes.decimal(fill, _FILL_LEAVES_QTY),
        trade_key=trade_key,
        fee_qty=fee_qty if fee_asset else ZERO,
        fee_asset=fee_asset if fee_qty else "",
        transact_ns=notes.time_ns(fill, _FILL_TIME) or order.transact_ns,
        maker=fill.get(_FILL_IS_MAKER) == b"Y",
        unread=tuple(notes),
        avg_px=order.avg_px if cum_qty == order.cum_qty else None,
    )


def _qty(f: Fields, tag: bytes, notes: Notes) -> Decimal | None:
    """A quantity in the base asset; not told where the order was placed by an amount of the quote asset."""
    return None if f.get(_MARKET_UNIT) == _IN_QUOTE else notes.decimal(f, tag)


def _words(f: Fields) -> str:
    """Text(58), or the word in OrdRejReason(103), which a cancelled order bears: both where there are both."""
    words, reason = text(f, b"58"), text(f, b"103")
    return words if words or reason.isdigit() else reason


def _refused(f: Fields) -> CancelRejected:
    """OrderCancelAck(XCA) and OrderAmendAck(XAA) without ExecType(150): refused, and the request's name is all that is
    told, where it had one."""
    notes = Notes()
    code = notes.integer(f, b"103")
    return CancelRejected(
        cl_ord_id=text(f, _REQ_ID),
        orig_cl_ord_id=text(f, b"11"),
        order_id=name(f, b"37"),
        ord_status=_ENDED_BY_CODE.get(code, ""),
        error_code=code,
        text=text(f, b"58"),
        unknown_order=code == UNKNOWN_ORDER_CODE,
        ambiguous=code in AMBIGUOUS_CODES or bool(notes),
    )


def _told(f: Fields, raw: bytes) -> VenueEvent:
    return _fills(f, raw) if f.get(b"150") == b"F" else _report(f, text(f, b"11") or text(f, _REQ_ID), "")


def _answered(f: Fields, raw: bytes) -> VenueEvent:
    """OrderCancelAck(XCA) and OrderAmendAck(XAA)."""
    return _report(f, text(f, _REQ_ID), text(f, b"11")) if b"150" in f else _refused(f)


def _request_rejected(f: Fields, raw: bytes) -> RequestRejected:
    return structs.replace(request_rejected(f, raw), cl_ord_id=text(f, _REQ_ID))


class Bybit(StandardDialect):
    """Bybit Spot's side of the wire, as the module says."""

    profile = PROFILE
    readers = {"8": _told, "XCA": _answered, "XAA": _answered, "3": _request_rejected, "j": _request_rejected}

    def session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """HeartBtInt(108) is the server's to say."""
        signer = needed_credentials(credentials, RsaKey, "Bybit's Logon(A) is signed with an RSA key")
        rsa_key(signer.private_key_pem)

        def logon_fields(msg_seq_num: int, sending_time: bytes) -> bytes:
            expires_ms = parse_utc_timestamp(sending_time) // NS_PER_MS + EXPIRES_AFTER_MS
            raw_data = logon_signature(signer.private_key_pem, expires_ms)
            return b"553=%b\x0195=%d\x0196=%b\x0130023=%d\x01" % (
                signer.api_key.encode(),
                len(raw_data),
                raw_data,
                expires_ms,
            )

        return settings_from_one(identity, logon_fields)

    def header_fields(self, time_left_ns: int | None, wall_ns: int) -> bytes:
        """BapiTimestamp(30002) and BapiRecvWindow(30001), both in milliseconds: the server takes the request as long as
        its clock is not beyond their sum."""
        if time_left_ns is None:
            return b""
        window_ms = min(max(time_left_ns // NS_PER_MS, 1), RECV_WINDOW_MAX_MS)
        return b"30002=%d\x0130001=%d\x01" % (wall_ns // NS_PER_MS, window_ms)

    def encode_new(self, command: NewOrder, wall_ns: int) -> Body:
        """NewOrderSingle(D). A market order's quantity is in the base or in the quote asset, which has to be said.

        Whether a stop order takes profit is not said: that follows from where the market is.
        """
        c = command
        ord_type = _AWAKE_TYPES.get(c.ord_type, c.ord_type)
        if ord_type == "1":
            cash = c.terms.cash_order_qty
            size = (c.order_qty, "baseCoin") if cash is None else (cash, "quoteCoin")
            terms = f"38={plain(size[0])}\x0130013={size[1]}\x01"
        else:
            assert c.price is not None
            time_in_force = "P" if c.terms.is_post_only else c.terms.time_in_force
            terms = f"59={time_in_force}\x0138={plain(c.order_qty)}\x0144={plain(c.price)}\x01"
        stop = "" if c.terms.stop_px is None else f"{_ASLEEP}99={plain(c.terms.stop_px)}\x01"
        order = f"30010=spot\x0155={c.symbol}\x0154={c.side}\x0140={ord_type}\x01{stop}"
        return Body("D", f"{order}{terms}11={c.cl_ord_id}\x0130006={c.cl_ord_id}\x01".encode())

    def encode_amend(self, command: AmendOrder, wall_ns: int) -> Body:
        """AtomicReplaceRequest(XAR) with what changes alone: the order keeps its names, and what it keeps of its place
        in the book the venue decides."""
        c = command
        qty = f"38={plain(c.order_qty)}\x01" if c.order_qty != c.former_order_qty else ""
        price = f"44={plain(c.price)}\x01" if c.price is not None and c.price != c.former_price else ""
        names = _names(c.cl_ord_id, c.order_id, c.orig_cl_ord_id)
        return Body("XAR", f"30010=spot\x0155={c.symbol}\x01{names}{qty}{price}".encode())

    def encode_cancel(self, command: CancelOrder, wall_ns: int) -> Body:
        """OrderCancelRequest(F): ClOrdID(11) names the order to be cancelled, OrderFilter(30024) that it sleeps."""
        c = command
        names = _names(c.cl_ord_id, c.order_id, c.orig_cl_ord_id)
        return Body("F", f"30010=spot\x0155={c.symbol}\x01{names}{_ASLEEP if c.sleeps else ''}".encode())

    def unread(self, fields: Fields, why: str) -> Unreadable | None:
        """A refusal bears the request's name alone."""
        named = super().unread(fields, why)
        return unreadable({**fields, b"11": fields.get(_REQ_ID, b"")}, why) if named is None else named


def _names(req_id: str, order_id: str, cl_ord_id: str) -> str:
    """The request's own name, and the order's: OrderID(37), where it is known, counts before ClOrdID(11)."""
    return f"30006={req_id}\x01{f'37={order_id}{chr(1)}' if order_id else ''}11={cl_ord_id}\x01"
