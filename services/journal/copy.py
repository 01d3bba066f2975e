"""What the journal knows of its copy off the machine: up to where it is, and whether that is too far behind."""

from typing import NamedTuple

from common.instant import NS_PER_MS
from common.messages import CopyReport


class CopyBounds(NamedTuple):
    """How far the copy may be behind: in records, and in ns between the last copied stamp and now.

    `waits`: nothing is told of before the copy holds it.
    """

    lag_records: int
    lag_ns: int
    waits: bool = False


class Copy:
    """The replicator's latest word. Until its first the copy counts as one that holds nothing."""

    def __init__(self, bounds: CopyBounds) -> None:
        """Nothing was heard."""
        self.lsn = 0
        self.waits = bounds.waits
        self.asked_boot_ns = 0
        """When the stream was last asked whether another host has taken the journal over; it had not then."""
        self._stamp_ns = 0
        self._bounds = bounds
        self._peer = b""

    def report(self, told: CopyReport, peer: bytes) -> None:
        """Take the word; `peer` waits for the durable end beyond it. A replicator that begins anew knows nothing: what
        was known of the copy stays."""
        if told.lsn >= self.lsn:
            self.lsn, self._stamp_ns = told.lsn, told.stamp_ns
        self.asked_boot_ns = max(self.asked_boot_ns, told.asked_boot_ns)
        self._peer = peer

    def waits_for(self, durable_lsn: int) -> bool:
        """Whether somebody waits to hear that records up to there are durable."""
        return self._peer != b"" and durable_lsn > self.lsn

    def take_peer(self) -> bytes:
        """Who waits; from now on he does not."""
        peer, self._peer = self._peer, b""
        return peer

    def is_behind(self, durable_lsn: int, stamp_ns: int) -> bool:
        """Whether the copy is further behind the durable end, or the journal's clock, than it may be."""
        records, lag_ns = self._lag(durable_lsn, stamp_ns)
        return records > self._bounds.lag_records or lag_ns > self._bounds.lag_ns

    def _lag(self, durable_lsn: int, stamp_ns: int) -> tuple[int, int]:
        records = max(0, durable_lsn - self.lsn)
        return records, max(0, stamp_ns - self._stamp_ns) if records else 0

    def status(self, durable_lsn: int, stamp_ns: int) -> dict[str, object]:
        """Where the copy is and how far behind, JSON-ready; `lag_ms` is None while nothing is known of it."""
        records, lag_ns = self._lag(durable_lsn, stamp_ns)
        return {
            "lsn": self.lsn,
            "lag_records": records,
            "lag_ms": round(lag_ns / NS_PER_MS, 1) if self._stamp_ns else None,
            "max_lag_records": self._bounds.lag_records,
            "max_lag_ms": self._bounds.lag_ns // NS_PER_MS,
            "behind": self.is_behind(durable_lsn, stamp_ns),
        }
