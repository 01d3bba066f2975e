"""The dialect "binance": Binance Spot's order entry and market data over FIX 4.4.

Source: binance-spot-api-docs, fix-api.md and the dictionaries spot-fix-oe.xml and spot-fix-md.xml as of July 2026.
What it means for us: Logon(A) is signed; numbers start at 1 with each connection and nothing is resent; a price is
changed by OrderCancelRequestAndNewOrderSingle(XCN), a quantity lowered by OrderAmendKeepPriorityRequest(XAK); a fill
is ExecType(150)=F identified by TradeID(1003); ErrorCode(25016) -1006 and -1007 say that the outcome is not known.
There is no status request.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache

import msgspec

from common.fix.session_types import SessionSettings
from common.messages import (
    ONE_CANCELS_OTHER,
    SIDE_BUY,
    AmendOrder,
    CancelOrder,
    CancelRejected,
    ExecutionReport,
    MassCancelReported,
    NewOrder,
    RequestRejected,
    Several,
    Terms,
    Unreadable,
)
from common.venues.binance.fields import tag_of
from common.venues.binance.venue import PROFILE
from common.venues.credentials import Credentials, Ed25519Key
from common.venues.dialect import Body, DepthQuestion, Identity, VenueLimit, plain
from common.venues.reading import Fields, Notes, group, integer, name, require, text
from common.venues.signers import ed25519_key, ed25519_signature
from common.venues.standard import (
    ReportForm,
    StandardDialect,
    announced,
    execution_report,
    needed_credentials,
    related_symbols,
    settings_from_one,
)

AMBIGUOUS_CODES = frozenset({-1006, -1007})
UNKNOWN_ORDER_CODE = -2011
UNKNOWN_ORDER_TEXT = "Unknown order sent."
RECV_WINDOW_MAX_US = 60_000_000
RECV_WINDOW_MIN_US = 1_000
_ERROR_CODE = tag_of(25016)
_TRADE_ID = tag_of(1003)
_LIMITS, _LIMIT_TYPE, _LIMIT_COUNT, _LIMIT_MAX, _LIMIT_INTERVAL, _LIMIT_UNIT = map(tag_of, range(25003, 25009))
CANCEL_ID_SUFFIX = "_c"
"""CancelClOrdID(25034) of an XCN: the new order's ClOrdID(11) with this behind it. Our own ids never hold an
underscore.
"""

# LimitType(25004) of an entry of NoLimitIndicators(25003), and LimitResetIntervalResolution(25008).
_LIMIT_KINDS = {"1": "orders", "2": "messages", "3": "subscriptions"}
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_POST_ONLY = "18=6\x01"
_LIST_REJECTED = b"7"
_SUSPENDED = "9"


def _order(symbol: str, terms: Terms, cl_ord_id: str, order_qty: Decimal) -> str:
    """A new order's fields, ascending as in the samples."""
    kind = _kind(symbol, terms.side, terms.ord_type, terms.time_in_force, terms.is_post_only)
    price = "" if terms.price is None else f"44={plain(terms.price)}\x01"
    size = "" if terms.paid or terms.cash_order_qty is not None else f"38={plain(order_qty)}\x01"
    cash = "" if terms.cash_order_qty is None else f"152={plain(terms.cash_order_qty)}\x01"
    head = f"11={cl_ord_id}\x01{_POST_ONLY if terms.is_post_only else ''}{size}"
    shown = "" if terms.display_qty is None else f"111={plain(min(terms.display_qty, order_qty))}\x01"
    last = _trigger(terms) if terms.is_stop else _peg(terms)
    return f"{head}40={terms.ord_type}\x01{price}{kind}{shown}{cash}{last}"


