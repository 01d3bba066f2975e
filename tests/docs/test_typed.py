"""Invariant: every line that a page gives to be typed does what it should, or it stands here with the reason why not.

The pages are followed in the order in which somebody reads them, on one stack.
"""

import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

import pytest

from common.config import CHECKOUT
from common.fix.wire import encode
from scripts.cli.main import run
from scripts.stack import PrivateStack

PAGES = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (CHECKOUT / "docs").glob("*.md")))
TYPED = re.compile(r"^ {4}(\S.*)$", re.M)
REMARK = re.compile(r" {2,}#.*| {3,}\S.*")
"""What stands beside a command in a column of its own."""

FIRST_WORDS = ("scripts/", "fixring ", ".venv/", "kill ", "mkdir ", "openssl ", "chmod ", "export ", "mv ")
SHOWN = re.compile(r"READY|fill: |strategies <--> |[|+\[{]|[0-9a-f]{16}| |`window_ms`")
"""What an indented line may be that is not typed: what is printed, a drawing, a message of the protocol."""

BESIDE_THE_TEST = "it would run this test"
SECOND_STACK = "one stack runs already; tests/scripts/cli/test_start.py names the venues of a start"
TESTNET = "it needs a key of the testnet and the network; README.md has the same command"
DAMAGE = "tests/faults/test_journal_pages.py follows this part of the page on a damaged journal"
LOST = "tests/faults/test_journal_pages.py follows this part of the page on a lost journal"
FOLLOWS = "it does not end by itself; tests/scripts/journal/test_table.py runs it, and kills it"
KEPT = "it needs the folder of a host that came back; tests/scripts/journal/test_kept.py has one"
TAKEN_OVER = "it needs a second host; tests/scripts/cli/test_takeover.py and tests/faults/test_takeover.py have one"
COPY = "it needs a NATS server; tests/scripts/cli/test_replication.py has one"
UNTIL_ENDED = "it runs until it is ended; tests/common/test_fix_echo.py runs it"
MEASURES = "it measures for many seconds; tests/scripts/cli/test_bench.py runs a shorter one"
KILLS = "it takes minutes; tests/scripts/cli/test_bridge.py kills once"
NAMED_USERS = "it asks for a password; tests/scripts/cli/test_desk.py gives one"
LONG = "it takes the better part of a minute; tests/scripts/torture has its parts"

NOT_RUN = {
    "README.md": {"scripts/test": BESIDE_THE_TEST, "scripts/start --venues binance,kraken,deribit": SECOND_STACK},
    "CONTRIBUTING.md": {
        "scripts/test": BESIDE_THE_TEST,
        "scripts/fixring docs --write": "it would write into the checkout; tests/docs/test_pages.py runs it elsewhere",
        ".venv/bin/python -P -m pytest -q tests/common/fix/test_schedule.py": "the next line runs a part of it",
        "scripts/fixring torture --only kill:risk --minutes 0.1 --rate 100": LONG,
        "scripts/fixring torture --venues kraken --only venue:cut --minutes 0.1": LONG,
    },
    "docs/bridge.md": {
        "scripts/fixring bridge kills okx": KILLS,
        "scripts/fixring bench bridge okx": MEASURES,
    },
    "docs/desk.md": {
        "scripts/fixring bench desk": MEASURES,
        "scripts/fixring bench past": MEASURES,
        "mkdir -p var/keys": NAMED_USERS,
        "export FIXRING__DESK__USERS=keys/desk-users.json": NAMED_USERS,
        "fixring desk user alice --role operator": NAMED_USERS,
    },
    "docs/fix.md": {
        "fixring fix echo --port 9876": UNTIL_ENDED,
        "fixring bench codec": MEASURES,
        "fixring bench session": MEASURES,
    },
    "docs/live.md": {
        "export FIXRING_CONFIG=configs/testnet FIXRING_VAR=var/testnet": TESTNET,
        "scripts/fixring doctor": TESTNET,
        "scripts/start": TESTNET,
        "scripts/fixring status": TESTNET,
        "scripts/fixring accounts": TESTNET,
        "scripts/fixring orders new binance BTCUSDT buy 0.001 --price 50000.00": TESTNET,
        "scripts/fixring orders list": TESTNET,
        "scripts/fixring orders cancel cli-.../1": TESTNET,
        "scripts/fixring journal tail": TESTNET,
        "scripts/fixring reconcile": TESTNET,
    },
    "docs/replication.md": {
        "scripts/fixring replication init": COPY,
        "scripts/fixring replication status": COPY,
        "scripts/fixring replication verify": COPY,
        "scripts/fixring replication list": COPY,
        "scripts/fixring standby": TAKEN_OVER,
        "scripts/fixring takeover": TAKEN_OVER,
        "scripts/fixring replication evidence KEPT": KEPT,
        "scripts/fixring replication table log.duckdb --follow": FOLLOWS,
        "scripts/start": TAKEN_OVER,
        "scripts/fixring reconcile": TAKEN_OVER,
        "scripts/fixring risk unhalt": TAKEN_OVER,
        "scripts/fixring journal restore --stream IDENTITY": COPY,
    },
    "docs/operations.md": {
        "scripts/fixring journal verify": DAMAGE,
        "scripts/fixring journal salvage /somewhere/else": DAMAGE,
        "mv JOURNAL JOURNAL.damaged": DAMAGE,
        "mv /somewhere/else JOURNAL": DAMAGE,
        "scripts/fixring journal take-back": DAMAGE,
        "scripts/fixring start journal": DAMAGE,
        "scripts/fixring resume": DAMAGE,
        "scripts/fixring journal backup /other/disk/copy": LOST,
        "scripts/fixring journal verify /other/disk/copy": LOST,
        "scripts/fixring journal restore /other/disk/copy": LOST,
        "scripts/fixring start": LOST,
        "scripts/fixring status": LOST,
        "scripts/fixring session set-seq NAME --out 230": LOST,
        "scripts/fixring session logon NAME": LOST,
    },
}
ON_ONE_STACK = (
    "README.md", "docs/money.md", "docs/strategies.md", "docs/operations.md", "docs/alerts.md", "docs/desk.md",
)  # fmt: skip
ON_TWO_HOSTS = ("docs/scaling.md",)
"""The pages that tests/faults/test_two_hosts.py follows."""

