"""Dialect "generic", market data: a FIX session of its own for each connection, V in, W, X and Y out.

Source: FIX 4.4 with errata 20030618, volume 3, market data. Numbers start at 1 at each Logon(A).
"""

from collections.abc import Sequence

from common.exchange.changes import Traded
from common.exchange.feed import BID, OFFER, TRADE, Entry, Feed, Subscription
from common.exchange.lines import Line
from common.exchange.spoiling import spoiled
from common.exchange.venue import Venue
from common.fix.session import (
    Disconnect,
    Inbound,
    Notice,
    Outbound,
    ResendWanted,
    SequencePolicy,
    Session,
    SessionSettings,
    peek_logon,
)
from common.fix.wire import Framer, pairs, utc_timestamp
from common.instant import NS_PER_S, Instant
from common.venues.generic.simulated.reports import business_reject, number, session_reject

LOGON_TIMEOUT_NS = 10 * NS_PER_S
MAX_UNNAMED_BYTES = 4096
MAX_SUBSCRIPTIONS = 100
_ADMIN = frozenset("012345A")


class GenericForm:
    """How FIX 4.4 writes W and X."""

    replaces_top = False

    def snapshot(self, md_req_id: str, symbol: str, entries: Sequence[Entry], update_id: int) -> tuple[str, bytes]:
        """See `Format`."""
        body = "".join(f"269={e.entry_type}\x01270={number(e.px)}\x01271={number(e.qty)}\x01" for e in entries)
        return "W", f"262={md_req_id}\x0155={symbol}\x01268={len(entries)}\x01{body}".encode()

    def changes(
        self, md_req_id: str, symbol: str, entries: Sequence[Entry], first_update_id: int, last_update_id: int
    ) -> tuple[str, bytes]:
        """See `Format`."""
        body = "".join(
            f"279={e.action}\x01269={e.entry_type}\x0155={symbol}\x01270={number(e.px)}\x01271={number(e.qty)}\x01"
            for e in entries
        )
        return "X", f"262={md_req_id}\x01268={len(entries)}\x01{body}".encode()

    def trades(self, md_req_id: str, trades: Sequence[tuple[Traded, str]]) -> tuple[str, bytes]:
        """See `Format`."""
        body = "".join(
            f"279=0\x01269=2\x0155={t.symbol}\x01270={number(t.px)}\x01271={number(t.qty)}\x01"
            f"273={utc_timestamp(t.stamp_ns).decode()[9:]}\x012446={side}\x01"
            for t, side in trades
        )
        return "X", f"262={md_req_id}\x01268={len(trades)}\x01{body}".encode()


class _Client:
    """One connection."""

    def __init__(self, line: Line, now: Instant) -> None:
        self.line = line
        self.framer: Framer | None = Framer(MAX_UNNAMED_BYTES, 2 * MAX_UNNAMED_BYTES)
        self.waiting = b""
        self.deadline_ns = now.boot_ns + LOGON_TIMEOUT_NS
        self.session: Session | None = None
        self.comp_id = ""


