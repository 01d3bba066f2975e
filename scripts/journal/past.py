"""The stack's state as it was: the actors' own folds over the journal up to a record, from snapshots where there are.

The facts that a fold needs of a venue (base assets, windows) come from today's configuration.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from common.config import Config
from common.journal import OsFiles, Reader, Record
from common.journal.snapshots import KEPT, snapshot_folder, verified_lsns
from common.messages import HASH_EVERY, Inbound, Kind, Outbound, Payload, SessionChanged, StateHash
from scripts.decimals import short
from scripts.journal.words import payload_of, plain, time_text
from services.orders.books import Books
from services.orders.changes import OrderChanged
from services.orders.fold import Fold
from services.orders.make_snapshot import newest_books
from services.orders.settings import orders_settings
from services.orders.views import order_event, position_event
from services.risk.make_snapshot import newest_state
from services.risk.settings import risk_settings
from services.risk.state import RiskState
from services.session.make_snapshot import newest_folded
from services.session.recovery import Folded


class SessionPast:
    """What the log says of one session: its last word, and the next numbers."""

    def __init__(self) -> None:
        """Nothing is known."""
        self.state = ""
        self.generation = self.connection = self.next_outbound = self.next_inbound = self.lsn = 0

    @classmethod
    def of(cls, folded: Folded) -> "SessionPast":
        """What a snapshot of the session says."""
        past, history = cls(), folded.history
        past.state, past.lsn = history.state.value, folded.lsn
        past.generation, past.connection = history.generation, history.connection
        past.next_outbound, past.next_inbound = history.next_outbound, history.next_inbound
        return past

    def apply(self, record: Record, payload: SessionChanged | Outbound | Inbound) -> None:
        """One record of the session; one that is in it already changes nothing."""
        if record.lsn <= self.lsn:
            return
        if isinstance(payload, SessionChanged):
            self.state = payload.state.value
            self.next_outbound, self.next_inbound = payload.next_outbound, payload.next_inbound
        elif payload.generation != self.generation:
            self.next_outbound = self.next_inbound = 1
        self.generation, self.connection, self.lsn = payload.generation, payload.connection, record.lsn
        if isinstance(payload, Outbound):
            self.next_outbound = max(self.next_outbound, payload.msg_seq_num + 1)
        elif isinstance(payload, Inbound):
            self.next_inbound = max(self.next_inbound, payload.msg_seq_num + 1)


class Past:
    """Orders, risk and sessions, folded record by record."""

    def __init__(self, config: Config, reader: Reader | None = None, upto_lsn: int | None = None) -> None:
        """Before the first record, or with `reader`, the journal's, at its newest snapshots up to `upto_lsn`."""
        self.sessions: dict[str, SessionPast] = {}
        if reader is None:
            orders, risk = orders_settings(config), risk_settings(config)
            books = Books({name: venue.facts for name, venue in orders.venues.items()})
            self.risk = RiskState({name: venue.facts for name, venue in risk.venues.items()})
        else:
            books = newest_books(config, reader, upto_lsn)
            self.risk = newest_state(config, reader, upto_lsn)
            for venue in config.venues:
                folded = newest_folded(venue, config, reader, upto_lsn)
                if folded.lsn:
                    self.sessions[venue] = SessionPast.of(folded)
        self.orders = Fold(books)
        known = [books.lsn, self.risk.lsn, *(session.lsn for session in self.sessions.values())]
        if reader is not None:
            known += [0] * (len(config.venues) - len(self.sessions))
        self.next_lsn = min(known) + 1
        self.lsn, self.stamp_ns = books.lsn, books.stamp_ns

    def apply(self, record: Record) -> Payload | None:
        """Fold the next record, from `next_lsn` on; returns its payload."""
        payload = payload_of(record)
        if record.lsn > self.orders.books.lsn:
            self.orders.apply(record)
        if record.lsn > self.risk.lsn:
            self.risk.apply(record, payload if record.kind in self.risk.kinds else None)
        if isinstance(payload, SessionChanged | Outbound | Inbound):
            self.sessions.setdefault(payload.session, SessionPast()).apply(record, payload)
        if record.lsn > self.lsn:
            self.lsn, self.stamp_ns = record.lsn, record.stamp_ns
        return payload

    def document(self) -> dict[str, object]:
        """Everything, JSON-ready."""
        books = self.orders.books
        return {
            "lsn": self.lsn,
            "time": time_text(self.stamp_ns),
            "orders": [
                plain(order_event(order, OrderChanged(order, "snapshot"), self.lsn, 0, self.stamp_ns))
                for venue in sorted(books.open)
                for order in books.open_orders(venue)
            ],
            "positions": [
                plain(position_event(position, self.lsn, 0, "")) for _, position in sorted(books.positions.items())
            ],
            "sessions": {name: vars(session) for name, session in sorted(self.sessions.items())},
            "risk": {
                "killed": self.risk.killed,
                "halts": sorted(" ".join(part for part in halt if part) for halt in self.risk.halts),
                "exposures": [
                    {
                        "venue": venue,
                        "symbol": symbol,
                        "position": str(sums.position),
                        "may_buy": str(sums.buy),
                        "may_sell": str(sums.sell),
                    }
                    for (venue, symbol), sums in sorted(self.risk.exposure.firm.items())
                ],
                "open_orders": dict(sorted(self.risk.exposure.open_orders.items())),
            },
            "digests": {"orders": books.digest().hex(), "risk": self.risk.digest().to_bytes(8, "little").hex()},
        }