def _trigger(terms: Terms) -> str:
    """What wakes a stop order: a trade at TriggerPrice(1102), from below for a buy and from above for one that takes
    profit; a trailing one wakes once the price has come back by TriggerTrailingDeltaBips(25009). One without a price
    has no direction in the page's table: a trailing stop and a take-profit order are the same then, since both follow
    at once.
    """
    side = "U" if (terms.side == SIDE_BUY) is not terms.take_profit else "D"
    price = "" if terms.stop_px is None else f"1102={plain(terms.stop_px)}\x01"
    direction = "" if terms.stop_px is None else f"1109={side}\x01"
    follows_at = terms.peg_offset if terms.is_trailing else None
    trailing = "" if follows_at is None else f"25009={plain(follows_at)}\x01"
    return f"1100=4\x011101=1\x01{price}1107=2\x01{direction}{trailing}"


def _peg(terms: Terms) -> str:
    """PegPriceType(1094) of a pegged order, and how many price levels deep it stands."""
    if not terms.is_pegged:
        return ""
    depth = "" if terms.peg_offset is None else f"211={plain(terms.peg_offset)}\x01836=3\x01"
    return f"{depth}835=1\x011094={terms.peg_price_type}\x01"


@lru_cache(maxsize=1024)
def _kind(symbol: str, side: str, ord_type: str, time_in_force: str, post_only: bool) -> str:
    """The part of an order that few orders differ in: one without a limit and a post-only one have no TimeInForce(59).
    """
    last = "" if post_only or ord_type in "13" else f"59={time_in_force}\x01"
    return f"54={side}\x0155={symbol}\x01{last}"


def logon_signature(pem: bytes, identity: Identity, msg_seq_num: int, sending_time: bytes) -> bytes:
    """RawData(96) of Logon(A): base64 of the Ed25519 signature over MsgType(35), SenderCompID(49), TargetCompID(56),
    MsgSeqNum(34) and SendingTime(52), joined with SOH, exactly as they are sent.

    Source: fix-api.md, "Signature Computation". Raises BadKey.
    """
    sender, target = identity.sender_comp_id.encode(), identity.target_comp_id.encode()
    return ed25519_signature(pem, b"A\x01%b\x01%b\x01%d\x01%b" % (sender, target, msg_seq_num, sending_time))


def _own_id(cl_ord_id: str) -> str:
    """The id as we gave it to the command: an XCN's cancel half is told under an id of its own."""
    return cl_ord_id.removesuffix(CANCEL_ID_SUFFIX)


def _cancel_rejected(f: Fields, raw: bytes) -> CancelRejected:
    """OrderCancelReject(9) and OrderAmendReject(XAR). An old sample shows "Unknown order sent." under another code."""
    notes = Notes()
    code, words = notes.integer(f, _ERROR_CODE), text(f, b"58")
    return CancelRejected(
        cl_ord_id=_own_id(text(f, b"11")),
        orig_cl_ord_id=text(f, b"41"),
        order_id=name(f, b"37"),
        ord_status="",
        error_code=code,
        text=words,
        unknown_order=words == UNKNOWN_ORDER_TEXT or (code == UNKNOWN_ORDER_CODE and not words),
        ambiguous=code in AMBIGUOUS_CODES or bool(notes),
    )


_FORM = ReportForm(trades="F", trade_id=tag_of(1003), error_code=_ERROR_CODE, maker_tag=b"1057", maker=b"N")


def _report(f: Fields, raw: bytes) -> ExecutionReport:
    report = execution_report(f, raw, _FORM)
    exec_type, code, cl_ord_id = report.exec_type, report.error_code, _own_id(report.cl_ord_id)
    # A refusal whose code cannot be read may be one of those that say that the outcome is not known.
    ambiguous = code in AMBIGUOUS_CODES or (exec_type == "8" and str(_ERROR_CODE) in report.unread)
    if exec_type == "0" and (b"1102" in f or b"25009" in f) and f.get(b"636") == b"Y":
        # A second New report, once the trigger has put the order on the book.
        exec_type = "L"
    if exec_type == "0" and f.get(b"39") == b"A":
        # A pending order of a list: it waits at the venue, and is no request under way.
        exec_type = _SUSPENDED
        report = msgspec.structs.replace(report, ord_status=_SUSPENDED)
    if b"839" in f:
        report = execution_report({**f, b"44": f[b"839"]}, raw, _FORM)
    if exec_type == report.exec_type and cl_ord_id == report.cl_ord_id and not ambiguous:
        return report
    return msgspec.structs.replace(report, cl_ord_id=cl_ord_id, exec_type=exec_type, ambiguous=ambiguous)


