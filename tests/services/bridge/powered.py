"""The rig on a disk that keeps only what was synced: a bridge that dies inside a call to it, or with the whole host."""

from pathlib import Path
from random import Random

from common.journal.files import Files
from scripts.simulation.disk import Disk, DiskFiles, Fault
from tests.services.bridge.rig import Rig

WRITES = frozenset({"write_at", "sync", "sync_folder", "rename", "create", "remove", "allocate", "truncate"})


class DiedInside(BaseException):
    """The process dies within a call that its core made."""


class PoweredRig(Rig):
    """See the module. `deaths` counts those of the bridge, `cuts` how often the power went with it."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.disk = Disk(page_bytes=512)
        self.deaths = self.cuts = 0
        self._random = Random(seed)
        self._dies_in = 0
        self._port: DiskFiles
        super().__init__(folder)

    def _files(self) -> Files:
        self._port = self.disk.files(self._called)
        return self._port

    def _called(self, name: str, path: str) -> Fault | None:
        if self._dies_in and name in WRITES:
            self._dies_in -= 1
            if not self._dies_in:
                raise DiedInside
        return None

    def die_within(self, calls: int) -> None:
        """The process dies inside the so-manieth call to the disk from now on."""
        self._dies_in = calls

    def _turn(self) -> bool:
        try:
            return super()._turn()
        except DiedInside:
            self.kill()
            return True

    def kill(self) -> None:
        """The process dies, and mostly the host loses power with it."""
        self._dies_in, self.deaths = 0, self.deaths + 1
        self.core.effects.clear()
        self._port.die()
        if self._random.random() < 0.7:
            self.cuts += 1
            self.disk.crash(self._random)
        self.disk.process_died()
        self._begin_again()
