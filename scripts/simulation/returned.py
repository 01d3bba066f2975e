"""A host that comes back: what it had beyond the copy goes into the log, by the code of `replication evidence`."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from common.instant import NS_PER_S
from common.journal import Reader
from common.messages import AmendOrder, NewOrder
from scripts.journal.kept import Judge, Kept
from scripts.simulation import quiet, setting
from scripts.simulation.site import Site
from services.orders.core import OrdersCore
from services.orders.evidence import MOST_ROWS, EvidenceRow, frame_of

if TYPE_CHECKING:
    from scripts.simulation.taken_over import TakeoverWorld

WITHIN_NS: Final = 60 * NS_PER_S
AGAIN_NS: Final = NS_PER_S


class Returned:
    """The kept folder of one host, which trades no more, and what of it the log has."""

    def __init__(self, world: "TakeoverWorld", former: Site) -> None:
        """Nothing was read."""
        self._world = world
        self._former = former
        self._rows: list[EvidenceRow] | None = None
        self._asked_ns = 0
        self._read_lsn = 0
        self._frames: set[str] = set()

    def bring_in(self) -> int:
        """All of it; how many orders it has brought back. Raises Violation."""
        world = self._world
        quiet.wait(world, WITHIN_NS, "lost-is-found", self._is_in, lambda: len(self._left()))
        lost = [row.order for row in self._rows or () if row.order is not None]
        for each in lost:
            command = each.sent.command
            orders = command.orders if isinstance(command, NewOrder) else ()
            amended = (sent.command for sent in each.amendments)
            names = [order.cl_ord_id for order in orders]
            names += [its.cl_ord_id for its in amended if isinstance(its, AmendOrder)]
            for name in names:
                world.is_back(each.sent.session, name)
        return len(lost)

    def _is_in(self) -> bool:
        """A person says it until all of it is in the log."""
        world, core = self._world, self._world.processes["orders"].core
        if not isinstance(core, OrdersCore) or core.status(world.active.host.clock.read())["state"] != "live":
            return False
        if self._rows is None:
            self._rows = self._judged(core)
        left = self._left()
        if left and world.scheduler.now_ns - self._asked_ns > AGAIN_NS:
            self._asked_ns = world.scheduler.now_ns
            rows = [msgspec.to_builtins(row) for row in left[:MOST_ROWS]]
            world.ask("orders", "evidence", {"read_lsn": core.books.lsn, "rows": rows})
        return not left

    def _judged(self, core: OrdersCore) -> list[EvidenceRow]:
        folder = setting.JOURNAL_FOLDER
        log = Reader(folder, self._world.active.host.disk.files())
        kept = Kept(Path(folder), log, f"{self._former.name} {self._former.tenure}", self._former.host.disk.files())
        self._read_lsn = kept.fork_lsn
        return Judge(core.books).judge(kept)

    def _left(self) -> list[EvidenceRow]:
        records = self._world.witness.records
        self._frames |= {frame_of(each.record) for each in records[self._read_lsn :]}
        self._read_lsn = len(records)
        return [row for row in self._rows or () if row.frame not in self._frames]
