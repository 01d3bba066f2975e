"""The dialect "cryptocom": Crypto.com Exchange's order entry and market data over its FIX 4.4.

Source: exchange-developer.crypto.com, FIX, as of 2026; README.md beside this file. What it means for us: Logon(A) is
signed over a nonce of milliseconds, without the label of the system on market data; numbers persist and are resent, and
only we reset them; a request is first acknowledged as received (ExecType(150)=A, or 6 of a cancel), which promises
nothing; a Reject(3) does not prove that the message was not processed; a subscription's MDReqID(262) is the name of its
channel, and each message on a book says which one it follows.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

from msgspec import structs

from common.fix.session_types import SessionSettings
from common.fix.wire import parse_utc_timestamp, split, utc_timestamp
from common.instant import NS_PER_MS
from common.messages import AmendOrder, CancelOrder, ExecutionReport, NewOrder, RequestRejected
from common.venues.credentials import Credentials, HmacSecret
from common.venues.cryptocom.fields import FEE_CURRENCY, TAKER_SIDE
from common.venues.cryptocom.venue import PROFILE, WINDOW_MS
from common.venues.dialect import Body, BookEntry, DepthQuestion, Identity, SubscriptionRejected, nonce_ms, plain
from common.venues.market_data import EMPTY_BOOK, SNAPSHOT, TRADE, book_entries, subscription_rejected
from common.venues.reading import ZERO, Fields, Notes, fees
from common.venues.signers import BadKey, hmac_sha256
from common.venues.standard import (
    STANDARD_READERS,
    Reader,
    ReportForm,
    StandardDialect,
    execution_report,
    needed_credentials,
    request_rejected,
    settings_from_one,
    settings_that_persist,
)

_METHOD = "public/auth"
_SYSTEM = "system_labelONEEX"
"""What order entry signs behind the key, and market data does not."""

LEAST_WINDOW_MS = 100
_OF_AN_AMENDMENT = {"A": "E", "0": "5"}
"""ExecType(150) of an amended order's reports, which are those of a new one, as FIX has it."""


def logon_signature(secret: bytes, msg_seq_num: int, api_key: str, nonce: int, *, orders: bool) -> bytes:
    """Password(554) of Logon(A): HMAC-SHA-256 in hex, under the secret as text, of the method, MsgSeqNum(34), the key,
    for order entry the label of the system, and the nonce.

    Source: the page on Logon. Raises BadKey.
    """
    payload = f"{_METHOD}{msg_seq_num}{api_key}{_SYSTEM if orders else ''}{nonce}"
    return hmac_sha256(secret, payload.encode()).hex().encode()


class Cryptocom(StandardDialect):
    """See the module."""

    profile = PROFILE
    readers: ClassVar[Mapping[str, Reader]] = {
        **{kind: STANDARD_READERS[kind] for kind in "9jr"},
        "8": lambda f, raw: _report(f, raw),
        "3": lambda f, raw: _rejected(f, raw),
    }
    resends = True

    def session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """See `Dialect`. What this connection places is cancelled once it is gone: 6867=Y with 35002=3."""
        return settings_that_persist(identity, _Signer(identity, credentials, orders=True))

    def market_data_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """See `Dialect`."""
        return settings_from_one(identity, _Signer(identity, credentials, orders=False))

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

    def encode_cancel(self, command: CancelOrder, wall_ns: int) -> Body:
        """OrderCancelRequest(F)."""
        c = command
        names = _names(c.cl_ord_id, c.order_id, c.orig_cl_ord_id)
        return Body("F", f"{names}54={c.side}\x0155={c.symbol}\x01{_now(wall_ns)}".encode())

    def encode_mass_cancel(self, cl_ord_id: str, symbol: str, wall_ns: int) -> Body | None:
        """OrderMassCancelRequest(q) of one symbol, the only kind there is."""
        return Body("q", f"11={cl_ord_id}\x0155={symbol}\x01530=1\x01".encode())

    def encode_subscribe(self, md_req_id: str, symbols: Sequence[str]) -> list[Body]:
        """MarketDataRequest(V) twice for each symbol: MDReqID(262) names one channel, of prices or of trades."""
        return [
            body for symbol in symbols for body in (_best_prices(symbol, "1"), _subscription("trade", symbol, "1", "0"))
        ]

    def encode_refresh(self, md_req_id: str, former_id: str, symbols: Sequence[str]) -> list[Body]:
        """The subscriptions to prices ended and begun again, which is when a book is told whole."""
        return [_best_prices(symbol, action) for symbol in symbols for action in "21"]

    def encode_depth(self, md_req_id: str, symbol: str, levels: int) -> DepthQuestion | None:
        """The channel of 150 prices begun, and ended once it has told them: its name is MDReqID(262)."""
        begun, ended = (_subscription("book", symbol, action, "150") for action in "12")
        return DepthQuestion(f"book.{symbol}.150", begun, ended)

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
        ours = needed_credentials(credentials, HmacSecret, "Crypto.com's Logon(A) is signed with an API key's secret")
        if not ours.secret:
            raise BadKey("the secret is empty: put it into its file as the venue shows it")
        self._credentials = ours
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


def _fee(f: Fields, raw: bytes, last_qty: Decimal, last_px: Decimal, notes: Notes) -> tuple[Decimal, str]:
    """The currency of Commission(12) stands in a field of the venue's own."""
    return fees({**f, b"479": f.get(FEE_CURRENCY, b"")}, raw, last_qty, last_px, notes)


FORM = ReportForm(trades="F", read_fees=_fee)


def _report(f: Fields, raw: bytes) -> ExecutionReport:
    told = execution_report(f, raw, FORM)
    if not told.orig_cl_ord_id:
        return told
    return structs.replace(told, exec_type=_OF_AN_AMENDMENT.get(told.exec_type, told.exec_type))


def _rejected(f: Fields, raw: bytes) -> RequestRejected:
    """A Reject(3) does not prove that the message was not processed."""
    return structs.replace(request_rejected(f, raw), ambiguous=True)
