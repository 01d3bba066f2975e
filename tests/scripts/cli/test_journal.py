"""`fixring journal` as a person and a script use it: what it prints, and the status it ends with."""

import contextlib
import errno
import os
import pty
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
import zmq

from common.config import CHECKOUT, load
from common.exit_status import ExitStatus
from common.journal import (
    Entry,
    Log,
    OsFiles,
    Reader,
    Snapshot,
    damaged_snapshots,
    iterate,
    parse,
    snapshot_folder,
    write_snapshot,
)
from common.journal.emergency import read_emergency
from common.messages import Inbound, Kind, SessionChanged, StateHash, encode
from common.past.words import payload_of
from scripts.bench.long_journal import write_long_journal
from scripts.cli.main import run
from scripts.journal.shadow import fold_version

STORED = Path(__file__).parents[2] / "common" / "journal" / "first_format"
STAMP_NS = 1_790_000_000_000_000_000


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


def test_a_kind_that_there_is_not_is_wrong_usage(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("tail", "grep"):
        words = ["journal", command, *(["x"] if command == "grep" else []), str(copy), "--kind", "nonsense"]
        assert run(words) == ExitStatus.USAGE
        assert "no such kind; there is " in capsys.readouterr().err
    assert run(["journal", "tail", str(copy), "--kind", "outbound"]) == ExitStatus.OK


@pytest.mark.parametrize("option", ["--session", "--writer"])
def test_a_session_or_writer_that_the_log_does_not_know_is_wrong_usage(
    copy: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    for words in (["tail"], ["grep", "x"]):
        assert run(["journal", *words, str(copy), option, "nosuch"]) == ExitStatus.USAGE
        assert f"nosuch: no such {option[2:]}; there is " in capsys.readouterr().err
    name = "generic" if option == "--session" else "orders"
    assert run(["journal", "tail", str(copy), option, name, "--from", "29"]) == ExitStatus.OK


@pytest.mark.parametrize("words", [["tail"], ["tail", "--json"], ["grep", "35="]])
@pytest.mark.parametrize("order", ["maker/4711", "nosuch/1", "nosuch"])
def test_an_order_that_the_log_does_not_know_is_wrong_usage(
    copy: Path, capsys: pytest.CaptureFixture[str], words: list[str], order: str
) -> None:
    assert run(["journal", *words, str(copy), "--order", order]) == ExitStatus.USAGE
    out, err = capsys.readouterr()
    assert not out and f"{order}: no such order in this journal" in err


def test_an_order_that_the_log_knows_may_have_nothing_in_a_range(copy: Path) -> None:
    assert run(["journal", "tail", str(copy), "--order", "maker/1", "--to", "2"]) == ExitStatus.OK
    assert run(["journal", "grep", "35=ZZ", str(copy), "--order", "maker/1"]) == ExitStatus.FAILURE


def test_verify_calls_no_changed_snapshot_sound(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    link = Reader(copy, OsFiles()).link_at(20)
    name = write_snapshot(snapshot_folder(copy), OsFiles(), Snapshot("orders", link, b"digest", b"folded"))
    assert run(["journal", "verify", str(copy)]) == ExitStatus.OK
    path = Path(snapshot_folder(copy)) / name
    data = bytearray(path.read_bytes())
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :])
        assert damaged_snapshots(copy, OsFiles()), place
    capsys.readouterr()
    assert run(["journal", "verify", "--json", str(copy)]) == ExitStatus.INTEGRITY
    out, err = capsys.readouterr()
    assert not orjson.loads(out)["ok"] and name in err and "remove it" in err


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


def test_what_is_readable_behind_the_damage_is_given_back_to_its_session_once(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIXRING_VAR", str(tmp_path / "var"))
    spoiled(copy)
    saved = str(tmp_path / "saved")
    assert run(["journal", "salvage", saved, str(copy)]) == ExitStatus.OK
    capsys.readouterr()
    assert run(["journal", "take-back", "--json", saved]) == ExitStatus.OK
    (told,) = orjson.loads(capsys.readouterr().out)
    whole = [record for record in iterate(STORED, OsFiles()) if record.writer == "session@generic"]
    behind = [record for record in whole if record.lsn > max(record.lsn for record in iterate(saved, OsFiles())) + 1]
    inbound = [payload for record in behind if isinstance(payload := payload_of(record), Inbound)]
    file = load().emergency_folder / told["file"]
    step, *messages = [payload_of(record) for record in read_emergency(file, OsFiles())]
    assert isinstance(step, SessionChanged)
    assert (step.next_outbound, step.next_inbound) == (told["next_outbound"], inbound[0].msg_seq_num)
    assert [m.msg_seq_num for m in messages if isinstance(m, Inbound) and m.emergency] == [
        m.msg_seq_num for m in inbound
    ]
    assert run(["journal", "take-back", saved]) == ExitStatus.OK
    assert "given back before" in capsys.readouterr().out
    assert run(["journal", "take-back", str(STORED)]) == ExitStatus.REFUSED


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
    """A journal of more than 10,000 records and one that tells what orders came to after them.

    The sessions' own steps are left out of it.
    """
    write_long_journal(folder / "lives", 11_500, STAMP_NS)
    numbers: Counter[str] = Counter()
    entries = []
    for record in iterate(folder / "lives", OsFiles()):
        if record.kind >= 16 and record.kind != Kind.SESSION:
            numbers[record.writer] += 1
            entries.append(Entry(record.kind, record.writer, 1, numbers[record.writer], record.payload))
    told = StateHash("orders", 10_000, digest, fold_version("orders"))
    entries.append(Entry(int(Kind.STATE_HASH), "orders", 1, 1, encode(told)))
    log = Log.open(folder, OsFiles(), wall_ns=STAMP_NS)
    for start in range(0, len(entries), 1000):
        log.append(entries[start : start + 1000], STAMP_NS)
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
    assert run(["journal", "replay", "--shadow", str(tmp_path / "right")]) == ExitStatus.OK
    text = capsys.readouterr().out
    assert "State hashes compared: 1 of orders." in text
    assert "No state hash of risk in this range: nothing was proved of it." in text
    assert "No session connected in this range: nothing was proved of sessions." in text


def test_a_shadow_says_in_words_where_there_was_no_state_hash_to_compare(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["journal", "replay", "--shadow", str(copy)]) == ExitStatus.OK
    text = capsys.readouterr().out
    assert "No state hash of orders and risk in this range: nothing was proved of them." in text


# ---- places, numbers and what cannot be read ----


def test_the_end_of_a_range_includes_the_record_whose_printed_time_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Log.open(tmp_path, OsFiles(), wall_ns=STAMP_NS + 123_456_789)
    log.append([Entry(300, "me", 1, 1, b"x")], STAMP_NS + 1_123_457_289)
    log.append([Entry(300, "me", 1, 2, b"x")], STAMP_NS + 2_123_457_789)
    log.close()
    assert run(["journal", "tail", str(tmp_path)]) == ExitStatus.OK
    lines = capsys.readouterr().out.splitlines()
    printed = lines[1].split()[1]
    assert run(["journal", "tail", "--to", printed, str(tmp_path)]) == ExitStatus.OK
    assert capsys.readouterr().out.splitlines() == lines[:2]
    assert run(["journal", "replay", "--from", printed, "--to", printed, str(tmp_path)]) == ExitStatus.OK
    assert capsys.readouterr().out.splitlines() == lines[1:2]
    assert run(["journal", "state", "--at", printed, "--json", str(tmp_path)]) == ExitStatus.OK
    assert orjson.loads(capsys.readouterr().out)["lsn"] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["tail", "-n", "-5"],
        ["tail", "-f", "--to", "9"],
        ["replay", "--speed", "nan"],
        ["replay", "--speed", "-1"],
        ["replay", "--speed", "inf"],
        ["replay", "--speed", "1e-300"],
        ["replay", "--wait", "nan", "--publish", "inproc://x"],
        ["replay", "--wait", "-1", "--publish", "inproc://x"],
    ],
    ids=" ".join,
)
def test_what_is_no_number_of_lines_no_speed_and_no_end_is_wrong_usage(arguments: list[str], copy: Path) -> None:
    assert run(["journal", *arguments, str(copy)]) == ExitStatus.USAGE


