"""The stream in NATS JetStream: one connection, used by one thread, every call of which blocks.

The client works inside the calls only, on a loop of its own. After anything unclear the connection is given up and the
next call makes another, to another server: one that stands still takes connections and never answers.
"""

import asyncio
import json
import ssl
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from functools import partial
from itertools import cycle
from typing import NamedTuple, TypeVar

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
    StreamInfo,
)
from nats.js.errors import NotFoundError, ServiceUnavailableError

from common.config import Config, ConfigError
from common.replication.errors import Away, NoStream, NotSetUp, StreamBroken
from common.replication.message import MAX_PAYLOAD_BYTES, Batch, Stored, stored, stream_name, subject_of
from common.replication.port import Answer

T = TypeVar("T")

CONNECT_S = 1
PUBLISHED_S = 0.5
"""A server that has not acknowledged for so long is given up, and the next one asked: one that stands still takes
connections and never answers.
"""

ANSWER_S = 2.0
"""The same for what is read, and more of it."""

ASK_AGAIN_S = 0.01
EXPECTED_LAST_SEQUENCE = "Nats-Expected-Last-Sequence"
NO_MESSAGE = 10037
LEAST_VERSION = (2, 12, 3)
FETCHED = 64
"""Messages fetched at once: at a mebibyte each that is what a reader may hold."""


class NatsAddress(NamedTuple):
    """Where the servers are, the context of TLS (None for plain TCP on this host), and what is wanted of the stream.

    `monitors`: where each server tells how it is set up; with one given, all must sync each message to the disk.
    """

    servers: tuple[str, ...]
    tls: ssl.SSLContext | None
    replicas: int
    monitors: tuple[str, ...] = ()


def address_of(config: Config) -> NatsAddress:
    """The configured servers, verified by `ca` where there is one. Raises ConfigError."""
    own = config.stack.replication
    plain = NatsAddress(tuple(own.servers), None, own.replicas, tuple(own.monitors))
    if not own.ca:
        return plain
    try:
        tls = ssl.create_default_context(cafile=str(config.paths.resolve(own.ca)))
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
        if own.certificate:
            tls.load_cert_chain(config.paths.resolve(own.certificate), config.paths.resolve(own.key))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"[replication] `ca`, `certificate` and `key` cannot be used: {error}") from error
    return plain._replace(tls=tls)