WITHOUT_A_STACK = (
    "CONTRIBUTING.md", "docs/configuration.md", "docs/fix.md", "docs/live.md", "docs/bridge.md", "docs/replication.md",
)  # fmt: skip
"""The pages whose lines are typed, one after the other on a stack that runs, and each by itself."""

BLOCKS = {"docs/venues.md": "tests/common/venues/test_a_new_venue.py"}
"""Pages with a block of shell, and the test that follows it."""

ENDS = {
    "scripts/fixring simulate --seed 0 --planted reuse-number --seeds 3 --no-shrink": (1,),
    # It settles an UNKNOWN order, and there is none: refused by name.
    "scripts/fixring orders settle": (6,),
    # It books what a venue never told as trades, and the simulated ones have told all: refused by name.
    "scripts/fixring orders fill": (6,),
    # Somebody else may take what it would, and prices may be old on a busy machine: then it says what is left.
    "scripts/fixring flatten": (0, 5),
    # Nothing of that fires on a stack that is well: refused by name.
    "scripts/fixring alerts ack": (6,),
    # Whoever is slower than a second finds everything back.
    "scripts/fixring status": (0, 1, 10),
}
"""The exit statuses that are right, by how the line begins, where 0 is not the only one."""

NEW = encode(
    b"FIX.4.4",
    b"35=D\x0134=2\x0149=ME\x0152=20260101-00:00:01.000\x0156=V\x0111=NAME\x0155=BTC\x0154=1\x0138=1\x0144=9\x0140=2\x01"
    b"60=20260101-00:00:01\x01",
)


class TypedLine(NamedTuple):
    """A line that a page gives to be typed, without its remark."""

    page: str
    text: str


def typed(page: str) -> Iterator[TypedLine]:
    text = re.sub(r"```.*?```", "", (CHECKOUT / page).read_text("utf-8"), flags=re.S)
    for line in TYPED.findall(text):
        if line.startswith(FIRST_WORDS):
            yield TypedLine(page, REMARK.sub("", line))
        else:
            assert SHOWN.match(line), f"{page}: {line}: say in this test whether it is typed"


def is_run(line: TypedLine) -> bool:
    return line.text not in NOT_RUN.get(line.page, {})


class Started(PrivateStack):
    """The stack as the README starts it."""

    command: ClassVar[Sequence[str]] = (str(CHECKOUT / "scripts/start"),)


@pytest.fixture
def stack(short_folder: Path) -> Iterator[PrivateStack]:
    with Started(short_folder) as stack:
        yield stack


def test_what_is_not_run_is_on_its_page() -> None:
    for page, lines in NOT_RUN.items():
        assert lines.keys() <= {line.text for line in typed(page)}, page


def test_the_pages_followed_on_one_stack(stack: PrivateStack, monkeypatch: pytest.MonkeyPatch) -> None:
    use(stack.environ, monkeypatch)
    for page in ON_ONE_STACK:
        for line in filter(is_run, typed(page)):
            if line.text != "scripts/start":  # by which the stack was started
                follow(line, CHECKOUT, monkeypatch)
            if line.text.startswith("kill "):
                # A person looks where a script has to wait.
                stack.wait_ready()


@pytest.mark.parametrize("page", WITHOUT_A_STACK)
def test_the_other_pages_followed(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "FILE").write_bytes(NEW + b"\n")
    use(
        {"PATH": f"{CHECKOUT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}", "FIXRING_VAR": str(tmp_path)}, monkeypatch
    )
    for line in filter(is_run, typed(page)):
        follow(line, CHECKOUT if page == "CONTRIBUTING.md" else tmp_path, monkeypatch)


def use(environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of this process, and of what it starts, is this one."""
    for name in [name for name in os.environ if name.startswith(("FIXRING", "PYTHONPATH"))]:
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


def follow(line: TypedLine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Type it: a plain `fixring` line in this process, since each start of Python costs; all else in a shell."""
    text = line.text.replace("STRATEGY/NUMBER", "maker/1").replace("NAME", "[^|]+").replace("FILE...", "FILE")
    program, *words = shlex.split(text)
    if program.removeprefix("scripts/") == "fixring" and "$(" not in text:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
        status = run(words)
    else:
        done = subprocess.run(["sh", "-c", text], cwd=folder, capture_output=True, check=False, timeout=60)
        status = done.returncode
    right = next((ends for begins, ends in ENDS.items() if line.text.startswith(begins)), (0,))
    assert status in right, f"{line.page}: {line.text}: status {status}"


def test_each_page_is_followed() -> None:
    assert {page for page in PAGES if list(typed(page))} == {*ON_ONE_STACK, *ON_TWO_HOSTS, *WITHOUT_A_STACK}
    assert {page for page in PAGES if "```sh" in (CHECKOUT / page).read_text("utf-8")} == BLOCKS.keys()
    for page, test in BLOCKS.items():
        assert page in (CHECKOUT / test).read_text("utf-8")