def _list_status(f: Fields, raw: bytes) -> Several | None:
    """ListStatus(N). What becomes of each order its own reports tell, but that the list was refused as a whole."""
    if f.get(b"431") != _LIST_REJECTED:
        return None
    notes = Notes()
    told = [
        execution_report({**f, **entry, b"150": b"8", b"39": b"8"}, raw, _FORM) for entry in group(raw, b"73")
    ]
    code = notes.integer(f, _ERROR_CODE)
    return Several(
        tuple(
            msgspec.structs.replace(
                each, ambiguous=(each.error_code or code) in AMBIGUOUS_CODES or bool(notes), order_id="",
            )
            for each in told
        )
    )  # fmt: skip


def _request_rejected(f: Fields, raw: bytes) -> RequestRejected:
    notes = Notes()
    code = notes.integer(f, _ERROR_CODE)
    ambiguous = code in AMBIGUOUS_CODES or bool(notes)
    return RequestRejected(integer(f, b"45"), None, "", code, text(f, b"58"), ambiguous)


def _mass_cancel(f: Fields, raw: bytes) -> MassCancelReported:
    """OrderMassCancelReport(r). One that finds no open order is refused with "Unknown order sent.": it left none."""
    notes = Notes()
    code, affected = notes.integer(f, _ERROR_CODE), notes.integer(f, b"533")
    accepted = f.get(b"531", b"0") != b"0" or code == UNKNOWN_ORDER_CODE
    unsure = code in AMBIGUOUS_CODES
    return MassCancelReported(text(f, b"11"), text(f, b"55"), accepted, affected, code, text(f, b"58"), unsure)


