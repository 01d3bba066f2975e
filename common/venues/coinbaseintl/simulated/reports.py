"""What Coinbase International's simulated side says of orders: bodies of messages, as a captured report has its fields.

Source: docs.cdp.coinbase.com/international-exchange/fix-api, order entry messages, and the report in `samples`. Written
from those alone, independently of the client's dialect.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

from common.exchange.changes import Corrected, Traded
from common.exchange.engine import Refusal
from common.exchange.fix_orders import MassCancel, Named, Wish
from common.exchange.history import ClosedOrder
from common.exchange.numbers import digits
from common.exchange.order import (
    DECREMENT,
    EXPIRE_BOTH,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    FILLED,
    NO_PREVENTION,
    PARTIALLY_FILLED,
    REJECTED,
    Asked,
    Order,
    Terms,
)
from common.exchange.settings import Instrument
from common.fix.wire import utc_timestamp

REPLACED = "5"
NONE = "NONE"
PORTFOLIO = "00000000-0000-4000-8000-000000000001"
_PRICE_STEP = Decimal("0.00000001")
_MAKER, _TAKER = "1", "2"
_STRATEGIES = {EXPIRE_TAKER: "N", EXPIRE_BOTH: "Q", EXPIRE_MAKER: "O", DECREMENT: "D", NO_PREVENTION: "N"}
"""SelfTradePreventionStrategy(8000)."""

# OrdRejReason(103) and CxlRejReason(102).
_UNKNOWN, _BAD_PARAMETER, _BAD_PRICE = 0, 1, 2
_OF_PRICE = frozenset({Refusal.BAD_PRICE, Refusal.FAR_PRICE, Refusal.WOULD_TAKE, Refusal.WOULD_TRIGGER})
_CXL_TOO_LATE, _CXL_UNKNOWN_ORDER, _CXL_OTHER = 0, 1, 3
ALL_CANCELLED, REFUSED = "7", "0"
"""MassCancelResponse(531)."""


def order_name(order_id: int) -> str:
    """OrderID(37) of the engine's order."""
    return f"{order_id:x}-1-0"


def order_number(name: str) -> str:
    """The engine's id of the order that OrderID(37) names, "" where it names none of ours."""
    number, dash, rest = name.partition("-")
    try:
        return str(int(number, 16)) if dash and rest == "1-0" else ""
    except ValueError:
        return ""


def execution_number(exec_id: str) -> str:
    """ExecID(17): the number of an execution, or for a report that is none a far greater one that is unique to it."""
    epoch, dash, number = exec_id.partition("-")
    return str(int(epoch) << 24 | int(number)) if dash else exec_id


