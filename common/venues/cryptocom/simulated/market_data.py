"""Crypto.com's simulated market data: V in; W, X and Y out.

Source: exchange-developer.crypto.com, FIX, market data, as of 2026. A subscription is a channel: MDReqID(262) names it,
with the symbol and the depth. SecurityListRequest(x) and the updates of securities are not simulated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from common.exchange.changes import Traded
from common.exchange.feed import Entry, Subscription
from common.exchange.fix_gateway import Client, Handler
from common.exchange.fix_market_data import SUBSCRIBE, FixMarketData
from common.exchange.numbers import digits
from common.exchange.requests import Request
from common.exchange.settings import Party
from common.exchange.venue import Venue
from common.fix.session import SessionSettings
from common.fix.wire import split
from common.instant import NS_PER_MS, Instant
from common.venues.cryptocom.simulated.door import Door, asked_for, farewell

DEPTHS = (1, 150)
REQUESTS_PER_S = 20
FORMER = b"280=?\x01"
"""MDEntryRefID(280) as it is written before it is known to whom."""

STAMP = b"10273=?\x01"


class CryptocomForm:
    """How Crypto.com writes W and X."""

    replaces_top = False

    def snapshot(self, md_req_id: str, symbol: str, entries: Sequence[Entry], update_id: int) -> tuple[str, bytes]:
        """The best prices."""
        rows = "".join(f"269={e.entry_type}\x01270={digits(e.px)}\x01271={digits(e.qty)}\x01" for e in entries)
        return "W", _head(md_req_id, symbol, len(entries)) + f"{rows}278={update_id + 1}\x01".encode()

    def changes(
        self, md_req_id: str, symbol: str, entries: Sequence[Entry], first_update_id: int, last_update_id: int
    ) -> tuple[str, bytes]:
        """What changed, and which message it follows."""
        rows = "".join(
            f"279={e.action}\x01269={e.entry_type}\x01270={digits(e.px)}\x01271={digits(e.qty)}\x01" for e in entries
        )
        tail = f"278={last_update_id + 1}\x01".encode() + FORMER
        return "X", _head(md_req_id, symbol, len(entries)) + rows.encode() + tail

    def trades(self, md_req_id: str, trades: Sequence[tuple[Traded, str]]) -> tuple[str, bytes]:
        """Public trades of one symbol with the side of each one's taker, and the number of the last."""
        rows = "".join(
            f"279=0\x01269=2\x01270={digits(t.px)}\x01271={digits(t.qty)}\x0110851={side}\x01880={t.trade_id}\x01"
            for t, side in trades
        )
        last = trades[-1][0]
        return "X", _head(md_req_id, last.symbol, len(trades)) + f"{rows}278={last.trade_id}\x01".encode()


def _head(md_req_id: str, symbol: str, count: int) -> bytes:
    return f"262={md_req_id}\x0155={symbol}\x01".encode() + STAMP + f"268={count}\x01".encode()


class CryptocomMarketData(FixMarketData):
    """The market data listener. The same key signs, without the label of the system."""

    windowed = True

    def __init__(self, venue: Venue, form: CryptocomForm) -> None:
        super().__init__(venue, form)
        self._door = Door(venue.settings.keys_for("market_data"), "")
        self._echo: dict[str, bytes] = {}
        self._sequences: dict[tuple[int, bytes], bytes] = {}
        self._asked: dict[str, tuple[int, int]] = {}

    def _handlers(self) -> Mapping[str, Handler]:
        return {"V": self._request}

    def _session_settings(self, party: Party) -> SessionSettings:
        """The answer to a Logon(A) repeats what that said."""
        settings = super()._session_settings(party)
        return replace(settings, logon_fields=lambda number, time: self._echo.get(party.comp_id, b""))

    def _why_refused(self, raw: bytes, now: Instant) -> str:
        return self._door.why_refused(raw, None, now)

    def _farewell(self, raw: bytes, why: str, now: Instant) -> bytes:
        return farewell(raw, why, now)

    def _admit(self, raw: bytes) -> Client | str:
        client = super()._admit(raw)
        if isinstance(client, Client):
            self._echo[client.party.comp_id] = asked_for(raw)
        return client

    def _send(self, client: Client, msg_type: str, body: bytes, now: Instant) -> None:
        """Each message on a book says which one of this subscription it follows."""
        if msg_type in "WX" and client.line is not None:
            fields = split(body)
            stamped = body.replace(STAMP, b"10273=%d\x01" % (now.wall_ns // NS_PER_MS))
            channel = (client.line.number, fields[b"262"])
            body = stamped.replace(FORMER, b"280=%b\x01" % self._sequences.get(channel, b"0"))
            self._sequences[channel] = fields[b"278"]
        super()._send(client, msg_type, body, now)

    def _request(self, client: Client, request: Request, now: Instant) -> None:
        second, name = now.wall_ns // 1_000_000_000, client.party.comp_id
        of, asked = self._asked.get(name, (second, 0))
        self._asked[name] = (second, asked + 1 if of == second else 1)
        if self._asked[name][1] > REQUESTS_PER_S:
            self._refuse_request(client, request.text(262), ("", "Too many requests"), now)
        else:
            super()._request(client, request, now)

    def _why_not(self, owner: int, wanted: Subscription, action: str) -> tuple[str, str] | None:
        refusal = super()._why_not(owner, wanted, action)
        if refusal is not None:
            return refusal
        (symbol, *others), channel = wanted.symbols, wanted.md_req_id
        if action != SUBSCRIBE or others:
            return "4", "One symbol of one subscription"
        if wanted.wants_book and wanted.depth not in DEPTHS:
            return "5", "MarketDepth(264) is 1 or 150"
        if channel != (f"book.{symbol}.{wanted.depth}" if wanted.wants_book else f"trade.{symbol}"):
            return "1", "MDReqID(262) names no channel of this symbol and depth"
        return None
