"""The dialect "cryptocom": Crypto.com Exchange's order entry and market data over its FIX 4.4.

Source: exchange-developer.crypto.com, FIX, as of 2026; README.md beside this file. What it means for us: Logon(A) is
signed over a nonce of milliseconds, without the label of the system on market data; numbers persist and are resent, and
only we reset them; a request is first acknowledged as received (ExecType(150)=A, or 6 of a cancel), which promises
nothing; a Reject(3) does not prove that the message was not processed; a subscription's MDReqID(262) is the name of its
channel, and each message on a book says which one it follows.
"""

from collections.abc import Mapping, Sequence

from common.fix.session_types import SequencePolicy, SessionSettings
from common.fix.wire import parse_utc_timestamp, split, utc_timestamp
from common.instant import NS_PER_MS
from common.messages import (
    AmendOrder,
    CancelOrder,
    CancelRejected,
    ExecutionReport,
    MassCancelReported,
    NewOrder,
    QueryOrder,
    RequestRejected,
    Unreadable,
    VenueEvent,
)
from common.venues.credentials import Credentials, HmacSecret
from common.venues.cryptocom.fields import FEE_CURRENCY, TAKER_SIDE
from common.venues.cryptocom.venue import PROFILE, WINDOW_MS
from common.venues.dialect import Body, BookEntry, Identity, SubscriptionRejected, VenueLimit, nonce_ms, plain
from common.venues.market_data import EMPTY_BOOK, SNAPSHOT, TRADE, book_entries, subscription_rejected
from common.venues.reading import (
    ZERO,
    Fields,
    Notes,
    fees,
    instrument,
    integer,
    name,
    require,
    require_character,
    required_number,
    text,
    unreadable,
)
from common.venues.signers import BadKey, hmac_sha256

_TOLD_BY = frozenset({"8", "9", "3", "j", "r"})
_ADD_RISK = frozenset({"D", "G"})
_METHOD = "public/auth"
_SYSTEM = "system_labelONEEX"
"""What order entry signs behind the key, and market data does not."""

LEAST_WINDOW_MS = 100
UNKNOWN_ORDER = b"1"
"""CxlRejReason(102) of an order that the venue does not know."""

_OF_AN_AMENDMENT = {"A": "E", "0": "5"}
"""ExecType(150) of an amended order's reports, which are those of a new one, as FIX has it."""


def logon_signature(secret: bytes, msg_seq_num: int, api_key: str, nonce: int, *, orders: bool) -> bytes:
    """Password(554) of Logon(A): HMAC-SHA-256 in hex, under the secret as text, of the method, MsgSeqNum(34), the key,
    for order entry the label of the system, and the nonce.

    Source: the page on Logon. Raises BadKey.
    """
    payload = f"{_METHOD}{msg_seq_num}{api_key}{_SYSTEM if orders else ''}{nonce}"
    return hmac_sha256(secret, payload.encode()).hex().encode()