class InternationalReports:
    """`Reports` as the venue has them."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._instruments = instruments

    def report(
        self,
        order: Order | ClosedOrder,
        exec_id: str,
        exec_type: str,
        stamp_ns: int,
        asked: Asked | None = None,
        extra: str = "",
    ) -> bytes:
        """An ExecutionReport(8) of no fill."""
        return self._body(order, exec_id, exec_type, stamp_ns, asked, after=extra)

    def fill(self, order: Order | ClosedOrder, instrument: Instrument, change: Traded, asked: Asked | None) -> bytes:
        """ExecType(150) is 1 or 2, with TrdMatchID(880), LastLiquidityInd(851) and the fee in an amount."""
        maker = change.maker_id == order.order_id
        exec_id, fee = (change.exec_id, change.maker_fee) if maker else (change.exec_id + 1, change.taker_fee)
        told = FILLED if order.ord_status == FILLED else PARTIALLY_FILLED
        cost = f"136=1\x01137={digits(fee)}\x01138={instrument.fee_asset(order.terms.side)}\x01139=4\x01"
        return self._body(
            order, str(exec_id), told, change.stamp_ns, None,
            match=f"880={change.trade_id}\x01",
            last=f"32={digits(change.qty)}\x0131={digits(change.px)}\x01",
            after=f"851={_MAKER if maker else _TAKER}\x01{cost}",
        )  # fmt: skip

    def _body(
        self, order: Order | ClosedOrder, exec_id: str, exec_type: str, stamp_ns: int, asked: Asked | None, *,
        match: str = "", last: str = "", after: str = "",
    ) -> bytes:  # fmt: skip
        """The fields in the order of the captured report; one that answers a request bears the request's name, and the
        order's behind it."""
        terms = order.terms
        names = f"11={terms.cl_ord_id}\x01"
        if asked is not None and asked.cl_ord_id:
            names = f"11={asked.cl_ord_id}\x0141={asked.orig_cl_ord_id}\x01"
        ord_status = REPLACED if exec_type == REPLACED else order.ord_status
        who = f"17={execution_number(exec_id)}\x0120=0\x0137={order_name(order.order_id)}\x01"
        state = f"453=1\x01448={PORTFOLIO}\x01452=24\x01150={exec_type}\x0139={ord_status}\x01"
        sums = f"151={digits(order.leaves_qty)}\x0114={digits(order.cum_qty)}\x016={_average(order)}\x01"
        stamp = f"60={utc_timestamp(stamp_ns, 6).decode()}\x01"
        tail = f"8000={_STRATEGIES[terms.self_trade]}\x01{_instructions(terms)}"
        return f"{names}{match}{who}{state}{self._told(terms)}{last}{sums}{stamp}{after}{tail}".encode()

    def correction(self, order: Order | ClosedOrder, instrument: Instrument, change: Corrected) -> bytes:
        """The venue corrects no trade: ExecTransType(20)=1 and 2 are reserved."""
        raise AssertionError("no trade is taken back or corrected here")

    def rejected(self, terms: Terms, exec_id: str, refusal: Refusal | None, text: str, stamp_ns: int) -> bytes:
        """ExecType(150)=8 with OrdRejReason(103)."""
        reason = _UNKNOWN if refusal is None else _BAD_PRICE if refusal in _OF_PRICE else _BAD_PARAMETER
        head = f"11={terms.cl_ord_id}\x0117={execution_number(exec_id)}\x0120=0\x0137={NONE}\x01"
        head += f"150=8\x0139={REJECTED}\x01"
        stamp = f"60={utc_timestamp(stamp_ns, 6).decode()}\x01"
        sums = "151=0\x0114=0\x016=0\x01"
        return f"{head}{self._told(terms)}{sums}{stamp}{_instructions(terms)}103={reason}\x0158={text}\x01".encode()

    def unknown(self, named: Named, exec_id: str, extra: str, text: str, stamp_ns: int) -> bytes:
        """The venue answers no question for an order."""
        raise AssertionError("no order is asked about here")

    def cancel_rejected(self, wish: Wish, order: Order | ClosedOrder | None, refusal: Refusal, stamp_ns: int) -> bytes:
        """OrderCancelReject(9): OrderID(37) says NONE where no order is known, and no field says how one stands."""
        order_id, reason = (NONE, _CXL_UNKNOWN_ORDER) if order is None else (order_name(order.order_id), _CXL_OTHER)
        reason = _CXL_TOO_LATE if refusal is Refusal.CLOSED else reason
        return (
            f"11={wish.cl_ord_id}\x0141={wish.orig_cl_ord_id}\x0137={order_id}\x01102={reason}\x01"
            f"434={wish.response_to}\x0158={refusal.value}\x01"
        ).encode()

    def mass_cancelled(self, asked: MassCancel, report_id: str, affected: int | None, stamp_ns: int) -> bytes:
        """OrderMassCancelReport(r)."""
        told = f"531={REFUSED}\x01532=99\x0158=Unknown symbol\x01"
        if affected is not None:
            told = f"531={ALL_CANCELLED}\x01533={affected}\x01"
        return f"11={asked.cl_ord_id}\x011369={execution_number(report_id)}\x01{told}".encode()

    def _told(self, terms: Terms) -> str:
        """The terms of an order, and the currency that its price is in."""
        price = "" if terms.price is None else f"44={digits(terms.price)}\x01"
        stop = "" if terms.stop_px is None else f"99={digits(terms.stop_px)}\x01"
        expires = f"126={utc_timestamp(terms.expire_ns, 9).decode()}\x01" if terms.expire_ns else ""
        instrument = self._instruments.get(terms.symbol)
        what = f"55={terms.symbol}\x0154={terms.side}\x0138={digits(terms.order_qty)}\x0140={terms.ord_type}\x01"
        currency = f"15={instrument.quote if instrument else NONE}\x01"
        return f"{what}{price}{stop}{currency}59={terms.time_in_force}\x01{expires}"


def _instructions(terms: Terms) -> str:
    """ExecInst(18), where there is one."""
    told = " ".join("6" * terms.post_only + "E" * terms.reduce_only)
    return f"18={told}\x01" if told else ""


def _average(order: Order | ClosedOrder) -> str:
    """AvgPx(6)."""
    return digits((order.cum_quote / order.cum_qty).quantize(_PRICE_STEP, ROUND_HALF_UP)) if order.cum_qty else "0"
