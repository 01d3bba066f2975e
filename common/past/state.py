"""The stack's state at a record, in words: orders, positions, sessions and risk as a person reads them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from common.decimals import short


def past_text(found: Mapping[str, Any]) -> str:
    """The state for a person; `found` is the JSON document of it, with numbers as text."""
    risk = found["risk"]
    flags = ["KILLED"] * risk["killed"] + [f"halted: {halt}" for halt in risk["halts"]]
    parts = {
        "open orders": [_order_text(order) for order in found["orders"]],
        "positions": [
            f"{held['venue']:<10} {held['symbol']:<12} {_short(held['quantity'])} at "
            f"{_short(held['average_price'])}, realised {_short(held['realised_profit'])}"
            for held in found["positions"]
        ],
        "sessions": [
            f"{name:<10} {session['state']:<14} connection {session['connection']} generation {session['generation']} "
            f"next out {session['next_outbound']} in {session['next_inbound']}{_session_flags(session)}"
            for name, session in found["sessions"].items()
        ],
        "risk": flags
        + [
            f"{each['venue']:<10} {each['symbol']:<12} position {_short(each['position'])}, may still buy "
            f"{_short(each['may_buy'])}, sell {_short(each['may_sell'])}"
            for each in risk["exposures"]
        ],
    }
    lines = [f"as of record {found['lsn']}, {found['time']} UTC"]
    for title, rows in parts.items():
        lines += ["", title, *(f"  {row}" for row in rows or ["none"])]
    return "\n".join(lines)


def _session_flags(session: Mapping[str, Any]) -> str:
    flags = ["latched"] * session["latched"] + ["logged out by hand"] * session["logged_out_by_hand"]
    flags += [f"halted: {session['halted']}"] if session["halted"] else []
    return "".join(f", {flag}" for flag in flags)


def _order_text(order: Mapping[str, Any]) -> str:
    name, side = f"{order['strategy']}/{order['number']}", "buy" if order["side"] == "1" else "sell"
    price = f" at {_short(order['price'])}" if order["price"] is not None else ""
    return (
        f"{name:<20} {order['status']:<17} {order['venue']:<10} {order['symbol']:<12} {side:<5}"
        f"{_short(order['leaves_qty'])} of {_short(order['order_qty'])}{price}  {order['cl_ord_id']}"
    )


def _short(value: str) -> str:
    return short(Decimal(value))