class Shadow:
    """The real folds beside the recorded hashes: each StateHash must be what the shadow came to.

    `differs` is the first that is not, and `agreed_lsn` the last place where both were the same: the record whose
    folding went another way lies between.
    """

    def __init__(self, config: Config, reader: Reader) -> None:
        """Before the first record of the journal; where that was dropped, at the oldest snapshots that are kept."""
        self.past = Past(config) if reader.first_lsn() == 1 else Past(config, reader, _oldest_lsn(config, reader))
        self.compared = 0
        self.agreed_lsn: dict[str, int] = {}
        self.differs: StateHash | None = None
        self.differs_lsn = 0
        self._digests: dict[tuple[str, int], bytes] = {}

    def apply(self, record: Record) -> None:
        """Fold, remember the digests where the actors take theirs, compare where one was recorded."""
        payload = self.past.apply(record)
        orders, risk = self.past.orders.books, self.past.risk
        if record.lsn % HASH_EVERY == 0 and orders.lsn == record.lsn:
            self._digests["orders", record.lsn] = orders.digest()
        if record.lsn % HASH_EVERY == 0 and risk.lsn == record.lsn:
            self._digests["risk", record.lsn] = risk.digest().to_bytes(8, "little")
        if record.kind == Kind.STATE_HASH and isinstance(payload, StateHash) and self.differs is None:
            self._compare(record, payload)

    def _compare(self, record: Record, told: StateHash) -> None:
        ours = self._digests.get((told.actor, told.at_lsn))
        if ours is None:
            return
        self.compared += 1
        if ours == told.digest:
            self.agreed_lsn[told.actor] = told.at_lsn
        else:
            self.differs, self.differs_lsn = told, record.lsn

    def run(self, records: Iterable[Record]) -> None:
        """Fold all; ends at the first difference."""
        for record in records:
            self.apply(record)
            if self.differs is not None:
                return


def _oldest_lsn(config: Config, reader: Reader) -> int:
    """Where the last of the actors' oldest snapshots stands: each of them has one there or before."""
    folder, files = snapshot_folder(reader.folder), OsFiles()
    names = ["orders", "risk", *(f"session@{venue}" for venue in config.venues)]
    oldest = [verified_lsns(folder, files, name, reader, KEPT)[-1:] for name in names]
    return max((lsn for found in oldest for lsn in found), default=0)


def past_text(found: Mapping[str, Any]) -> str:
    """A `Past.document` for a person."""
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
            f"next out {session['next_outbound']} in {session['next_inbound']}"
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


def _order_text(order: Mapping[str, Any]) -> str:
    name, side = f"{order['strategy']}/{order['number']}", "buy" if order["side"] == "1" else "sell"
    price = f" at {_short(order['price'])}" if order["price"] is not None else ""
    return (
        f"{name:<20} {order['status']:<17} {order['venue']:<10} {order['symbol']:<12} {side:<5}"
        f"{_short(order['leaves_qty'])} of {_short(order['order_qty'])}{price}  {order['cl_ord_id']}"
    )


def _short(value: str) -> str:
    return short(Decimal(value))
