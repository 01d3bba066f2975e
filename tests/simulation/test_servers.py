"""The servers of the simulation hold one order of messages, whatever they answer; who counts them finds every fork."""

from contextlib import suppress
from random import Random

import pytest

from common.instant import NS_PER_S
from common.journal import Entry
from common.journal.frames import Link, end_of, frame
from common.journal.terms import TermBegan, term_block
from common.replication.errors import Away
from common.replication.message import Batch, Stored, batch_of
from common.replication.publisher import is_yes
from scripts.simulation.copy_view import CopyView
from scripts.simulation.invariants import Violation
from scripts.simulation.scheduler import Scheduler
from scripts.simulation.servers import LATEST_NS, HostStream, Odd, Servers

TERM_2 = 2


def servers_of(seed: int = 0) -> tuple[Scheduler, Servers, list[Stored]]:
    scheduler, added = Scheduler(), list[Stored]()
    return scheduler, Servers(scheduler, Random(seed), added.append), added


def batch(lsn: int) -> Batch:
    return Batch(1, lsn, lsn, b"record %d" % lsn)


def pass_time(scheduler: Scheduler, ns: int) -> None:
    reached: list[bool] = []
    scheduler.after(ns, reached.append, True)
    while not reached:
        scheduler.run_one()


def test_a_message_is_added_where_it_was_expected_and_nowhere_else() -> None:
    _, servers, added = servers_of()
    stream = HostStream(servers, "here", "one")
    assert stream.publish(batch(1), 0) == ("one", 1, False)
    with pytest.raises(Away, match="wrong last sequence: 1"):
        stream.publish(batch(2), 0)
    assert servers.held == [batch(1)] and added == [Stored(1, batch(1))]
    assert (stream.last_sequence(), stream.message_at(1), stream.message_at(2)) == (1, Stored(1, batch(1)), None)
    assert list(stream.messages(1, 5)) == added


def test_whatever_goes_wrong_with_an_answer_what_is_held_is_one_order_of_messages() -> None:
    for seed in range(40):
        scheduler, servers, added = servers_of(seed)
        servers.odd_share = 1.0
        stream, yes = HostStream(servers, "here", "one"), list[int]()
        for lsn in range(1, 20):
            expected = stream.last_sequence()
            with suppress(Away):
                yes += [lsn] if is_yes(stream, stream.publish(batch(lsn), expected), expected) else []
        pass_time(scheduler, LATEST_NS)
        assert added == [Stored(at, each) for at, each in enumerate(servers.held, 1)] and not yes
        assert servers.odds == 19 and len(Odd) == 7


def test_who_is_cut_off_or_asks_while_there_is_no_leader_is_told_nothing() -> None:
    scheduler, servers, _ = servers_of()
    here, there = HostStream(servers, "here", "one"), HostStream(servers, "there", "one")
    servers.cut_off.add("here")
    there.publish(batch(1), 0)
    with pytest.raises(Away):
        here.last_sequence()
    servers.lose_quorum(NS_PER_S)
    with pytest.raises(Away):
        there.publish(batch(2), 1)
    with pytest.raises(Away):
        there.check()
    pass_time(scheduler, NS_PER_S)
    assert there.last_sequence() == len(servers.held)


def test_a_former_leader_shows_the_stream_as_it_was_and_adds_nothing() -> None:
    scheduler, servers, _ = servers_of()
    here, there = HostStream(servers, "here", "one"), HostStream(servers, "there", "one")
    there.publish(batch(1), 0)
    servers.change_leader(["here"] * 20, 60 * NS_PER_S)
    pass_time(scheduler, 3 * NS_PER_S)
    there.publish(batch(2), 1)
    assert (here.last_sequence(), here.message_at(2), there.last_sequence()) == (1, None, 2)
    with pytest.raises(Away):
        here.publish(batch(3), 1)
    servers.clear_up()
    assert here.last_sequence() == 2 and servers.held == [batch(1), batch(2)]


# ---- what of it counts


def own(number: int, behind: Link, term: int = 1) -> Batch:
    entries = [Entry(16, "me", 1, number, b"%d" % number)]
    return batch_of(term, frame(entries, behind, stamp_ns=number, journal_epoch=1, durable_lsn=behind.lsn)[0])


def begins(term: int, behind: Link) -> Batch:
    return batch_of(term, term_block(TermBegan(term, "alice", "b", behind.lsn, behind.crc, 9, 9), 9))


def test_what_a_lower_term_adds_behind_a_higher_one_does_not_count() -> None:
    view, first = CopyView(), own(1, Link(0, 0))
    late, second = own(2, end_of(first.block)), begins(TERM_2, end_of(first.block))
    for sequence, each in enumerate((first, second, late), 1):
        view.added(Stored(sequence, each), 7)
    assert [found.record.lsn for found in view.records] == [1, 2, 3]
    assert view.term == (TERM_2, 1, 7) and view.holds(view.records[0])
    assert not view.holds(view.records[0]._replace(crc=1))
    assert (view.term_at(1, TERM_2), view.term_at(2, TERM_2), view.term_at(2, 1)) == (1, TERM_2, 1)
    assert view.has_place(1, 1, TERM_2) and not view.has_place(1, 2, TERM_2) and view.has_place(1, 2, 1)


@pytest.mark.parametrize("wrong", ("again", "gap", "unannounced", "announced twice"))
def test_a_second_content_for_a_place_and_a_term_that_nothing_begins_are_found(wrong: str) -> None:
    view, first = CopyView(), own(1, Link(0, 0))
    end = end_of(first.block)
    view.added(Stored(1, first), 0)
    message = {
        "again": first, "gap": own(3, Link(5, 5)), "unannounced": own(2, end, TERM_2), "announced twice": begins(1, end)
    }[wrong]
    with pytest.raises(Violation, match="one-content"):
        view.added(Stored(2, message), 0)
