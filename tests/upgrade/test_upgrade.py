"""Invariant: what an older stack has written is read as it was read when it was written, or refused by name.

README.md beside this file says how the store was made, and what is to be done where new rules read it otherwise.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from common.actor.order_books import newest_books
from common.config import CHECKOUT, Config, load
from common.journal import Log, OsFiles, Reader, iterate, snapshot_folder
from common.messages import PAYLOADS, EntryAnswer, OlderOrderEvent, OrderEvent, encode, older_event, upgraded
from common.orders.fold import FOLD_VERSION
from common.strategy.client import Client
from scripts.journal.shadow import Shadow, fold_version
from scripts.stack import PrivateStack
from services.orders.make_snapshot import standing_before
from services.orders.new_rules import NewRules
from tests.upgrade.make_store import count_contents
from tests.upgrade.reading import ORDER_FIELDS, names_in, order_words, read_log, read_snapshots
from tests.upgrade.store import QUIET, SETTINGS, read_client, read_expected, unpack_store

PATIENCE_S = 30.0
STORE_FOLD_VERSION = 0
"""Of every fold that hashed a state or made a snapshot in the store."""

KILLED = "session@generic"
"""Whose emergency file is not handed over: all its orders were cancelled while the journal was away."""

AFTER = {
    "rests-generic/1": "CANCELED",
    "rests-generic/2": "CANCELED",
    "rests-generic/4": "CANCELED",
    "rests-generic/5": "CANCELED",
    "rests-binance/1": "NEW",
    "rests-binance/2": "NEW",
    "rests-binance/4": "CANCELED",
    "rests-binance/5": "NEW",
    "rests-binance/8": "VOID",
}
"""How what the log leaves open stands once the emergency file is handed over and the venues were asked: of what the
exchange had not read when it died it knows nothing, and a wish to cancel is sent again.
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """The store, laid down for readers alone."""
    folder = tmp_path_factory.mktemp("store")
    unpack_store(folder)
    return load(environ={"FIXRING_VAR": str(folder / "var"), **SETTINGS})


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    """What the code that made the store read out of it."""
    return read_expected()


def differences(found: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """Row by row, so that a difference can be read."""
    told = json.loads(json.dumps(found))
    lines = []
    for table in told:
        ours, theirs = told[table], expected[table]
        if isinstance(ours, dict):
            keys = [key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)]
            lines += [f"{table} {key}: {ours.get(key)}, and it was {theirs.get(key)}" for key in sorted(keys)]
        elif ours != theirs:
            lines.append(f"{table}: {ours}, and it was {theirs}")
    return lines


def test_the_store_holds_records_of_every_kind(config: Config, expected: dict[str, Any]) -> None:
    counts = count_contents(config.journal_folder)
    assert dict(sorted(counts.items())) == expected["counts"]
    assert all(counts[kind.__name__] for kind in PAYLOADS.values() if kind.__name__ in expected["counts"])


def test_the_log_alone_is_read_as_it_was(config: Config, expected: dict[str, Any]) -> None:
    assert differences(read_log(config), expected) == []


def test_snapshots_index_and_log_are_read_as_they_were(config: Config, expected: dict[str, Any]) -> None:
    found, begun = read_snapshots(config, names_in(expected))
    assert differences(found, expected) == []
    for name, lsn in begun.items():
        # Another version of the fold folds the log anew, as long as all of it is there.
        assert bool(lsn) == (fold_version(name) == STORE_FOLD_VERSION), f"{name} began behind record {lsn}"


def test_the_snapshots_are_gone_on_from_where_the_log_s_beginning_is_gone(
    short_folder: Path, expected: dict[str, Any]
) -> None:
    unpack_store(short_folder)
    config = load(environ={"FIXRING_VAR": str(short_folder / "var"), **SETTINGS})
    drop_the_beginning(config)
    found, begun = read_snapshots(config, names_in(expected))
    # The journal has had a life more: its EPOCH record, and nothing that a fold counts.
    assert differences(found, expected | {"lsn": found["lsn"]}) == []
    assert all(begun.values())


def test_what_the_old_rules_came_to_is_there_to_be_compared(config: Config) -> None:
    """Orders is folded anew, and has the newest snapshot's state of the older version beside it."""
    before = standing_before(config)
    assert before is not None and before.fold_version < FOLD_VERSION
    assert before.positions and before.orders
    assert NewRules(newest_books(config), before).at_lsn == before.lsn


def drop_the_beginning(config: Config) -> None:
    """What retention does: the segments before the oldest of the newest snapshots go."""
    names = Path(snapshot_folder(config.journal_folder)).iterdir()
    newest: dict[str, int] = {}
    for name, _, lsn in (path.stem.rpartition("-") for path in names):
        newest[name] = max(newest.get(name, 0), int(lsn))
    log = Log.open(config.journal_folder, OsFiles(), wall_ns=0, segment_bytes=1 << 19)
    log.drop_before(min(newest.values()))
    assert log.first_lsn > 1
    log.close()


def test_a_fold_that_hashes_otherwise_says_so_by_its_version(config: Config) -> None:
    """Where this fails the fold has changed: raise its FOLD_VERSION by one, so that what the old one came to is not
    compared, its snapshots are not taken for the new one's, and the log is folded anew.
    """
    reader = Reader(config.journal_folder, OsFiles())
    shadow = Shadow(config, reader)
    shadow.run(iterate(config.journal_folder, OsFiles(), upto_lsn=reader.durable_lsn()))
    assert shadow.differs is None, shadow.differs.text()
    assert sum(shadow.hashes.values()) + sum(shadow.not_comparable.values()) == 4


