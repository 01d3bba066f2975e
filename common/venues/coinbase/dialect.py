"""The dialect "coinbase": Coinbase Exchange's order entry and market data over FIX 5.0 SP2.

Source: the order entry, market data and rate limit pages of docs.cdp.coinbase.com; README.md beside this file. What it
means for us: Logon(A) is signed and asks that what a lost connection has placed is cancelled; numbers start at 1 with
each connection, and what was missed is asked for over REST; a replaced order has a new ClOrdID(11) and keeps its
OrderID(37); a fill is ExecType(150)=F identified by TradeID(1003); an OrderCancelReject(9) says nothing of the order;
a book is built of the orders in it.
"""

import base64
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache

from msgspec import structs

from common.fix.errors import UncutError
from common.fix.session_types import SessionSettings
from common.fix.wire import split, utc_timestamp
from common.messages import (
    SIDE_BUY,
    AmendOrder,
    CancelOrder,
    CancelRejected,
    ExecutionReport,
    MassCancelReported,
    NewOrder,
    QueryOrder,
)
from common.orders.numbers import is_plausible
from common.venues.coinbase.venue import PROFILE
from common.venues.credentials import Credentials, HmacPassphrase
from common.venues.dialect import BadReport, Body, BookEntry, Identity, SubscriptionRejected, plain
from common.venues.market_data import (
    NEW,
    PASSED,
    SNAPSHOT,
    TAKEN,
    TRADE,
    UNSIDED,
    book_entry,
    subscription_rejected,
    unread_book,
)
from common.venues.reading import ZERO, Fields, Notes, VenueTag, fees, group, instrument, integer, require, text
from common.venues.signers import base64_secret, hmac_sha256
from common.venues.standard import (
    ReportForm,
    StandardDialect,
    cancel_rejected,
    execution_report,
    needed_credentials,
    related_symbols,
    request_rejected,
    settings_from_one,
)

_UNKNOWN_TO_QUESTION = b"5"  # OrdRejReason(103)
_NO_ORDER = "00000000-0000-0000-0000-000000000000"
_SHARE = b"2"  # MiscFeeBasis(891)
_REPRICED = b"3"  # ExecRestatementReason(378): of a stop order, that it was triggered
_SESSION_ORDERS = "S"  # CancelOrdersOnDisconnect(8013)


@lru_cache(maxsize=1024)
def _terms(symbol: str, side: str, ord_type: str, time_in_force: str, post_only: bool) -> str:
    """The part of an order that few orders differ in."""
    exec_inst = "18=A\x01" if post_only else ""
    return f"{exec_inst}40={ord_type}\x0154={side}\x0155={symbol}\x0159={time_in_force}\x01"


def logon_signature(credentials: HmacPassphrase, target_comp_id: str, msg_seq_num: int, sending_time: bytes) -> bytes:
    """RawData(96) of Logon(A): base64 of the HMAC-SHA-256, by the secret's own bytes, over SendingTime(52),
    MsgType(35), MsgSeqNum(34), SenderCompID(49), TargetCompID(56) and the passphrase, joined with SOH.

    Source: the order entry page, "Logon". Raises BadKey.
    """
    key, passphrase = credentials.api_key.encode(), credentials.passphrase.encode()
    parts = (sending_time, b"A", b"%d" % msg_seq_num, key, target_comp_id.encode(), passphrase)
    return base64.b64encode(hmac_sha256(base64_secret(credentials.secret), b"\x01".join(parts)))


def _fee(f: Fields, raw: bytes, last_qty: Decimal, last_px: Decimal, notes: Notes) -> tuple[Decimal, str]:
    """The fee of a fill: MiscFeeBasis(891)=2 is a share of the fill in MiscFeeCurr(138), no per cent."""
    if f.get(b"891") != _SHARE or f.get(b"136") != b"1":
        return fees(f, raw, last_qty, last_px, notes)
    share, asset = notes.decimal(f, b"137") or ZERO, text(f, b"138")
    base = instrument(f).partition("-")[0]
    amount = share * (last_qty if asset == base else last_qty * last_px)
    if not asset or not is_plausible(amount):
        notes.note(b"137")
        return ZERO, ""
    return amount, asset


def _mass_cancel(f: Fields, raw: bytes) -> MassCancelReported | None:
    """OrderMassCancelReport(r): an acceptance does not say that anything was cancelled, the orders' reports do."""
    if f.get(b"531", b"0") != b"0":
        return None
    return MassCancelReported(text(f, b"11"), "", False, 0, 0, text(f, b"58"))