class NatsStream:
    """One journal's stream. It connects by itself, and again after what was unclear."""

    def __init__(self, address: NatsAddress, journal_id: str) -> None:
        """Nothing is connected yet."""
        self.name = stream_name(journal_id)
        self._subject = subject_of(journal_id)
        self._tls = address.tls
        self._replicas = address.replicas
        self._monitors = address.monitors
        self._servers = cycle(address.servers)
        self._count = len(address.servers)
        self._loop = asyncio.new_event_loop()
        self._client: Client | None = None

    # ---- the port ----

    def publish(self, batch: Batch, expected: int) -> Answer:
        """See `ReplicatedLog`."""
        headers = {**batch.headers(), EXPECTED_LAST_SEQUENCE: str(expected)}

        async def add(client: Client) -> Answer:
            js = client.jetstream(timeout=PUBLISHED_S)
            done = await js.publish(self._subject, batch.block, stream=self.name, headers=headers)
            return Answer(done.stream, done.seq, bool(done.duplicate))

        return self._run(add)

    def message_at(self, sequence: int) -> Stored | None:
        """See `ReplicatedLog`; it is the stream's leader that answers."""

        async def get(client: Client) -> Stored | None:
            try:
                found = await client.jetstream(timeout=ANSWER_S).get_msg(self.name, sequence, direct=False)
            except NotFoundError as error:
                if error.err_code == NO_MESSAGE:
                    return None
                raise
            return stored(sequence, found.headers or {}, found.data or b"")

        return self._run(get)

    def last_sequence(self) -> int:
        """See `ReplicatedLog`."""
        return self.info().state.last_seq

    def messages(self, sequence: int, most: int) -> Iterator[Stored]:
        """See `ReplicatedLog`."""
        last = min(self.last_sequence(), sequence + most - 1)
        while sequence <= last:
            found = self._run(partial(self._fetch, sequence, min(FETCHED, last + 1 - sequence)))
            if not found:
                raise Away(f"message {sequence} of {self.name} was not sent in {ANSWER_S} s")
            yield from found
            sequence = found[-1].sequence + 1

    async def _fetch(self, sequence: int, count: int, client: Client) -> list[Stored]:
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=sequence, ack_policy=AckPolicy.NONE,
            mem_storage=True, num_replicas=1, inactive_threshold=30.0,
        )  # fmt: skip
        js = client.jetstream(timeout=ANSWER_S)
        subscription = await js.pull_subscribe(self._subject, stream=self.name, config=config)
        try:
            taken = await fetched(subscription, count)
        finally:
            with suppress(NatsError):
                await js.delete_consumer(self.name, (await subscription.consumer_info()).name)
                await subscription.unsubscribe()
        return [stored(each.metadata.sequence.stream, each.headers or {}, each.data) for each in taken]

    # ---- setting up ----

    def journals(self) -> dict[str, StreamInfo]:
        """Every journal's stream that the servers have, by the journal's identity. Raises Away."""

        async def ask(client: Client) -> list[StreamInfo]:
            return list(await client.jetstream(timeout=ANSWER_S).streams_info())

        prefix = stream_name("")
        found = {str(info.config.name): info for info in self._run(ask)}
        return {name.removeprefix(prefix): info for name, info in found.items() if name.startswith(prefix)}

    def info(self) -> StreamInfo:
        """What the leader says of the stream. Raises Away, NoStream."""

        async def ask(client: Client) -> StreamInfo:
            return await client.jetstream(timeout=ANSWER_S).stream_info(self.name)

        return self._run(ask)

    def make(self) -> bool:
        """Make the stream as a copy needs it; False where it is there. Raises Away, NotSetUp."""
        try:
            self.check()
            return False
        except NoStream:
            config = wanted(self.name, self._subject, self._replicas)

        async def add(client: Client) -> None:
            await client.jetstream(timeout=4 * ANSWER_S).add_stream(config)

        self._run(add)
        self.check()
        return True

    def check(self) -> None:
        """See `ReplicatedLog`."""
        info = self.info()
        differing = [
            f"{key} is {getattr(info.config, key)!r}, not {value!r}"
            for key, value in wanted(self.name, self._subject, self._replicas).as_dict().items()
            if key in CHECKED and _plain(getattr(info.config, key)) != _plain(value)
        ]
        client = self._client
        assert client is not None
        version = client.connected_server_version
        if (version.major, version.minor, version.patch) < LEAST_VERSION:
            least = ".".join(map(str, LEAST_VERSION))
            differing.append(f"the server is of version {version}, older than {least}")
        if client.max_payload < MAX_PAYLOAD_BYTES:
            differing.append(f"max_payload of the server is {client.max_payload}, below {MAX_PAYLOAD_BYTES}")
        differing += self._why_not_synced()
        if differing:
            raise NotSetUp(f"{self.name} cannot hold the journal: {'; '.join(differing)}")

    def _why_not_synced(self) -> list[str]:
        """What keeps an acknowledgement from meaning that a majority of the disks has it. A server that is down is no
        reason while most of them say that they sync."""
        # A server leaves out what is off.
        synced, silent, reasons = 0, list[str](), list[str]()
        for monitor in self._monitors:
            try:
                with urllib.request.urlopen(f"{monitor}/jsz?config=true", timeout=ANSWER_S) as answer:
                    always = bool(json.loads(answer.read())["config"].get("sync_always"))
            except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
                silent.append(f"{monitor} does not tell whether it syncs each message: {error}")
                continue
            synced += always
            if not always:
                reasons.append(f"{monitor} does not sync each message: set sync_interval: always")
        return reasons if 2 * synced > len(self._monitors) else reasons + silent

    # ---- the connection ----

    def _run(self, ask: Callable[[Client], Coroutine[object, object, T]]) -> T:
        try:
            return self._loop.run_until_complete(self._asked(ask))
        except (StreamBroken, Away):
            raise
        except NotFoundError as error:
            raise NoStream(self.name) from error
        except (NatsError, OSError, TimeoutError) as error:
            self._give_up()
            raise Away(f"{self.name}: {error!s}" if str(error) else f"{self.name}: {error!r}") from error

    async def _asked(self, ask: Callable[[Client], Coroutine[object, object, T]]) -> T:
        if self._client is None or not self._client.is_connected:
            self._client = await self._connected()
        return await ask(self._client)

    async def _connected(self) -> Client:
        error: Exception | None = None
        for _ in range(self._count):
            server = next(self._servers)
            try:
                return await asyncio.wait_for(
                    nats.connect(
                        server, tls=self._tls, allow_reconnect=False, connect_timeout=CONNECT_S, error_cb=_ignored,
                        name="fixring replicator", max_outstanding_pings=2, ping_interval=2,
                    ),
                    CONNECT_S,
                )  # fmt: skip
            except (NatsError, OSError, TimeoutError) as failed:
                error = failed
        raise Away(f"no NATS server answers, the last one with {error!r}")

    def _give_up(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(NatsError, OSError, TimeoutError, asyncio.TimeoutError):
                self._loop.run_until_complete(asyncio.wait_for(client.close(), 1))
        # What the client, or one that never connected, has left running would wait for ever.
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        if left:
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

    def close(self) -> None:
        """End the connection."""
        self._give_up()
        self._loop.close()


async def fetched(subscription: JetStreamContext.PullSubscription, count: int) -> list[Msg]:
    """What a consumer that was just made sends. The server that is asked may not know of it yet, and then says that
    nobody is there: it is asked again for ANSWER_S. Raises NatsError."""
    until_s = asyncio.get_running_loop().time() + ANSWER_S
    while True:
        try:
            return await subscription.fetch(count, timeout=ANSWER_S)
        except ServiceUnavailableError:
            if asyncio.get_running_loop().time() > until_s:
                raise
            await asyncio.sleep(ASK_AGAIN_S)


CHECKED = frozenset({
    "subjects", "retention", "max_msgs", "max_bytes", "discard", "max_age", "max_msgs_per_subject", "max_msg_size",
    "storage", "num_replicas", "no_ack", "sealed", "deny_delete", "allow_rollup_hdrs", "allow_msg_ttl",
})  # fmt: skip
"""What of a stream's configuration a copy stands on."""


def wanted(name: str, subject: str, replicas: int) -> StreamConfig:
    """The stream's configuration: nothing in it ever goes by itself, and nothing can be taken out of its middle."""
    return StreamConfig(
        name=name, subjects=[subject], retention=RetentionPolicy.LIMITS, discard=DiscardPolicy.NEW,
        storage=StorageType.FILE, num_replicas=replicas, max_age=0, max_msgs=-1, max_bytes=-1, max_msgs_per_subject=-1,
        max_msg_size=-1, no_ack=False, sealed=False, deny_delete=True, allow_rollup_hdrs=False, allow_msg_ttl=False,
    )  # fmt: skip


def _plain(value: object) -> object:
    """A setting as it is compared: what a server leaves out is as good as off."""
    return value or 0


async def _ignored(_error: Exception) -> None:
    """What goes wrong is told by the call that it concerns."""
