"""What the checkers say of a welcome: it is of the life that sends it, as of a record that this life may have read."""

import pytest

from common.journal.frames import EPOCH, Record
from common.messages import Welcome
from scripts.simulation.checkers import Checkers
from scripts.simulation.invariants import Violation


def _two_lives() -> Checkers:
    """Orders' epoch 5 is record 1; epoch 6, which a dead life had asked for, is record 2; record 3 is another's."""
    checkers = Checkers()
    for lsn, writer, epoch in ((1, "orders", 5), (2, "orders", 6), (3, "risk", 6)):
        checkers.learned(Record(lsn, lsn, EPOCH, writer, epoch, 0, 1, 0, b""))
    return checkers


@pytest.mark.parametrize(("epoch", "lsn"), [(5, 1), (6, 2), (6, 3)])
def test_a_welcome_is_held_against_the_epoch_of_the_life_that_sends_it(epoch: int, lsn: int) -> None:
    _two_lives()._check_welcome(Welcome("alpha", "alpha-1", epoch, 0, "restarting", lsn))


@pytest.mark.parametrize(
    ("epoch", "lsn"), [(6, 1), (5, 2), (5, 3), (5, 0), (7, 3)],
    ids=["before-its-own", "of-the-next-life", "behind-the-next-life", "of-nothing", "of-no-life"],
)  # fmt: skip
def test_a_welcome_before_its_own_epoch_or_behind_a_later_one_is_a_violation(epoch: int, lsn: int) -> None:
    with pytest.raises(Violation, match="welcome-is-whole"):
        _two_lives()._check_welcome(Welcome("alpha", "alpha-1", epoch, 0, "live", lsn))
