"""The dialect "coinbaseprime": Coinbase Prime's order entry over FIX 4.2 and its market data over FIX 5.0 SP2.

Source: docs.cdp.coinbase.com/prime/fix-api, and coinbase-samples/prime-fix-go; README.md beside this file. What it
means for us: Logon(A) is signed with the secret as text; numbers persist for a day and are resent; a fill is
ExecType(150)=1 or 2; the answer to a question is told by ExecTransType(20) alone, and repeats the state in
ExecType(150); a cancel is told under the order's own name; fees are in the quote currency, which only the symbol names.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from typing import ClassVar

from msgspec import structs

from common.fix.session_types import SessionSettings
from common.fix.wire import utc_timestamp
from common.messages import CancelOrder, ExecutionReport, NewOrder, QueryOrder
from common.venues.coinbaseprime.venue import PROFILE
from common.venues.credentials import Credentials, HmacPassphrase
from common.venues.dialect import Body, BookEntry, Identity, SubscriptionRejected, plain
from common.venues.market_data import book_entries, subscription_rejected
from common.venues.reading import ZERO, Fields, Notes, fees, instrument
from common.venues.signers import hmac_sha256
from common.venues.standard import (
    STANDARD_READERS,
    LogonFields,
    Reader,
    ReportForm,
    StandardDialect,
    execution_report,
    needed_credentials,
    related_symbols,
    settings_from_one,
    settings_that_persist,
)

_EVENT = b"0"  # ExecTransType(20)
_FILLS = "12"  # ExecType(150)
_UNKNOWN_ORDER = b"5"  # OrdRejReason(103)
_STATE = "I"
_STRATEGIES = {"1": ("1", "M"), "2": ("2", "L"), "4": ("2", "SL")}
"""OrdType(40) as it is sent, and TargetStrategy(847), by the order's own type."""


@lru_cache(maxsize=1024)
def _terms(symbol: str, side: str, ord_type: str, time_in_force: str, post_only: bool) -> str:
    """The part of an order that few orders differ in."""
    exec_inst = "18=A\x01" if post_only else ""
    told_type, strategy = _STRATEGIES[ord_type]
    return f"{exec_inst}40={told_type}\x0154={side}\x0155={symbol}\x0159={time_in_force}\x01847={strategy}\x01"


def logon_signature(credentials: HmacPassphrase, target_comp_id: str, msg_seq_num: int, sending_time: bytes) -> bytes:
    """RawData(96) of Logon(A): base64 of the HMAC-SHA-256, by the secret as it is written, over SendingTime(52),
    MsgType(35), MsgSeqNum(34), the API key, TargetCompID(56) and the passphrase, with nothing in between.

    Source: docs.cdp.coinbase.com/prime/fix-api/admin-messages. Raises BadKey.
    """
    who = f"A{msg_seq_num}{credentials.api_key}{target_comp_id}{credentials.passphrase}"
    return base64.b64encode(hmac_sha256(credentials.secret, sending_time + who.encode()))


def _fees(f: Fields, raw: bytes, last_qty: Decimal, last_px: Decimal, notes: Notes) -> tuple[Decimal, str]:
    """Commission(12) is in the quote currency, and no field says so."""
    if b"12" in f and b"479" not in f:
        f = {**f, b"479": instrument(f).partition("-")[2].encode()}
    return fees(f, raw, last_qty, last_px, notes)


_FORM = ReportForm(trades=_FILLS, read_fees=_fees)


def _report(f: Fields, raw: bytes) -> ExecutionReport:
    """A fill, a change, or the answer to a question: that tells the state, even where its ExecType(150) is a fill's."""
    if f.get(b"20", _EVENT) != _EVENT:
        report = execution_report(f, raw, ReportForm(trades=""))
        unknown = f.get(b"103") == _UNKNOWN_ORDER
        return structs.replace(report, exec_type=_STATE, unknown_order=unknown)
    report = execution_report(f, raw, _FORM)
    if report.exec_type not in _FILLS:
        return report
    if report.last_qty == ZERO:
        # Nothing was filled by what it tells: no fill may be counted for it.
        return structs.replace(report, exec_type=_STATE, trade_key="")
    return structs.replace(report, exec_type="F")


