"""A Logon(A) that has to bear a growing number bears one, over connections, restarts and clocks that are set back."""

from pathlib import Path

import pytest

from common.fix.session_types import SessionSettings
from common.fix.wire import encode, parse_utc_timestamp
from common.instant import NS_PER_MS, NS_PER_S
from common.journal.files import OsFiles
from common.venues.credentials import Credentials
from common.venues.dialect import Identity, nonce_ms
from common.venues.generic.dialect import Generic
from services.session.recovery import Folded, load_folded
from tests.services.session.harness import START_NS, World, generic_config


class Counting(Generic):
    """A venue whose Logon(A) has such a number."""

    def __init__(self) -> None:
        self.given: list[int] = []

    def session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """As the generic one's, with a Username(553) that is the number."""
        settings = super().session_settings(identity, credentials)

        def logon_fields(msg_seq_num: int, sending_time: bytes) -> bytes:
            number = nonce_ms(identity.last_nonce_ms, parse_utc_timestamp(sending_time))
            self.given.append(number)
            return b"553=%d\x01" % number

        return SessionSettings(
            sender_comp_id=settings.sender_comp_id, target_comp_id=settings.target_comp_id, initiator=True,
            heart_bt_int_s=settings.heart_bt_int_s, logon_fields=logon_fields,
        )  # fmt: skip


@pytest.fixture
def dialect() -> Counting:
    return Counting()


@pytest.fixture
def world(tmp_path: Path, dialect: Counting) -> World:
    world = World(OsFiles(), generic_config(str(tmp_path)), dialect)
    world.ready()
    return world


def test_it_is_the_time_while_the_clock_advances(world: World, dialect: Counting) -> None:
    assert dialect.given == [(START_NS + world.boot_ns) // NS_PER_MS]


def test_it_grows_while_the_clock_is_set_back_whatever_ends_the_connection(world: World, dialect: Counting) -> None:
    world.wall_ahead_ns = -100 * NS_PER_S
    world.cut()
    world.advance(5000)
    world.crash()
    world.advance(5000)
    world.crash()
    world.advance(5000)
    assert len(dialect.given) >= 4
    first = dialect.given[0]
    assert dialect.given == [first + step for step in range(len(dialect.given))]
    world.wall_ahead_ns = 0
    world.cut()
    world.advance(5000)
    assert dialect.given[-1] > first + 1000, "the clock is right again, and the number is the time"


def test_it_is_the_time_again_once_a_number_of_a_clock_far_ahead_was_refused(world: World, dialect: Counting) -> None:
    """A venue that holds it against its own clock would refuse it until the time has come to there."""
    world.swallow = True
    world.wall_ahead_ns = 3600 * NS_PER_S
    world.cut()
    world.advance(3000)
    ahead = dialect.given[-1]
    logout = b"35=5\x0134=9\x0149=GENERIC\x0152=20270115-08:00:00\x0156=FIXRING\x0158=Invalid nonce\x01"
    world.to_session(encode(b"FIX.4.4", logout))
    world.wall_ahead_ns, world.swallow = 0, False
    world.advance(5000)
    assert dialect.given[-1] < ahead - 3_500_000
    assert dialect.given[-1] > dialect.given[0], "and above what the venue has let in"


def test_a_snapshot_and_an_older_one_go_on_behind_it(world: World, dialect: Counting) -> None:
    folded = Folded(world.core.name, world.config.venue, world.dialect)
    for record in world.journal.records:
        folded.apply(record)
    loaded = load_folded(folded.dump(), world.core.name, world.config.venue, world.dialect)
    assert loaded.history.nonces == folded.history.nonces
    assert folded.history.nonces.latest_ms == dialect.given[-1]
