"""`fixring journal` as a person and a script use it: what it prints, and the status it ends with."""

import shutil
import threading
from pathlib import Path

import orjson
import pytest
import zmq

from common.exit_status import ExitStatus
from common.journal import Entry, Log, OsFiles, parse
from common.messages import Kind, StateHash, encode
from scripts.bench.long_journal import write_long_journal
from scripts.cli.main import run

STORED = Path(__file__).parents[2] / "common" / "journal" / "first_format"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(STORED, tmp_path / "journal"))


def spoiled(copy: Path) -> Path:
    path = copy / f"{1:020d}.segment"
    data = bytearray(path.read_bytes())
    data[2000] ^= 1
    path.write_bytes(data)
    return path


def test_verify_says_that_it_is_sound(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["journal", "verify", str(copy)]) == ExitStatus.OK
    assert "sound. Records 1 to 29" in capsys.readouterr().out
    assert run(["journal", "verify", "--json", str(copy)]) == ExitStatus.OK
    told = orjson.loads(capsys.readouterr().out)
    assert (told["ok"], told["records"], told["torn_bytes"]) == (True, 29, 0)


def test_verify_names_file_offset_and_record_of_damage(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = spoiled(copy)
    assert run(["journal", "verify", "--json", str(copy)]) == ExitStatus.INTEGRITY
    out, err = capsys.readouterr()
    damage = orjson.loads(out)["damage"]
    assert damage["file"] == str(path)
    assert 0 < damage["offset"] <= 2000
    assert f"record {damage['lsn']}" in err


def test_a_folder_without_a_journal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("verify", "tail", "stats", "replay"):
        assert run(["journal", command, str(tmp_path)]) == ExitStatus.FAILURE
        assert "no journal" in capsys.readouterr().err


def test_tail_shows_the_last_and_filters(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["journal", "tail", "-n", "2", "--kind", "inbound", str(copy)]) == ExitStatus.OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["16", "17"]
    assert "News(B)" in lines[1]
    assert run(["journal", "tail", "--json", "--order", "maker/1", "--from", "9", str(copy)]) == ExitStatus.OK
    lsns = [orjson.loads(line)["lsn"] for line in capsys.readouterr().out.splitlines()]
    assert lsns == [9, 10, 11, 13, 14, 15, 23, 26]


def test_grep_searches_the_messages(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["journal", "grep", r"35=8\|.*11=toxvb9-1\|", str(copy)]) == ExitStatus.OK
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["8", "9"]
    assert run(["journal", "grep", "35=ZZ", str(copy)]) == ExitStatus.FAILURE
    assert run(["journal", "grep", "(", str(copy)]) == ExitStatus.USAGE
    assert run(["journal", "tail", "--from", "yesterday", str(copy)]) == ExitStatus.USAGE


def test_stats(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["journal", "stats", "--json", str(copy)]) == ExitStatus.OK
    told = orjson.loads(capsys.readouterr().out)
    assert told["kinds"]["INBOUND"]["records"] == 7
    assert run(["journal", "stats", str(copy)]) == ExitStatus.OK
    assert "INBOUND" in capsys.readouterr().out


def test_salvage_writes_a_copy_and_leaves_the_damaged_one(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = spoiled(copy)
    before = path.read_bytes()
    assert run(["journal", "salvage", str(tmp_path / "saved"), str(copy), "--json"]) == ExitStatus.OK
    told = orjson.loads(capsys.readouterr().out)
    assert told["damage"]["file"] == str(path)
    assert told["last_lsn"] == told["damage"]["lsn"] - 1
    assert told["behind"][-1][1] == 29
    assert path.read_bytes() == before
    assert run(["journal", "verify", str(tmp_path / "saved")]) == ExitStatus.OK
    assert run(["journal", "salvage", str(tmp_path / "saved"), str(copy)]) == ExitStatus.REFUSED


def test_the_past(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["journal", "state", "--at", "9", "--json", str(copy)]) == ExitStatus.OK
    told = orjson.loads(capsys.readouterr().out)
    (order,) = told["orders"]
    assert (order["strategy"], order["number"], order["status"]) == ("maker", 1, "PARTIALLY_FILLED")
    assert order["cum_qty"] == "0.004"
    assert told["positions"][0]["quantity"] == "0.00399"
    assert (told["sessions"]["generic"]["next_outbound"], told["sessions"]["generic"]["next_inbound"]) == (3, 4)
    assert run(["journal", "state", "--at", "2026-01-01T00:00:00.0075", str(copy)]) == ExitStatus.OK
    text = capsys.readouterr().out
    assert "as of record 8" in text
    assert "maker/1" in text


def test_an_orders_story(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["journal", "explain", "toxvb9-1", str(copy)]) == ExitStatus.OK
    text = capsys.readouterr().out
    assert "order maker/1 sent to generic: buy 0.01 BTCUSDT at 65000.00" in text
    assert "ExecType(150)=F" in text
    assert run(["journal", "explain", "nobody/9", str(copy)]) == ExitStatus.REFUSED


def test_replay_to_the_terminal(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["journal", "replay", "--from", "20", "--to", "24", str(copy)]) == ExitStatus.OK
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["20", "21", "22", "23", "24"]


def test_replay_as_the_stacks_own_stream(copy: Path, short_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    endpoint = f"ipc://{short_folder}/replay"
    got: list[int] = []
    context = zmq.Context()

    def listen() -> None:
        with context.socket(zmq.SUB) as sock:
            sock.setsockopt(zmq.SUBSCRIBE, b"")
            sock.connect(endpoint)
            while len(got) < 29:
                got.extend(record.lsn for record in parse(sock.recv(), verify=True))

    listener = threading.Thread(target=listen)
    listener.start()
    assert run(["journal", "replay", "--publish", endpoint, "--wait", "5", str(copy)]) == ExitStatus.OK
    listener.join(5)
    context.term()
    assert got == list(range(1, 30))
    assert run(["journal", "replay", "--publish", endpoint, "--wait", "0.01", str(copy)]) == ExitStatus.TIMEOUT


def with_hash(folder: Path, digest: bytes) -> None:
    """A journal of 10,000 records and one that tells what orders came to after them."""
    write_long_journal(folder, 10_002, 1_790_000_000_000_000_000)
    log = Log.open(folder, OsFiles(), wall_ns=0)
    payload = encode(StateHash("orders", 10_000, digest))
    log.append([Entry(int(Kind.STATE_HASH), "orders", 1, 1, payload)], log.last_stamp_ns)
    log.close()


def test_a_shadow_comes_to_the_recorded_state_or_says_where_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_hash(tmp_path / "wrong", b"12345678")
    assert run(["journal", "replay", "--shadow", "--json", str(tmp_path / "wrong")]) == ExitStatus.INTEGRITY
    out, err = capsys.readouterr()
    assert orjson.loads(out)["differs"]["at_lsn"] == 10_000
    assert "orders" in err
    assert run(["journal", "state", "--at", "10000", "--json", str(tmp_path / "wrong")]) == ExitStatus.OK
    digest = bytes.fromhex(orjson.loads(capsys.readouterr().out)["digests"]["orders"])
    with_hash(tmp_path / "right", digest)
    assert run(["journal", "replay", "--shadow", "--json", str(tmp_path / "right")]) == ExitStatus.OK
    told = orjson.loads(capsys.readouterr().out)
    assert (told["compared"], told["agreed"], told["differs"]) == (1, {"orders": 10_000}, None)