class Binance(StandardDialect):
    """Binance Spot's side of the wire, as the module says."""

    profile = PROFILE
    listed_as = {"tick_size": b"969", "lot_size": tag_of(25039), "min_qty": b"562", "max_qty": tag_of(1140)}
    readers = {
        "8": _report,
        "9": _cancel_rejected,
        "XAR": _cancel_rejected,
        "3": _request_rejected,
        "r": _mass_cancel,
        "N": _list_status,
        "B": announced,
    }

    def session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """MessageHandling(25035)=2: the engine takes our messages in MsgSeqNum(34) order. DropCopyFlag(9406)=Y is what
        a drop copy has to say, and nobody else may."""
        return self._settings(identity, credentials, b"9406=Y\x01" if identity.drop_copy else b"")

    def market_data_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """The same signed Logon(A) as an order entry connection's."""
        return self._settings(identity, credentials)

    def _settings(self, identity: Identity, credentials: Credentials | None, more: bytes = b"") -> SessionSettings:
        why = "Binance's Logon(A) is signed with an Ed25519 key"
        signer = needed_credentials(credentials, Ed25519Key, why)
        ed25519_key(signer.private_key_pem)

        def logon_fields(msg_seq_num: int, sending_time: bytes) -> bytes:
            raw_data = logon_signature(signer.private_key_pem, identity, msg_seq_num, sending_time)
            return b"95=%d\x0196=%b\x01553=%b\x01%b25035=2\x01" % (
                len(raw_data),
                raw_data,
                signer.api_key.encode(),
                more,
            )

        settings = settings_from_one(identity, logon_fields)
        return replace(settings, expects_reset_echo=False, timestamp_digits=6, ascending_logon=True)

    def header_fields(self, time_left_ns: int | None, wall_ns: int) -> bytes:
        """RecvWindow(25000) in milliseconds with three decimals, counted from SendingTime(52)."""
        if time_left_ns is None:
            return b""
        window_us = min(max(time_left_ns // 1000, RECV_WINDOW_MIN_US), RECV_WINDOW_MAX_US)
        return b"25000=%d.%03d\x01" % divmod(window_us, 1000)

    def encode_new(self, command: NewOrder, wall_ns: int) -> Body:
        """NewOrderSingle(D); the dictionary has neither HandlInst(21) nor TransactTime(60)."""
        c = command
        return Body("D", _order(c.symbol, c.terms, c.cl_ord_id, c.order_qty).encode())

    def encode_list(self, command: NewOrder, wall_ns: int) -> Body:
        """NewOrderList(E): what cancels or releases each order stands with it, by the places of the others. OPO(25046)
        says that the first one's fill pays the others, which have no OrderQty(38) then."""
        orders, roles = _in_order(command)
        pays = "25046=Y\x01" if orders[-1].terms.paid else ""
        legs = "".join(
            _order(each.symbol, each.terms, each.cl_ord_id, each.order_qty) + _instructions(role)
            for each, role in zip(orders, roles, strict=True)
        )
        named = f"1385={command.contingency}\x0125014={command.cl_ord_id}\x01{pays}"
        return Body("E", f"73={len(orders)}\x01{legs}{named}".encode())

    def encode_amend(self, command: AmendOrder, wall_ns: int) -> Body:
        """XAK where only the quantity falls, else XCN with the quantity that is left.

        XCN always says CancelRequestAndNewOrderSingleMode(25033)=1, STOP_ON_FAILURE, and CancelRestrictions(25002)=1,
        ONLY_NEW: a fill that crosses it on the way then stops it, instead of adding the whole quantity once more.
        """
        c = command
        order = f"37={c.order_id}\x01" if c.order_id else ""
        if not self.amend_is_new_order(c):
            names = f"11={c.orig_cl_ord_id}\x01{order}41={c.orig_cl_ord_id}\x01"
            return Body("XAK", f"{names}55={c.symbol}\x0138={plain(c.order_qty)}\x01".encode())
        cancel = f"25033=1\x01{order}41={c.orig_cl_ord_id}\x0125034={c.cl_ord_id}{CANCEL_ID_SUFFIX}\x0125002=1\x01"
        return Body("XCN", f"{cancel}{_order(c.symbol, c.terms, c.cl_ord_id, c.order_qty - c.cum_qty)}".encode())

    def amend_is_new_order(self, command: AmendOrder) -> bool:
        """All but a lower quantity at the same price."""
        return command.price != command.former_price or command.order_qty >= command.former_order_qty

    def encode_cancel(self, command: CancelOrder, wall_ns: int) -> Body:
        """OrderCancelRequest(F) by OrderID(37) where it is known, which is fastest."""
        c = command
        order = f"37={c.order_id}\x01" if c.order_id else ""
        known_as = f"41={c.orig_cl_ord_id}\x01" if c.orig_cl_ord_id else ""
        return Body("F", f"11={c.cl_ord_id}\x01{order}{known_as}55={c.symbol}\x01".encode())

    def encode_mass_cancel(self, cl_ord_id: str, symbol: str, wall_ns: int) -> Body | None:
        """OrderMassCancelRequest(q): the whole account's orders of one symbol, other sessions' too."""
        return Body("q", f"11={cl_ord_id}\x01530=1\x0155={symbol}\x01".encode())

    def encode_limit_query(self, req_id: str) -> Body | None:
        """LimitQuery(XLQ)."""
        return Body("XLQ", f"6136={req_id}\x01".encode())

    def decode_limits(self, msg_type: str, raw: bytes) -> list[VenueLimit]:
        """LimitResponse(XLR)."""
        if msg_type != "XLR":
            return []
        return [
            VenueLimit(
                _LIMIT_KINDS.get(require(e, _LIMIT_TYPE), "other"),
                integer(e, _LIMIT_COUNT),
                integer(e, _LIMIT_MAX),
                integer(e, _LIMIT_INTERVAL) * _UNITS_S.get(text(e, _LIMIT_UNIT), 1),
            )
            for e in group(raw, _LIMITS)
        ]

    def unread(self, fields: Fields, why: str) -> Unreadable | None:
        """The orders that a message names which cannot be read, by the names that we gave them."""
        named = super().unread(fields, why)
        return None if named is None else msgspec.structs.replace(named, cl_ord_id=_own_id(named.cl_ord_id))

    def encode_subscribe(self, md_req_id: str, symbols: Sequence[str]) -> list[Body]:
        """MarketDataRequest(V) twice: the book ticker (MarketDepth(264)=1, bid and offer together) and the trade
        stream.
        """
        trades = f"262={md_req_id}-trade\x01263=1\x01266=Y\x01{related_symbols(symbols)}267=1\x01269=2\x01"
        return [_book_subscription(md_req_id, symbols), Body("V", trades.encode())]

    def encode_refresh(self, md_req_id: str, former_id: str, symbols: Sequence[str]) -> list[Body]:
        """The book ticker unsubscribed and subscribed again, the one way to have a snapshot."""
        return [_book_unsubscription(former_id), _book_subscription(md_req_id, symbols)]

    def encode_instruments(self, req_id: str) -> Body | None:
        """InstrumentListRequest(x) for all."""
        return Body("x", f"320={req_id}\x01559=4\x01".encode())

    def encode_depth(self, md_req_id: str, symbol: str, levels: int) -> DepthQuestion | None:
        """The depth stream of a symbol, which begins with a snapshot, subscribed to and unsubscribed again."""
        begun = _book_subscription(md_req_id, [symbol], levels)
        return DepthQuestion(f"{md_req_id}-book", begun, _book_unsubscription(md_req_id))


Role = tuple[tuple[int, int, int], ...]
"""ListTriggerType(25011), ListTriggerTriggerIndex(25012) and ListTriggerAction(25013) of each instruction."""

_ACTIVATED, _PARTIALLY_FILLED, _FILLED = 1, 2, 3
_RELEASE, _CANCEL = 1, 2


def _in_order(command: NewOrder) -> tuple[list[NewOrder], list[Role]]:
    """The orders as the venue wants them, of a pair the lower price first, and what each of them waits for.

    Of a pair a limit order cancels the other by its first fill, a stop order by its activation. The first instruction
    of a pending pair has the action that the document prints.
    """
    first, *others = command.orders
    if command.contingency == ONE_CANCELS_OTHER:
        pair = sorted((first, *others), key=_trigger_at)
        return pair, [((_ends_by(pair[1]), 1, _CANCEL),), ((_ends_by(pair[0]), 0, _CANCEL),)]
    if len(others) == 1:
        return [first, *others], [(), ((_FILLED, 0, _RELEASE),)]
    below, above = sorted(others, key=_trigger_at)
    released = (_FILLED, 0, _CANCEL)
    return [first, below, above], [
        (), (released, (_ends_by(above), 2, _CANCEL)), (released, (_ends_by(below), 1, _CANCEL)),
    ]  # fmt: skip


def _trigger_at(order: NewOrder) -> Decimal:
    """Where it begins to trade."""
    at = order.terms.stop_px if order.terms.is_stop else order.terms.price
    assert at is not None
    return at


def _ends_by(other: NewOrder) -> int:
    return _ACTIVATED if other.terms.is_stop else _PARTIALLY_FILLED


def _instructions(role: Role) -> str:
    each = "".join(f"25011={kind}\x0125012={index}\x0125013={action}\x01" for kind, index, action in role)
    return f"25010={len(role)}\x01{each}" if role else ""


def _book_subscription(md_req_id: str, symbols: Sequence[str], depth: int = 1) -> Body:
    head = f"262={md_req_id}-book\x01263=1\x01264={depth}\x01266=Y\x01"
    return Body("V", f"{head}{related_symbols(symbols)}267=2\x01269=0\x01269=1\x01".encode())


def _book_unsubscription(md_req_id: str) -> Body:
    return Body("V", f"262={md_req_id}-book\x01263=2\x01".encode())
