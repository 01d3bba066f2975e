"""The dialect "htx": HTX Spot's order entry and market data over its FIX 4.4.

Source: the mirror of HTX's page on its FIX API, as of April 2025; README.md beside this file. What it means for us:
Logon(A) is signed with an Ed25519 key over four header fields; numbers begin at 1 with each connection; an order's type
is a word that has the side, too; states are numbers of HTX's own, and what a report tells is a word; a fill's fee comes
later, in a report of its own; symbols are in small letters; a subscription takes the place of all before it, and each
update is the whole book.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from common.fix.session_types import SessionSettings
from common.messages import AmendOrder, CancelOrder, ExecutionReport, MassCancelReported, NewOrder, Unreadable
from common.venues.credentials import Credentials, Ed25519Account
from common.venues.dialect import BadReport, Body, BookEntry, Identity, SubscriptionRejected, plain
from common.venues.htx.fields import TRADE_ID
from common.venues.htx.venue import PROFILE
from common.venues.market_data import book_entries, subscription_rejected
from common.venues.reading import Fields, Notes, require, text
from common.venues.signers import BadKey, ed25519_key, ed25519_signature
from common.venues.standard import (
    STANDARD_READERS,
    Reader,
    ReportForm,
    StandardDialect,
    execution_report,
    needed_credentials,
    related_symbols,
    settings_from_one,
)

SOURCE = "spot-api"
"""TradeInputSource(578), the one that there is."""

SUBSCRIBE = "0"
"""SubscriptionRequestType(263): 1 elsewhere."""

ONE_SYMBOL = "2"
_SIDES = {"1": "buy", "2": "sell"}
_SIDE_OF = {"buy": "1", "sell": "2"}
_LIMITS = {"1": "limit", "3": "ioc", "4": "limit-fok"}
"""By TimeInForce(59), what follows the side in a limit order's type."""

_STATUS = {"1": "8", "2": "4", "3": "0", "4": "1", "5": "2", "6": "4", "7": "4"}
"""HTX's order state as OrdStatus(39); of 6 a part is filled."""

_WORDS = {"creation": "0", "trade": "F", "cancellation": "4"}
_CLEARING = "clearing"
"""ExecType(150) as a character. What clears a trade tells its fee, and names no fill that could be counted by it."""

_FORM = ReportForm(trades="F", trade_id=TRADE_ID, maker_tag=b"1057", maker=b"false")


def logon_signature(pem: bytes, identity: Identity, msg_seq_num: int, sending_time: bytes) -> bytes:
    """RawData(96) of Logon(A): base64 of the Ed25519 signature over SenderCompID(49), TargetCompID(56), MsgSeqNum(34)
    and SendingTime(52), each with SOH behind it, the last one too.

    Source: the page's part on the signature. Raises BadKey.
    """
    sender, target = identity.sender_comp_id.encode(), identity.target_comp_id.encode()
    return ed25519_signature(pem, b"%b\x01%b\x01%d\x01%b\x01" % (sender, target, msg_seq_num, sending_time))


