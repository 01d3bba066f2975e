"""What may leave a host that is fenced: what a person's kill needs there, and nothing else."""

from types import SimpleNamespace
from typing import Any

import pytest

from common.actor.core import Write
from common.journal.frames import TERM, Record
from common.messages import Kind, Outbound, encode
from scripts.simulation import setting
from scripts.simulation.checkers import Told
from scripts.simulation.copy_view import CopyView
from scripts.simulation.invariants import Violation
from scripts.simulation.takeover_checkers import Shared, TakeoverCheckers
from scripts.simulation.witness import DurableRecord, Witness

SESSION: Any = SimpleNamespace(name="session@generic", world=SimpleNamespace(scheduler=SimpleNamespace(now_ns=2)))
BY_KILL, OTHER = 11, 12
LOGON, CANCELS = "8=FIX.4.4|35=A|34=589|98=0|108=5|10=064|", "8=FIX.4.4|35=q|34=590|10=001|"
OTHER_LOGON = "8=FIX.4.4|35=A|34=591|98=0|108=5|10=064|"
HEARTBEAT = "8=FIX.4.4|35=0|34=591|10=001|"
GAP_FILL = "8=FIX.4.4|35=4|34=577|43=Y|36=589|123=Y|10=214|"


def _wire(text: str) -> bytes:
    return text.replace("|", "\x01").encode()


@pytest.fixture
def fenced() -> TakeoverCheckers:
    """Of a host that was fenced while it stood still, with a kill's Logon(A) and its cancels in the emergency file."""
    checkers = TakeoverCheckers(setting.CONFIG, Shared(CopyView(), waits=True))
    for number, (msg_type, text) in enumerate((("A", LOGON), ("q", CANCELS)), 1):
        sent = Outbound("generic", 1, BY_KILL, 588 + number, msg_type, _wire(text))
        checkers.learned_emergency(
            Record(number, number, Kind.OUTBOUND, "session@generic", 1, number, 1, 0, encode(sent))
        )
    checkers.be_silent("was fenced while it stood still", 1)
    return checkers


def _write(checkers: TakeoverCheckers, text: str, connection: int = BY_KILL) -> None:
    checkers._check_written(SESSION, Write(connection, _wire(text)))


def test_a_kill_there_logs_on_cancels_and_answers_what_the_venue_asks_for(fenced: TakeoverCheckers) -> None:
    for text in (LOGON, GAP_FILL, CANCELS):
        _write(fenced, text)


@pytest.mark.parametrize(
    ("before", "text", "connection"),
    [
        ((), HEARTBEAT, BY_KILL), ((), OTHER_LOGON, BY_KILL), ((LOGON,), HEARTBEAT, BY_KILL),
        ((), GAP_FILL, BY_KILL), ((LOGON,), GAP_FILL, OTHER),
    ],
    ids=["message", "logon", "message-after-the-kill", "resent-without-a-kill", "resent-elsewhere"],
)  # fmt: skip
def test_nothing_else_leaves(fenced: TakeoverCheckers, before: tuple[str, ...], text: str, connection: int) -> None:
    for each in before:
        _write(fenced, each)
    with pytest.raises(Violation, match="fenced-is-silent"):
        _write(fenced, text, connection)


def test_what_was_told_of_records_that_only_the_former_host_has_is_forgotten() -> None:
    """A takeover that was broken off has begun a term: its record takes the place of what the copy lacked."""
    former, ours = (TakeoverCheckers(setting.CONFIG, Shared(CopyView(), waits=False)) for _ in range(2))
    both = [Record(lsn, lsn, Kind.OUTBOUND, "session@generic", 1, lsn, 1, 0, b"") for lsn in (1, 2)]
    lost = Record(3, 3, Kind.OUTBOUND, "session@generic", 1, 3, 1, 0, b"")
    begun = Record(3, 4, TERM, "journal", 2, 1, 1, 0, b"")
    for checkers, last in ((former, lost), (ours, begun)):
        checkers.witness = Witness("journal", lambda _: None)
        checkers.witness.records.extend(DurableRecord(0, each) for each in (*both, last))
    former.told["beta", 1].append(Told("sent", 2))
    former.told["beta", 2].append(Told("sent", 3))
    assert ours.succeed(former, 3) == 2
    assert ours.told["beta", 1] and not ours.told["beta", 2]
