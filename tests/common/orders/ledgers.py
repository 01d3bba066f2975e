"""What an ExecutionReport(8) of a correction or a bust does to a ledger of fills, said in one line."""

from decimal import Decimal

from common.messages import ExecutionReport
from common.orders.fills import FillChange
from common.orders.ledger import FillLedger
from common.orders.numbers import ZERO


def correct(
    ledger: FillLedger, venue: str, symbol: str, trade_key: str, reference: str, owner: str, side: str, qty: Decimal,
    px: Decimal, fee_qty: Decimal = ZERO, fee_asset: str = "",
) -> FillChange | None:  # fmt: skip
    """TradeCorrect, ExecType(150)=G: `trade_key` takes the place of `reference`."""
    return _change(ledger, venue, symbol, "G", trade_key, reference, owner, side, qty, px, fee_qty, fee_asset)


def bust(
    ledger: FillLedger, venue: str, symbol: str, trade_key: str, reference: str, owner: str = "", side: str = ""
) -> FillChange | None:
    """TradeCancel, ExecType(150)=H: `reference` is no fill any more."""
    return _change(ledger, venue, symbol, "H", trade_key, reference, owner, side, ZERO, ZERO, ZERO, "")


def _change(
    ledger: FillLedger, venue: str, symbol: str, exec_type: str, trade_key: str, reference: str, owner: str, side: str,
    qty: Decimal, px: Decimal, fee_qty: Decimal, fee_asset: str,
) -> FillChange | None:  # fmt: skip
    report = ExecutionReport(
        cl_ord_id="", orig_cl_ord_id="", order_id="", exec_id=trade_key, exec_type=exec_type, ord_status="1",
        symbol=symbol, side=side, order_qty=None, price=None, last_qty=qty, last_px=px, cum_qty=None, leaves_qty=None,
        trade_key=trade_key, reference_trade_key=reference, fee_qty=fee_qty,
        fee_asset=fee_asset,
    )  # fmt: skip
    return ledger.report(venue, owner, report)
