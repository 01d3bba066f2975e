"""The dialect "kraken": Kraken Spot's order entry and market data over its Unified FIX 4.4.

Source: docs.kraken.com, Unified FIX, as of May 2026. What it means for us: Logon(A) carries an HMAC over the key, the
number and a nonce of milliseconds; numbers persist within a day and are resent; an order is changed in place by
OrderCancelReplaceRequest(G); whatever is refused before the engine has it comes as BusinessMessageReject(j), which
names the request in BusinessRejectRefID(379) alone; a mass cancel is answered by the orders' reports alone; a market
data update ends with a checksum of the book.
"""

import base64
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from zlib import crc32

from msgspec import structs

from common.fix.session_types import SessionSettings
from common.fix.wire import parse_utc_timestamp, split, utc_timestamp
from common.messages import (
    AmendOrder,
    CancelOrder,
    CancelRejected,
    ExecutionReport,
    NewOrder,
    RequestRejected,
    VenueEvent,
)
from common.venues.credentials import Credentials, HmacSecret
from common.venues.dialect import Body, BookEntry, Identity, SubscriptionRejected, nonce_ms, plain
from common.venues.kraken.fields import tag_of
from common.venues.kraken.venue import PROFILE, VALID_NS
from common.venues.market_data import Levels, checksum_entry
from common.venues.reading import Fields, Notes, integer, readable, text
from common.venues.signers import base64_secret, hmac_sha512, sha256
from common.venues.standard import (
    ReportForm,
    StandardDialect,
    execution_report,
    needed_credentials,
    related_symbols,
    request_rejected,
    settings_from_one,
    settings_that_persist,
)

_FORM = ReportForm(trades="F", trade_id=tag_of(1003), error_code=b"", maker_tag=tag_of(5050), maker=b"m")
_CHECKSUM, _INSTRUMENT_STATUS = tag_of(5041), tag_of(5032)
_ONLINE = b"1"
CANCEL_ON_DISCONNECT = "0"
"""CancelOrdersOnDisconnect(8674): 0 cancels and 1 keeps, against what one would think."""

UNKNOWN_ORDER = 101
ALL_OF_THE_ACCOUNT = "7"
AMBIGUOUS_TEXTS = ("EGeneral:Internal error", "EService:Timeout", "EService:Unavailable", "EService:Busy")
"""What the venue says where it does not know what became of a request."""

DEPTH = 10
"""Of so many prices on each side the checksum is made, so that no more need to be told."""


def logon_signature(secret: bytes, identity: Identity, msg_seq_num: int, api_key: str, nonce: int) -> bytes:
    """Password(554) of Logon(A): HMAC-SHA-512, under the secret as it is once base64 is taken off, of the SHA-256 of
    five fields, each with its tag and ended by SOH, and the nonce.

    Source: the page on Logon. Raises BadKey.
    """
    sender, target = identity.sender_comp_id, identity.target_comp_id
    head = f"35=A\x0134={msg_seq_num}\x0149={sender}\x0156={target}\x01553={api_key}\x01"
    digest = sha256(f"{head}{nonce}".encode())
    return base64.b64encode(hmac_sha512(base64_secret(secret), digest))

RESTATED = "D"
_AWAKE = (b"1", b"2")
_BY_LAST_TRADE = "5"  # what triggers a stop order
_TAKE_PROFITS = {"3": "R", "4": "T"}
"""By OrdType(40) of a stop and a stop-limit order, that of the one which takes profit."""



@lru_cache(maxsize=1024)
def _terms(symbol: str, side: str, time_in_force: str) -> str:
    """The part of an order that few orders differ in."""
    return f"54={side}\x0155={symbol}\x0159={time_in_force}\x01"