_MIN_SIZE_INCREMENT, _TRADING_STATUS = VenueTag(29003, "MinSizeIncrement"), b"1682"
_SHUT = ("trading_disabled", "cancel_only")
_FORM = ReportForm(trades="F", trade_id=VenueTag(1003, "TradeID"), maker_tag=b"1057", maker=b"N", read_fees=_fee)


def _report(f: Fields, raw: bytes) -> ExecutionReport:
    report = execution_report(f, raw, _FORM)
    if report.exec_type == "D" and b"99" in f and f.get(b"378") == _REPRICED:
        report = structs.replace(report, exec_type="L")
    if report.order_id == _NO_ORDER:
        report = structs.replace(report, order_id="")
    # Only a question for an order is answered so; that it is told as a rejection, too, is not ruled out.
    unknown = report.exec_type in "I8" and f.get(b"103") == _UNKNOWN_TO_QUESTION
    return structs.replace(report, unknown_order=True) if unknown else report


def _cancel_rejected(f: Fields, raw: bytes) -> CancelRejected:
    """OrdStatus(39) is always 8 here and says nothing of the order."""
    return structs.replace(cancel_rejected(f, raw), ord_status="")


class Coinbase(StandardDialect):
    """Coinbase Exchange's side of the wire, as the module says."""

    profile = PROFILE
    listed_as = {"tick_size": b"969", "lot_size": _MIN_SIZE_INCREMENT, "min_notional": b"562"}
    readers = {
        "8": _report,
        "9": _cancel_rejected,
        "3": request_rejected,
        # BusinessRejectReason(380) has numbers of its own: 1 is Other.
        "j": request_rejected,
        "r": _mass_cancel,
    }

    def session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """CancelOrdersOnDisconnect(8013)=S: what this session has open goes with its connection.
        DropCopyFlag(9406)=Y makes it one that has nothing open."""
        extra = b"9406=Y\x01" if identity.drop_copy else f"8013={_SESSION_ORDERS}\x01".encode()
        return self._settings(identity, credentials, extra)

    def market_data_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """The same Logon(A), with nothing to cancel."""
        return self._settings(identity, credentials, b"")

    def _settings(self, identity: Identity, credentials: Credentials | None, extra: bytes) -> SessionSettings:
        why = "Logon(A) is signed with a key's secret and passphrase"
        signer = needed_credentials(credentials, HmacPassphrase, why)
        base64_secret(signer.secret)

        def logon_fields(msg_seq_num: int, sending_time: bytes) -> bytes:
            raw_data = logon_signature(signer, identity.target_comp_id, msg_seq_num, sending_time)
            who = f"553={signer.api_key}\x01554={signer.passphrase}\x01".encode()
            return b"%b95=%d\x0196=%b\x01%b" % (who, len(raw_data), raw_data, extra)

        return replace(
            settings_from_one(identity, logon_fields),
            begin_string="FIXT.1.1",
            default_appl_ver_id="9",
            expects_reset_echo=False,
            # Any other number of digits is a wrong signature.
            timestamp_digits=3,
        )

    def encode_new(self, command: NewOrder, wall_ns: int) -> Body:
        """NewOrderSingle(D)."""
        c = command
        price = "" if c.price is None else f"44={plain(c.price)}\x01"
        terms = _terms(c.symbol, c.side, c.ord_type, c.terms.time_in_force, c.terms.is_post_only)
        more = "" if c.terms.display_qty is None else f"1138={plain(c.terms.display_qty)}\x01"
        more += f"126={utc_timestamp(c.terms.expire_ns).decode()}\x01" if c.terms.expire_ns else ""
        if c.terms.stop_px is not None:
            more += f"99={plain(c.terms.stop_px)}\x011109={'U' if c.side == SIDE_BUY else 'D'}\x01"
        cash = c.terms.cash_order_qty
        size = f"38={plain(c.order_qty)}\x01" if cash is None else f"152={plain(cash)}\x01"
        return Body("D", f"11={c.cl_ord_id}\x01{size}{price}{terms}{more}".encode())

    def encode_amend(self, command: AmendOrder, wall_ns: int) -> Body:
        """OrderCancelReplaceRequest(G): quantity with the filled part included, and price; the side is not named."""
        c = command
        order_id = f"37={c.order_id}\x01" if c.order_id else ""
        price = "" if c.price is None else f"44={plain(c.price)}\x01"
        price += "" if c.terms.stop_px is None else f"99={plain(c.terms.stop_px)}\x01"
        names = f"11={c.cl_ord_id}\x01{order_id}41={c.orig_cl_ord_id}\x01"
        return Body("G", f"{names}38={plain(c.order_qty)}\x01{price}55={c.symbol}\x0140={c.ord_type}\x01".encode())

    def encode_cancel(self, command: CancelOrder, wall_ns: int) -> Body:
        """OrderCancelRequest(F)."""
        c = command
        order_id = f"37={c.order_id}\x01" if c.order_id else ""
        return Body("F", f"11={c.cl_ord_id}\x01{order_id}41={c.orig_cl_ord_id}\x0155={c.symbol}\x01".encode())

    def encode_query(self, command: QueryOrder) -> Body | None:
        """OrderStatusRequest(H), as the venue's own sample client sends it."""
        c = command
        order_id = f"37={c.order_id}\x01" if c.order_id else ""
        return Body("H", f"{order_id}11={c.cl_ord_id}\x0155={c.symbol}\x01".encode())

    def encode_mass_cancel(self, cl_ord_id: str, symbol: str, wall_ns: int) -> Body | None:
        """OrderMassCancelRequest(q) for a trading session (530=6): whatever its symbol."""
        return Body("q", f"11={cl_ord_id}\x01530=6\x0160={utc_timestamp(wall_ns).decode()}\x01".encode())

    def encode_subscribe(self, md_req_id: str, symbols: Sequence[str]) -> list[Body]:
        """MarketDataRequest(V): there is one kind of book, every order of it, with the trades."""
        return [Body("V", f"262={md_req_id}\x01263=1\x01{related_symbols(symbols)}".encode())]

    def encode_refresh(self, md_req_id: str, former_id: str, symbols: Sequence[str]) -> list[Body]:
        """Unsubscribed and subscribed again: who subscribes to what he has gets no snapshot."""
        return [Body("V", f"262={former_id}\x01263=2\x01".encode()), *self.encode_subscribe(md_req_id, symbols)]

    def encode_instruments(self, req_id: str) -> Body | None:
        """SecurityListRequest(x) for all."""
        return Body("x", f"320={req_id}\x01559=4\x01".encode())

    def why_shut(self, entry: Fields) -> str:
        """TradingStatus(1682), where no order is taken."""
        status = text(entry, _TRADING_STATUS)
        return status if status in _SHUT else ""

    def decode_market_data(self, msg_type: str, raw: bytes) -> list[BookEntry] | SubscriptionRejected:
        """RptSeq(83) counts the messages of one symbol, those that tell nothing of its book too."""
        if msg_type == "Y":
            return subscription_rejected(raw)
        if msg_type not in ("W", "X", "f"):
            return []
        try:
            fields = split(raw)
            if msg_type == "f":
                return [BookEntry(instrument(fields), PASSED, NEW, None, ZERO, sequence=_sequence(fields))]
            entries = group(raw, b"268") if fields.get(b"268") != b"0" else []
            return _snapshot(fields, entries) if msg_type == "W" else [e for f in entries for e in _update(f)]
        except (BadReport, UncutError) as error:
            return [unread_book("", str(error))]


