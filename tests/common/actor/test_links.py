"""Invariants: what a writer appends stands in the log once and in order, whatever a link loses or the journal forgets;
a follower applies every record once and in order, whatever the stream drops."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.actor.core import Core, Exit, ReadLog, Send
from common.actor.links import AWAY_NS, QUESTION_NS, RESEND_ENTRIES, RESEND_NS, Appender, Follower, LogLost, Superseded
from common.instant import Instant
from common.journal.frames import EPOCH, OWN_WRITER, Entry, Link, Record, frame, parse
from common.messages import (
    MAX_RECORD_BYTES,
    Append,
    Appended,
    AppendQuestion,
    AppendRefused,
    Door,
    EpochGranted,
    EpochRequest,
    JournalLevel,
    JournalRequest,
    Kind,
    OperatorAct,
    encode,
)
from tests.journals import Journal

WRITER = "orders"


def at(ms: int) -> Instant:
    return Instant(1_000_000_000_000 + ms * 1_000_000, ms * 1_000_000)


def act(text: str) -> OperatorAct:
    return OperatorAct("orders", text, "test")


def a_journal() -> Journal:
    """It grants epoch 50 first."""
    return Journal(at(0).wall_ns, first_epoch=50)


def granted(journal: Journal) -> tuple[Core, Appender]:
    core = Core(WRITER)
    appender = Appender(core, WRITER)
    appender.request_epoch(at(0))
    (ask,) = core.effects
    assert isinstance(ask, Send)
    core.effects.clear()
    for answer in journal.take(ask.message):
        appender.received(answer, at(0))
    assert appender.granted
    return core, appender


def test_lives_ask_with_tokens_of_their_own_whatever_the_clocks_show() -> None:
    """Of two boots of the host at the same count, and of one boot, where the clocks run side by side."""
    starts = [Instant(1_000, 0), Instant(2_000, 0)]
    starts += [Instant((1 << 60) + boot_ns, boot_ns) for boot_ns in range(1, 50)]
    tokens = []
    for start in starts:
        core = Core(WRITER)
        Appender(core, WRITER).request_epoch(start)
        (ask,) = core.effects
        assert isinstance(ask, Send) and isinstance(ask.message, EpochRequest)
        tokens.append(ask.message.token)
    assert len(set(tokens)) == len(starts)


def test_a_turns_records_go_out_as_one_message() -> None:
    core, appender = granted(a_journal())
    appender.append(Kind.OPERATOR, act("a"), at(1))
    appender.append(Kind.OPERATOR, act("b"), at(1))
    assert core.effects == []
    appender.turn_ended(at(1))
    (send,) = core.effects
    assert isinstance(send, Send) and isinstance(send.message, Append)
    assert (send.message.first_number, len(send.message.entries)) == (1, 2)


def test_a_turn_may_wait_when_all_of_its_kinds_may() -> None:
    core = Core(WRITER)
    appender = Appender(core, WRITER, ack_may_wait=frozenset({Kind.OPERATOR}))
    appender.request_epoch(at(0))
    (ask,) = core.effects
    assert isinstance(ask, Send)
    core.effects.clear()
    appender.received(a_journal().take(ask.message)[0], at(0))
    flags = []
    for kinds in ((Kind.OPERATOR,), (Kind.OPERATOR, Kind.EXPIRED)):
        for kind in kinds:
            appender.append(kind, act("a"), at(1))
        appender.turn_ended(at(1))
        send = core.effects.pop()
        assert isinstance(send, Send) and isinstance(send.message, Append)
        flags.append((send.message.stream_may_wait, send.message.ack_may_wait))
    assert flags == [(False, True), (False, False)]


def test_an_unanswered_append_is_asked_about_and_then_means_away() -> None:
    core, appender = granted(a_journal())
    appender.append(Kind.OPERATOR, act("a"), at(0))
    appender.turn_ended(at(0))
    core.effects.clear()
    assert appender.next_deadline_ns() == QUESTION_NS
    appender.timer(at(100))
    (send,) = core.effects
    assert isinstance(send, Send) and isinstance(send.message, AppendQuestion)
    assert not appender.away(at(249))
    assert appender.away(at(AWAY_NS // 1_000_000))


def test_a_process_that_stood_still_asks_before_it_blames_the_journal() -> None:
    core, appender = granted(a_journal())
    appender.append(Kind.OPERATOR, act("a"), at(0))
    appender.turn_ended(at(0))
    core.effects.clear()
    assert not appender.away(at(300))
    appender.timer(at(300))
    (send,) = core.effects
    assert isinstance(send, Send) and isinstance(send.message, AppendQuestion)
    assert not appender.away(at(449))
    assert appender.away(at(450)) and appender.away_from_ns() == at(450).boot_ns



def test_a_later_epoch_of_its_own_in_the_log_supersedes_a_writer() -> None:
    _, appender = granted(a_journal())

    def begins(writer: str, epoch: int) -> Record:
        return Record(9, 1, EPOCH, writer, epoch, 0, 1, 0, b"")

    for record in (begins(WRITER, appender.epoch), begins("risk", appender.epoch + 1)):
        appender.follow(record)
    with pytest.raises(Superseded, match="record 9 begins epoch 51, this process has 50"):
        appender.follow(begins(WRITER, appender.epoch + 1))


def test_a_writer_that_had_read_of_a_later_epoch_before_its_own_was_granted_is_superseded_by_it() -> None:
    core = Core("test")
    appender = Appender(core, WRITER)
    appender.request_epoch(at(0))
    (send,) = core.effects
    assert isinstance(send, Send) and isinstance(send.message, EpochRequest)
    for epoch in (49, 51):
        appender.follow(Record(epoch, 1, EPOCH, WRITER, epoch, 0, 1, 0, b""))
    # The requests of lives that died were granted with it, behind it, and the stream was faster than the answer.
    with pytest.raises(Superseded, match="record 51 begins epoch 51, this process has 50"):
        appender.received(EpochGranted(WRITER, send.message.token, 50, 50, 1, 1, "a"), at(1))


def test_an_idle_writer_asks_nothing_and_is_not_away() -> None:
    _, appender = granted(a_journal())
    assert appender.next_deadline_ns() is None
    assert not appender.away(at(10_000))


def test_a_later_epoch_in_the_log_ends_the_writer() -> None:
    _, appender = granted(a_journal())
    with pytest.raises(Superseded):
        appender.received(AppendRefused(WRITER, 51, 1, 1), at(5))


def test_a_journal_that_lost_the_writers_epoch_is_not_written_to() -> None:
    core, appender = granted(a_journal())
    appender.append(Kind.OPERATOR, act("a"), at(0))
    appender.turn_ended(at(0))
    core.effects.clear()
    with pytest.raises(LogLost, match="folder was replaced"):
        appender.received(AppendRefused(WRITER, 0, 1, 2), at(5))
    assert core.effects == []


def test_a_journal_that_lacks_what_it_acknowledged_is_not_written_to() -> None:
    journal = a_journal()
    core, appender = granted(journal)
    for text in ("a", "b"):
        appender.append(Kind.OPERATOR, act(text), at(0))
        appender.turn_ended(at(0))
    appender.received(Appended(WRITER, 50, 1, 2, 3, at(0).wall_ns, 1), at(1))
    appender.append(Kind.OPERATOR, act("c"), at(1))
    appender.turn_ended(at(1))
    core.effects.clear()
    with pytest.raises(LogLost, match="acknowledged append 2 and now expects 2"):
        appender.received(AppendRefused(WRITER, 50, 2, 2), at(5))
    assert core.effects == []


def test_a_level_that_is_told_alone_acknowledges_nothing() -> None:
    journal = a_journal()
    core, appender = granted(journal)
    appender.append(Kind.OPERATOR, act("a"), at(1))
    assert appender.grant is not None
    told = Appended(WRITER, appender.grant.epoch, 0, 0, 0, 0, appender.journal_epoch, JournalLevel.COPY_BEHIND)
    assert appender.received(told, at(2)) is None
    assert appender.announced == JournalLevel.COPY_BEHIND and appender.unacknowledged == 1


@pytest.mark.parametrize("grant", [(60, 9, "another"), (60, 2, "journal")])
def test_another_journal_or_a_shorter_one_grants_no_epoch(grant: tuple[int, int, str]) -> None:
    """The journal acknowledged a record at LSN 3: one of another identity, or that ends before, is not its log."""
    epoch, lsn, identity = grant
    core, appender = granted(a_journal())
    appender.append(Kind.OPERATOR, act("a"), at(0))
    appender.turn_ended(at(0))
    appender.received(Appended(WRITER, 50, 1, 1, 3, at(0).wall_ns, 1), at(1))
    core.effects.clear()
    appender.request_epoch(at(7))
    (ask,) = core.effects
    assert isinstance(ask, Send) and isinstance(ask.message, EpochRequest)
    with pytest.raises(LogLost, match="another journal"):
        appender.received(EpochGranted(WRITER, ask.message.token, epoch, lsn, at(7).wall_ns, 2, identity), at(8))
    assert not appender.granted


def test_a_run_of_refusals_brings_one_resend_and_one_more_later() -> None:
    core, appender = granted(a_journal())
    appender.append(Kind.OPERATOR, act("a"), at(0))
    appender.turn_ended(at(0))
    core.effects.clear()
    for _ in range(5):
        appender.received(AppendRefused(WRITER, 50, 1, 1), at(1))
    assert len(core.effects) == 1
    deadline = appender.next_deadline_ns()
    assert deadline == at(1).boot_ns + RESEND_NS
    appender.timer(Instant(0, deadline))
    assert len(core.effects) == 2


def test_an_acknowledgement_that_skips_a_number_is_not_believed_for_it() -> None:
    core, appender = granted(a_journal())
    appender.append(Kind.OPERATOR, act("a"), at(0))
    appender.turn_ended(at(0))
    appender.append(Kind.OPERATOR, act("b"), at(1))
    appender.turn_ended(at(1))
    core.effects.clear()
    assert appender.received(Appended(WRITER, 50, 2, 2, 9, 999, 1), at(2)) is None
    assert appender.unacknowledged == 2
    assert isinstance(core.effects[0], Send) and isinstance(core.effects[0].message, AppendQuestion)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.sampled_from(["append", "turn", "lose", "lose_answers", "restart", "wait"]), max_size=60))
def test_every_append_stands_in_the_log_once_and_in_order(steps: list[str]) -> None:
    journal = a_journal()
    core, appender = granted(journal)
    appended: list[int] = []
    acknowledged: dict[int, int] = {}
    clock_ms = 0

    def deliver(*, lose: bool = False, lose_answers: bool = False) -> None:
        sends, core.effects = core.effects, []
        for send in sends:
            assert isinstance(send, Send)
            if lose:
                continue
            journal.stamp_ns = at(clock_ms).wall_ns
            for answer in journal.take(send.message):
                if lose_answers:
                    continue
                done = appender.received(answer, at(clock_ms))
                if done:
                    for number in range(done.first, done.last + 1):
                        assert number not in acknowledged
                        acknowledged[number] = done.stamp_ns

    for step in [*steps, "turn", *["wait"] * 6]:
        clock_ms += 7
        match step:
            case "append":
                appended.append(appender.append(Kind.OPERATOR, act(str(len(appended))), at(clock_ms)))
            case "turn":
                appender.turn_ended(at(clock_ms))
                deliver()
            case "lose" | "lose_answers":
                appender.turn_ended(at(clock_ms))
                deliver(lose=step == "lose", lose_answers=step == "lose_answers")
            case "restart":
                journal.epoch += 1
            case "wait":
                clock_ms += 150
                appender.timer(at(clock_ms))
                deliver()
    assert appended == list(range(1, len(appended) + 1))
    assert journal.numbers[WRITER] == len(appended)
    assert sorted(acknowledged) == appended
    stamps = [record.stamp_ns for record in journal.records if record.append_number]
    assert [acknowledged[number] for number in appended] == stamps


def block(first: int, last: int) -> bytes:
    entries = [Entry(Kind.OPERATOR, WRITER, 1, lsn, b"x%d" % lsn) for lsn in range(first, last + 1)]
    framed, _ = frame(entries, Link(first - 1, 0), stamp_ns=5, journal_epoch=1, durable_lsn=0)
    return framed


def test_what_a_former_life_asked_for_is_not_taken_for_an_answer() -> None:
    core = Core("orders")
    former = Follower(core)
    former.read_to(9)
    second = Follower(core, 0, former)
    third = Follower(core, 2, second)
    third.read_to(9)
    assert third.log_read(parse(block(1, 4)), at(1)) == []
    assert [record.lsn for record in third.log_read(parse(block(3, 9)), at(2))] == list(range(3, 10))
    assert third.caught_up


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.integers(1, 6), st.sampled_from(["deliver", "drop", "twice"])), max_size=30), st.data())
def test_a_follower_applies_every_record_once_and_in_order(batches: list[tuple[int, str]], data: st.DataObject) -> None:
    core = Core("orders")
    follower = Follower(core)
    applied: list[int] = []
    published = 0

    def log(read: ReadLog) -> Sequence[Record]:
        last = min(published, read.upto_lsn, read.from_lsn + data.draw(st.integers(0, 3)))
        return parse(block(read.from_lsn, last)) if last >= read.from_lsn else []

    def read_all() -> None:
        while core.effects:
            (read,) = core.effects
            core.effects.clear()
            assert isinstance(read, ReadLog)
            applied.extend(record.lsn for record in follower.log_read(log(read), at(0)))

    for size, fate in [*batches, (1, "deliver")]:
        framed = block(published + 1, published + size)
        published += size
        for _ in range({"deliver": 1, "drop": 0, "twice": 2}[fate]):
            applied.extend(record.lsn for record in follower.received(framed))
        if data.draw(st.booleans()):
            read_all()
    read_all()
    assert applied == list(range(1, published + 1))
    assert follower.caught_up


def test_what_is_published_but_not_yet_readable_is_read_again() -> None:
    core = Core("orders")
    follower = Follower(core)
    follower.read_to(3)
    core.effects.clear()
    assert follower.log_read([], at(0)) == []
    assert core.effects == []
    deadline = follower.next_deadline_ns()
    assert deadline is not None
    follower.timer(Instant(0, deadline))
    assert core.effects == [ReadLog(1, 3)]


def test_a_log_that_begins_anew_is_not_ignored_as_old() -> None:
    follower = Follower(Core("orders"))
    assert len(follower.received(block(1, 5))) == 5
    entries = [Entry(Kind.OPERATOR, WRITER, 1, 1, b"x")]
    framed, _ = frame(entries, Link(0, 0), stamp_ns=9, journal_epoch=2, durable_lsn=0)
    with pytest.raises(LogLost):
        follower.received(framed)


def later_life(first: int, last: int, *, begun_by_epoch: bool) -> bytes:
    """Records of the journal's next life, which begins with an EPOCH record of its own."""
    entries = [Entry(Kind.OPERATOR, WRITER, 1, number, b"x") for number in range(first, last + 1)]
    if begun_by_epoch:
        entries[0] = Entry(EPOCH, OWN_WRITER, 2, 0, b"")
    return frame(entries, Link(first - 1, 0), stamp_ns=9, journal_epoch=2, durable_lsn=0)[0]


