"""Commands and raw messages for the dialects' tests, `|` for SOH."""

from decimal import Decimal

from common.fix.wire import encode
from common.messages import AmendOrder, Attempt, CancelOrder, NewOrder, QueryOrder
from common.venues.dialect import Body
from tests.terms import gathered

WALL_NS = 1_767_225_600_000_000_000
PEM = b"""-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u
-----END PRIVATE KEY-----
"""


def new(**terms: object) -> NewOrder:
    """A limit order."""
    values: dict[str, object] = {
        "attempt": Attempt(5, 1),
        "strategy": "maker",
        "number": 1,
        "venue": "v",
        "symbol": "BTCUSDT",
        "side": "1",
        "ord_type": "2",
        "order_qty": Decimal("0.50000"),
        "price": Decimal("65000.10"),
        "time_in_force": "1",
        "cl_ord_id": "5-1",
        "deadline_ns": 0,
    }
    return NewOrder(**gathered({**values, **terms}))


def amend(**terms: object) -> AmendOrder:
    """A change of price."""
    values: dict[str, object] = {
        "attempt": Attempt(5, 2),
        "strategy": "maker",
        "number": 2,
        "venue": "v",
        "symbol": "BTCUSDT",
        "side": "1",
        "ord_type": "2",
        "order_qty": Decimal("0.5"),
        "price": Decimal("65001"),
        "time_in_force": "1",
        "cl_ord_id": "5-2",
        "orig_cl_ord_id": "5-1",
        "order_id": "77",
        "target_strategy": "maker",
        "target_number": 1,
        "former_order_qty": Decimal("0.5"),
        "former_price": Decimal("65000.10"),
        "cum_qty": Decimal("0.1"),
        "deadline_ns": 0,
    }
    return AmendOrder(**gathered({**values, **terms}))


CANCEL = CancelOrder(Attempt(5, 3), "maker", 3, "v", "BTCUSDT", "1", "5-3", "5-1", "77", "maker", 1, Decimal("0.5"))
QUERY = QueryOrder(Attempt(5, 4), "v", "BTCUSDT", "1", "5-1", "77", 9)


def text(body: Body | None) -> str:
    """A body as a line."""
    assert body is not None
    return f"35={body.msg_type}|{body.fields.decode()}".replace("\x01", "|")


def raw(line: str) -> bytes:
    """A whole message out of `35=...|...|`."""
    head, rest = line.split("|", 1)
    header = "34=7|49=V|52=20260101-00:00:00.000|56=C|"
    return encode(b"FIX.4.4", f"{head}|{header}{rest}".replace("|", "\x01").encode())
