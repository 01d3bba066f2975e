"""`python -P -m services.risk.make_snapshot`: fold the log on from the newest snapshot, and write the next one."""

import sys
from collections.abc import Callable, Sequence

from common.actor.snapshots import load_newest, run_snapshot_program
from common.config import Config
from common.journal import OsFiles, Reader
from common.journal.frames import Record
from common.journal.skipped import skipped_records
from common.left_out import LeftOut, Unfoldable
from services.risk.settings import risk_settings
from services.risk.snapshots import dump_state, load_state
from services.risk.state import FOLD_VERSION, WRITER, RiskState


class Folded:
    """Risk's state, as `common.actor.snapshots` wants one."""

    def __init__(self, state: RiskState) -> None:
        """`state` may be fresh or loaded."""
        self.state = state
        self.fold_version = FOLD_VERSION

    @property
    def lsn(self) -> int:
        """The last record folded."""
        return self.state.lsn

    def apply(self, record: Record) -> None:
        """Fold the next record. Raises Unfoldable."""
        self.state.apply(record, self.state.read(record) if record.kind in self.state.kinds else None)

    def digest(self) -> bytes:
        """The state's own hash."""
        return self.state.digest().to_bytes(8, "little")

    def dump(self) -> bytes:
        """The state as bytes."""
        return dump_state(self.state)


def loader(config: Config, unfoldable: Sequence[Unfoldable] = ()) -> Callable[[bytes], Folded]:
    """What makes a state of a snapshot's bytes."""
    facts = {name: account.facts for name, account in risk_settings(config).accounts.items()}
    skipped = skipped_records(config.journal_folder, OsFiles())
    return lambda data: Folded(load_state(data, facts, LeftOut(skipped, unfoldable)))


def newest_state(
    config: Config,
    reader: Reader | None = None,
    upto_lsn: int | None = None,
    unfoldable: Sequence[Unfoldable] = (),
) -> RiskState:
    """The state from the newest snapshot (at `upto_lsn` at most) that verifies, else an empty one.

    `unfoldable` is left out.
    """
    facts = {name: account.facts for name, account in risk_settings(config).accounts.items()}
    folded = load_newest(config, WRITER, loader(config, unfoldable), reader, upto_lsn)
    skipped = skipped_records(config.journal_folder, OsFiles())
    return RiskState(facts, LeftOut(skipped, unfoldable)) if folded is None else folded.state


if __name__ == "__main__":
    sys.exit(run_snapshot_program(WRITER, loader, lambda config: Folded(newest_state(config))))
