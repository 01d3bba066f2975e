"""Dialect "binance", market data: V and x in, W, X, Y and y out.

Source: binance-spot-api-docs, fix-api.md, market data.
"""

from collections.abc import Sequence

from common.exchange.changes import Traded
from common.exchange.feed import BID, DELETE, OFFER, TRADE, Entry, Feed, Subscription
from common.exchange.lines import Line
from common.exchange.venue import Venue
from common.fix.wire import utc_timestamp
from common.instant import Instant, earliest
from common.venues.binance.simulated import wire
from common.venues.binance.simulated.session import MARKET_DATA, BinanceGateway, Peer
from common.venues.binance.simulated.wire import Fields, Rejection, fixed

MAX_STREAMS = 1000
MAX_DEPTH = 5000
SUBSCRIBE = "1"
UNSUBSCRIBE = "2"
DUPLICATE_ID = "1"
TOO_MANY = "2"


class BinanceForm:
    """How Binance writes W and X: what equals the entry before is left out."""

    replaces_top = True

    def snapshot(self, md_req_id: str, symbol: str, entries: Sequence[Entry], update_id: int) -> tuple[str, bytes]:
        """The whole book, or its top."""
        body = "".join(f"269={e.entry_type}\x01270={fixed(e.px)}\x01271={fixed(e.qty)}\x01" for e in entries)
        return "W", f"262={md_req_id}\x0155={symbol}\x0125044={update_id}\x01268={len(entries)}\x01{body}".encode()

    def changes(
        self, md_req_id: str, symbol: str, entries: Sequence[Entry], first_update_id: int, last_update_id: int
    ) -> tuple[str, bytes]:
        """What changed in the book. The symbol and the update ids stand in the first entry only."""
        parts = [f"262={md_req_id}\x01268={len(entries)}\x01"]
        once = f"55={symbol}\x0125043={first_update_id}\x0125044={last_update_id}\x01"
        for e in entries:
            size = "" if e.action == DELETE else f"271={fixed(e.qty)}\x01"
            parts.append(f"279={e.action}\x01270={fixed(e.px)}\x01{size}269={e.entry_type}\x01{once}")
            once = ""
        return "X", "".join(parts).encode()

    def trades(self, md_req_id: str, trades: Sequence[tuple[Traded, str]]) -> tuple[str, bytes]:
        """Public trades with the side of each one's taker."""
        parts = [f"262={md_req_id}\x01268={len(trades)}\x01"]
        before = ""
        for t, side in trades:
            symbol = "" if t.symbol == before else f"55={t.symbol}\x01"
            before = t.symbol
            stamp = utc_timestamp(t.stamp_ns, 6).decode()
            parts.append(
                f"279=0\x01270={fixed(t.px)}\x01271={fixed(t.qty)}\x01269=2\x01{symbol}60={stamp}\x01"
                f"1003={t.trade_id}\x012446={side}\x01"
            )
        return "X", "".join(parts).encode()


