"""The doctor names what would stop the stack, with its mend, and is silent about what is well."""

import json
import shutil
import socket
import tempfile
from pathlib import Path

import pytest

from common.config import CHECKOUT, load
from common.exit_status import ExitStatus
from scripts.cli.main import run
from scripts.stack import own_ports


@pytest.fixture(autouse=True)
def _own_state(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State of its own, and ports that no stack of the developer's has."""
    monkeypatch.setenv("FIXRING_VAR", str(short_folder / "var"))
    for variable, value in own_ports().items():
        monkeypatch.setenv(variable, value)


def problems(capsys: pytest.CaptureFixture[str], expected: ExitStatus) -> dict[str, str]:
    assert run(["doctor", "--json"]) == expected
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] == (expected == ExitStatus.OK)
    assert all(f["mend"] for f in answer["findings"] if f["problem"])
    return {f["what"]: f["problem"] for f in answer["findings"] if f["problem"] and f["fatal"]}


def test_a_healthy_machine_has_no_problems(capsys: pytest.CaptureFixture[str]) -> None:
    assert problems(capsys, ExitStatus.OK) == {}
    assert run(["doctor"]) == ExitStatus.OK
    assert "WRONG" not in capsys.readouterr().out


def test_a_port_that_another_program_holds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("FIXRING__GENERIC__FIX__PORT", str(port))
        assert problems(capsys, ExitStatus.FAILURE) == {f"generic: port {port}": "taken by another program"}


def test_before_a_start_only_what_no_start_can_get_past_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIXRING__JOURNAL__LOW_DISK_BYTES", str(1 << 60))
    assert run(["doctor", "--before-start"]) == ExitStatus.OK
    assert capsys.readouterr().out == ""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("FIXRING__GENERIC__FIX__PORT", str(port))
        assert run(["doctor", "--before-start"]) == ExitStatus.FAILURE
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 2 and f"port {port}" in out[0] and "mend: " in out[1]
    assert "doctor --before-start" in (CHECKOUT / "scripts/start").read_text()


@pytest.mark.parametrize(("durability", "approved"), [("disk", False), ("process", True)])
def test_a_journal_in_memory_is_no_journal_on_disk(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], durability: str, approved: bool
) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        monkeypatch.setenv("FIXRING_VAR", folder)
        monkeypatch.setenv("FIXRING__JOURNAL__DURABILITY", durability)
        assert run(["doctor"]) == ExitStatus.OK
    assert ("tmpfs is memory" in capsys.readouterr().out) != approved


def test_a_strategy_whose_program_does_not_load(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIXRING__STRATEGIES__MAKER__PROGRAM", "no_such_module:Mine")
    assert "no_such_module" in problems(capsys, ExitStatus.FAILURE)["strategy maker"]


def test_a_configuration_that_does_not_load(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIXRING__ORDERS__TTL_MS", "soon")
    assert "FIXRING__ORDERS__TTL_MS" in problems(capsys, ExitStatus.CONFIGURATION)["configuration"]


def test_too_little_room(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FIXRING__JOURNAL__LOW_DISK_BYTES", str(1 << 60))
    assert all("orders would be refused" in p for p in problems(capsys, ExitStatus.FAILURE).values())


def test_a_path_too_long_for_sockets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("FIXRING_VAR", str(tmp_path / ("x" * 100)))
    assert "socket paths" in problems(capsys, ExitStatus.FAILURE)


def test_a_real_venue_without_keys_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(CHECKOUT / "configs", tmp_path / "configs"))
    (folder / "generic.toml").unlink()
    for name in ("FIXRING__GENERIC__FIX__PORT", "FIXRING__GENERIC__MARKET_DATA__PORT"):
        monkeypatch.delenv(name)
    for file in (folder / "fixring.toml", folder / "binance.toml"):
        text = file.read_text().replace('["binance", "generic"]', '["binance"]')
        file.write_text(text.replace('environment = "simulated"', 'environment = "testnet"'))
    monkeypatch.setenv("FIXRING_CONFIG", str(folder))
    for session in ("FIX", "MARKET_DATA"):
        # Nobody listens there, and no test asks a real venue.
        monkeypatch.setenv(f"FIXRING__BINANCE__{session}__HOST", "127.0.0.1")
    found = problems(capsys, ExitStatus.FAILURE)
    assert [p for p in found.values() if p == "no such file"] == ["no such file"] * 2
    assert sum("127.0.0.1:" in what for what in found) == 2
    keys = load().paths.keys / "binance"
    keys.mkdir(parents=True)
    for name in ("api_key", "private_key.pem"):
        (keys / name).write_text("no key")
    assert "not readable as PEM" in problems(capsys, ExitStatus.FAILURE)["binance: credentials"]


def test_a_sink_s_secret_that_is_missing_or_for_everybody_to_read(
    short_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIXRING__ALERTS__WEBHOOKS__PAGER__URL", "https://a.example/x")
    monkeypatch.setenv("FIXRING__ALERTS__WEBHOOKS__PAGER__SECRET_FILE", "keys/pager")
    what, file = "alerts.webhooks.pager.secret_file", short_folder / "var/keys/pager"
    assert problems(capsys, ExitStatus.FAILURE) == {what: f"{file} is missing or empty: nothing is told there"}
    file.parent.mkdir(parents=True, mode=0o700)
    (short_folder / "var").chmod(0o700)
    file.write_text("secret")
    file.chmod(0o644)
    assert run(["doctor"]) == ExitStatus.OK
    assert f"chmod 600 {file}" in capsys.readouterr().out
