"""Starting from a snapshot is starting from the log: the same state, whichever record the snapshot stands on."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from common.actor import order_books as orders
from common.actor.snapshots import (
    DoesNotLoad,
    Foldable,
    Made,
    StateDiffers,
    Witness,
    loadable_lsns,
    make_snapshot,
    run_snapshot_program,
)
from common.config import Config, load
from common.journal import Entry, Log, OsFiles, Reader, Record
from common.journal.errors import Gone, NoneLoads
from common.journal.files import read_whole
from common.journal.snapshots import Snapshot, newest_fold_version, snapshot_folder, write_snapshot
from common.messages import HASH_EVERY, Kind, StateHash, encode
from scripts.bench.long_journal import write_long_journal
from services.orders.make_snapshot import standing_before
from services.risk import make_snapshot as risk
from services.risk.state import RiskState
from services.session import make_snapshot as session

FILES = OsFiles()
RECORDS = 1500
WALL_NS = 1_790_000_000_000_000_000
NAMES = ("orders", "risk", "session@generic")
OLDER, OURS = 0, 1


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("journal") / "journal"
    write_long_journal(folder, RECORDS, WALL_NS, segment_bytes=1 << 18)
    return folder


@pytest.fixture(autouse=True)
def _first_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the program's versions are now: here every fold is of its first one until a test says otherwise."""
    for name in NAMES:
        of_version(name, monkeypatch, OLDER)


