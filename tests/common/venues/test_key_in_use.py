"""A key is rotated by new files and the next logon: which credentials that is made with, and what is said of them."""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from common.config import CredentialsConfig
from common.key_files import reader_of
from common.messages import Answer, Ask
from common.rest_worker import RotatingRest
from common.venues.binance.venue import PROFILE as BINANCE
from common.venues.coinbase.venue import PROFILE as COINBASE
from common.venues.credentials import Credentials, HmacPassphrase, HmacSecret, UnreadableCredentials
from common.venues.key_in_use import KeyInUse, fingerprint, sender_of
from common.venues.rest import Listed, RestSettings
from tests.common.venues.both_sides import BothSides

OLD, NEW = HmacSecret("old", b"one"), HmacSecret("new", b"two")


def files_of(sides: BothSides, key: str) -> Path:
    told = sides.venue.credentials
    assert isinstance(told, CredentialsConfig)
    return sides.config.paths.resolve(told.files[key])


def api_key_of(credentials: Credentials | None) -> str:
    assert isinstance(credentials, HmacSecret)
    if credentials.api_key == "useless":
        raise ValueError("the secret is no base64")
    return credentials.api_key


def test_the_next_logon_takes_what_the_files_hold_by_then() -> None:
    now: list[Credentials] = [OLD]
    key = KeyInUse(OLD, lambda: now[0])
    assert key.make(api_key_of) == "old"
    before = key.status
    now[0] = NEW
    assert key.status == before, "nothing has logged on with the new one"
    assert key.make(api_key_of) == "new"
    assert key.status == {"key": fingerprint(NEW), "key_failure": ""} and before["key"] == fingerprint(OLD)


def test_what_is_of_no_use_leaves_the_former_key_in_use_and_is_told() -> None:
    now: list[Credentials] = [HmacSecret("useless", b"")]
    key = KeyInUse(OLD, lambda: now[0])
    assert key.make(api_key_of) == "old"
    assert key.status == {"key": fingerprint(OLD), "key_failure": "the secret is no base64"}
    now[0] = NEW
    assert key.make(api_key_of) == "new" and not key.failure


def test_files_that_are_gone_leave_the_former_key_in_use_and_are_named(tmp_path: Path) -> None:
    sides = BothSides("coinbase", tmp_path)
    key = KeyInUse(sides.credentials, reader_of(sides.venue.credentials, sides.config))
    files_of(sides, "secret_file").unlink()
    assert key.make(lambda credentials: credentials) is key.credentials is not None
    assert "No such file" in key.failure and "secret" in key.failure


def test_without_a_reader_the_credentials_stay() -> None:
    assert KeyInUse(OLD).make(api_key_of) == "old"
    assert KeyInUse(None).status == {"key": "", "key_failure": ""}


def test_a_fingerprint_tells_keys_apart_and_is_too_dear_to_guess_by() -> None:
    others = (NEW, HmacSecret("old", b"two"), HmacSecret("oldo", b"ne"), HmacPassphrase("old", b"one", ""))
    assert len({fingerprint(each) for each in (OLD, *others)}) == 5
    assert fingerprint(OLD) == fingerprint(HmacSecret("old", b"one")) and len(fingerprint(OLD)) == 8
    before = time.process_time()
    fingerprint(OLD)
    assert time.process_time() - before > 0.001


def test_the_same_credentials_read_again_cost_no_second_computation(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[bytes] = []
    real = hashlib.scrypt

    def counted(whole: bytes, *, salt: bytes, n: int, r: int, p: int, dklen: int) -> bytes:
        computed.append(whole)
        return real(whole, salt=salt, n=n, r=r, p=p, dklen=dklen)

    monkeypatch.setattr(hashlib, "scrypt", counted)
    key = KeyInUse(HmacSecret("read again", b"one"), lambda: HmacSecret("read again", b"one"))
    told = [key.status]
    for _ in range(3):
        key.make(lambda credentials: credentials)
        told.append(key.status)
    assert told == [{"key": fingerprint(key.credentials), "key_failure": ""}] * 4
    assert len(computed) == 2, "one for the status of all of them, one by this test"


def test_where_the_key_is_the_sender_the_sender_is_the_new_one() -> None:
    assert sender_of("old", "", 7, COINBASE, NEW) == "new"
    assert sender_of("DESK", "", 7, BINANCE, NEW) == "DESK"
    assert sender_of("", "DSK", 7, BINANCE, NEW) == "DSK07"


def test_a_real_session_logs_on_with_the_new_key_at_an_exchange_that_takes_no_other(tmp_path: Path) -> None:
    """Order entry with the key that its files hold by then; a simulated exchange that knows the new one alone."""
    (tmp_path / "exchange").mkdir()
    (tmp_path / "desk").mkdir()
    rotated, sides = BothSides("coinbase", tmp_path / "exchange"), BothSides("coinbase", tmp_path / "desk")
    key = KeyInUse(sides.credentials, reader_of(sides.venue.credentials, sides.config))
    assert not rotated.desk(key.make(lambda credentials: credentials)).logged_on
    for name in ("api_key_file", "secret_file", "passphrase_file"):
        files_of(sides, name).write_bytes(files_of(rotated, name).read_bytes())
    desk = rotated.desk(key.make(lambda credentials: credentials))
    assert desk.logged_on and key.status["key"] == fingerprint(rotated.credentials)
    _, (accepted, *_) = desk.new()
    assert getattr(accepted, "exec_type", "") == "0"


class Remembering:
    """A REST side that answers with the key that it was opened with."""

    def __init__(self, settings: RestSettings) -> None:
        self._key = api_key_of(settings.credentials)

    def ask(self, ask: Ask, *, unlisted: bool = False) -> Answer:
        return Answer("v", ask, False, text=self._key)

    def look_up(self, asks: Sequence[Ask]) -> Listed:
        return Listed(tuple(map(self.ask, asks)))


def test_rest_is_opened_anew_with_another_key_and_kept_where_that_is_of_no_use() -> None:
    now: list[Credentials] = [OLD]
    reads = [0]

    def read() -> Credentials:
        reads[0] += 1
        if not now:
            raise UnreadableCredentials("gone")
        return now[0]

    side = RotatingRest(Remembering, RestSettings("v", "http://h", OLD, 1000), read)

    def told() -> str:
        return side.ask(Ask("v", 1, "time")).text

    assert told() == "old"
    assert [answer.text for answer in side.look_up([Ask("v", 1, "order")]).answers] == ["old"]
    now[0] = HmacSecret("useless", b"")
    assert (told(), told()) == ("old", "old")
    now.clear()
    assert told() == "old"
    now.append(NEW)
    assert (told(), told()) == ("new", "new") and reads[0] == 7
