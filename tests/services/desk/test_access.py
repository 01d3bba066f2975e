"""Invariants: who has no secret of the desk is nobody; and a secret is worth what it was given for, and no longer."""

import stat
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from common.config import Config, ConfigError
from services.desk.access import COOKIE_S, FAILURES_FREE, Access, SignInRefused, address_of
from services.desk.users import BadUsers, Role, User, is_password, read_users, write_users
from tests.services.desk.conftest import PASSWORD, PORT, scrypt_of

ConfigWith = Callable[..., Config]


def access_of(config: Config) -> Access:
    users = config.stack.desk.users
    secrets = count(1)
    return Access(
        config.stack.desk, config.paths.resolve(users) if users else None, config.paths.run, "alice",
        lambda: f"secret-{next(secrets)}",
    )  # fmt: skip


def test_the_token_lets_in_once_and_is_written_for_its_owner_alone(config_with: ConfigWith) -> None:
    config = config_with()
    access = access_of(config)
    access.renew_token()
    assert stat.S_IMODE((config.paths.run / "desk.token").stat().st_mode) == 0o600
    address = address_of(config.stack.desk, config.paths.run)
    assert address == access.address == f"http://127.0.0.1:{PORT}/sign-in#secret-1"
    cookie = access.take_token("secret-1", 1000.0)
    login = access.find(cookie, 1000.0)
    assert login is not None and (login.role, login.strategy, login.by) == (Role.OPERATOR, "desk-alice", "alice/desk")
    with pytest.raises(SignInRefused):
        access.take_token("secret-1", 1000.0)
    assert access.find(cookie, 1000.0 + COOKIE_S) is None
    assert access.find("", 1000.0) is access.find("secret-2", 1000.0) is None


def test_a_desk_that_starts_again_knows_whom_it_let_in_and_keeps_no_cookie(config_with: ConfigWith) -> None:
    config = config_with()
    access = access_of(config)
    access.renew_token()
    cookie = access.take_token(access.token, 1000.0)
    kept = config.paths.run / "desk.cookies"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600 and cookie not in kept.read_text()
    again = access_of(config)
    assert again.find(cookie, 1001.0) is not None
    again.sign_out(cookie)
    assert again.find(cookie, 1001.0) is None and access_of(config).find(cookie, 1001.0) is None


@pytest.mark.parametrize(
    ("host", "fits"),
    [(f"127.0.0.1:{PORT}", True), (f"localhost:{PORT}", True), (f"[::1]:{PORT}", True), ("127.0.0.1:80", False),
     (f"evil.example:{PORT}", False), ("", False), ("127.0.0.1", False)],
)  # fmt: skip
def test_only_the_desk_s_own_names_are_answered(config_with: ConfigWith, host: str, fits: bool) -> None:
    access = access_of(config_with())
    assert access.is_host(host) is fits
    assert access.is_own_origin(f"http://{host}") is fits
    assert not access.is_own_origin(f"https://{host}") and not access.is_own_origin(host)


def with_users(config_with: ConfigWith, **roles: str) -> tuple[Config, Path]:
    config = config_with(users="keys/desk-users.json")
    path = config.paths.resolve(config.stack.desk.users)
    write_users(path, {name: User(role, scrypt_of(b"salt")) for name, role in roles.items()})
    return config, path


def test_named_users_sign_in_by_password_and_the_token_is_gone(config_with: ConfigWith) -> None:
    config, path = with_users(config_with, bob="viewer", carol="trader")
    access = access_of(config)
    access.renew_token()
    assert access.token == "" and not (config.paths.run / "desk.token").exists()
    with pytest.raises(SignInRefused):
        access.take_token("", 0.0)
    cookie = access.take_password("bob", PASSWORD, "10.0.0.1", 0.0)
    login = access.find(cookie, 0.0)
    assert login is not None and login.role is Role.VIEWER
    # Another role counts at once, another password ends every sign-in, and so does being taken out.
    write_users(path, {"bob": User("operator", read_users(path)["bob"].scrypt)})
    login = access.find(cookie, 0.0)
    assert login is not None and login.role is Role.OPERATOR
    write_users(path, {"bob": User("operator", scrypt_of(b"other"))})
    assert access.find(cookie, 0.0) is None
    write_users(path, {})
    assert access.find(cookie, 0.0) is None


def test_a_cookie_of_the_token_is_worth_nothing_once_users_are_named(config_with: ConfigWith) -> None:
    access = access_of(config_with())
    access.renew_token()
    cookie = access.take_token(access.token, 0.0)
    config, _ = with_users(config_with, alice="viewer")
    assert access_of(config).find(cookie, 0.0) is None


def test_failed_sign_ins_are_throttled_by_name_and_by_peer(config_with: ConfigWith) -> None:
    config, _ = with_users(config_with, bob="viewer")
    access = access_of(config)
    for _ in range(FAILURES_FREE):
        with pytest.raises(SignInRefused, match="no such name"):
            access.take_password("bob", "wrong", "10.0.0.1", 0.0)
    for name, peer in (("bob", "10.0.0.2"), ("eve", "10.0.0.1")):
        with pytest.raises(SignInRefused, match="too many"):
            access.take_password(name, PASSWORD, peer, 0.5)
    assert access.find(access.take_password("bob", PASSWORD, "10.0.0.2", 400.0), 400.0) is not None


def test_a_file_that_others_may_read_lets_nobody_in(config_with: ConfigWith) -> None:
    config, path = with_users(config_with, bob="viewer")
    path.chmod(0o644)
    with pytest.raises(BadUsers, match="chmod 600"):
        access_of(config).take_password("bob", PASSWORD, "10.0.0.1", 0.0)


@pytest.mark.parametrize("stored", ["", "a$b", "1$2$3$4$5", "16384$8$5$AAAA$AAAA"])
def test_what_is_no_scrypt_is_no_password(stored: str) -> None:
    assert not is_password(PASSWORD, stored)


@pytest.mark.parametrize("overrides", [{"host": "0.0.0.0"}, {"host": "10.0.0.5", "users": "u"}, {"certificate": "c"}])
def test_off_the_loopback_the_configuration_needs_tls_and_users(
    config_with: ConfigWith, overrides: dict[str, str]
) -> None:
    with pytest.raises(ConfigError):
        config_with(**overrides)