def _sequence(fields: Fields) -> int:
    require(fields, b"83")
    return integer(fields, b"83")


def _snapshot(fields: Fields, entries: list[dict[bytes, bytes]]) -> list[BookEntry]:
    """A fragment of a snapshot; LastFragment(893) says whether another one follows."""
    symbol, sequence = require(fields, b"55"), _sequence(fields)
    head = BookEntry(symbol, "", SNAPSHOT, None, ZERO, sequence=sequence, goes_on=fields.get(b"893") == b"N")
    told = [book_entry(entry, symbol, SNAPSHOT) for entry in entries]
    return [head, *[entry._replace(sequence=sequence) for entry in told]]


def _update(f: Fields) -> list[BookEntry]:
    """The one entry of an X. Without MDEntryID(278) it acknowledges an order that may never be in the book; a trade's
    is that of the order that rested, which is less by it."""
    symbol, sequence, entry_id = require(f, b"55"), _sequence(f), text(f, b"278")
    if text(f, b"269") == TRADE:
        trade = book_entry(f, symbol, NEW, b"5797")
        if trade.why:
            return [trade._replace(sequence=sequence)]
        taken = BookEntry(symbol, UNSIDED, TAKEN, None, trade.qty, entry_id=entry_id, sequence=sequence)
        return [trade._replace(entry_id="", sequence=sequence), taken]
    if not entry_id:
        return [BookEntry(symbol, PASSED, NEW, None, ZERO, sequence=sequence)]
    return [book_entry(f, symbol, text(f, b"279") or NEW)._replace(sequence=sequence)]