class Htx(StandardDialect):
    """See the module."""

    profile = PROFILE
    best_only = "HTX has one subscription a connection, and it follows the best prices"
    readers: ClassVar[Mapping[str, Reader]] = {
        **{kind: STANDARD_READERS[kind] for kind in "93"},
        "8": lambda f, raw: _report(f, raw),
        "r": lambda f, raw: _mass_cancel(f),
    }

    def session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """See `Dialect`. Account(1) and the source of a request stand in front of its own fields."""
        ours = _needed(credentials)
        fields = f"1={ours.account}\x01578={SOURCE}\x01".encode()
        return replace(_settings(identity, ours), application_fields=fields)

    def market_data_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """See `Dialect`."""
        return _settings(identity, _needed(credentials))

    def encode_new(self, command: NewOrder, wall_ns: int) -> Body:
        """NewOrderSingle(D): neither Side(54) nor TimeInForce(59), which are in OrdType(40)."""
        c = command
        assert c.price is not None
        kind = "limit-maker" if c.terms.is_post_only else _LIMITS[c.terms.time_in_force]
        terms = f"38={plain(c.order_qty)}\x0140={_SIDES[c.side]}-{kind}\x0144={plain(c.price)}\x01"
        return Body("D", f"11={c.cl_ord_id}\x01{terms}55={c.symbol.lower()}\x01".encode())

    def encode_amend(self, command: AmendOrder, wall_ns: int) -> Body:
        """There is none: the profile says so, and nobody asks."""
        raise AssertionError("HTX has no amendment")

    def encode_cancel(self, command: CancelOrder, wall_ns: int) -> Body:
        """OrderCancelRequest(F), by OrderID(37) where it is known, which the venue prefers."""
        c = command
        which = f"37={c.order_id}\x01" if c.order_id else f"41={c.orig_cl_ord_id}\x01"
        return Body("F", f"11={c.cl_ord_id}\x01{which}".encode())

    def encode_mass_cancel(self, cl_ord_id: str, symbol: str, wall_ns: int) -> Body | None:
        """OrderMassCancelRequest(q) of a symbol, over all connections of the account."""
        return Body("q", f"11={cl_ord_id}\x01530={ONE_SYMBOL}\x01{related_symbols([symbol.lower()])}".encode())

    def unread(self, fields: Fields, why: str) -> Unreadable | None:
        """See `Dialect`."""
        return super().unread({**fields, b"55": fields.get(b"55", b"").upper()}, why)

    def encode_subscribe(self, md_req_id: str, symbols: Sequence[str]) -> list[Body]:
        """MarketDataRequest(V): the best prices and the trades. It takes the place of every subscription before."""
        head = f"262={md_req_id}\x01263={SUBSCRIBE}\x01264=1\x01"
        return [Body("V", f"{head}{related_symbols([symbol.lower() for symbol in symbols])}".encode())]

    def encode_refresh(self, md_req_id: str, former_id: str, symbols: Sequence[str]) -> list[Body]:
        """The same again: a book is told whole each time."""
        return self.encode_subscribe(md_req_id, symbols)

    def decode_market_data(self, msg_type: str, raw: bytes) -> list[BookEntry] | SubscriptionRejected:
        """See `Dialect`. Side(54) is the taker's. Y says, too, that a subscription is taken: MDReqRejReason(281)=0."""
        if msg_type != "Y":
            return [e._replace(symbol=e.symbol.upper()) for e in book_entries(msg_type, raw, b"54")]
        return [] if b"\x01281=0\x01" in raw else subscription_rejected(raw)


def _needed(credentials: Credentials | None) -> Ed25519Account:
    ours = needed_credentials(credentials, Ed25519Account, "HTX's Logon(A) is signed with an Ed25519 key")
    try:
        ed25519_key(ours.private_key_pem)
    except BadKey as error:
        raise ValueError(str(error)) from None
    return ours


def _settings(identity: Identity, ours: Ed25519Account) -> SessionSettings:
    def logon_fields(msg_seq_num: int, sending_time: bytes) -> bytes:
        raw_data = logon_signature(ours.private_key_pem, identity, msg_seq_num, sending_time)
        return b"95=%d\x0196=%b\x01553=%b\x01" % (len(raw_data), raw_data, ours.api_key.encode())

    return settings_from_one(identity, logon_fields)


def _report(f: Fields, raw: bytes) -> ExecutionReport | None:
    """What it tells and the state are put into FIX's values first."""
    word, told = require(f, b"150"), require(f, b"39")
    if word == _CLEARING:
        return None
    if word not in _WORDS or told not in _STATUS:
        raise BadReport(f"ExecType(150)={word[:20]!r} or OrdStatus(39)={told[:20]!r} is not known")
    status = _STATUS[told]
    exec_type = "8" if word == "creation" and status == "8" else _WORDS[word]
    side = _SIDE_OF.get(text(f, b"40").partition("-")[0], "")
    read = {**f, b"150": exec_type.encode(), b"39": status.encode(), b"54": side.encode(), b"17": b"", b"19": b""}
    read[b"55"] = f.get(b"55", b"").upper()
    return execution_report(read, raw, _FORM)


def _mass_cancel(f: Fields) -> MassCancelReported:
    """OrderMassCancelReport(r): MassCancelResponse(531)=1 is the acceptance; what could not be cancelled is in 534."""
    notes = Notes()
    accepted, affected = f.get(b"531") == b"1", notes.integer(f, b"533")
    return MassCancelReported(text(f, b"11"), "", accepted, affected, 0, text(f, b"58"))