def test_a_later_life_of_the_same_log_is_followed() -> None:
    follower = Follower(Core("orders"))
    follower.received(block(1, 5))
    assert len(follower.received(later_life(6, 8, begun_by_epoch=True))) == 3


def test_a_shorter_log_that_has_grown_past_the_place_is_not_taken_for_the_same() -> None:
    """Its first blocks were dropped on the way, and what comes now follows the cursor by its number alone."""
    follower = Follower(Core("orders"))
    follower.received(block(1, 5))
    with pytest.raises(LogLost, match="record 6"):
        follower.received(later_life(6, 8, begun_by_epoch=False))
    follower = Follower(Core("orders"))
    follower.received(block(1, 5))
    follower.read_to(8)
    with pytest.raises(LogLost, match="record 6"):
        follower.log_read(parse(later_life(6, 8, begun_by_epoch=False)), at(1))


def test_nothing_is_appended_before_an_epoch_is_granted() -> None:
    with pytest.raises(RuntimeError, match="before the journal granted an epoch"):
        Appender(Core("x"), WRITER).append(Kind.OPERATOR, act("early"), at(0))


def test_what_is_sent_again_goes_in_bounded_messages() -> None:
    core, appender = granted(a_journal())
    for number in range(RESEND_ENTRIES + 1):
        appender.append(Kind.OPERATOR, act(f"a{number}"), at(1))
        appender.turn_ended(at(1))
    core.effects.clear()
    appender.received(AppendRefused(WRITER, 50, 1, 2), at(2))
    sent = [effect.message for effect in core.effects if isinstance(effect, Send)]
    runs = [(message.first_number, len(message.entries)) for message in sent if isinstance(message, Append)]
    assert runs == [(1, RESEND_ENTRIES), (RESEND_ENTRIES + 1, 1)]


