"""Market data over `common.fix.Session`: MarketDataRequest(V) in, what the venue's `Format` writes and
MarketDataRequestReject(Y) out. Numbers start at 1 at each Logon(A).
"""

from collections.abc import Iterable, Mapping

from common.exchange.feed import BID, OFFER, TRADE, Feed, Format, Market, Subscription
from common.exchange.fix_gateway import Client, FixGateway, Handler, Host
from common.exchange.lines import Line
from common.exchange.requests import Request
from common.exchange.settings import Party
from common.exchange.venue import Venue
from common.instant import Instant, earliest

MAX_SUBSCRIPTIONS = 100
SNAPSHOT = "0"
SUBSCRIBE = "1"
UNSUBSCRIBE = "2"


class PriceGateway(FixGateway):
    """A market data listener, whoever's the prices are. `windowed`: see `Subscription`."""

    windowed = False

    def __init__(
        self, host: Host, market: Market, form: Format, parties: Iterable[str], comp_id: str = "",
        scope: str = "market_data",
    ) -> None:  # fmt: skip
        """`parties` are the CompIDs that may log on; `comp_id` and `scope` as in `FixGateway`."""
        super().__init__(host, scope, (Party(comp_id=each, account="") for each in parties), comp_id)
        self._market = market
        self.feed = Feed(market, form)

    def _handlers(self) -> Mapping[str, Handler]:
        return {"V": self._request}

    def _ended(self, client: Client, line: Line) -> None:
        super()._ended(client, line)
        self.feed.lost(line.number)

    def next_deadline_ns(self) -> int | None:
        """In boot terms."""
        due = (super().next_deadline_ns(), self.feed.next_deadline_ns())
        return earliest(*due)

    def settle(self, now: Instant) -> None:
        """At a turn's end: publish what changed."""
        self.feed.publish(now)
        super().settle(now)

    def _request(self, client: Client, request: Request, now: Instant) -> None:
        md_req_id, action = request.text(262), request.text(263)
        assert client.line is not None
        owner = client.line.number
        if action == UNSUBSCRIBE:
            if not self.feed.unsubscribe(owner, md_req_id):
                self._refuse_request(client, md_req_id, ("", "No such MDReqID(262)."), now)
            return
        symbols, entry_types, depth = request.every(55), frozenset(request.every(269)), request.optional(264) or "0"
        subscription = Subscription(
            md_req_id, symbols, int(depth) if _is_depth(depth) else -1, entry_types,
            lambda msg_type, body, at: self._send(client, msg_type, body, at), windowed=self.windowed,
        )  # fmt: skip
        refusal = self._why_not(owner, subscription, action)
        if refusal is not None:
            self._refuse_request(client, md_req_id, refusal, now)
            return
        self.feed.subscribe(owner, subscription, now, keep=action == SUBSCRIBE)

    def _refuse_request(self, client: Client, md_req_id: str, refusal: tuple[str, str], now: Instant) -> None:
        reason, text = refusal
        why = f"281={reason}\x01" if reason else ""
        self._send(client, "Y", f"262={md_req_id}\x01{why}58={text}\x01".encode(), now)

    def _why_not(self, owner: int, wanted: Subscription, action: str) -> tuple[str, str] | None:
        """MDReqRejReason(281) and a text, or None where the subscription is good."""
        unknown = [symbol for symbol in wanted.symbols if symbol not in self._market.books]
        if unknown or not wanted.symbols:
            return "0", f"Unknown symbol {', '.join(unknown)}" if unknown else "No symbol."
        if self.feed.has(owner, wanted.md_req_id):
            return "1", "Duplicate MDReqID(262)."
        if len(self.feed.of(owner)) >= MAX_SUBSCRIPTIONS:
            return "2", "Too many subscriptions."
        if action not in (SNAPSHOT, SUBSCRIBE):
            return "4", "Unsupported SubscriptionRequestType(263)."
        if wanted.depth < 0:
            return "5", "Unsupported MarketDepth(264)."
        if not wanted.entry_types or not wanted.entry_types <= {BID, OFFER, TRADE}:
            return "8", "Unsupported MDEntryType(269)."
        return None


class FixMarketData(PriceGateway):
    """An exchange's own."""

    _venue: Venue

    def __init__(self, venue: Venue, form: Format) -> None:
        settings = venue.settings
        super().__init__(venue, venue, form, settings.market_data_parties, settings.market_data_comp_id)


def _is_depth(text: str) -> bool:
    return text.isdecimal() and len(text) <= 5
