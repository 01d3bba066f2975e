"""A journal as a busy desk leaves it after some hours: orders' whole lives at two venues, with what lies between them.

Of ten orders six are acknowledged and filled at once, one is filled in two parts, two are cancelled, one is amended and
then filled. At the end no order is open and the sessions' numbers were set to 1, so that a fresh simulated exchange
takes the desk up where the journal ends.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from common.fix.wire import encode as fix_encode
from common.instant import NS_PER_MS, NS_PER_S
from common.journal import Entry, Log, OsFiles
from common.journal.frames import TICK
from common.journal.log import SEGMENT_BYTES
from common.messages import (
    AmendOrder,
    Attempt,
    CancelOrder,
    Decision,
    ExecutionReport,
    Inbound,
    Kind,
    NewOrder,
    Outbound,
    Payload,
    SessionChanged,
    SessionState,
    Side,
    Terms,
    encode,
)

VENUES = ("generic", "binance")
SYMBOLS = (("BTCUSDT", "BTC", Decimal("65000.00")), ("ETHUSDT", "ETH", Decimal("3200.00")))
STRATEGIES = ("maker", "signals", "grid")
QTY, HALF, ZERO = Decimal("0.010"), Decimal("0.005"), Decimal("0.000")
FEE_RATE = Decimal("0.001")
TICK_SIZE = Decimal("0.01")
PRICES = 200
EPOCH = 1
BATCH_ORDERS = 20
HEARTBEAT_ORDERS = 500
STEP_NS = NS_PER_MS // 2
TTL_NS = NS_PER_S
MARK_NS = 100 * NS_PER_MS


class Desk:
    """Makes the records of one order after the other."""

    def __init__(self, wall_ns: int, venues: Sequence[str] = VENUES) -> None:
        """`wall_ns`: the stamp of the next batch. `venues`: where the desk trades, some of those of VENUES."""
        self.stamp_ns = wall_ns
        self.number = 0
        self._attempts = 0
        self._venues = venues
        self._out = dict.fromkeys(venues, 0)
        self._in = dict.fromkeys(venues, 0)
        self._executions = 0

    def connected(self, venue: str) -> list[Payload]:
        """A session comes up: Logon(A) both ways, in step, opened."""
        return [
            self._changed(venue, SessionState.CONNECTING),
            self._sent(venue, "A", "98=0|108=30|"),
            self._heard(venue, "A", "98=0|108=30|"),
            self._changed(venue, SessionState.LOGGED_ON),
            self._changed(venue, SessionState.CAUGHT_UP),
            self._changed(venue, SessionState.OPENED),
        ]

    def numbers_set(self, venue: str) -> list[Payload]:
        """The end: by hand both numbers begin at 1 again."""
        self._out[venue] = self._in[venue] = 0
        return [self._changed(venue, SessionState.NUMBERS_SET, 2), self._changed(venue, SessionState.DISCONNECTED, 2)]

    def order(self) -> tuple[str, list[Payload]]:
        """The venue and the records of the next order's life."""
        self.number += 1
        number = self.number
        venue = self._venues[(number % 10 > 6) % len(self._venues)]
        symbol, base, price = SYMBOLS[number % 2]
        side: Side = "1" if number % 4 < 2 else "2"
        new = NewOrder(
            self._attempt(), STRATEGIES[number % 3], number, venue, symbol,
            Terms(side, "2", QTY, price + TICK_SIZE * (number % PRICES)), self._name(), self.stamp_ns + TTL_NS, "",
            Decision(price, 40_000_000, QTY * price, Decimal("0.250"), Decimal(5), 7, EPOCH),
        )  # fmt: skip
        fields = f"11={new.cl_ord_id}|55={symbol}|54={side}|60=20260101-00:00:00.000|38={QTY}|40=2|44={new.price}|59=1|"
        words: list[Payload] = [self._sent(venue, "D", fields, new), self._report(new, "0", "0")]
        lives: list[Callable[[NewOrder, str], list[Payload]]] = [self._filled] * 6
        lives += [self._filled_in_parts, self._cancelled, self._cancelled, self._amended]
        words += lives[number // 4 % 10](new, base if side == "1" else "USDT")
        if number % HEARTBEAT_ORDERS == 0:
            words += [self._sent(venue, "0", ""), self._heard(venue, "0", "")]
        return venue, words

    def _filled(self, new: NewOrder, fee_asset: str) -> list[Payload]:
        return [self._report(new, "F", "2", QTY, QTY, fee_asset)]

    def _filled_in_parts(self, new: NewOrder, fee_asset: str) -> list[Payload]:
        return [self._report(new, "F", "1", HALF, HALF, fee_asset), self._report(new, "F", "2", HALF, QTY, fee_asset)]

    def _cancelled(self, new: NewOrder, fee_asset: str) -> list[Payload]:
        cancel = CancelOrder(
            self._attempt(), new.strategy, self._next_number(), new.venue, new.symbol, new.side, self._name(),
            new.cl_ord_id, self._order_id(new), new.strategy, new.number, QTY,
        )  # fmt: skip
        fields = f"41={new.cl_ord_id}|11={cancel.cl_ord_id}|55={new.symbol}|54={new.side}|60=20260101-00:00:00.000|"
        return [
            self._sent(new.venue, "F", fields, cancel),
            self._report(new, "4", "4", cl_ord_id=cancel.cl_ord_id, orig=new.cl_ord_id),
        ]

    def _amended(self, new: NewOrder, fee_asset: str) -> list[Payload]:
        if new.venue != "generic":
            return self._filled(new, fee_asset)
        assert new.price is not None
        amend = AmendOrder(
            self._attempt(), new.strategy, self._next_number(), new.venue, new.symbol,
            Terms(new.side, "2", QTY, new.price - TICK_SIZE), self._name(), new.cl_ord_id, self._order_id(new),
            new.strategy, new.number, QTY, new.price, ZERO, self.stamp_ns + TTL_NS, new.decision,
        )  # fmt: skip
        fields = (
            f"41={new.cl_ord_id}|11={amend.cl_ord_id}|55={new.symbol}|54={new.side}|60=20260101-00:00:00.000|"
            f"38={QTY}|40=2|44={amend.price}|"
        )
        return [
            self._sent(new.venue, "G", fields, amend),
            self._report(new, "5", "0", cl_ord_id=amend.cl_ord_id, orig=new.cl_ord_id),
            self._report(new, "F", "2", QTY, QTY, fee_asset, cl_ord_id=amend.cl_ord_id),
        ]

    def _next_number(self) -> int:
        self.number += 3
        return self.number

    def _attempt(self) -> Attempt:
        self._attempts += 1
        return Attempt(EPOCH, self._attempts)

    def _name(self) -> str:
        return f"1-{self._attempts}"

    def _order_id(self, new: NewOrder) -> str:
        return f"{new.attempt.counter + 1_000_000}"

    def _report(
        self,
        new: NewOrder,
        exec_type: str,
        ord_status: str,
        last_qty: Decimal = ZERO,
        cum_qty: Decimal = ZERO,
        fee_asset: str = "",
        cl_ord_id: str = "",
        orig: str = "",
    ) -> Inbound:
        self._executions += 1
        assert new.price is not None
        exec_id, left = str(self._executions), QTY - cum_qty if ord_status in "01" else ZERO
        paid = ZERO if not fee_asset else last_qty * FEE_RATE * (new.price if fee_asset == "USDT" else 1)
        event = ExecutionReport(
            cl_ord_id or new.cl_ord_id, orig, self._order_id(new), exec_id, exec_type, ord_status, new.symbol, new.side,
            QTY, new.price, last_qty, new.price, cum_qty, left, exec_id if exec_type == "F" else "", paid, fee_asset,
            self.stamp_ns,
        )  # fmt: skip
        fields = (
            f"37={event.order_id}|17={exec_id}|150={exec_type}|39={ord_status}|11={event.cl_ord_id}|55={new.symbol}|"
            f"54={new.side}|38={QTY}|44={new.price}|32={last_qty}|31={new.price}|14={cum_qty}|151={left}|6=0|"
            f"60=20260101-00:00:00.000|12={paid}|479={fee_asset or 'USDT'}|"
        )
        return self._heard(new.venue, "8", fields, event)

    def _sent(
        self, venue: str, msg_type: str, fields: str, command: NewOrder | AmendOrder | CancelOrder | None = None
    ) -> Outbound:
        self._out[venue] += 1
        number = self._out[venue]
        return Outbound(venue, 1, 1, number, msg_type, _message(msg_type, number, fields), command)

    def _heard(self, venue: str, msg_type: str, fields: str, event: ExecutionReport | None = None) -> Inbound:
        self._in[venue] += 1
        number = self._in[venue]
        return Inbound(venue, 1, 1, number, msg_type, _message(msg_type, number, fields), event)

    def _changed(self, venue: str, state: SessionState, generation: int = 1) -> SessionChanged:
        return SessionChanged(venue, generation, 1, state, self._out[venue] + 1, self._in[venue] + 1)


def write_long_journal(
    folder: Path,
    records: int,
    wall_ns: int,
    segment_bytes: int = SEGMENT_BYTES,
    *,
    venues: Sequence[str] = VENUES,
) -> int:
    """Write about so many records into a new journal, the last stamped `wall_ns` at most; returns how many."""
    desk = Desk(wall_ns - records * STEP_NS, venues)
    log = Log.open(folder, OsFiles(), wall_ns=desk.stamp_ns, segment_bytes=segment_bytes, durability="process")
    writer = _Writer(log)
    for venue in venues:
        writer.add(venue, desk.connected(venue))
    while log.last_lsn < records:
        for _ in range(BATCH_ORDERS):
            writer.add(*desk.order())
        writer.commit(log.last_stamp_ns + STEP_NS)
        desk.stamp_ns = log.last_stamp_ns + STEP_NS
        if not log.room_ahead:
            log.prepare_next_segment()
    for venue in venues:
        writer.add(venue, desk.numbers_set(venue))
    writer.commit(log.last_stamp_ns + STEP_NS)
    log.close()
    return log.last_lsn


class PacedJournal:
    """A journal that grows while others read it, as a busy stack's does: as fast as it is told, its mark moved on."""

    def __init__(self, folder: Path, wall_ns: int) -> None:
        """A new one, with both sessions up."""
        self._desk = Desk(wall_ns)
        self._log = Log.open(folder, OsFiles(), wall_ns=wall_ns, durability="process")
        self._writer = _Writer(self._log)
        for venue in VENUES:
            self._writer.add(venue, self._desk.connected(venue))
        self._writer.commit(wall_ns)
        self._log.write_mark()
        self._marked_ns = wall_ns

    @property
    def lsn(self) -> int:
        """The last record written."""
        return self._log.last_lsn

    def write_up_to(self, lsn: int, wall_ns: int) -> None:
        """Write whole orders' lives until record `lsn` is there, stamped `wall_ns`; move the mark where that is due."""
        self._desk.stamp_ns = wall_ns
        while self._log.last_lsn + self._writer.waiting < lsn:
            self._writer.add(*self._desk.order())
        self._writer.commit(wall_ns)
        if wall_ns - self._marked_ns >= MARK_NS:
            self._log.write_mark(may_wait=True)
            self._marked_ns = wall_ns
            self._log.prepare_next_segment()

    def close(self) -> None:
        """Let go of the files."""
        self._log.close()


class _Writer:
    def __init__(self, log: Log) -> None:
        self._log = log
        self._appended = dict.fromkeys(VENUES, 0)
        self._entries: list[Entry] = []

    def add(self, venue: str, payloads: list[Payload]) -> None:
        for payload in payloads:
            self._appended[venue] += 1
            entry = Entry(_KINDS[type(payload)], f"session@{venue}", EPOCH, self._appended[venue], encode(payload))
            self._entries.append(entry)

    @property
    def waiting(self) -> int:
        """How many records the next batch has so far."""
        return len(self._entries)

    def commit(self, stamp_ns: int) -> None:
        """A batch and a tick."""
        self._log.append([*self._entries, self._log.own_entry(TICK, b"\0")], max(stamp_ns, self._log.last_stamp_ns))
        self._entries.clear()


_KINDS: dict[type[msgspec.Struct], int] = {
    Outbound: int(Kind.OUTBOUND), Inbound: int(Kind.INBOUND), SessionChanged: int(Kind.SESSION)
}  # fmt: skip


def _message(msg_type: str, msg_seq_num: int, fields: str) -> bytes:
    """A FIX message of the given fields, `|` for SOH."""
    head = f"35={msg_type}|49=FIXRING|56=VENUE|34={msg_seq_num}|52=20260101-00:00:00.000|"
    return fix_encode(b"FIX.4.4", (head + fields).replace("|", "\x01").encode())
