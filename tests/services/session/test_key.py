"""A session's next logon is made with the key that its files hold by then; status says which one is in use."""

from pathlib import Path

import pytest

from common.fix.session_types import SessionSettings
from common.journal.files import OsFiles
from common.venues.credentials import Credentials, HmacSecret, UnreadableCredentials
from common.venues.dialect import Identity
from common.venues.generic.dialect import Generic
from common.venues.key_in_use import fingerprint
from tests.services.session.harness import World, generic_config

OLD, NEW = HmacSecret("old", b"one"), HmacSecret("new", b"two")


class Keyed(Generic):
    """A venue whose Logon(A) has the API key as Username(553)."""

    def session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """As the generic one's, with the key."""
        assert isinstance(credentials, HmacSecret)
        settings = super().session_settings(identity, credentials)
        return SessionSettings(
            sender_comp_id=settings.sender_comp_id, target_comp_id=settings.target_comp_id, initiator=True,
            heart_bt_int_s=settings.heart_bt_int_s,
            logon_fields=lambda number, stamp: f"553={credentials.api_key}\x01".encode(),
        )  # fmt: skip


class Files:
    """What the files hold now; nothing where they cannot be read."""

    held: Credentials | None = OLD

    def read(self) -> Credentials:
        """See `ReadAgain`."""
        if self.held is None:
            raise UnreadableCredentials("keys/secret: no such file")
        return self.held


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def world(tmp_path: Path, files: Files) -> World:
    config = generic_config(str(tmp_path), credentials=OLD, read_credentials=files.read)
    world = World(OsFiles(), config, Keyed())
    world.ready()
    return world


def logged_on_as(world: World) -> list[str]:
    return [fields[b"553"].decode() for fields in world.venue.wire if fields[b"35"] == b"A"]


def test_a_key_is_rotated_by_the_next_logon_alone(world: World, files: Files) -> None:
    files.held = NEW
    world.advance(60_000)
    assert logged_on_as(world) == ["old"] and world.core.status(world.now)["key"] == fingerprint(OLD)
    world.cut()
    world.advance(5000)
    assert world.venue.logged_on and logged_on_as(world) == ["old", "new"]
    status = world.core.status(world.now)
    assert (status["key"], status["key_failure"]) == (fingerprint(NEW), "")


def test_files_that_cannot_be_read_leave_the_former_key_in_use_and_it_is_noted(world: World, files: Files) -> None:
    files.held = None
    world.cut()
    world.advance(5000)
    assert world.venue.logged_on and logged_on_as(world) == ["old", "old"]
    status = world.core.status(world.now)
    assert (status["key"], status["key_failure"]) == (fingerprint(OLD), "keys/secret: no such file")
    assert [note for note in world.notes if note.event == "key_not_used"]