def of_version(name: str, monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    """The program's fold of that actor is of this version from now on."""
    modules = {"orders": (orders.__name__,), "risk": (risk.__name__, "services.risk.state")}
    for path in modules.get(name, ("services.session.recovery",)):
        monkeypatch.setattr(f"{path}.FOLD_VERSION", version)


@pytest.fixture
def config(tmp_path: Path, journal: Path) -> Config:
    found = load(environ={"FIXRING_VAR": str(tmp_path)})
    shutil.copytree(journal, found.journal_folder)
    return found


def newest(name: str, config: Config) -> Foldable:
    match name:
        case "orders":
            return orders.Folded(orders.newest_books(config))
        case "risk":
            return risk.newest_state(config)
        case _:
            return session.newest_folded("generic", config)


def records(config: Config, from_lsn: int = 1) -> Iterator[Record]:
    reader = Reader(config.journal_folder, FILES)
    while chunk := reader.read(from_lsn, 1 << 60):
        yield from chunk
        from_lsn = chunk[-1].lsn + 1


def snapshot_at(name: str, config: Config, lsn: int) -> None:
    """What `make_snapshot` would have written when the log ended there."""
    state = newest(name, config)
    for record in records(config, state.lsn + 1):
        if record.lsn > lsn:
            break
        state.apply(record)
    link = Reader(config.journal_folder, FILES).link_at(lsn)
    made = Snapshot(name, link, state.digest(), state.dump(), state.fold_version)
    write_snapshot(snapshot_folder(config.journal_folder), FILES, made)


def folded(state: Foldable, config: Config) -> Foldable:
    for record in records(config, state.lsn + 1):
        state.apply(record)
    return state


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lsn", [1, 2, 700, 1499])
def test_a_start_from_a_snapshot_comes_to_the_state_that_the_whole_log_gives(
    config: Config, name: str, lsn: int
) -> None:
    whole = folded(newest(name, config), config)
    snapshot_at(name, config, lsn)
    begun = newest(name, config)
    assert begun.lsn == lsn
    folded(begun, config)
    assert (begun.lsn, begun.digest(), begun.dump()) == (whole.lsn, whole.digest(), whole.dump())


@pytest.mark.parametrize("name", NAMES)
def test_a_program_goes_on_from_the_last_snapshot_and_keeps_two(config: Config, name: str) -> None:
    for lsn in (100, 200):
        snapshot_at(name, config, lsn)
    at = make_snapshot(config, name, newest(name, config))
    assert at == Reader(config.journal_folder, FILES).durable_lsn()
    assert newest(name, config).lsn == at
    kept = sorted(path.name for path in Path(snapshot_folder(config.journal_folder)).iterdir())
    assert kept == [f"{name}-{lsn:020d}.snapshot" for lsn in (200, at)]


@pytest.mark.parametrize("name", NAMES)
def test_one_that_cannot_be_read_or_stands_on_another_log_is_passed_over(config: Config, name: str) -> None:
    snapshot_at(name, config, 300)
    folder, reader = snapshot_folder(config.journal_folder), Reader(config.journal_folder, FILES)
    state = newest(name, config)
    wrong = [
        Snapshot(name, reader.link_at(400), state.digest(), b"\x93\x01\x02\x03"),
        Snapshot(name, reader.link_at(401), state.digest(), state.dump()),
        Snapshot(name, reader.link_at(402)._replace(crc=7), state.digest(), state.dump()),
        Snapshot(name, reader.link_at(403)._replace(lsn=1 << 40), state.digest(), state.dump()),
    ]
    for snapshot in wrong:
        write_snapshot(folder, FILES, snapshot)
    assert newest(name, config).lsn == 300


def test_one_whose_digest_is_not_the_state_s_own_is_passed_over(config: Config) -> None:
    state = newest("risk", config)
    for record in records(config):
        state.apply(record)
        if record.lsn == 50:
            break
    link = Reader(config.journal_folder, FILES).link_at(50)
    write_snapshot(snapshot_folder(config.journal_folder), FILES, Snapshot("risk", link, b"12345678", state.dump()))
    assert newest("risk", config).lsn == 0


def test_only_snapshots_that_load_may_be_relied_on(config: Config) -> None:
    snapshot_at("risk", config, 100)
    link = Reader(config.journal_folder, FILES).link_at(150)
    folder = snapshot_folder(config.journal_folder)
    write_snapshot(folder, FILES, Snapshot("risk", link, b"digest", b"not a dump"))
    load = risk.loader(config)
    assert loadable_lsns(config, "risk", load, frozenset()) == [100]
    assert loadable_lsns(config, "risk", load, frozenset({150})) == [150, 100]


class Unloadable(RiskState):
    """A state whose dump is of no form."""

    def dump(self) -> bytes:
        return b"not a dump"


def test_a_snapshot_that_does_not_load_costs_no_older_one(config: Config) -> None:
    for lsn in (100, 200):
        snapshot_at("risk", config, lsn)
    with pytest.raises(DoesNotLoad, match="older ones are kept"):
        make_snapshot(config, "risk", Unloadable(risk.newest_state(config).books), load=risk.loader(config))
    assert loadable_lsns(config, "risk", risk.loader(config), frozenset()) == [200, 100]
    assert len(list(Path(snapshot_folder(config.journal_folder)).iterdir())) == 2


def test_a_program_says_what_it_made_and_which_ones_load(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("common.actor.snapshots.load", lambda: config)
    snapshot_at("risk", config, 200)
    assert run_snapshot_program("risk", risk.loader, risk.newest_state) == 0
    end = Reader(config.journal_folder, FILES).durable_lsn()
    assert msgspec.json.decode(capsys.readouterr().out, type=Made) == Made(end, [end, 200])
    failed = run_snapshot_program("risk", risk.loader, lambda found: Unloadable(risk.newest_state(found).books))
    assert failed == 1 and "does not load" in capsys.readouterr().err


class Told:
    """A fold whose digest a test chooses."""

    fold_version = 0

    def __init__(self) -> None:
        self.lsn = 0

    def apply(self, record: Record) -> None:
        self.lsn = record.lsn

    def digest(self) -> bytes:
        return b"digest"

    def dump(self) -> bytes:
        return b""


def record(lsn: int, kind: int = 17, payload: bytes = b"", writer: str = "orders") -> Record:
    return Record(lsn, 0, kind, writer, 1, 1, 1, 0, payload)


def witnessed(*told: StateHash) -> Witness:
    witness = Witness("orders", Told())
    for lsn in range(1, 2 * HASH_EVERY + 1):
        witness.apply(record(lsn))
    for lsn, each in enumerate(told, 2 * HASH_EVERY + 1):
        witness.apply(record(lsn, Kind.STATE_HASH, encode(each), each.actor))
    return witness


RIGHT = StateHash("orders", HASH_EVERY, b"digest")
WRONG = StateHash("orders", HASH_EVERY, b"other")
LATER = StateHash("orders", 2 * HASH_EVERY, b"digest")


@pytest.mark.parametrize("told", [(), (RIGHT,), (WRONG, LATER), (StateHash("risk", HASH_EVERY, b"other"),)])
def test_a_fold_that_agrees_with_the_last_hash_in_the_log_may_be_written_down(told: tuple[StateHash, ...]) -> None:
    witnessed(*told).check()


def test_one_that_differs_may_not() -> None:
    with pytest.raises(StateDiffers, match=f"folded to LSN {HASH_EVERY}"):
        witnessed(RIGHT, WRONG).check()


def test_a_log_without_its_beginning_needs_a_snapshot(config: Config) -> None:
    log = Log.open(config.journal_folder, FILES, wall_ns=1, segment_bytes=1 << 16)
    for number in range(40):
        entry = Entry(16, "w", 1, number + 1, b"x" * 8000)
        log.append([entry], log.last_stamp_ns)
    end = log.last_lsn
    log.drop_before(end)
    log.close()
    with pytest.raises(Gone):
        make_snapshot(config, "risk", newest("risk", config))


# ---- another version of a fold ----


def versioned_snapshot(name: str, config: Config, lsn: int, digest: bytes = b"") -> None:
    """A snapshot at `lsn` by the program's version; with `digest`, as if its state had been hashed otherwise."""
    state = newest(name, config)
    for each in records(config, state.lsn + 1):
        if each.lsn > lsn:
            break
        state.apply(each)
    link = Reader(config.journal_folder, FILES).link_at(lsn)
    made = Snapshot(name, link, digest or state.digest(), state.dump(), state.fold_version)
    write_snapshot(snapshot_folder(config.journal_folder), FILES, made)


def drop_the_beginning(config: Config) -> int:
    """What retention does; the oldest record kept."""
    log = Log.open(config.journal_folder, FILES, wall_ns=WALL_NS, segment_bytes=1 << 18, durability="process")
    log.drop_before(RECORDS - 200)
    first = log.first_lsn
    log.close()
    assert first > 1
    return first


@pytest.mark.parametrize("name", NAMES)
def test_what_an_older_version_folded_is_folded_anew_as_long_as_the_log_is_there(
    config: Config, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    versioned_snapshot(name, config, 700, b"of a Struct with a field less")
    of_version(name, monkeypatch, OURS)
    assert newest(name, config).lsn == 0
    versioned_snapshot(name, config, 300)
    assert newest(name, config).lsn == 300, "its own version's, though an older version's is newer"


@pytest.mark.parametrize("name", NAMES)
def test_where_the_log_begins_later_an_older_version_s_state_is_gone_on_from(
    config: Config, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    versioned_snapshot(name, config, RECORDS - 10, b"of a Struct with a field less")
    drop_the_beginning(config)
    of_version(name, monkeypatch, OURS)
    begun = newest(name, config)
    assert begun.lsn == RECORDS - 10
    assert folded(begun, config).lsn >= RECORDS


@pytest.mark.parametrize("name", NAMES)
def test_without_the_log_s_beginning_a_form_that_nobody_reads_is_an_error_by_name(config: Config, name: str) -> None:
    link = Reader(config.journal_folder, FILES).link_at(RECORDS - 10)
    write_snapshot(snapshot_folder(config.journal_folder), FILES, Snapshot(name, link, b"", b"no dump", OURS + 1))
    assert newest(name, config).lsn == 0, "the log is there: it is folded"
    first = drop_the_beginning(config)
    with pytest.raises(NoneLoads, match=f"no snapshot of {name} loads here.*version 2.*put the segments") as raised:
        newest(name, config)
    assert (raised.value.lsn, raised.value.first_lsn) == (RECORDS - 10, first)


@pytest.mark.parametrize("name", NAMES)
def test_a_later_version_s_state_is_not_taken_for_one_s_own(
    config: Config, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_version(name, monkeypatch, OURS)
    versioned_snapshot(name, config, 700)
    of_version(name, monkeypatch, OLDER)
    assert newest(name, config).lsn == 0


def test_an_older_version_s_snapshot_lets_nobody_drop_the_log(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    versioned_snapshot("risk", config, 300)
    of_version("risk", monkeypatch, OURS)
    versioned_snapshot("risk", config, 400)
    assert loadable_lsns(config, "risk", risk.loader(config), frozenset()) == [400]


def test_a_hash_of_another_version_is_not_compared() -> None:
    witnessed(StateHash("orders", HASH_EVERY, b"other", OURS)).check()
    witnessed(WRONG, StateHash("orders", 2 * HASH_EVERY, b"other", OURS)).check()


def test_a_start_reads_its_newest_snapshot_once_where_the_version_of_the_fold_is_its_own(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot_at("orders", config, 700)
    read: list[str] = []

    def counted(files: OsFiles, path: str) -> bytes:
        read.append(path)
        return read_whole(files, path)

    monkeypatch.setattr("common.journal.snapshots.read_whole", counted)
    monkeypatch.setattr("services.orders.make_snapshot.FOLD_VERSION", OLDER)
    assert newest("orders", config).lsn == 700
    assert standing_before(config) is None and len(read) == 1
    of_version("orders", monkeypatch, OURS)
    monkeypatch.setattr("services.orders.make_snapshot.FOLD_VERSION", OURS)
    before = standing_before(config)
    assert before is not None and (before.lsn, before.fold_version) == (700, OLDER)


@pytest.mark.parametrize("data", [b"", b"FXRN", bytes(100)])
def test_a_file_without_a_header_says_no_version(config: Config, data: bytes) -> None:
    folder = snapshot_folder(config.journal_folder)
    assert newest_fold_version(folder, FILES, "orders") is None
    snapshot_at("orders", config, 700)
    assert newest_fold_version(folder, FILES, "orders") == OLDER
    (Path(folder) / f"orders-{701:020d}.snapshot").write_bytes(data)
    assert newest_fold_version(folder, FILES, "orders") is None
    assert newest("orders", config).lsn == 700
