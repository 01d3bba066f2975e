"""The page for a journal that refuses to start, followed as it is printed, ends with a stack that equals its venues."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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
    steps = commands_of_the_page()
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


def until(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.2)


def commands_of_the_page() -> list[list[str]]:
    """The lines that the page gives to be typed, word by word, without their comments."""
    page = (CHECKOUT / "docs/operations.md").read_text()
    part = page.partition("## A journal that refuses to start")[2].partition("\n## ")[0]
    lines = re.findall(r"^    (\S.*?)(?: +#.*)?$", part, re.MULTILINE)
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
