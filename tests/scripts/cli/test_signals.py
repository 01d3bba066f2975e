"""Invariant: a signal is sent once a strategy listens, and what became of it is shown; otherwise the exit
status says why not.
"""

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
import zmq

from common.config import Config, load
from common.exit_status import ExitStatus
from scripts.cli.main import run


@pytest.fixture
def config(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("FIXRING_VAR", str(short_folder))
    config = load()
    config.paths.run.mkdir(parents=True)
    return config


@contextmanager
def strategy(config: Config, *, answers: bool = True) -> Iterator[list[bytes]]:
    """What `strategy@signals` shows to others: its lock, a SUB bound for signals, and a PUB that tells their fate."""
    taken: list[bytes] = []
    context = zmq.Context()
    signals, out, wake, waker = (context.socket(kind) for kind in (zmq.SUB, zmq.PUB, zmq.PAIR, zmq.PAIR))
    signals.setsockopt(zmq.SUBSCRIBE, b"")
    signals.bind(config.endpoint("signals.signals"))
    out.bind(config.endpoint("signals.signals.out"))
    wake.bind("inproc://wake")
    waker.connect("inproc://wake")

    def serve() -> None:
        poller = zmq.Poller()
        poller.register(signals, zmq.POLLIN)
        poller.register(wake, zmq.POLLIN)
        while wake not in dict(poller.poll()):
            line = signals.recv()
            taken.append(line)
            if answers:
                out.send(orjson.dumps({"strategy": "signals", "fate": "order 7", "signal": orjson.loads(line)}))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with (config.paths.run / "strategy@signals.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield taken
        finally:
            waker.send(b"")
            thread.join()
            context.destroy(linger=0)


def test_a_signal_is_sent_to_who_listens_and_its_fate_is_shown(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    with strategy(config) as taken:
        arguments = ["signals", "send", "generic", "BTCUSDT", "buy", "--strength", "0.5", "--id", "x1"]
        assert run(arguments) == ExitStatus.OK
        assert "x1  manual generic BTCUSDT buy 0.5  signals: order 7" in capsys.readouterr().out
        assert run([*arguments, "--json"]) == ExitStatus.OK
        told = orjson.loads(capsys.readouterr().out)
        assert told["fate"] == "order 7" and told["signal"]["strength"] == "0.5"
    assert len(taken) == 2


@pytest.mark.parametrize("terms", [["--strength", "2"], ["--strength", "much"], ["--kind", ""]])
def test_what_is_no_signal_is_wrong_usage(config: Config, terms: list[str]) -> None:
    assert run(["signals", "send", "generic", "BTCUSDT", "buy", *terms]) == ExitStatus.USAGE


def test_without_a_strategy_running_nothing_is_sent(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["signals", "send", "generic", "BTCUSDT", "buy"]) == ExitStatus.NOT_RUNNING
    assert "signals" in capsys.readouterr().err


def test_a_strategy_that_takes_no_signals_cannot_be_sent_one(config: Config) -> None:
    assert run(["signals", "send", "generic", "BTCUSDT", "buy", "--to", "maker"]) == ExitStatus.USAGE


def test_a_strategy_that_does_not_answer_is_a_timeout(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    with strategy(config, answers=False):
        arguments = ["signals", "send", "generic", "BTCUSDT", "buy", "--timeout", "0.3"]
        assert run(arguments) == ExitStatus.TIMEOUT
    assert "may have taken it" in capsys.readouterr().err


def test_tail_shows_what_strategies_tell(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    with strategy(config):
        tail = threading.Thread(target=run, args=(["signals", "tail", "--count", "1", "--json"],))
        tail.start()
        number = 0
        while tail.is_alive():
            run(["signals", "send", "generic", "BTCUSDT", "sell", "--id", f"n{number}"])
            number += 1
        tail.join()
    assert '"fate":"order 7"' in capsys.readouterr().out