@pytest.mark.parametrize("command", ["tail", "stats", "state", "verify", "replay", "grep 35=D", "explain maker/1"])
def test_a_read_that_fails_is_one_line_and_status_7(
    command: str, copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(self: OsFiles, handle: int, count: int, offset: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(OsFiles, "read_at", fail)
    assert run(["journal", *command.split(), str(copy)]) == ExitStatus.INTEGRITY
    out, err = capsys.readouterr()
    assert not out
    assert len(err.splitlines()) == 1
    assert "Input/output error" in err


def command(*arguments: str | Path, **options: Any) -> "subprocess.Popen[bytes]":
    """`fixring journal` as a process of its own, that hears Ctrl-C even where these tests run as somebody's background
    job and ignore it."""
    program = [sys.executable, "-P", "-m", "scripts.cli.main", "journal", *map(str, arguments)]
    hear = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(program, cwd=CHECKOUT, preexec_fn=hear, **options)


def test_tail_follows_what_is_written_and_ends_with_ctrl_c(copy: Path) -> None:
    with command("tail", "-f", "-n", "1", copy, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tail:
        assert tail.stdout is not None
        assert tail.stdout.readline().split()[0] == b"28"
        log = Log.open(copy, OsFiles(), wall_ns=0)
        first = log.append([Entry(300, "me", 1, n, b"x") for n in (1, 2)], log.last_stamp_ns).first_lsn
        log.close()
        # Opening the log was a record too: the epoch of its life.
        lsns = [int(tail.stdout.readline().split()[0]) for _ in range(3)]
        assert lsns == [first - 1, first, first + 1]
        tail.send_signal(signal.SIGINT)
        assert tail.wait(10) == ExitStatus.FAILURE
        assert tail.stderr is not None
        assert tail.stderr.read().strip() == b"fixring: interrupted"


@pytest.mark.parametrize(("speed", "least_s"), [("1", 1.0), ("4", 0.25), ("0", 0.0)])
def test_replay_keeps_the_recorded_pace_or_another(
    copy: Path, capsys: pytest.CaptureFixture[str], speed: str, least_s: float
) -> None:
    began = time.monotonic()
    assert run(["journal", "replay", "--from", "28", "--speed", speed, str(copy)]) == ExitStatus.OK
    # A second was recorded between these two; what the machine needs besides is far less.
    assert least_s <= time.monotonic() - began < least_s + 0.75
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["28", "29"]


def test_progress_is_shown_on_a_terminal_and_not_in_a_pipe(copy: Path) -> None:
    ours, theirs = pty.openpty()
    with command("verify", copy, stdout=subprocess.DEVNULL, stderr=theirs) as verify:
        os.close(theirs)
        shown = b""
        # Linux tells the end of a terminal nobody holds any more as an error.
        with contextlib.suppress(OSError):
            while part := os.read(ours, 4096):
                shown += part
        os.close(ours)
        assert verify.wait(10) == ExitStatus.OK
    assert b"\rverifying: 0 of 2 segments" in shown
    assert shown.endswith(b"\r\x1b[K")
    with command("verify", copy, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as verify:
        assert verify.stderr is not None
        assert verify.stderr.read() == b""


# ---- the stream ----


def long_stream(folder: Path, records: int) -> None:
    """Records of different stamps and of a size that no buffer of the system holds all of."""
    log = Log.open(folder, OsFiles(), wall_ns=STAMP_NS, durability="process")
    for number in range(1, records + 1):
        log.append([Entry(300, "me", 1, number, bytes(2000))], STAMP_NS + number)
    log.close()


def test_a_slow_subscriber_gets_the_whole_replay(short_folder: Path) -> None:
    long_stream(short_folder / "j", 2500)
    endpoint = f"ipc://{short_folder}/e"
    with zmq.Context() as context, context.socket(zmq.SUB) as sock:
        sock.setsockopt(zmq.RCVHWM, 1000)
        sock.subscribe(b"")
        sock.connect(endpoint)
        with command("replay", short_folder / "j", "--publish", endpoint, "--wait", "20", stdout=subprocess.PIPE) as it:
            got = 0
            while got < 2501:
                assert sock.poll(20_000)
                if got == 1:
                    # Longer than any end that was once waited for.
                    time.sleep(1.5)
                got += len(parse(sock.recv()))
            assert it.wait(20) == ExitStatus.OK
            assert it.stdout is not None
            assert it.stdout.read().startswith(b"2,501 records sent to the subscribers of ")


def test_ctrl_c_ends_the_wait_for_a_subscriber_that_takes_nothing_and_says_so(short_folder: Path) -> None:
    long_stream(short_folder / "j", 900)
    endpoint = f"ipc://{short_folder}/e"
    with zmq.Context() as context, context.socket(zmq.SUB) as sock:
        sock.setsockopt(zmq.RCVHWM, 1)
        sock.setsockopt(zmq.LINGER, 0)
        sock.subscribe(b"")
        sock.connect(endpoint)
        with command("replay", short_folder / "j", "--publish", endpoint, "--wait", "20", stderr=subprocess.PIPE) as it:
            assert sock.poll(20_000)
            with pytest.raises(subprocess.TimeoutExpired):
                it.wait(2)
            it.send_signal(signal.SIGINT)
            assert it.wait(10) == ExitStatus.FAILURE
            assert it.stderr is not None
            assert b"interrupted: of 901 records the last ones did not reach every subscriber" in it.stderr.read()


def test_a_stream_to_nobody_is_not_called_sent(
    copy: Path, short_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["journal", "replay", "--publish", f"ipc://{short_folder}/e", "--json", str(copy)]) == ExitStatus.OK
    told = orjson.loads(capsys.readouterr().out)
    assert (told["records"], told["unheard"]) == (0, 29)