def test_a_hole_in_what_was_read_is_never_passed_over() -> None:
    follower = Follower(Core("x"), 0)
    follower.read_to(5)
    with pytest.raises(RuntimeError, match="the cursor is at 0"):
        follower.log_read(parse(block(2, 5)), at(0))
    assert follower.received(b"") == []


def test_a_refusal_for_good_ends_the_writer() -> None:
    journal = a_journal()
    core, appender = granted(journal)
    appender.append(Kind.OPERATOR, act("a"), at(0))
    appender.turn_ended(at(0))
    core.effects.clear()
    refusal = msgspec.structs.replace(journal.refusal(WRITER), why="append 1 is too large")
    assert not appender.take_message(refusal, at(1))
    (ended,) = core.effects
    assert isinstance(ended, Exit)
    assert ended.status == 1
    assert "append 1 is too large" in ended.text


def test_a_journal_that_answers_and_takes_nothing_is_away() -> None:
    journal = a_journal()
    _, appender = granted(journal)
    appender.append(Kind.OPERATOR, act("a"), at(0))
    appender.turn_ended(at(0))
    for ms in range(110, 110 + AWAY_NS // 1_000_000, 20):
        appender.timer(at(ms))
        assert not appender.away(at(ms))
        appender.received(journal.refusal(WRITER), at(ms))
    assert appender.away_from_ns() == at(110).boot_ns + AWAY_NS
    assert appender.away(at(110 + AWAY_NS // 1_000_000))
    appender.received(Appended(WRITER, appender.epoch, 1, 1, 2, 5, 1), at(400))
    assert not appender.away(at(2000))


def test_a_turn_of_large_records_goes_out_in_messages_that_the_link_takes() -> None:
    core, appender = granted(a_journal())
    for _ in range(9):
        appender.append(Kind.OPERATOR, act("a" * (MAX_RECORD_BYTES - 100)), at(0))
    appender.turn_ended(at(0))
    messages = [effect.message for effect in core.effects if isinstance(effect, Send)]
    assert sum(len(message.entries) for message in messages if isinstance(message, Append)) == 9
    for message in messages:
        Door(JournalRequest).decode(encode(message))
