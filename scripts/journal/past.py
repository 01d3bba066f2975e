"""The stack's state as it was: the actors' own folds over the journal up to a record, from snapshots where there are.

The facts that a fold needs of a venue (base assets, windows) come from today's configuration.
"""

import gc
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from common.actor import order_books
from common.actor.order_books import newest_books
from common.actor.snapshots import has_beginning, load_newest
from common.config import Config
from common.journal import JournalError, OsFiles, Reader, Record
from common.journal.segments import first_lsns, read_header, segment_name
from common.journal.skipped import skipped_records
from common.journal.snapshots import snapshot_folder, verified_lsns
from common.left_out import LeftOut
from common.messages import Payload
from common.orders.books import Books
from common.orders.fold import Fold
from common.orders.forgotten import Forgotten
from common.orders.views import position_event, standing_order
from common.past.replay import blocks
from common.past.words import plain, time_text
from common.venues.dialect import Dialect
from services.risk import make_snapshot
from services.risk.limits import shown
from services.risk.make_snapshot import newest_state
from services.risk.state import WRITER
from services.session.history import History
from services.session.make_snapshot import dialect_of
from services.session.recovery import Folded, load_folded

SESSION = "session@"
MOST_SNAPSHOTS = 10_000


class OutOfReach(JournalError):
    """What is asked about stands before everything that the log can be folded from."""

    def __init__(self, lsn: int, reach_lsn: int) -> None:
        super().__init__(
            f"what stood after record {lsn} cannot be told: the log's beginning was dropped, and the oldest snapshot "
            f"to begin from stands on record {reach_lsn}. Ask for what came later: --from {reach_lsn + 1}"
            if reach_lsn
            else f"what stood after record {lsn} cannot be told: the log's beginning was dropped, and there is no "
            "snapshot to begin from"
        )


class DecodedOnce(LeftOut):
    """Of a fold that goes over the same records behind another: what that has decoded is not decoded again."""

    def __init__(self, first: LeftOut, skipped: Collection[int]) -> None:
        """`first` is the other's."""
        super().__init__(skipped)
        self._first = first

    def decode(self, record: Record) -> Payload | None:
        """See `LeftOut`."""
        first = self._first
        return first.decoded if first.decoded_lsn == record.lsn else super().decode(record)


