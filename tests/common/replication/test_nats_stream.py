"""The port over a real NATS server: what it answers is what the fake answers, a duplicate above all."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nats
import pytest

from common.replication.chain import Chain
from common.replication.errors import Away, NoStream, NotSetUp, StreamBroken
from common.replication.message import Batch
from common.replication.nats_stream import NatsStream, fetched
from common.replication.port import Answer
from common.replication.publisher import Publisher
from scripts.nats import NatsServers
from tests.common.replication.test_chain import messages

JOURNAL = "0" * 32


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[NatsServers]:
    with NatsServers(tmp_path) as servers:
        yield servers


@pytest.fixture
def stream(servers: NatsServers) -> Iterator[NatsStream]:
    stream = NatsStream(servers.address(), JOURNAL)
    yield stream
    stream.close()


def by_hand(servers: NatsServers, act: Any) -> Any:
    """Something done with another connection."""

    async def run() -> Any:
        client = await nats.connect(servers.urls[0])
        try:
            return await act(client.jetstream())
        finally:
            await client.close()

    return asyncio.run(run())


def test_the_stream_is_made_once_and_read_back_byte_for_byte(servers: NatsServers, stream: NatsStream) -> None:
    with pytest.raises(NoStream, match="fixring replication init"):
        stream.last_sequence()
    assert stream.make() and not stream.make()
    made = messages(5)
    for sequence, each in enumerate(made):
        assert stream.publish(each.batch, sequence) == Answer(stream.name, sequence + 1, False)
    assert stream.last_sequence() == 5 and stream.message_at(3) == made[2] and stream.message_at(6) is None
    assert list(stream.messages(2, 3)) == made[1:4] and list(stream.messages(1, 99)) == made
    chain = Chain()
    for each in stream.messages(1, 99):
        chain.take(each)
    assert chain.end.lsn == 10
    large = Batch(1, 11, 11, b"x" * (1 << 21))
    assert stream.publish(large, 5).sequence == 6 and stream.message_at(6) == (6, large)


def test_a_wrong_expectation_is_no_answer_and_somebody_else_s_message_is_none_of_a_journal(
    servers: NatsServers, stream: NatsStream
) -> None:
    stream.make()
    one, two = messages(2)
    stream.publish(one.batch, 0)
    for again in (one, two):
        with pytest.raises(Away, match="10071"):
            stream.publish(again.batch, 0)

    async def add(js: Any) -> None:
        await js.publish(f"fixring.journal.{JOURNAL}", b"a")

    by_hand(servers, add)
    publisher = Publisher(stream, 1, lambda batch: False)
    with pytest.raises(StreamBroken, match="no message of a journal"):
        publisher.publish(two.batch)


def test_a_server_that_does_not_sync_each_message_is_refused(tmp_path: Path) -> None:
    with NatsServers(tmp_path, 1, "10s") as servers:
        stream = NatsStream(servers.address(), JOURNAL)
        with pytest.raises(NotSetUp, match="set sync_interval: always"):
            stream.make()
        stream.close()


@pytest.mark.torture
def test_of_three_servers_one_may_be_gone_and_two_are_none(tmp_path: Path) -> None:
    """And a message's id is looked up before the expectation, so ours have none: a fenced host would be told yes."""
    with NatsServers(tmp_path, 3) as servers:
        stream = NatsStream(servers.address(), JOURNAL)
        until(lambda: stream.make() or True)
        made = messages(6)
        publisher = Publisher(stream, 0, lambda batch: False)
        publisher.publish(made[0].batch)
        servers.send(0, signal.SIGSTOP)
        until(lambda: publisher.publish(made[1].batch))
        servers.send(1, signal.SIGKILL)
        with pytest.raises(Away):
            publisher.publish(made[2].batch)
        servers.send(0, signal.SIGCONT)
        servers.start(1)
        for each in made[2:]:
            until(lambda each=each: publisher.publish(each.batch))  # type: ignore[misc]
        assert list(stream.messages(1, 9)) == made

        async def with_an_id(js: Any) -> Any:
            subject, headers = f"fixring.journal.{JOURNAL}", {"Nats-Msg-Id": "7"}
            await js.publish(subject, b"a", headers=headers)
            return await js.publish(subject, b"b", headers={**headers, "Nats-Expected-Last-Sequence": "999"})

        assert by_hand(servers, with_an_id).duplicate
        stream.close()


def until(act: Callable[[], object]) -> None:
    """Try it until it is not away, for some seconds."""
    for _ in range(15):
        try:
            act()
            return
        except Away:
            continue
    raise AssertionError("away for too long")


def test_a_stream_that_may_lose_messages_is_refused(servers: NatsServers, stream: NatsStream) -> None:
    async def make(js: Any) -> None:
        await js.add_stream(name=stream.name, subjects=[f"fixring.journal.{JOURNAL}"], max_msgs=10, max_age=60)

    by_hand(servers, make)
    with pytest.raises(NotSetUp, match=r"max_msgs is 10.*max_age is 60"):
        stream.make()


def test_a_server_that_is_killed_is_away_and_has_everything_when_it_is_back(
    servers: NatsServers, stream: NatsStream
) -> None:
    stream.make()
    made = messages(3)
    publisher = Publisher(stream, 0, lambda batch: False)
    publisher.publish(made[0].batch)
    servers.send(0, signal.SIGKILL)
    with pytest.raises(Away):
        publisher.publish(made[1].batch)
    servers.start(0)
    for _ in range(20):
        try:
            publisher.publish(made[1].batch)
            break
        except Away:
            continue
    publisher.publish(made[2].batch)
    assert list(stream.messages(1, 9)) == made


def test_a_consumer_that_the_server_does_not_know_yet_is_asked_again(servers: NatsServers, stream: NatsStream) -> None:
    stream.make()
    made = messages(3)
    for sequence, each in enumerate(made):
        stream.publish(each.batch, sequence)

    async def ask(js: Any) -> list[Any]:
        subscription = await js.pull_subscribe(f"fixring.journal.{JOURNAL}", "late", stream=stream.name)
        known = await subscription.consumer_info()
        await js.delete_consumer(stream.name, "late")
        asked = asyncio.create_task(fetched(subscription, 3))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asked), 0.05)
        await js.add_consumer(stream.name, known.config)
        return list(await asked)

    assert [each.data for each in by_hand(servers, ask)] == [each.batch.block for each in made]
