"""A shadow compares the real folds with what the log says of them, and narrows down where they part."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from common.actor import order_books as orders
from common.actor.snapshots import make_snapshot
from common.config import Config, load
from common.journal import Entry, Log, OsFiles, Reader, Snapshot, iterate, snapshot_folder, write_snapshot
from common.messages import HASH_EVERY, Kind, Payload, SessionChanged, SessionState, StateHash, encode
from scripts.bench.long_journal import write_long_journal
from scripts.journal.past import Past
from scripts.journal.shadow import Shadow, fold_version

FILES = OsFiles()
STAMP_NS = 1_790_000_000_000_000_000
SESSION = "session@generic"
ZERO_DIGEST = bytes(8)
Word = tuple[str, Kind, Payload | bytes]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load(environ={"FIXRING_VAR": str(tmp_path / "var")})


def journal_of(folder: Path, words: list[Word]) -> Reader:
    """These records from record 2 on, by their writers."""
    numbers: Counter[str] = Counter()
    log = Log.open(folder, FILES, wall_ns=STAMP_NS, durability="process")
    entries = []
    for writer, kind, payload in words:
        numbers[writer] += 1
        body = payload if isinstance(payload, bytes) else encode(payload)
        entries.append(Entry(int(kind), writer, 1, numbers[writer], body))
    for start in range(0, len(entries), 1000):
        log.append(entries[start : start + 1000], STAMP_NS + start)
    log.close()
    return Reader(folder, FILES)


def step(state: SessionState, generation: int, outbound: int, inbound: int) -> Word:
    return SESSION, Kind.SESSION, SessionChanged("generic", generation, 1, state, outbound, inbound)


def shadow_of(config: Config, reader: Reader) -> Shadow:
    shadow = Shadow(config, reader)
    shadow.run(iterate(reader.folder, FILES, shadow.past.next_lsn))
    return shadow


def test_the_first_record_that_tells_other_numbers_than_the_sessions_fold_is_named(
    config: Config, tmp_path: Path
) -> None:
    reader = journal_of(
        tmp_path / "j",
        [
            step(SessionState.CONNECTING, 1, 1, 1),
            step(SessionState.NUMBERS_SET, 1, 5, 6),
            step(SessionState.CONNECTING, 1, 5, 6),
            step(SessionState.LOGGED_ON, 1, 5, 7),
            step(SessionState.CONNECTING, 1, 9, 9),
        ],
    )
    shadow = shadow_of(config, reader)
    assert shadow.differs is not None
    assert (shadow.differs.actor, shadow.differs.lsn) == (SESSION, 5)
    assert (shadow.differs.after_lsn, shadow.differs.upto_lsn) == (4, 5)
    assert "record 5 says generation 1 next out 5 in 7, the fold generation 1 next out 5 in 6" in shadow.differs.text()
    assert shadow.differs.text().endswith("is record 5")


def test_a_connection_that_resets_the_numbers_begins_a_generation_at_1(config: Config, tmp_path: Path) -> None:
    words = [step(SessionState.CONNECTING, 1, 1, 1), step(SessionState.NUMBERS_SET, 1, 5, 6)]
    good = shadow_of(config, journal_of(tmp_path / "good", [*words, step(SessionState.CONNECTING, 2, 1, 1)]))
    assert (good.differs, good.steps) == (None, {SESSION: 1})
    bad = shadow_of(config, journal_of(tmp_path / "bad", [*words, step(SessionState.CONNECTING, 2, 1, 2)]))
    assert bad.differs is not None


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> list[Word]:
    """Orders' lives, without the sessions' own steps."""
    folder = tmp_path_factory.mktemp("lives")
    write_long_journal(folder, HASH_EVERY + 1500, STAMP_NS)
    kept = [record for record in iterate(folder, FILES) if record.kind >= 16 and record.kind != Kind.SESSION]
    return [(record.writer, Kind(record.kind), record.payload) for record in kept]


def with_hash(config: Config, lives: list[Word], digest: bytes, actor: str = "orders") -> Reader:
    """The configured journal: orders' lives and, at the end, what `actor` came to at record HASH_EVERY."""
    told = StateHash(actor, HASH_EVERY, digest, fold_version(actor))
    return journal_of(config.journal_folder, [*lives, (actor, Kind.STATE_HASH, told)])


def folded_at(config: Config, reader: Reader, lsn: int) -> Past:
    past = Past(config)
    for record in iterate(reader.folder, FILES, 1, lsn):
        past.apply(record)
    return past


@pytest.mark.parametrize("actor", ["orders", "risk", SESSION])
def test_a_state_hash_is_compared_whichever_actor_wrote_it(config: Config, lives: list[Word], actor: str) -> None:
    reader = with_hash(config, lives, ZERO_DIGEST, actor)
    differing = shadow_of(config, reader).differs
    assert differing is not None
    assert (differing.actor, differing.after_lsn, differing.upto_lsn) == (actor, 0, HASH_EVERY)
    digest = folded_at(config, reader, HASH_EVERY).digests()[actor]
    shutil.rmtree(config.journal_folder)
    shadow = shadow_of(config, with_hash(config, lives, digest, actor))
    assert shadow.differs is None
    assert shadow.hashes[actor] == 1


def snapshot_at(config: Config, lsn: int) -> None:
    make_snapshot(config, "orders", orders.Folded(orders.newest_books(config)), lsn)


def test_where_a_snapshot_agrees_the_cause_lies_behind_it(config: Config, lives: list[Word]) -> None:
    reader = with_hash(config, lives, ZERO_DIGEST)
    snapshot_at(config, 4000)
    differing = shadow_of(config, reader).differs
    assert differing is not None
    assert (differing.after_lsn, differing.upto_lsn) == (4000, HASH_EVERY)
    assert "one of the records 4001 to 10000" in differing.text()


def test_where_a_snapshot_is_another_state_the_cause_lies_before_it(config: Config, lives: list[Word]) -> None:
    reader = with_hash(config, lives, ZERO_DIGEST)
    other = Snapshot("orders", reader.link_at(7000), b"another!", b"of another fold", fold_version("orders"))
    write_snapshot(snapshot_folder(config.journal_folder), FILES, other)
    snapshot_at(config, 4000)
    differing = shadow_of(config, reader).differs
    assert differing is not None
    assert (differing.after_lsn, differing.upto_lsn) == (4000, 7000)


def test_a_state_hash_of_another_version_of_the_fold_is_told_and_not_compared(
    config: Config, lives: list[Word]
) -> None:
    told = StateHash("risk", HASH_EVERY, ZERO_DIGEST, 99)
    shadow = shadow_of(config, journal_of(config.journal_folder, [*lives, ("risk", Kind.STATE_HASH, told)]))
    assert (shadow.differs, shadow.hashes["risk"], shadow.not_comparable) == (None, 0, {"risk": 1})
