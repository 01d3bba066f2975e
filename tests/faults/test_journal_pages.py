"""The page for a journal that refuses to start or is lost, followed as printed, ends with an equal stack."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.actor.control import NoAnswer, NotRunning
from common.config import CHECKOUT
from common.journal import OsFiles, Reader, parse
from common.journal.files import read_whole
from common.journal.frames import HEADER_BYTES, find_frame
from common.journal.salvage import BEHIND
from common.messages import ExecutionReport, Inbound
from common.past.words import payload_of
from scripts.stack import PrivateStack

BUSY = {
    "FIXRING__GENERIC__SIMULATED__TRADER_ORDERS_PER_S": "20",
    "FIXRING__BINANCE__SIMULATED__TRADER_ORDERS_PER_S": "20",
}
LOST_FILLS = 2
"""So many fills at least stand behind the damage."""

LOST_NUMBERS = 20
"""So many are sent after the backup: a few would be used up by logons that are refused for them."""

PERSISTENT = "generic"
"""The venue of the stack whose sequence numbers outlive a connection."""

PATIENCE_S = 60.0


@pytest.fixture
def stack(short_folder: Path) -> Iterator[PrivateStack]:
    """Both venues, with a market that fills the maker's quotes."""
    with PrivateStack(short_folder, BUSY) as stack:
        yield stack


def test_the_page_for_a_damaged_journal_ends_with_an_equal_stack(stack: PrivateStack, short_folder: Path) -> None:
    journal, copy = stack.config.journal_folder, short_folder / "copy"
    until(lambda: fills_of(journal) >= 3 * LOST_FILLS)
    damage(journal)
    stack.kill("journal")
    until(lambda: all(stack.ask(f"session@{venue}", "status")["kill"] == "clear" for venue in stack.config.venues))
    steps = commands_of_the_page("A journal that refuses to start")
    assert [words[1:3] for words in steps if words[0] == "scripts/fixring"] == [
        ["journal", "verify"], ["journal", "salvage"], ["journal", "take-back"], ["start", "journal"], ["reconcile"],
        ["resume"],
    ]  # fmt: skip
    for words in steps:
        if words == ["mv", "JOURNAL", "JOURNAL.damaged"]:
            journal.rename(short_folder / "damaged")
            behind = parse(read_whole(OsFiles(), f"{copy}/{BEHIND}"))
            assert len([record for record in behind if is_fill(payload_of(record))]) >= LOST_FILLS
        elif words == ["mv", "/somewhere/else", "JOURNAL"]:
            copy.rename(journal)
        elif words[1:] == ["journal", "verify"]:
            assert fixring(stack, *words[1:]) == 7
        elif words[1:] == ["reconcile"]:
            until(lambda: fixring(stack, "reconcile") == 0)
        else:
            arguments = [str(copy) if word == "/somewhere/else" else word for word in words[1:]]
            assert fixring(stack, *arguments, *(["--yes"] if words[1] == "resume" else [])) == 0
    stack.wait_ready()
    assert fixring(stack, "journal", "verify") == 0
    until(lambda: fixring(stack, "reconcile") == 0)


def test_the_page_for_a_lost_journal_ends_with_an_equal_stack(stack: PrivateStack, short_folder: Path) -> None:
    """The disk is gone with all that was written after the last backup, fills and numbers among it."""
    journal, copy = stack.config.journal_folder, str(short_folder / "copy")
    backup, verify, restore, start, status, set_seq, logon, reconcile, resume = (
        [copy if word == "/other/disk/copy" else word for word in words[1:]]
        for words in commands_of_the_page("A journal that is lost")
    )
    until(lambda: fills_of(journal) > 0)
    assert fixring(stack, *backup) == 0
    saved, number = fills_of(Path(copy)), next_number(stack)
    until(lambda: fills_of(journal) >= saved + LOST_FILLS and next_number(stack) >= number + LOST_NUMBERS)
    assert fixring(stack, *verify) == 0
    stack.kill_all()
    shutil.rmtree(journal)
    shutil.rmtree(stack.config.emergency_folder)
    assert fixring(stack, *restore) == 0
    assert start == ["start"]
    stack.start()
    until(lambda: told_number(stack) > 0)
    assert fixring(stack, *status) == 1
    for words in (set_seq, logon):
        names = {"NAME": PERSISTENT, "230": str(told_number(stack))}
        assert fixring(stack, *(names.get(word, word) for word in words), "--yes") == 0
    until(lambda: fixring(stack, *reconcile) == 0)
    assert fixring(stack, *resume, "--yes") == 0
    stack.wait_ready()
    until(lambda: fixring(stack, *reconcile) == 0)


def next_number(stack: PrivateStack) -> int:
    """The next MsgSeqNum(34) that the session at that venue sends."""
    return int(str(stack.ask(f"session@{PERSISTENT}", "status")["next_outbound"]))


def told_number(stack: PrivateStack) -> int:
    """The number that the venue of numbers that persist expects of us, once its session has halted on it; else 0."""
    try:
        answer = stack.ask(f"session@{PERSISTENT}", "status")
    except (NoAnswer, NotRunning):
        return 0
    found = re.search(r"expecting (\d+) but", str(answer["halted"]))
    return int(found[1]) if found else 0


def until(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.2)


def commands_of_the_page(part: str) -> list[list[str]]:
    """The lines that a part of the page gives to be typed, word by word, without their comments."""
    page = (CHECKOUT / "docs/operations.md").read_text()
    text = page.partition(f"## {part}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^    (\S.*?)(?: +#.*)?$", text, re.MULTILINE)
    return [line.split() for line in lines]


def fixring(stack: PrivateStack, *words: str) -> int:
    command = [sys.executable, "-P", "-m", "scripts.cli.main", *words]
    return subprocess.run(command, cwd=CHECKOUT, env=stack.environ, capture_output=True, check=False).returncode


def is_fill(payload: object) -> bool:
    return isinstance(payload, Inbound) and isinstance(payload.event, ExecutionReport) and bool(payload.event.trade_key)


def fills_of(folder: Path) -> int:
    reader = Reader(folder, OsFiles())
    return sum(is_fill(payload_of(record)) for record in reader.read(1, reader.durable_lsn(), 1 << 26))


def damage(folder: Path) -> None:
    """One bit of a record behind which enough fills stand."""
    (segment,) = folder.glob("*.segment")
    data = segment.read_bytes()
    reader = Reader(folder, OsFiles())
    records = reader.read(1, reader.durable_lsn(), 1 << 26)
    fills = [record for record in records if is_fill(payload_of(record))]
    wanted, found = fills[-LOST_FILLS - 1].lsn, find_frame(data, 0)
    while found is not None and found[1] != wanted:
        found = find_frame(data, found[0] + HEADER_BYTES)
    assert found is not None
    position = found[0] + HEADER_BYTES + 20
    with segment.open("r+b") as file:
        file.seek(position)
        file.write(bytes([data[position] ^ 1]))
