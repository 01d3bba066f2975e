"""Invariant: whoever takes over has all that the stream holds, byte for byte, and then stands in it with the next term;
whoever wrote it before adds nothing that anybody counts; and of several that take over each term is one's.
"""

from random import Random

import pytest

from common.instant import NS_PER_S
from common.journal import Entry, FollowsAnother, Log, OtherJournal, iterate, verify
from common.journal.claims import FOLLOWING, claim_text, remove_claim
from common.journal.followed import FollowedLog
from common.journal.frames import TERM
from common.replication.chain import Chain
from common.replication.errors import Away, Fenced, Forked
from common.replication.following import Following
from tests.common.replication.fake import Odd, draw_odd
from tests.services.replicator.rig import FOLDER, WALL_NS, Rig

TO = "/standby"


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    for number in range(6):
        rig.append(*[b"%d" % number] * (number + 1))
        rig.wait(10)
    return rig


def follow(rig: Rig, to: str = TO) -> tuple[FollowedLog, Following]:
    log = FollowedLog.begin(to, rig.files, rig.log.identity, segment_bytes=1 << 12)
    return log, Following(rig.stream, log)


def test_what_follows_holds_the_same_records_and_goes_on_after_any_end(rig: Rig) -> None:
    for number in range(4):
        log, following = follow(rig)
        following.catch_up()
        log.close() if number % 2 else log.abandon()
        assert list(iterate(TO, rig.files)) == list(iterate(FOLDER, rig.files))
        rig.append(b"more")
        rig.wait(10)
    assert verify(TO, rig.files).identity == rig.log.identity.hex()


def test_nothing_else_is_written_to_a_folder_that_follows(rig: Rig) -> None:
    log, following = follow(rig)
    following.catch_up()
    log.close()
    with pytest.raises(FollowsAnother, match="fixring takeover"):
        Log.open(TO, rig.files, wall_ns=WALL_NS)
    with pytest.raises(OtherJournal):
        FollowedLog.begin(TO, rig.files, b"another identity")
    with pytest.raises(OtherJournal):
        rig.log.close()
        FollowedLog.begin(FOLDER, rig.files, rig.log.identity)


def test_a_folder_that_holds_what_the_stream_does_not_is_not_gone_on_with(rig: Rig) -> None:
    log, following = follow(rig)
    following.catch_up()
    rig.stream.held.pop()
    with pytest.raises(Forked):
        Following(rig.stream, log)


def taken_over(rig: Rig, to: str = TO) -> Log:
    """Somebody takes over in the folder `to`, and the journal starts there."""
    log, following = follow(rig, to)
    following.catch_up()
    following.take_over("alice", "b", rig.now.wall_ns)
    log.close()
    assert claim_text(to, rig.files, FOLLOWING) is not None, "before that is taken away nothing starts"
    remove_claim(to, rig.files, FOLLOWING)
    return Log.open(to, rig.files, wall_ns=rig.now.wall_ns)


def test_a_takeover_has_all_of_the_copy_the_next_term_and_fences_the_former_host(rig: Rig) -> None:
    own = list(iterate(FOLDER, rig.files))
    other = taken_over(rig)
    records = list(iterate(TO, rig.files))
    assert records[: len(own)] == own and [r.kind for r in records[len(own) :]].count(TERM) == 1
    assert (other.term, other.identity) == (2, rig.log.identity)
    rig.append(b"the former host's")
    held = list(rig.stream.held)
    rig.wait(10)
    assert [end.status for end in rig.exits] == [9] and rig.stream.held == held
    assert "alice took it over for b" in rig.fences[0]


@pytest.mark.parametrize("odd", list(Odd))
def test_a_takeover_s_answer_that_is_unclear_costs_no_term_and_no_record(rig: Rig, odd: Odd) -> None:
    rig.stream.odd, rig.stream.stale = [odd], 1
    other = taken_over(rig)
    assert other.term == 2 and sum(batch.term == 2 for batch in rig.stream.held) == 1


def test_what_the_former_host_adds_before_the_term_stands_is_read_first(rig: Rig) -> None:
    log, following = follow(rig)
    whole = rig.stream.publish
    late: list[bytes] = [b"one more", b"and one"]

    def publish(batch, expected):  # type: ignore[no-untyped-def]
        if batch.term == 2 and late:
            rig.stream.publish = whole  # type: ignore[method-assign]
            rig.append(late.pop())
            rig.wait(10)
            rig.stream.publish = publish  # type: ignore[method-assign]
        return whole(batch, expected)

    rig.stream.publish = publish  # type: ignore[method-assign]
    following.take_over("alice", "b", rig.now.wall_ns)
    own = list(iterate(FOLDER, rig.files))
    assert list(iterate(TO, rig.files))[: len(own)] == own and own[-1].payload == b"one more"
    chain = Chain()
    for found in rig.stream.messages(1, len(rig.stream.held)):
        assert chain.take(found), "nothing of it is dropped"


def test_of_two_at_once_the_second_stops(rig: Rig) -> None:
    log, following = follow(rig)
    following.catch_up()
    other_log, other = follow(rig, "/other")
    other.catch_up()
    whole = following.catch_up
    following.catch_up = lambda progress=None: 0  # type: ignore[method-assign]
    other.take_over("bob", "c", rig.now.wall_ns)

    def publish(batch, expected, publish=rig.stream.publish):  # type: ignore[no-untyped-def]
        following.catch_up = whole  # type: ignore[method-assign]
        return publish(batch, expected)

    rig.stream.publish = publish  # type: ignore[method-assign]
    with pytest.raises(Fenced, match="bob was quicker"):
        following.take_over("alice", "b", rig.now.wall_ns)


def test_with_the_stream_away_nothing_is_taken_over(rig: Rig) -> None:
    log, following = follow(rig)
    following.catch_up()
    before, held = log.end, list(rig.stream.held)
    rig.stream.away = True
    with pytest.raises(Away):
        following.take_over("alice", "b", rig.now.wall_ns)
    assert log.end == before and log.term == 1 and rig.stream.held == held


def test_a_host_that_comes_back_by_following_takes_over_in_its_turn(rig: Rig) -> None:
    other = taken_over(rig)
    other.append([Entry(16, "you", 1, 1, b"in term 2")], other.last_stamp_ns + NS_PER_S)
    rig.exits.clear()
    third = taken_over(rig, "/back")
    assert third.term == 3 and third.epoch > other.epoch


@pytest.mark.parametrize("seed", range(12))
def test_any_run_of_writers_and_takeovers_leaves_one_story(seed: int) -> None:
    """Each host goes on for a while after it is fenced; what anybody counts is one chain, in which terms only rise."""
    random, rig = Random(seed), Rig()
    term = 1
    for number in range(8):
        draw_odd(random, rig.stream)
        rig.append(b"%d" % number)
        rig.wait(random.choice((1, 20, 400)))
        if random.random() < 0.4 and rig.stream.held:
            draw_odd(random, rig.stream)
            try:
                taken_over(rig, f"/host{number}").close()
            except Away:
                continue
            term += 1
            break
    rig.stream.odd, rig.stream.stale = [], 0
    rig.append(b"tail")
    rig.wait(500)
    chain, dropped = Chain(), 0
    for found in rig.stream.messages(1, len(rig.stream.held)):
        dropped += not chain.take(found)
    assert chain.term == term and bool(rig.exits) == (term > 1)
