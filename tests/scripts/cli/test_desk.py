"""Invariant: who may sign in to the desk is what the file says, and a wrong word says what there is."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from scripts.cli.desk import desk
from scripts.cli.errors import CommandError
from services.desk.users import is_password, read_users

PASSWORD = "correct horse battery"


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FIXRING_VAR", str(tmp_path))
    monkeypatch.setenv("FIXRING__DESK__USERS", "keys/desk-users.json")
    return tmp_path / "keys/desk-users.json"


def test_a_user_is_written_given_another_role_and_taken_out(environ: Path) -> None:
    typed = f"{PASSWORD}\n{PASSWORD}\n"
    assert CliRunner().invoke(desk, ["user", "alice", "--role", "trader"], input=typed).exit_code == 0
    user = read_users(environ)["alice"]
    assert user.role == "trader" and is_password(PASSWORD, user.scrypt) and not is_password("another one!", user.scrypt)
    assert PASSWORD not in environ.read_text()
    assert CliRunner().invoke(desk, ["user", "alice", "--role", "viewer"], input=typed).exit_code == 0
    assert read_users(environ)["alice"].role == "viewer"
    assert CliRunner().invoke(desk, ["user", "alice", "--remove"]).exit_code == 0
    assert not read_users(environ)


@pytest.mark.parametrize(
    ("arguments", "typed", "says"),
    [(["user", "Alice", "--role", "trader"], "", "1 to 15 of a-z"), (["user", "alice"], "", "say --role"),
     (["user", "alice", "--remove"], "", "no such user"),
     (["user", "bob", "--role", "viewer"], "short\nshort\n", "12 to")],
)  # fmt: skip
def test_what_makes_no_user_says_why(environ: Path, arguments: list[str], typed: str, says: str) -> None:
    result = CliRunner().invoke(desk, arguments, input=typed)
    assert isinstance(result.exception, CommandError) and says in str(result.exception)


def test_an_address_of_a_desk_that_does_not_run_is_none(environ: Path) -> None:
    result = CliRunner().invoke(desk, ["address"])
    assert isinstance(result.exception, CommandError) and "not running" in str(result.exception)
