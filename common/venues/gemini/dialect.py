"""The dialect "gemini": Gemini's order entry and market data over FIX 4.4.

Source: docs.gemini.com/fix and developer.gemini.com/trading/fix, as of 2026; README.md beside this file. What it means
for us: Logon(A) proves nothing, the address and the CompIDs do; each asks for new numbers, as the venue advises, and
what was missed is asked for over REST; an order is cancelled by its ClOrdID(11) alone and never changed; a fill's
ExecID(17) is the trade's id; a stop order is told as new twice, the second time without its stop price; a public trade
tells the side of its maker. A drop copy tells trades alone, by TradeCaptureReport(AE).
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

from msgspec import structs

from common.fix.session_types import SessionSettings
from common.fix.wire import utc_timestamp
from common.messages import CancelOrder, ExecutionReport, NewOrder
from common.orders.words import NEW
from common.venues.credentials import Credentials
from common.venues.dialect import Body, BookEntry, Identity, SubscriptionRejected, plain
from common.venues.gemini.venue import PROFILE
from common.venues.market_data import TRADE, book_entries, subscription_rejected
from common.venues.reading import Fields
from common.venues.standard import (
    STANDARD_READERS,
    Reader,
    ReportForm,
    StandardDialect,
    execution_report,
    settings_from_one,
)

_MAKER_SIDE = b"9002"
_OTHER_SIDE = {"1": "2", "2": "1"}


@lru_cache(maxsize=1024)
def _terms(symbol: str, side: str, time_in_force: str) -> str:
    """The part of an order that few orders differ in; `time_in_force` is "" where there is none."""
    stays = f"59={time_in_force}\x01" if time_in_force else ""
    return f"54={side}\x0155={symbol}\x01{stays}"


def _report(f: Fields, raw: bytes) -> ExecutionReport:
    """ExecutionReport(8): New without StopPx(99) is told of the limit order that a stop order has become, as of any
    other limit order."""
    report = execution_report(f, raw)
    return structs.replace(report, sleeps=b"99" in f) if report.exec_type == NEW else report


_CAPTURED = ReportForm(trades="F", trade_id=b"571", maker_tag=b"58", maker=b"MAKER")


def _trade(f: Fields, raw: bytes) -> ExecutionReport:
    """TradeCaptureReport(AE) as the report of a fill: TradeReportID(571) is that fill's ExecID(17), NoSides(552) is 1
    and Text(58) says whether the order made or took. It tells no state of the order. Raises BadReport."""
    told = execution_report({**f, b"150": b"F"}, raw, _CAPTURED)
    return structs.replace(told, text="")


class Gemini(StandardDialect):
    """Gemini's side of the wire, as the module says. Fields come in the order of their tags, as in its examples."""

    profile = PROFILE
    readers: ClassVar[Mapping[str, Reader]] = {
        **{msg_type: reader for msg_type, reader in STANDARD_READERS.items() if msg_type in "893j"},
        "8": _report,
        "AE": _trade,
    }

    def session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """CancelOnDisconnect(9001)=Y: what this session has open goes with its connection; a drop copy has nothing. Who
        logs on is known by his address and his names; the credentials are for REST."""
        if identity.drop_copy:
            return settings_from_one(identity)
        return settings_from_one(identity, lambda msg_seq_num, sending_time: b"9001=Y\x01")

    def market_data_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """The same without CancelOnDisconnect(9001), which order entry alone has."""
        return settings_from_one(identity)

    def encode_new(self, command: NewOrder, wall_ns: int) -> Body:
        """NewOrderSingle(D), with a TransactTime(60) of whole seconds as in the venue's examples. A market order has no
        TimeInForce(59), and one that buys a CashOrderQty(152)."""
        c, cash, stop_px = command, command.terms.cash_order_qty, command.terms.stop_px
        exec_inst = "18=6\x01" if c.terms.is_post_only else ""
        price = "" if c.price is None else f"44={plain(c.price)}\x01"
        qty = f"38={plain(c.order_qty)}\x01" if cash is None else ""
        head = f"11={c.cl_ord_id}\x01{exec_inst}{qty}40={c.ord_type}\x01{price}"
        last = "" if stop_px is None else f"99={plain(stop_px)}\x01"
        last += "" if cash is None else f"152={plain(cash)}\x01"
        terms = _terms(c.symbol, c.side, "" if c.price is None else c.terms.time_in_force)
        return Body("D", f"{head}{terms}{_stamp(wall_ns)}{last}".encode())

    def encode_cancel(self, command: CancelOrder, wall_ns: int) -> Body:
        """OrderCancelRequest(F): OrigClOrdID(41) is what counts, and the rest what FIX wants."""
        c = command
        qty = f"38={plain(c.order_qty)}\x01" if c.order_qty > 0 else ""
        names = f"11={c.cl_ord_id}\x01{qty}41={c.orig_cl_ord_id}\x01"
        return Body("F", f"{names}54={c.side}\x0155={c.symbol}\x01{_stamp(wall_ns)}".encode())

    def encode_subscribe(self, md_req_id: str, symbols: Sequence[str]) -> list[Body]:
        """A MarketDataRequest(V) for each symbol: the whole book by price, and the trades with their maker's side."""
        return [
            Body(
                "V",
                f"262={md_req_id}-{symbol}\x01263=1\x01264=0\x01146=1\x0155={symbol}\x01"
                "267=3\x01269=0\x01269=1\x01269=2\x019003=Y\x01".encode(),
            )
            for symbol in symbols
        ]

    def encode_refresh(self, md_req_id: str, former_id: str, symbols: Sequence[str]) -> list[Body]:
        """Subscribed to once more: a snapshot is told to new subscriptions alone, and none can be ended."""
        return self.encode_subscribe(md_req_id, symbols)

    def decode_market_data(self, msg_type: str, raw: bytes) -> list[BookEntry] | SubscriptionRejected:
        """The entries of a W or X, in order; or a Y. The taker of a trade is on the other side than its maker."""
        if msg_type == "Y":
            return subscription_rejected(raw)
        return [
            entry._replace(taker_side=_OTHER_SIDE.get(entry.taker_side, "")) if entry.what == TRADE else entry
            for entry in book_entries(msg_type, raw, _MAKER_SIDE)
        ]


def _stamp(wall_ns: int) -> str:
    """TransactTime(60)."""
    return f"60={utc_timestamp(wall_ns, 0).decode()}\x01"
