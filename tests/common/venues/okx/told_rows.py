"""An account of OKX that tells rows which the simulated side never does: of liquidations, blocks and other modes."""

from typing import Any

from common.messages import Answer, Ask
from common.venues.okx.rest import OkxRest
from tests.common.venues.okx.swap_rig import SWAP

Row = dict[str, Any]
TOLD_MS = 1_767_225_600_000
"""The account's clock."""


class ToldRows:
    """An account whose fills, positions and bills are these, the newest first."""

    def __init__(
        self, fills: list[Row] = [], positions: list[Row] = [], bills: list[Row] = []  # noqa: B006
    ) -> None:  # fmt: skip
        self._fills = fills
        self._positions = positions
        self._bills = bills

    def publicGetPublicTime(self, params: Row = {}) -> Row:  # noqa: B006, N802
        return {"data": [{"ts": str(TOLD_MS)}]}

    def privateGetTradeFills(self, params: Row = {}) -> Row:  # noqa: B006, N802
        return {"data": self._fills}

    def privateGetTradeFillsHistory(self, params: Row = {}) -> Row:  # noqa: B006, N802
        return {"data": []}

    def privateGetAccountBillsArchive(self, params: Row = {}) -> Row:  # noqa: B006, N802
        since_ms = int(params["begin"])
        return {"data": [row for row in self._bills if row["type"] == params["type"] and int(row["ts"]) >= since_ms]}

    def privateGetAccountPositions(self, params: Row = {}) -> Row:  # noqa: B006, N802
        return {"data": self._positions}


def row(trade_id: int, ms: int, order_id: str = "7") -> Row:
    """A fill of two contracts, so many milliseconds ago."""
    return {
        "instId": SWAP, "tradeId": str(trade_id), "ordId": order_id, "clOrdId": "", "fillPx": "60000", "fillSz": "2",
        "side": "sell", "execType": "T", "feeCcy": "USDT", "fee": "-1.2", "ts": str(TOLD_MS - ms),
        "billId": str(TOLD_MS - ms),
    }  # fmt: skip


def asked(api: Any, what: str, **more: Any) -> Answer:
    """What the account answers."""
    answer = OkxRest("okx", api).ask(Ask("okx", 1, what, SWAP, **more))
    assert not answer.failed, answer.text
    return answer