@pytest.fixture
def stack(short_folder: Path) -> Iterator[PrivateStack]:
    """The real stack on the store, not started yet."""
    unpack_store(short_folder)
    stack = PrivateStack(short_folder, {**SETTINGS, **QUIET})
    yield stack
    stack.__exit__()


def test_a_stack_goes_on_where_the_old_one_was_killed(stack: PrivateStack, expected: dict[str, Any]) -> None:
    stack.start()
    until(lambda: is_answered(stack, KILLED, "latched") and not is_answered(stack, KILLED, "emergency"))
    fixring(stack, "resume", "--yes")
    stack.wait_ready()
    with Client("reader", config=stack.config) as client:
        until(lambda: states(client, AFTER) == AFTER)
        assert states(client, AFTER) == AFTER
        for name, wanted in expected["orders"].items():
            if name not in AFTER:
                assert order_of(client, name) == wanted
        held = {f"{p.venue} {p.symbol}": p.quantity for p in client.query("positions").positions}
        assert {name: str(quantity.normalize()) for name, quantity in held.items()} == {
            name: row["quantity"] for name, row in expected["positions"].items()
        }
    for name, its in expected["sessions"].items():
        assert int(str(stack.ask(name, "status")["generation"])) >= its["generation"]
    assert "DIFFERS" not in fixring(stack, "reconcile")
    talk_like_the_old_client(stack, expected)


def talk_like_the_old_client(stack: PrivateStack, expected: dict[str, Any]) -> None:
    """Its very bytes, but for the epoch and the numbers, which a later welcome tells."""
    said = [msgspec.msgpack.decode(data) for direction, data in read_client() if direction == ">"]
    context = zmq.Context()
    entry = context.socket(zmq.DEALER)
    try:
        entry.connect(stack.config.endpoint("entry"))
        entry.send(next(data for direction, data in read_client() if direction == ">"))
        answers = hear(entry)
        if [answer[0] for answer in answers] == ["status"]:
            assert answers[0][1] == "refused" and answers[0][4], "an old client is refused by name"
            return
        welcome = answers[0]
        assert welcome[:3] == ["welcome", "old-client", "a1"]
        epoch, highest = welcome[3:5]
        assert highest == expected["highest"]["old-client"]
        outcomes: dict[int, str] = {}
        for message in said[1:]:
            kind, *fields = message
            if kind != "query?":
                fields[:2] = [epoch, fields[1] + highest]
            if kind in ("amend?", "cancel?"):
                fields[2] += highest
            entry.send(msgspec.msgpack.encode([kind, *fields]))
            outcomes |= {heard[4] - highest: heard[5] for heard in hear(entry) if heard[0] == "outcome"}
    finally:
        entry.close(linger=0)
        context.term()
    before = [msgspec.msgpack.decode(data) for direction, data in read_client() if direction == "<"]
    assert outcomes == {heard[4]: heard[5] for heard in before if heard[0] == "outcome"}


def test_what_the_old_client_heard_is_still_said_in_the_same_places() -> None:
    """A newer order manager may add fields behind: what an old client reads by its place means what it meant."""
    for direction, data in read_client():
        if direction == "<":
            old = msgspec.msgpack.decode(data)
            again = said_today(old)
            assert begins_with(again, old), (again, old)


def said_today(old: list[Any]) -> list[Any]:
    """What an old client hears where it heard that; an order has gone through today's event, and back."""
    if old[0] == "query":
        orders = [said_today(order) for order in old[3]]
        return [*said_anew([*old[:3], [], *old[4:]])[:3], orders, *said_anew([*old[:3], [], *old[4:]])[4:]]
    return said_anew(old)


def said_anew(old: list[Any]) -> list[Any]:
    told = upgraded(msgspec.convert(old, EntryAnswer | OlderOrderEvent))
    again: list[Any] = msgspec.msgpack.decode(encode(older_event(told) if isinstance(told, OrderEvent) else told))
    return again


def begins_with(told: Any, old: Any) -> bool:
    """Whether each array in `told` has what the old one had, and may be more behind it."""
    if not isinstance(old, list):
        return bool(told == old)
    return isinstance(told, list) and len(told) >= len(old) and all(map(begins_with, told, old))


def hear(entry: "zmq.Socket[bytes]") -> list[list[Any]]:
    """What comes, until nothing does for a moment."""
    heard = []
    while entry.poll(500):
        heard.append(msgspec.msgpack.decode(entry.recv()))
    return heard


def order_of(client: Client, name: str) -> list[str | None]:
    strategy, _, number = name.rpartition("/")
    (order,) = client.query("order", strategy=strategy, number=int(number)).orders
    return order_words(order)


def states(client: Client, names: Mapping[str, str]) -> dict[str, str | None]:
    return {name: order_of(client, name)[ORDER_FIELDS.index("state")] for name in names}


def is_answered(stack: PrivateStack, actor: str, word: str) -> bool:
    """Whether the actor is there and its status has something under `word`."""
    return bool(stack.ask_all("status").details.get(actor, {}).get(word))


def until(holds: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not holds() and time.monotonic() < deadline_s:
        time.sleep(0.1)


def fixring(stack: PrivateStack, *words: str) -> str:
    """What an operator types; it must succeed."""
    command = [sys.executable, "-P", "-m", "scripts.cli.main", *words]
    done = subprocess.run(command, cwd=CHECKOUT, env=stack.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