class BinanceMarketData(BinanceGateway):
    """The market data listener."""

    def __init__(self, venue: Venue) -> None:
        super().__init__(venue, MARKET_DATA)
        self.feed = Feed(venue, BinanceForm())

    def lost(self, line: Line, now: Instant) -> None:
        """It is gone."""
        self.feed.lost(line.number)
        super().lost(line, now)

    def next_deadline_ns(self) -> int | None:
        """When something is due, in boot terms."""
        due = (super().next_deadline_ns(), self.feed.next_deadline_ns())
        return earliest(*due)

    def settle(self, now: Instant) -> None:
        """At a turn's end: publish what changed."""
        self.feed.publish(now)

    # ---- requests

    def _request(self, peer: Peer, msg_type: str, f: Fields, fields: list[list[bytes]], seq: int, now: Instant) -> None:
        """One of `wire.MARKET_DATA_FIELDS` beside the session's own: V, x or XLQ."""
        if msg_type == "V":
            self._subscription(peer, f, fields, now)
        elif msg_type == "x":
            self._instruments(peer, f, now)
        else:
            self._limits(peer, f, now)

    def _subscription(self, peer: Peer, f: Fields, fields: list[list[bytes]], now: Instant) -> None:
        md_req_id, action = wire.client_id(f, 262), wire.text(f, 263)
        owner = peer.line.number
        if action == UNSUBSCRIBE:
            if not self.feed.unsubscribe(owner, md_req_id):
                self._refuse(peer, md_req_id, DUPLICATE_ID, wire.SUBSCRIPTION_ID, "No such subscription.", now)
            return
        if action != SUBSCRIBE:
            raise Rejection(wire.ILLEGAL_CHARACTERS, "SubscriptionRequestType(263) must be '1' or '2'.", 5, 263)
        symbols = [value.decode("ascii", "replace") for tag, value in fields if tag == b"55"]
        entry_types = frozenset(value.decode("ascii", "replace") for tag, value in fields if tag == b"269")
        depth = self._depth(f, entry_types)
        for symbol in symbols:
            if symbol not in self._venue.state.instruments:
                raise Rejection(wire.BAD_SYMBOL, "Invalid symbol.", 5, 55)
        if not symbols:
            raise Rejection(wire.MISSING, "Required tag '146' missing.", 1, 146)
        if self.feed.has(owner, md_req_id):
            self._refuse(peer, md_req_id, DUPLICATE_ID, wire.SUBSCRIPTION_ID, "Duplicate MDReqID(262).", now)
            return
        if self._already(owner, symbols, depth, entry_types):
            self._refuse(peer, md_req_id, DUPLICATE_ID, wire.SUBSCRIPTION_TWICE, "Duplicate subscription.", now)
            return
        if sum(len(s.symbols) for s in self.feed.of(owner)) + len(symbols) > MAX_STREAMS:
            self._refuse(peer, md_req_id, TOO_MANY, wire.SUBSCRIPTION_ID, "Too many subscriptions.", now)
            return
        self.feed.subscribe(owner, Subscription(md_req_id, symbols, depth, entry_types, peer.send), now)

    def _depth(self, f: Fields, entry_types: frozenset[str]) -> int:
        """MarketDepth(264) of a book stream, 0 of a trade stream. Raises Rejection for what is no stream."""
        if entry_types == {TRADE}:
            return 0
        if entry_types != {BID, OFFER}:
            raise Rejection(wire.BAD_COMBINATION, "Combination of optional parameters invalid.", 5, 269)
        depth = wire.text(f, 264)
        if not depth.isdecimal() or not 1 <= int(depth) <= MAX_DEPTH:
            raise Rejection(wire.ILLEGAL_CHARACTERS, f"MarketDepth(264) must be between 1 and {MAX_DEPTH}.", 5, 264)
        return int(depth)

    def _already(self, owner: int, symbols: list[str], depth: int, entry_types: frozenset[str]) -> bool:
        """Whether one of these streams is subscribed to on this connection, under whatever id."""
        return any(
            s.entry_types == entry_types and (s.depth == 1) == (depth == 1) and set(symbols) & set(s.symbols)
            for s in self.feed.of(owner)
        )

    def _refuse(self, peer: Peer, md_req_id: str, reason: str, code: int, text: str, now: Instant) -> None:
        peer.send("Y", f"262={md_req_id}\x01281={reason}\x0125016={code}\x0158={text}\x01".encode(), now)

    def _instruments(self, peer: Peer, f: Fields, now: Instant) -> None:
        """InstrumentListRequest(x): one symbol (559=0) or all (559=4)."""
        request_id, kind = wire.client_id(f, 320), wire.text(f, 559)
        known = self._venue.state.instruments
        if kind == "0":
            symbol = wire.text(f, 55)
            if symbol not in known:
                raise Rejection(wire.BAD_SYMBOL, "Invalid symbol.", 5, 55)
            chosen = [known[symbol]]
        elif kind == "4":
            chosen = list(known.values())
        else:
            raise Rejection(wire.ILLEGAL_CHARACTERS, "InstrumentListRequestType(559) must be '0' or '4'.", 5, 559)
        rows = "".join(
            f"55={i.symbol}\x0115={i.quote}\x01562={fixed(i.min_qty)}\x011140={fixed(i.max_qty)}\x01"
            f"25039={fixed(i.lot_size)}\x01969={fixed(i.tick_size)}\x01"
            for i in chosen
        )
        peer.send("y", f"320={request_id}\x01146={len(chosen)}\x01{rows}".encode(), now)

    def _limits(self, peer: Peer, f: Fields, now: Instant) -> None:
        """XLQ: what is used of the message and subscription limits."""
        limits, streams = self._door.limits, sum(len(s.symbols) for s in self.feed.of(peer.line.number))
        body = (
            f"6136={wire.client_id(f, 6136)}\x0125003=2\x01"
            f"25004=2\x0125005={peer.messages.used(now.boot_ns)}\x0125006={limits.messages}\x01"
            f"25007={limits.messages_s}\x0125008=s\x01"
            f"25004=3\x0125005={streams}\x0125006={MAX_STREAMS}\x01"
        )
        peer.send("XLR", body.encode(), now)