@contextmanager
def without_collecting() -> Iterator[None]:
    """Collect no garbage meanwhile: a fold makes little, and to look for it takes a tenth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def books_at(config: Config, reader: Reader, upto_lsn: int) -> Books:
    """The books of the newest snapshot that stands on that record at most, else empty ones where the log has its
    beginning. They are those of risk, of which more are kept than of orders, and which by the one fold are the same.

    Raises OutOfReach, ReadFailed.
    """
    books = newest_state(config, reader, upto_lsn).books
    if not books.lsn and not has_beginning(reader):
        found = verified_lsns(snapshot_folder(reader.folder), OsFiles(), WRITER, reader, MOST_SNAPSHOTS)
        raise OutOfReach(upto_lsn, found[-1] if found else 0)
    return books


class Past:
    """Orders, risk and sessions, folded record by record, each by the fold of its own process."""

    def __init__(
        self,
        config: Config,
        reader: Reader | None = None,
        upto_lsn: int | None = None,
        *,
        apart: bool = True,
        folder: Path | None = None,
    ) -> None:
        """Before the first record of the journal in `folder`, the configured one if that is left out; or with `reader`,
        the journal's, at its newest snapshots up to `upto_lsn`.

        `apart`: orders and risk fold each for itself, as they do, to be compared. Else the books of risk are told as
        those of orders: by the one fold they are the same, and it takes half the time.
        """
        self._config = config
        self._apart = apart
        folder = folder or (config.journal_folder if reader is None else Path(reader.folder))
        self._skipped = skipped_records(folder, OsFiles())
        self.sessions: dict[str, Folded] = {}
        """By writer: each configured session, and each that the log has records of."""
        if reader is None:
            # What leaves memory stays in the process: of an index, which may be wrong itself, nothing is taken.
            load_books, load_risk = order_books.loader, make_snapshot.loader
            books = load_books(config, memory=Forgotten(), folder=folder)(None).books if apart else None
            self.risk = load_risk(config, memory=Forgotten(), folder=folder)(None)
        else:
            books = newest_books(config, reader, upto_lsn) if apart else None
            self.risk = newest_state(config, reader, upto_lsn)
            for writer in session_writers(config, reader):
                self.sessions[writer] = self._newest_session(writer, reader, upto_lsn)
        self.orders = self.risk.fold if books is None else Fold(books)
        books = self.orders.books
        self.next_lsn = min(books.lsn, self.risk.lsn, *(folded.lsn for folded in self.sessions.values())) + 1
        self.lsn, self.stamp_ns = books.lsn, books.stamp_ns

    def _newest_session(self, writer: str, reader: Reader, upto_lsn: int | None) -> Folded:
        session = writer.removeprefix(SESSION)
        dialect, first = _dialect(session, self._config), None if self._apart else self.risk.books.left_out

        def left_out() -> LeftOut:
            return LeftOut(self._skipped) if first is None else DecodedOnce(first, self._skipped)

        def load(data: bytes) -> Folded:
            return load_folded(data, writer, session, dialect, left_out())

        loaded = load_newest(self._config, writer, load, reader, upto_lsn)
        return loaded or Folded(writer, session, dialect, left_out())

    def _fresh_session(self, writer: str) -> Folded:
        session = writer.removeprefix(SESSION)
        return Folded(writer, session, _dialect(session, self._config), LeftOut(self._skipped))

    def apply(self, record: Record) -> None:
        """Fold the next record, from `next_lsn` on."""
        if self._apart and record.lsn > self.orders.books.lsn:
            self.orders.apply(record)
        if record.lsn > self.risk.lsn:
            self.risk.apply(record)
        if record.writer.startswith(SESSION) and record.writer not in self.sessions:
            self.sessions[record.writer] = self._fresh_session(record.writer)
        for folded in self.sessions.values():
            if record.lsn > folded.lsn:
                folded.apply(record)
        if record.lsn > self.lsn:
            self.lsn, self.stamp_ns = record.lsn, record.stamp_ns

    def read_on(self, reader: Reader, upto_lsn: int | None) -> None:
        """Fold the log up to a record, or to its durable end. Raises JournalError."""
        with without_collecting():
            for block in blocks(reader, self.next_lsn, upto_lsn):
                for record in block.records:
                    self.apply(record)

    def digests(self) -> dict[str, bytes]:
        """The hash of each actor's state that stands at the last record, by the actor's name."""
        found = {}
        if self.orders.books.lsn == self.lsn:
            found["orders"] = self.orders.books.digest()
        if self.risk.lsn == self.lsn:
            found["risk"] = self.risk.digest()
        return found | {name: folded.digest() for name, folded in self.sessions.items() if folded.lsn == self.lsn}

    def document(self) -> dict[str, object]:
        """Everything, JSON-ready."""
        books = self.orders.books
        return {
            "lsn": self.lsn,
            "time": time_text(self.stamp_ns),
            "orders": [
                plain(standing_order(books, order))
                for venue in sorted(books.open)
                for order in books.open_orders(venue)
            ],
            "positions": [
                plain(position_event(books, position, self.lsn, 0, ""))
                for _, position in sorted(books.positions.items())
            ],
            "sessions": {
                writer.removeprefix(SESSION): _session_document(folded.history)
                for writer, folded in sorted(self.sessions.items())
                if folded.highest_epoch
            },
            "risk": {
                "killed": self.risk.killed,
                "halts": sorted(" ".join(part for part in halt if part) for halt in self.risk.halts),
                "exposures": [
                    {
                        "venue": self.risk.books.known.venue_of(account),
                        "account": account,
                        "symbol": symbol,
                        "position": shown(sums.position),
                        "may_buy": shown(sums.buy),
                        "may_sell": shown(sums.sell),
                    }
                    for (account, symbol), sums in sorted(self.risk.exposure.firm.items())
                ],
                "open_orders": dict(sorted(self.risk.exposure.open_orders.items())),
            },
            "digests": {"orders": books.digest().hex(), "risk": self.risk.digest().hex()},
        }


def session_writers(config: Config, reader: Reader) -> list[str]:
    """Every session that is configured or has records in the closed part of the log, kept or not, by its writer's name.

    Raises JournalError.
    """
    names = {f"{SESSION}{session}" for session in config.sessions}
    files = OsFiles()
    for start in first_lsns(files, reader.folder)[-1:]:
        path = f"{reader.folder}/{segment_name(start)}"
        handle = files.open(path, write=False)
        try:
            names |= {name for name in read_header(files, handle, path).writers().by_name if name.startswith(SESSION)}
        finally:
            files.close(handle)
    return sorted(names)


def _dialect(session: str, config: Config) -> Dialect:
    # Of a session that is configured no more the numbers and the state are told, which no dialect decides: any does.
    return dialect_of(session if session in config.sessions else next(iter(config.sessions)), config)


def _session_document(history: History) -> dict[str, object]:
    return {
        "state": history.state.value,
        "generation": history.generation,
        "connection": history.connection,
        "next_outbound": history.next_outbound,
        "next_inbound": history.next_inbound,
        "latched": history.latched,
        "logged_out_by_hand": history.logged_out_by_hand,
        "halted": history.halted,
    }
