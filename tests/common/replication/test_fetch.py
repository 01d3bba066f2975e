"""Invariant: the stream alone brings the journal back, record by record; a hole or a broken chain is refused."""

import pytest

from common.journal import iterate, verify
from common.replication.errors import Away, StreamBroken
from common.replication.fetch import fetch
from tests.common.replication.fake import FakeLog
from tests.services.replicator.rig import FOLDER, Rig

TO = "/fetched"


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    for number in range(8):
        rig.append(*[b"%d" % number] * (number + 1))
        rig.wait(10)
    return rig


def test_the_journal_is_there_again(rig: Rig) -> None:
    journal_id, told = rig.log.identity.hex(), list[int]()
    end = fetch(rig.stream, journal_id, TO, rig.files, segment_bytes=1 << 12, progress=lambda at, _: told.append(at))
    messages = len(rig.stream.held)
    assert list(iterate(TO, rig.files)) == list(iterate(FOLDER, rig.files))
    assert verify(TO, rig.files).identity == journal_id and end.end == rig.log.end
    assert told == list(range(1, messages + 1))


def test_a_hole_a_changed_byte_and_an_empty_stream_are_refused(rig: Rig) -> None:
    journal_id, held = rig.log.identity.hex(), list(rig.stream.held)
    changed = bytearray(held[4].block)
    changed[-9] ^= 1
    for number, wrong in enumerate(
        (held[:3] + held[4:], held[1:], [*held[:4], held[4]._replace(block=bytes(changed)), *held[5:]], [])
    ):
        rig.stream.held = wrong
        with pytest.raises(StreamBroken):
            fetch(rig.stream, journal_id, f"{TO}{number}", rig.files)
        assert not wrong or "mark" not in rig.files.list(f"{TO}{number}")


def test_messages_that_do_not_come_are_no_end_of_the_stream(rig: Rig) -> None:
    class Slow(FakeLog):
        def messages(self, sequence: int, most: int):  # type: ignore[no-untyped-def]
            yield from super().messages(sequence, most - 2)

    slow = Slow(rig.stream.name)
    slow.held = rig.stream.held
    with pytest.raises(Away, match="was not sent"):
        fetch(slow, rig.log.identity.hex(), TO, rig.files)
    assert "mark" not in rig.files.list(TO)
