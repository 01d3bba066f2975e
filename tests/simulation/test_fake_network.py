"""What the fake network promises: order within a channel, loss where real sockets lose, nothing else."""

from random import Random

from common.instant import Instant
from scripts.simulation.network import Channel, Pipe, TcpStream, Weather
from scripts.simulation.scheduler import HostClock, Scheduler

NOW = Instant(0, 0)


class Reader:
    """Takes whatever comes, at once."""

    def __init__(self) -> None:
        self.got: list[object] = []

    def ready(self, channel: Channel) -> None:
        while channel.deliver(NOW):
            pass

    def take(self, data: bytes, now: Instant) -> None:
        self.got.append(data)

    def tcp_opened(self, connection: int, now: Instant) -> None:
        self.got.append("opened")

    def tcp_data(self, connection: int, data: bytes, now: Instant) -> None:
        self.got.append(data)

    def tcp_closed(self, connection: int, text: str, now: Instant) -> None:
        self.got.append(text)

    def tcp_writable(self, connection: int, now: Instant) -> None:
        self.got.append("writable")

    @property
    def stream(self) -> bytes:
        return b"".join(item for item in self.got if isinstance(item, bytes))


class Sleeper(Reader):
    """Never reads."""

    def ready(self, channel: Channel) -> None:
        self.got.append("ready")


def storm(seed: int = 1) -> Weather:
    weather = Weather(Random(seed))
    weather.late_share, weather.split_share = 0.5, 0.5
    return weather


def run(scheduler: Scheduler) -> None:
    while scheduler.run_one():
        pass


def test_a_pipe_keeps_its_order_in_any_weather() -> None:
    scheduler, reader = Scheduler(), Reader()
    pipe = Pipe(scheduler, storm(), reader, reader.take, 1000)
    sent = [bytes([number]) for number in range(200)]
    assert all(pipe.send(data) for data in sent)
    run(scheduler)
    assert reader.got == sent


def test_a_full_pipe_refuses_and_a_full_pub_drops() -> None:
    scheduler = Scheduler()
    push = Pipe(scheduler, Weather(Random(1)), Sleeper(), Reader().take, 2)
    assert [push.send(b"x") for _ in range(3)] == [True, True, False]
    pub = Pipe(scheduler, Weather(Random(1)), Sleeper(), Reader().take, 2, lossy=True)
    assert [pub.send(b"x") for _ in range(3)] == [True, True, True]


def test_what_a_dead_peer_was_sent_is_gone() -> None:
    scheduler, reader = Scheduler(), Reader()
    pipe = Pipe(scheduler, Weather(Random(1)), reader, reader.take, 10)
    pipe.send(b"lost")
    pipe.end(0)
    assert not pipe.send(b"refused")
    run(scheduler)
    assert reader.got == []


def test_what_a_dead_peer_had_sent_arrives_until_its_pipe_has_said() -> None:
    scheduler, reader = Scheduler(), Reader()
    pipe = Pipe(scheduler, storm(), reader, reader.take, 10)
    pipe.send(b"late")
    last_ns = pipe.end(10**9)
    assert pipe.end(10) == scheduler.now_ns + 10 < last_ns == pipe.end(10**9)
    while scheduler.now_ns < last_ns:
        assert reader.got == []
        scheduler.run_one()
    assert reader.got == [b"late"]


def stream_between(scheduler: Scheduler, weather: Weather) -> tuple[TcpStream, Reader, Reader]:
    client, server = Reader(), Reader()
    stream = TcpStream(scheduler, weather, client, 1, server, 2)
    stream.open()
    run(scheduler)
    return stream, client, server


def test_a_stream_keeps_every_byte_in_order_through_stalls_and_splits() -> None:
    scheduler = Scheduler()
    stream, client, server = stream_between(scheduler, storm(7))
    sent = b""
    for number in range(100):
        data = f"<{number}>".encode()
        sent += data
        stream.write(client, data)
        if number % 10 == 0:
            stream.stall(3_000_000)
        scheduler.run_one()
    run(scheduler)
    assert server.got[0] == "opened" and server.stream == sent


def test_a_full_send_buffer_blocks_and_says_when_it_has_room() -> None:
    scheduler = Scheduler()
    stream, client, server = stream_between(scheduler, Weather(Random(1)))
    stream.stall(1_000_000)
    assert not stream.write(client, bytes(100_000))
    run(scheduler)
    assert "writable" in client.got and len(server.stream) == 100_000


def test_a_cut_loses_what_is_under_way_and_tells_both_ends() -> None:
    scheduler = Scheduler()
    stream, client, server = stream_between(scheduler, Weather(Random(1)))
    stream.write(client, b"lost")
    stream.cut("reset")
    run(scheduler)
    assert client.got == ["opened", "reset"] and server.got == ["opened", "reset"]


def test_a_half_open_stream_swallows_until_tcp_gives_up() -> None:
    scheduler = Scheduler()
    stream, client, server = stream_between(scheduler, Weather(Random(1)))
    stream.swallow()
    stream.write(client, b"swallowed")
    run(scheduler)
    assert server.stream == b"" and client.got[-1] == "TCP_USER_TIMEOUT"
    assert scheduler.now_ns >= 10_000_000_000


def test_a_close_lets_through_what_was_written_before() -> None:
    scheduler = Scheduler()
    stream, client, server = stream_between(scheduler, storm(3))
    stream.write(client, b"last words")
    stream.close(client)
    run(scheduler)
    assert server.stream == b"last words" and server.got[-1] == "closed by the peer"


def test_wall_time_jumps_and_drifts_and_boot_time_does_not() -> None:
    scheduler = Scheduler()
    clock = HostClock(scheduler, Random(1))
    first = clock.read()
    clock.jump(-5_000)
    assert clock.read() == Instant(first.wall_ns - 5_000, first.boot_ns)
    clock.drift(100)
    scheduler.now_ns += 1_000_000_000
    assert clock.read() == Instant(first.wall_ns - 5_000 + 1_000_100_000, first.boot_ns + 1_000_000_000)
    clock.reboot()
    assert clock.read().boot_ns == 0