def _refusal(f: Fields, raw: bytes) -> VenueEvent:
    """BusinessMessageReject(j): RefSeqNum(45) is 0, and the request's own name stands in BusinessRejectRefID(379),
    which older texts repeat."""
    request, code = text(f, b"379"), Notes().integer(f, b"380")
    words = text(f, b"58").removeprefix(f"{request} : ")
    ambiguous = words.startswith(AMBIGUOUS_TEXTS)
    if f.get(b"372") in (b"F", b"G"):
        return CancelRejected(request, "", "", "", code, words, code == UNKNOWN_ORDER, ambiguous)
    return RequestRejected(integer(f, b"45"), None, request, code, words, ambiguous)


def _report(f: Fields, raw: bytes) -> ExecutionReport:
    report = execution_report(f, raw, _FORM)
    if report.exec_type == RESTATED and b"99" in f and f.get(b"40") in _AWAKE:
        # OrdType(40) of a stop order that is triggered is what it is from then on.
        return structs.replace(report, exec_type="L")
    return report


class Kraken(StandardDialect):
    """Kraken's side of the wire, as the module says."""

    profile = PROFILE
    listed_as = {
        "tick_size": tag_of(5022), "min_qty": tag_of(5011), "max_qty": tag_of(5012), "min_notional": tag_of(5013),
    }  # fmt: skip
    readers = {"8": _report, "3": request_rejected, "j": _refusal}
    resends = True

    def session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """Numbers persist; what the session has open is cancelled once its connection is lost."""
        signer = needed_credentials(credentials, HmacSecret, "Kraken's Logon(A) is signed with an API key's secret")
        key, secret = signer.api_key, signer.secret
        base64_secret(secret)

        def logon_fields(msg_seq_num: int, sending_time: bytes) -> bytes:
            nonce = nonce_ms(identity.last_nonce_ms, parse_utc_timestamp(sending_time))
            signature = logon_signature(secret, identity, msg_seq_num, key, nonce)
            head = f"553={key}\x01554={signature.decode()}\x015025={nonce}\x01"
            return f"{head}8674={CANCEL_ON_DISCONNECT}\x01".encode()

        return settings_that_persist(identity, logon_fields)

    def market_data_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """Who listens is known by SenderCompID(49) alone."""
        return replace(settings_from_one(identity), expects_reset_echo=False)

    def header_fields(self, time_left_ns: int | None, wall_ns: int) -> bytes:
        """ValidUntilTime(62), later than which the engine takes no order in."""
        return b"" if time_left_ns is None else b"62=%b\x01" % utc_timestamp(wall_ns + VALID_NS)

    def encode_new(self, command: NewOrder, wall_ns: int) -> Body:
        """NewOrderSingle(D)."""
        return Body("D", f"11={command.cl_ord_id}\x01{_order(command, wall_ns)}".encode())

    def encode_amend(self, command: AmendOrder, wall_ns: int) -> Body:
        """OrderCancelReplaceRequest(G): the complete new terms, OrderQty(38) with the filled part included."""
        c = command
        order_id = f"37={c.order_id}\x01" if c.order_id else ""
        terms = _order(c, wall_ns, c.orig_cl_ord_id)
        return Body("G", f"11={c.cl_ord_id}\x01{order_id}{terms}".encode())

    def encode_cancel(self, command: CancelOrder, wall_ns: int) -> Body:
        """OrderCancelRequest(F) by OrderID(37) where it is known, which wins where both are there."""
        c = command
        which = f"37={c.order_id}\x01" if c.order_id else f"41={c.orig_cl_ord_id}\x01"
        stamp = utc_timestamp(wall_ns).decode()
        return Body("F", f"11={c.cl_ord_id}\x01{which}54={c.side}\x0155={c.symbol}\x0160={stamp}\x01".encode())

    def encode_mass_cancel(self, cl_ord_id: str, symbol: str, wall_ns: int) -> Body | None:
        """OrderMassCancelRequest(q) of the whole account: by symbol it reaches the session's own orders alone."""
        stamp = utc_timestamp(wall_ns).decode()
        return Body("q", f"11={cl_ord_id}\x0160={stamp}\x01530={ALL_OF_THE_ACCOUNT}\x01".encode())

    def encode_subscribe(self, md_req_id: str, symbols: Sequence[str]) -> list[Body]:
        """MarketDataRequest(V): the best prices and the trades, one book entry for each price."""
        return [_subscription(md_req_id, "1", symbols)]

    def encode_refresh(self, md_req_id: str, former_id: str, symbols: Sequence[str]) -> list[Body]:
        """The subscription ended and begun again, the one way to have a snapshot."""
        return [_subscription(former_id, "2", symbols), _subscription(md_req_id, "1", symbols)]

    def encode_instruments(self, req_id: str) -> Body | None:
        """SecurityListRequest(x) for all, once."""
        return Body("x", f"320={req_id}\x01559=4\x01263=0\x01".encode())

    def why_shut(self, entry: Fields) -> str:
        """InstrumentStatus(5032), where it is not online."""
        status = entry.get(_INSTRUMENT_STATUS, _ONLINE)
        return "" if status == _ONLINE else f"InstrumentStatus(5032) is {readable(status)}"

    def decode_market_data(self, msg_type: str, raw: bytes) -> list[BookEntry] | SubscriptionRejected:
        """An X ends with the checksum of the book that it leaves."""
        entries = super().decode_market_data(msg_type, raw)
        checksum = split(raw).get(_CHECKSUM) if msg_type == "X" else None
        if checksum is None or not isinstance(entries, list) or not entries or entries[-1].why:
            return entries
        return [*entries, checksum_entry(entries[-1].symbol, checksum.decode("ascii", "replace"))]