class Cryptocom:
    """See the module. Stateless: one object serves any number of connections."""

    profile = PROFILE

    def session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """See `Dialect`. What this connection places is cancelled once it is gone: 6867=Y with 35002=3."""
        return SessionSettings(
            sender_comp_id=identity.sender_comp_id,
            target_comp_id=identity.target_comp_id,
            heart_bt_int_s=identity.heart_bt_int_s,
            initiator=True,
            reset_on_logon=False,
            sequence_policy=SequencePolicy.RESEND,
            # A clock that was set back must not cost a fill: what is rejected is never told again.
            sending_time_tolerance_s=0,
            logon_fields=_Signer(identity, credentials, orders=True),
        )

    def market_data_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """See `Dialect`."""
        return SessionSettings(
            sender_comp_id=identity.sender_comp_id,
            target_comp_id=identity.target_comp_id,
            heart_bt_int_s=identity.heart_bt_int_s,
            initiator=True,
            reset_on_logon=True,
            sequence_policy=SequencePolicy.RESET,
            # What was missed is in the snapshot of a new subscription: a gap ends the connection.
            allow_resend_request=False,
            logon_fields=_Signer(identity, credentials, orders=False),
        )

    def header_fields(self, time_left_ns: int | None, wall_ns: int) -> bytes:
        """ReceiveWindow(20100): how many milliseconds after SendingTime(52) the order is taken in yet."""
        if time_left_ns is None:
            return b""
        return b"20100=%d\x01" % min(max(time_left_ns // NS_PER_MS, LEAST_WINDOW_MS), WINDOW_MS)

    def encode_new(self, command: NewOrder, wall_ns: int) -> Body:
        """NewOrderSingle(D)."""
        c = command
        price = "" if c.price is None else f"44={plain(c.price)}\x01"
        # A market order has no TimeInForce(59) there.
        terms = "" if c.ord_type == "1" else f"59={c.terms.time_in_force}\x01"
        inst = "18=6\x01" if c.terms.is_post_only else ""
        head = f"11={c.cl_ord_id}\x01{inst}38={plain(c.order_qty)}\x0140={c.ord_type}\x01{price}"
        return Body("D", f"{head}54={c.side}\x0155={c.symbol}\x01{terms}{_now(wall_ns)}".encode())

    def encode_amend(self, command: AmendOrder, wall_ns: int) -> Body:
        """OrderCancelReplaceRequest(G): quantity with the filled part included, and price."""
        c = command
        assert c.price is not None
        terms = f"38={plain(c.order_qty)}\x0144={plain(c.price)}\x01"
        return Body("G", f"{_names(c.cl_ord_id, c.order_id, c.orig_cl_ord_id)}{terms}{_now(wall_ns)}".encode())

    def amend_is_new_order(self, command: AmendOrder) -> bool:
        """See `Dialect`: it is told as one order that goes on."""
        return False

    def encode_cancel(self, command: CancelOrder, wall_ns: int) -> Body:
        """OrderCancelRequest(F)."""
        c = command
        names = _names(c.cl_ord_id, c.order_id, c.orig_cl_ord_id)
        return Body("F", f"{names}54={c.side}\x0155={c.symbol}\x01{_now(wall_ns)}".encode())

    def encode_query(self, command: QueryOrder) -> Body | None:
        """See `Dialect`: OrderStatusRequest(H) tells of open orders alone."""
        return None

    def encode_mass_cancel(self, cl_ord_id: str, symbol: str, wall_ns: int) -> Body | None:
        """OrderMassCancelRequest(q) of one symbol, the only kind there is."""
        return Body("q", f"11={cl_ord_id}\x0155={symbol}\x01530=1\x01".encode())

    def encode_limit_query(self, req_id: str) -> Body | None:
        """See `Dialect`: there is none."""
        return None

    def decode_limits(self, msg_type: str, raw: bytes) -> list[VenueLimit]:
        """See `Dialect`."""
        return []

    def resendable(self, msg_type: str) -> bool:
        """See `Dialect`."""
        return msg_type not in _ADD_RISK

    def decode(self, msg_type: str, raw: bytes, fields: Fields | None = None) -> VenueEvent | None:
        """See `Dialect`."""
        if msg_type not in _TOLD_BY:
            return None
        f = split(raw) if fields is None else fields
        if msg_type == "8":
            return _report(f, raw)
        if msg_type == "9":
            return _cancel_rejected(f)
        if msg_type == "r":
            accepted = f.get(b"531", b"0") != b"0"
            return MassCancelReported(
                text(f, b"11"), text(f, b"55"), accepted, 0, Notes().integer(f, b"532"), text(f, b"58")
            )
        return _request_rejected(f)

    def unread(self, fields: Mapping[bytes, bytes], why: str) -> Unreadable | None:
        """See `Dialect`."""
        return unreadable(fields, why)

    def encode_subscribe(self, md_req_id: str, symbols: Sequence[str]) -> list[Body]:
        """MarketDataRequest(V) twice for each symbol: MDReqID(262) names one channel, of prices or of trades."""
        return [
            body for symbol in symbols for body in (_best_prices(symbol, "1"), _subscription("trade", symbol, "1", "0"))
        ]

    def encode_refresh(self, md_req_id: str, former_id: str, symbols: Sequence[str]) -> list[Body]:
        """The subscriptions to prices ended and begun again, which is when a book is told whole."""
        return [_best_prices(symbol, action) for symbol in symbols for action in "21"]

    def decode_market_data(self, msg_type: str, raw: bytes) -> list[BookEntry] | SubscriptionRejected:
        """See `Dialect`. MDEntryID(278) behind the group numbers the messages on a book, and MDEntryRefID(280) is the
        number of the one before; of the trades it names the last one. A book is begun by W, or by an X with an entry
        of MDEntryType(269)=J."""
        if msg_type == "Y":
            return subscription_rejected(raw)
        entries = book_entries(msg_type, raw, TAKER_SIDE)
        if not entries or entries[-1].why or entries[0].what == TRADE:
            return entries
        f, notes = split(raw), Notes()
        begun = [BookEntry(e.symbol, "", SNAPSHOT, None, ZERO) if e.what == EMPTY_BOOK else e for e in entries]
        sequence, follows = notes.integer(f, b"278"), 0 if begun != entries else notes.integer(f, b"280")
        return [e._replace(entry_id="", sequence=sequence, follows=follows) for e in begun]


class _Signer:
    """The extra fields of one connection's Logon(A). Raises ValueError where the credentials are of no use."""

    def __init__(self, identity: Identity, credentials: Credentials | None, *, orders: bool) -> None:
        if not isinstance(credentials, HmacSecret):
            raise ValueError("Crypto.com's Logon(A) is signed with an API key's secret: set the venue's [credentials]")
        if not credentials.secret:
            raise BadKey("the secret is empty: put it into its file as the venue shows it")
        self._credentials = credentials
        self._last_nonce_ms = identity.last_nonce_ms
        self._orders = orders

    def __call__(self, msg_seq_num: int, sending_time: bytes) -> bytes:
        key, secret = self._credentials.api_key, self._credentials.secret
        nonce = nonce_ms(self._last_nonce_ms, parse_utc_timestamp(sending_time))
        signature = logon_signature(secret, msg_seq_num, key, nonce, orders=self._orders)
        fields = f"95={len(str(nonce))}\x0196={nonce}\x01553={key}\x01554={signature.decode()}\x01"
        return (fields + ("6867=Y\x0135002=3\x01" if self._orders else "")).encode()


def _names(cl_ord_id: str, order_id: str, orig_cl_ord_id: str) -> str:
    """The request's name and the order's: by OrderID(37) where it is known, which wins where both are there."""
    return f"11={cl_ord_id}\x01" + (f"37={order_id}\x01" if order_id else f"41={orig_cl_ord_id}\x01")


def _now(wall_ns: int) -> str:
    return f"60={utc_timestamp(wall_ns).decode()}\x01"


def _best_prices(symbol: str, action: str) -> Body:
    return _subscription("book", symbol, action, "1")


def _subscription(channel: str, symbol: str, action: str, depth: str) -> Body:
    """A channel, whose name is MDReqID(262), begun (263=1) or ended (263=2)."""
    if channel == "book":
        what, kinds = f"book.{symbol}.{depth}", "266=Y\x01267=2\x01269=0\x01269=1\x01"
    else:
        what, kinds = f"trade.{symbol}", "266=N\x01267=1\x01269=2\x01"
    head = f"262={what}\x01263={action}\x01264={depth}\x01265=1\x01"
    return Body("V", f"{head}{kinds}547=N\x01146=1\x0155={symbol}\x01".encode())


def _report(f: Fields, raw: bytes) -> ExecutionReport:
    """What identifies a fill, or tells of a change, has to be readable; the rest is noted where it is not."""
    exec_type, notes, former = require_character(f, b"150"), Notes(), text(f, b"41")
    is_trade = exec_type == "F"
    last_qty = required_number(f, b"32") if is_trade else ZERO
    last_px = (notes.decimal(f, b"31") or ZERO) if is_trade else ZERO
    fee_qty, fee_asset = ZERO, ""
    if is_trade:
        # The currency of Commission(12) stands in a field of the venue's own.
        priced = {**f, b"479": f.get(FEE_CURRENCY, b"")}
        fee_qty, fee_asset = fees(priced, raw, last_qty, last_px, notes)
    return ExecutionReport(
        cl_ord_id=text(f, b"11"),
        orig_cl_ord_id=former,
        order_id=name(f, b"37"),
        exec_id=text(f, b"17"),
        exec_type=_OF_AN_AMENDMENT.get(exec_type, exec_type) if former else exec_type,
        ord_status=text(f, b"39") if is_trade else require_character(f, b"39"),
        symbol=instrument(f),
        side=text(f, b"54"),
        order_qty=notes.decimal(f, b"38"),
        price=notes.decimal(f, b"44"),
        last_qty=last_qty,
        last_px=last_px,
        cum_qty=notes.decimal(f, b"14"),
        leaves_qty=notes.decimal(f, b"151"),
        trade_key=require(f, b"17") if is_trade else "",
        fee_qty=fee_qty,
        fee_asset=fee_asset,
        transact_ns=notes.time_ns(f, b"60"),
        error_code=notes.integer(f, b"103"),
        text=text(f, b"58"),
        maker=is_trade and f.get(b"851") == b"1",
        unread=tuple(notes),
        avg_px=notes.decimal(f, b"6"),
    )


def _cancel_rejected(f: Fields) -> CancelRejected:
    return CancelRejected(
        cl_ord_id=text(f, b"11"),
        orig_cl_ord_id=text(f, b"41"),
        order_id=name(f, b"37"),
        ord_status=text(f, b"39"),
        error_code=Notes().integer(f, b"102"),
        text=text(f, b"58"),
        unknown_order=f.get(b"102") == UNKNOWN_ORDER,
    )


def _request_rejected(f: Fields) -> RequestRejected:
    """BusinessMessageReject(j), and Reject(3), which does not prove that the message was not processed."""
    is_reject = f.get(b"35") == b"3"
    code = Notes().integer(f, b"373" if is_reject else b"380")
    return RequestRejected(integer(f, b"45"), None, text(f, b"379"), code, text(f, b"58"), is_reject)
