"""`fixring keys` makes a set once, hands each host what it needs, and finds what does not fit."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from common.config import CHECKOUT
from common.exit_status import ExitStatus
from scripts.cli.main import run
from tests.common.test_config import HOSTS

On = Callable[..., tuple[int, str, str]]


@pytest.fixture
def on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> On:
    """The command line on a host of its own var folder: exit status, output, errors."""
    config = Path(shutil.copytree(CHECKOUT / "configs", tmp_path / "configs"))
    with (config / "fixring.toml").open("a") as file:
        file.write(HOSTS)
    for name in [name for name in os.environ if name.startswith("FIXRING")]:
        monkeypatch.delenv(name)

    def call(host: str, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setenv("FIXRING_CONFIG", str(config))
        monkeypatch.setenv("FIXRING_VAR", str(tmp_path / host))
        monkeypatch.setenv("FIXRING__STACK__HOST", host)
        capsys.readouterr()
        status = run(["keys", *arguments])
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


def test_a_set_is_made_handed_out_and_fits(on: On, tmp_path: Path) -> None:
    status, out, _ = on("trading", "make")
    assert status == ExitStatus.OK and "relay@research" in out
    assert "made nothing" in on("trading", "make")[1]
    packed = tmp_path / "research.tar"
    status, out, _ = on("trading", "hand-out", "research", str(packed))
    assert status == ExitStatus.OK and "strategies, alerts, operator, relay@research; for research alone" in out
    assert on("trading", "hand-out", "research", str(packed))[0] == ExitStatus.REFUSED
    assert on("research", "take-in", str(packed))[0] == ExitStatus.OK
    for host in ("trading", "research"):
        status, out, err = on(host, "check", "--json")
        assert (status, orjson.loads(out)["wrong"]) == (ExitStatus.OK, []), err
    ours, theirs = (orjson.loads(on(host, "show", "--json")[1]) for host in ("trading", "research"))
    assert ours["fingerprint"] == theirs["fingerprint"]
    assert {row["role"] for row in theirs["roles"] if row["here"]} == {
        "strategies", "alerts", "operator", "relay@research"
    }  # fmt: skip
    assert on("trading", "check", str(packed))[0] == ExitStatus.OK
    assert on("trading", "check", str(tmp_path / "research/keys/links"))[0] == ExitStatus.OK


def test_no_secret_is_ever_shown(on: On, tmp_path: Path) -> None:
    on("trading", "make")
    secrets = [file.read_text().strip() for file in (tmp_path / "trading/keys/links").glob("*.secret")]
    assert secrets
    for arguments in (("show",), ("show", "--json"), ("check",), ("make", "--json")):
        _, out, err = on("trading", *arguments)
        assert not [secret for secret in secrets if secret in out + err]


def test_a_host_may_be_handed_a_set_without_the_command_lines_key(on: On, tmp_path: Path) -> None:
    on("trading", "make")
    on("trading", "hand-out", "research", str(tmp_path / "r.tar"), "--without-operator")
    on("research", "take-in", str(tmp_path / "r.tar"))
    assert not (tmp_path / "research/keys/links/operator.secret").exists()
    assert on("research", "check")[0] == ExitStatus.OK


def test_what_does_not_fit_is_found(on: On, tmp_path: Path) -> None:
    assert on("trading", "check")[0] == ExitStatus.CONFIGURATION
    on("trading", "make")
    on("trading", "hand-out", "research", str(tmp_path / "r.tar"))
    on("research", "take-in", str(tmp_path / "r.tar"))
    theirs = tmp_path / "research/keys/links"
    (theirs / "strategies.secret").chmod(0o644)
    status, out, _ = on("research", "check")
    assert status == ExitStatus.CONFIGURATION and "strategies.secret: readable by others" in out
    (theirs / "strategies.secret").unlink()
    assert "strategies.secret: no such key" in on("research", "check")[1]
    shutil.copy(tmp_path / "trading/keys/links/risk.secret", theirs)
    assert "risk.secret: research does not run risk; remove the file" in on("research", "check")[1]
    # Another set, made for itself.
    shutil.rmtree(theirs)
    on("research", "make")
    status, out, err = on("trading", "check", str(theirs))
    assert status == ExitStatus.CONFIGURATION and "orders: another public key" in out and "wrong" in err


def test_a_host_that_is_not_there_is_wrong_usage(on: On, tmp_path: Path) -> None:
    on("trading", "make")
    status, _, err = on("trading", "hand-out", "nowhere", str(tmp_path / "n.tar"))
    assert status == ExitStatus.USAGE and "there is research, trading" in err