class CoinbasePrime(StandardDialect):
    """Coinbase Prime's side of the wire, as the module says."""

    profile = PROFILE
    readers: ClassVar[Mapping[str, Reader]] = {
        "8": _report, **{msg_type: STANDARD_READERS[msg_type] for msg_type in ("9", "3", "j")},
    }  # fmt: skip
    resends = True

    def session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """Numbers persist until the daily maintenance. DropCopyFlag(9406)=N: reports of this session's orders alone."""
        settings = settings_that_persist(identity, _logon_fields(identity, credentials, 9407))
        return replace(settings, begin_string="FIX.4.2", timestamp_digits=3)

    def market_data_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """FIXT 1.1, and the key in Username(553)."""
        settings = settings_from_one(identity, _logon_fields(identity, credentials, 553))
        return replace(settings, begin_string="FIXT.1.1", default_appl_ver_id="9", timestamp_digits=3)

    def encode_new(self, command: NewOrder, wall_ns: int) -> Body:
        """NewOrderSingle(D)."""
        c = command
        price = "" if c.price is None else f"44={plain(c.price)}\x01"
        stop = "" if c.terms.stop_px is None else f"99={plain(c.terms.stop_px)}\x01"
        expires = f"126={utc_timestamp(c.terms.expire_ns).decode()}\x01" if c.terms.expire_ns else ""
        terms = _terms(c.symbol, c.side, c.ord_type, c.terms.time_in_force, c.terms.is_post_only)
        return Body("D", f"11={c.cl_ord_id}\x0138={plain(c.order_qty)}\x01{price}{terms}{stop}{expires}".encode())

    def encode_cancel(self, command: CancelOrder, wall_ns: int) -> Body:
        """OrderCancelRequest(F), with OrderQty(38) as the order was accepted."""
        c = command
        names = f"11={c.cl_ord_id}\x01{_id(c.order_id)}"
        what = f"38={plain(c.order_qty)}\x0141={c.orig_cl_ord_id}\x0154={c.side}\x0155={c.symbol}\x01"
        return Body("F", f"{names}{what}".encode())

    def encode_query(self, command: QueryOrder) -> Body | None:
        """OrderStatusRequest(H), with the venue's id where it is known."""
        c = command
        return Body("H", f"11={c.cl_ord_id}\x01{_id(c.order_id)}54={c.side}\x0155={c.symbol}\x01".encode())

    def encode_subscribe(self, md_req_id: str, symbols: Sequence[str]) -> list[Body]:
        """MarketDataRequest(V): the whole book by price, and the trades."""
        head = f"262={md_req_id}\x01263=1\x01264=0\x01265=0\x01267=3\x01269=0\x01269=1\x01269=2\x01"
        return [Body("V", f"{head}{related_symbols(symbols)}".encode())]

    def encode_refresh(self, md_req_id: str, former_id: str, symbols: Sequence[str]) -> list[Body]:
        """A snapshot beside the subscription."""
        head = f"262={md_req_id}\x01263=0\x01264=0\x01267=2\x01269=0\x01269=1\x01"
        return [Body("V", f"{head}{related_symbols(symbols)}".encode())]

    def decode_market_data(self, msg_type: str, raw: bytes) -> list[BookEntry] | SubscriptionRejected:
        """The entries of a W or X, or a Y. MDEntryID(278) is left out: it names the entry and not the price's place in
        the book."""
        if msg_type == "Y":
            return subscription_rejected(raw)
        return [entry._replace(entry_id="") for entry in book_entries(msg_type, raw)]


def _logon_fields(identity: Identity, credentials: Credentials | None, key_tag: int) -> LogonFields:
    """The signature, and the API key in the field of that tag. Raises ValueError."""
    ours = needed_credentials(credentials, HmacPassphrase, "Logon(A) is signed with a key's secret and passphrase")

    def logon_fields(msg_seq_num: int, sending_time: bytes) -> bytes:
        raw_data = logon_signature(ours, identity.target_comp_id, msg_seq_num, sending_time)
        who = f"{key_tag}={ours.api_key}\x01554={ours.passphrase}\x019406=N\x01".encode()
        return b"95=%d\x0196=%b\x01%b" % (len(raw_data), raw_data, who)

    return logon_fields


def _id(order_id: str) -> str:
    """OrderID(37), where it is known."""
    return f"37={order_id}\x01" if order_id else ""