def book_sum(bids: Levels, offers: Levels, px_decimals: int, qty_decimals: int) -> int:
    """The venue's checksum of a book: CRC-32 over the digits of the ten best offers, the lowest first, and of the ten
    best bids, the highest first; of each its price and its quantity with all their decimals and no leading zeros.

    Source: the page on checksums.
    """
    digits = [
        f"{value:.{decimals}f}".replace(".", "").lstrip("0")
        for levels in (offers, bids)
        for level in levels[:DEPTH]
        for value, decimals in zip(level, (px_decimals, qty_decimals), strict=True)
    ]
    return crc32("".join(digits).encode())


def _order(command: NewOrder | AmendOrder, wall_ns: int, former: str = "") -> str:
    """The terms of an order, its fields in the order of their tags, with OrigClOrdID(41) where it has a former name."""
    c = command
    price = "" if c.price is None else f"44={plain(c.price)}\x01"
    inst = "18=P\x01" if c.terms.is_post_only else ""
    orig = f"41={former}\x01" if former else ""
    last = "" if c.terms.stop_px is None else f"99={plain(c.terms.stop_px)}\x01"
    if not former:
        last += f"126={utc_timestamp(c.terms.expire_ns).decode()}\x01" if c.terms.expire_ns else ""
        last += f"388={_BY_LAST_TRADE}\x01" if c.terms.is_stop else ""
    last += "" if c.terms.display_qty is None else f"1138={plain(c.terms.display_qty)}\x01"
    stamp = utc_timestamp(wall_ns).decode()
    ord_type = _TAKE_PROFITS[c.ord_type] if c.terms.take_profit else c.ord_type
    head = f"38={plain(c.order_qty)}\x0140={ord_type}\x01{orig}{price}"
    return f"{inst}{head}{_terms(c.symbol, c.side, c.terms.time_in_force)}60={stamp}\x01{last}"


def _subscription(md_req_id: str, action: str, symbols: Sequence[str]) -> Body:
    head = f"{related_symbols(symbols)}262={md_req_id}\x01263={action}\x01264={DEPTH}\x01265=1\x01"
    return Body("V", f"{head}267=3\x01269=0\x01269=1\x01269=2\x01".encode())