class GenericMarketData:
    """The market data side of dialect "generic"."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.feed = Feed(venue, GenericForm())
        self._clients: dict[int, _Client] = {}

    def accepted(self, line: Line, now: Instant) -> None:
        """A connection whose name is not known yet."""
        self._clients[line.number] = _Client(line, now)

    def data(self, line: Line, data: bytes, now: Instant) -> None:
        """Bytes from a connection."""
        client = self._clients.get(line.number)
        if client is None:
            return
        if client.session is None:
            client.session = self._session(client, data)
            if client.session is None:
                return
            data, client.waiting, client.framer = client.waiting, b"", None
            client.session.connected(now)
        client.session.received(data, now)
        self._carry_out(client, now)

    def _session(self, client: _Client, data: bytes) -> Session | None:
        """The connection's own session, once its first message is there and is the Logon(A) of somebody known."""
        assert client.framer is not None
        client.waiting += data
        messages = client.framer.feed(data)
        if not messages:
            if client.framer.garbled or len(client.waiting) > MAX_UNNAMED_BYTES:
                self._refuse(client, "garbled before Logon(A)")
            return None
        identity = peek_logon(messages[0])
        known = identity is not None and identity[1] in self._venue.settings.market_data_parties
        if identity is None or not known or identity[2] != self._venue.settings.comp_id:
            self._refuse(client, f"the first message is no Logon(A) of a known client: {identity}")
            return None
        if any(other.comp_id == identity[1] for other in self._clients.values()):
            self._refuse(client, f"{identity[1]} is logged on already")
            return None
        client.comp_id = identity[1]
        settings = SessionSettings(
            sender_comp_id=self._venue.settings.comp_id,
            target_comp_id=client.comp_id,
            initiator=False,
            heart_bt_int_s=self._venue.settings.heart_bt_int_s,
            reset_on_logon=True,
            sequence_policy=SequencePolicy.RESET,
        )
        return Session(settings)

    def _refuse(self, client: _Client, why: str) -> None:
        self._venue.count("connections_refused")
        self._venue.note("warning", "connection_refused", connection=client.line.number, why=why)
        del self._clients[client.line.number]
        self._venue.lines.close(client.line)

    def lost(self, line: Line, now: Instant) -> None:
        """The connection is gone."""
        self._clients.pop(line.number, None)
        self.feed.lost(line.number)

    def timer(self, now: Instant) -> None:
        """Heartbeats, timeouts."""
        for client in list(self._clients.values()):
            if client.session is None:
                if client.deadline_ns <= now.boot_ns:
                    self._refuse(client, "no Logon(A) in time")
                continue
            deadline = client.session.next_deadline_ns()
            if deadline is not None and deadline <= now.boot_ns:
                client.session.timer(now)
                self._carry_out(client, now)

    def next_deadline_ns(self) -> int | None:
        """In boot terms."""
        due = [
            client.deadline_ns if client.session is None else client.session.next_deadline_ns()
            for client in self._clients.values()
        ]
        due.append(self.feed.next_deadline_ns())
        return min((d for d in due if d is not None), default=None)

    def settle(self, now: Instant) -> None:
        """At a turn's end: publish what changed."""
        self.feed.publish(now)
        for client in list(self._clients.values()):
            if client.session is not None:
                self._carry_out(client, now)

    def stop(self, now: Instant) -> None:
        """Log every client out."""
        for client in list(self._clients.values()):
            if client.session is not None:
                client.session.logout("The exchange is shutting down.", now)
                self._carry_out(client, now)

    def announce(self, headline: str, now: Instant) -> None:
        """News(B) to everybody who is logged on."""
        for client in self._clients.values():
            self._send(client, "B", f"148={headline}\x0133=1\x0158={headline}\x01".encode(), now)

    @property
    def busy(self) -> bool:
        """Whether anybody is connected."""
        return bool(self._clients)

    def sessions(self) -> dict[str, dict[str, object]]:
        """The numbers of every session."""
        return {
            client.comp_id: {
                "state": client.session.state.name.lower(),
                "connected": True,
                "generation": 1,
                "next_outbound": client.session.next_outbound,
                "next_inbound": client.session.next_inbound,
            }
            for client in self._clients.values()
            if client.session is not None
        }

    def _carry_out(self, client: _Client, now: Instant) -> None:
        session = client.session
        assert session is not None
        while effects := session.take_effects():
            for effect in effects:
                if type(effect) is Outbound:
                    if effect.msg_type in _ADMIN:
                        self._venue.lines.write(client.line, effect.raw, now)
                    else:
                        raw = spoiled(effect.raw, self._venue.faults, client.line.scope)
                        self._venue.lines.write_application(client.line, raw, now)
                elif type(effect) is Inbound:
                    if effect.application and not effect.rejected:
                        self._request(client, effect, now)
                elif type(effect) is ResendWanted:
                    session.resend(effect.begin, effect.end, (), now)
                elif type(effect) is Disconnect:
                    self._venue.lines.close(client.line)
                    self.lost(client.line, now)
                elif type(effect) is Notice:
                    self._venue.note(effect.level.value, effect.code, session=client.comp_id, text=effect.text)

    def _send(self, client: _Client, msg_type: str, body: bytes, now: Instant) -> None:
        if client.session is not None and client.session.logged_on:
            client.session.send(msg_type, body, now)

    def _request(self, client: _Client, inbound: Inbound, now: Instant) -> None:
        if inbound.msg_type != "V":
            text = "Unsupported message type"
            self._send(client, "j", business_reject(inbound.msg_seq_num, inbound.msg_type, 3, "", text), now)
            return
        fields = [(tag, value.decode("ascii", "replace")) for tag, value in pairs(inbound.raw)]
        single = dict(fields)
        for tag in (b"262", b"263"):
            if tag not in single:
                reject = session_reject(inbound.msg_seq_num, "V", 1, int(tag), "Required tag missing")
                self._send(client, "3", reject, now)
                return
        md_req_id, action = single[b"262"], single[b"263"]
        if action == "2":
            if not self.feed.unsubscribe(client.line.number, md_req_id):
                self._send(client, "Y", _refused(md_req_id, "", "No such MDReqID(262)."), now)
            return
        self._subscribe(client, md_req_id, action, single, fields, now)

    def _subscribe(
        self,
        client: _Client,
        md_req_id: str,
        action: str,
        single: dict[bytes, str],
        fields: list[tuple[bytes, str]],
        now: Instant,
    ) -> None:
        symbols = [value for tag, value in fields if tag == b"55"]
        entry_types = frozenset(value for tag, value in fields if tag == b"269")
        depth = single.get(b"264", "0")
        refusal = self._why_not(client, md_req_id, action, symbols, entry_types, depth)
        if refusal is not None:
            self._send(client, "Y", _refused(md_req_id, *refusal), now)
            return
        subscription = Subscription(
            md_req_id, symbols, int(depth), entry_types,
            lambda msg_type, body, at: self._send(client, msg_type, body, at),
        )  # fmt: skip
        self.feed.subscribe(client.line.number, subscription, now, keep=action == "1")

    def _why_not(
        self, client: _Client, md_req_id: str, action: str, symbols: list[str], entry_types: frozenset[str], depth: str
    ) -> tuple[str, str] | None:
        """MDReqRejReason(281) and a text, or None where the subscription is good."""
        unknown = [symbol for symbol in symbols if symbol not in self._venue.state.books]
        if unknown or not symbols:
            return "0", f"Unknown symbol {', '.join(unknown)}" if unknown else "No symbol."
        if self.feed.has(client.line.number, md_req_id):
            return "1", "Duplicate MDReqID(262)."
        if len(self.feed.of(client.line.number)) >= MAX_SUBSCRIPTIONS:
            return "2", "Too many subscriptions."
        if action not in ("0", "1"):
            return "4", "Unsupported SubscriptionRequestType(263)."
        if not depth.isdecimal() or len(depth) > 5:
            return "5", "Unsupported MarketDepth(264)."
        if not entry_types or not entry_types <= {BID, OFFER, TRADE}:
            return "8", "Unsupported MDEntryType(269)."
        return None


def _refused(md_req_id: str, reason: str, text: str) -> bytes:
    why = f"281={reason}\x01" if reason else ""
    return f"262={md_req_id}\x01{why}58={text}\x01".encode()
