"""What was, told from a journal whose beginning is gone, is what the whole journal tells."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from common.actor import order_books as orders
from common.actor.snapshots import make_snapshot
from common.config import CHECKOUT, Config, load
from common.exit_status import ExitStatus
from common.journal import EPOCH, Entry, Log, OsFiles, Reader, Record
from common.journal.skipped import skip_record
from common.journal.snapshots import newest_snapshot, snapshot_folder
from common.messages import HASH_EVERY, Kind, SessionChanged, SessionState, StateHash, encode
from common.past.state import past_text
from scripts.bench.long_journal import write_long_journal
from scripts.cli.main import run
from scripts.journal.past import Past
from scripts.journal.shadow import fold_version
from services.risk import make_snapshot as risk
from services.session import make_snapshot as session
from services.session.make_snapshot import newest_folded

FILES = OsFiles()
FIRST, RECORDS = 2000, 11_000
SEGMENT_BYTES = 1 << 18


def snapshots(config: Config) -> None:
    """One round at the journal's end."""
    make_snapshot(config, "orders", orders.Folded(orders.newest_books(config)))
    make_snapshot(config, "risk", risk.newest_state(config))
    for venue in config.venues:
        make_snapshot(config, f"session@{venue}", session.newest_folded(venue, config))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal with two rounds of snapshots, the first a little before record `FIRST`, all of it still there."""
    var = tmp_path_factory.mktemp("whole")
    config = load(environ={"FIXRING_VAR": str(var)})
    other = var / "other"
    write_long_journal(other, RECORDS, 1_790_000_000_000_000_000, SEGMENT_BYTES)
    reader = Reader(other, FILES)
    log = Log.open(config.journal_folder, FILES, wall_ns=1, segment_bytes=SEGMENT_BYTES, durability="process")
    for from_lsn, upto_lsn in ((1, FIRST), (FIRST + 1, 1 << 60)):
        while records := reader.read(from_lsn, upto_lsn):
            entries = [Entry(r.kind, r.writer, 1, r.append_number, r.payload) for r in records if r.kind >= 16]
            log.append(entries, records[-1].stamp_ns)
            from_lsn = records[-1].lsn + 1
        if log.last_lsn < FIRST + 10:
            log.write_mark()
            snapshots(config)
    log.write_mark()
    snapshots(config)
    log.close()
    return config.journal_folder


@pytest.fixture
def short(whole: Path, tmp_path: Path) -> Path:
    """The same without its beginning."""
    folder = Path(shutil.copytree(whole, tmp_path / "short"))
    log = Log.open(folder, FILES, wall_ns=1, segment_bytes=SEGMENT_BYTES)
    assert log.drop_before(FIRST + 1)
    log.close()
    assert Reader(folder, FILES).first_lsn() > 1
    return folder


def told(capsys: pytest.CaptureFixture[str], folder: Path, lsn: int) -> Any:
    assert run(["journal", "state", "--at", str(lsn), "--json", str(folder)]) == ExitStatus.OK
    return orjson.loads(capsys.readouterr().out)


@pytest.mark.parametrize("lsn", [FIRST, 10_500])
def test_the_state_at_any_record_behind_the_snapshots(
    whole: Path, short: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], lsn: int
) -> None:
    bare = Path(shutil.copytree(whole, tmp_path / "bare"))
    shutil.rmtree(bare / "snapshots")
    expected = told(capsys, bare, lsn)
    for folder in (short, whole):
        found = told(capsys, folder, lsn)
        assert found == expected


def test_a_session_is_told_as_its_own_fold_has_it_after_every_step(tmp_path: Path) -> None:
    config = load(environ={"FIXRING_VAR": str(tmp_path)})
    past, fold = Past(config), newest_folded("generic", config)
    for lsn, state in enumerate(SessionState, 1):
        changed = SessionChanged("generic", 1, lsn, state, 5, 6, text="why")
        record = Record(lsn, lsn, int(Kind.SESSION), "session@generic", 1, lsn, 1, 0, encode(changed))
        past.apply(record)
        fold.apply(record)
        told, history = past.document()["sessions"], fold.history
        assert told == {
            "generic": {
                "state": history.state.value,
                "generation": history.generation,
                "connection": history.connection,
                "next_outbound": history.next_outbound,
                "next_inbound": history.next_inbound,
                "latched": history.latched,
                "logged_out_by_hand": history.logged_out_by_hand,
                "halted": history.halted,
            }
        }
    assert past_text(past.document()).count("logged out by hand, halted: why") == 1


def test_what_is_decoded_once_is_told_as_what_each_decodes_for_itself(whole: Path) -> None:
    config = load(environ={"FIXRING_VAR": str(whole.parent.parent)})
    reader = Reader(whole, FILES)
    once, apart = Past(config, reader, FIRST + 50, apart=False), Past(config)
    once.read_on(reader, 10_500)
    apart.read_on(reader, 10_500)
    assert once.document() == apart.document() and once.digests() == apart.digests()


def test_a_command_on_the_journal_loads_neither_nats_nor_aiohttp() -> None:
    code = "import sys, scripts.cli.journal; print({'nats', 'aiohttp'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-P", "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()", ran.stderr


def test_a_session_that_is_configured_no_more_is_told_too(tmp_path: Path) -> None:
    past = Past(load(environ={"FIXRING_VAR": str(tmp_path)}))
    changed = SessionChanged("former", 3, 4, SessionState.DISCONNECTED, 5, 6)
    past.apply(Record(1, 1, int(Kind.SESSION), "session@former", 1, 1, 1, 0, encode(changed)))
    assert past.document()["sessions"]["former"]["next_inbound"] == 6  # type: ignore[index]


def test_what_is_gone_is_not_made_up(short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["journal", "state", "--at", "100", str(short)]) == ExitStatus.FAILURE
    assert "no longer kept" in capsys.readouterr().err


def blotter(capsys: pytest.CaptureFixture[str], from_lsn: int) -> Any:
    assert run(["trades", "--from", str(from_lsn), "--json"]) == ExitStatus.OK
    return orjson.loads(capsys.readouterr().out)["lines"]


def test_the_blotter_of_a_far_day_begins_at_a_snapshot_of_the_past_where_the_log_s_beginning_is_gone(
    whole: Path, short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIXRING_VAR", str(whole.parent.parent))
    lsn = newest_risk_lsn(whole, FIRST + 50) + 1
    expected = blotter(capsys, lsn)
    assert len(expected) > 100
    place = load(environ={"FIXRING_VAR": str(tmp_path / "var")}).journal_folder
    shutil.copytree(short, place)
    for file in (place / "snapshots").glob("orders-*"):
        file.unlink()
    monkeypatch.setenv("FIXRING_VAR", str(tmp_path / "var"))
    assert blotter(capsys, lsn) == expected
    assert run(["trades", "--from", str(lsn - 1)]) == ExitStatus.FAILURE
    assert f"Ask for what came later: --from {lsn}" in capsys.readouterr().err


def newest_risk_lsn(folder: Path, upto_lsn: int) -> int:
    snapshot = newest_snapshot(snapshot_folder(folder), FILES, "risk", Reader(folder, FILES), upto_lsn)
    assert snapshot is not None
    return snapshot.at.lsn


@pytest.mark.parametrize("right", [True, False])
def test_a_shadow_begins_at_the_oldest_snapshots(
    short: Path, capsys: pytest.CaptureFixture[str], right: bool
) -> None:
    digest = bytes.fromhex(told(capsys, short, HASH_EVERY)["digests"]["orders"]) if right else b"12345678"
    log = Log.open(short, FILES, wall_ns=1, segment_bytes=SEGMENT_BYTES)
    hashed = encode(StateHash("orders", HASH_EVERY, digest, fold_version("orders")))
    log.append([Entry(int(Kind.STATE_HASH), "orders", 1, 1, hashed)], log.last_stamp_ns)
    log.close()
    status = run(["journal", "replay", "--shadow", "--json", str(short)])
    found = orjson.loads(capsys.readouterr().out)
    assert found["compared"] == 1
    assert (status, found["differs"] is None) == ((ExitStatus.OK, True) if right else (ExitStatus.INTEGRITY, False))


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_record_that_a_person_had_skipped_has_no_effect_on_what_is_told_of_the_past(
    tmp_path: Path, elsewhere: bool
) -> None:
    """What was skipped stands beside the log that is read, wherever that is."""
    config = load(environ={"FIXRING_VAR": str(tmp_path / "var")})
    folder = tmp_path / "elsewhere" if elsewhere else config.journal_folder
    log = Log.open(folder, FILES, wall_ns=1, segment_bytes=SEGMENT_BYTES)
    states = SessionState.DISCONNECTED, SessionState.DISCONNECTED, SessionState.LATCHED
    steps = [SessionChanged("generic", 1, n, state, 10, 6) for n, state in enumerate(states)]
    entries = [Entry(int(Kind.SESSION), "session@generic", 1, n, encode(step)) for n, step in enumerate(steps, 1)]
    log.append([Entry(EPOCH, "session@generic", 1, 0, bytes(8)), *entries], 1)
    last = log.last_lsn
    log.close()
    skip_record(folder, FILES, last, "wrong")
    skip_record(config.journal_folder if elsewhere else tmp_path / "elsewhere", FILES, last - 1, "of another log")
    reader = Reader(folder, FILES)
    pasts = Past(config, folder=folder), Past(config, reader), Past(config, reader, apart=False)
    for past in pasts:
        past.read_on(reader, None)
        assert not past.sessions["session@generic"].history.latched
        assert [row.lsn for row in past.orders.books.left_out.dump()] == [last]
    first, newest = (past.digests() for past in pasts[:2])
    assert first.keys() == {"orders", "risk", "session@generic"} and first.items() <= newest.items()
