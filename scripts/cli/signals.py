"""`fixring signals`: send a signal to the strategies that take them, and watch what becomes of each."""

import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import click
import orjson
import zmq

from common.actor.control import is_running
from common.actor.curve import join
from common.actor.start import curve_for
from common.config import Config, ConfigError, load
from common.exit_status import ExitStatus
from common.link_roles import OPERATOR
from common.strategy.signals import BadSignal, Signal, read_signal, signal_line
from common.strategy.strategy import FAILED
from scripts.cli.errors import CommandError
from scripts.cli.names import known_market
from services.strategies.__main__ import strategy_class, takes_signals

SUBSCRIBED = b"\x01"
"""The first byte of what an XPUB hears when somebody subscribes."""


@click.group()
def signals() -> None:
    """Send signals to strategies, and watch them."""


@signals.command()
@click.argument("venue")
@click.argument("symbol")
@click.argument("side", type=click.Choice(["buy", "sell"]))
@click.option("--kind", default="manual", show_default=True, help="funding_rate, flow, or any word of yours.")
@click.option("--strength", default="1", show_default=True, help="Above 0 and at most 1.")
@click.option("--id", "signal_id", default="", help="The same for a repeat; a new one without it.")
@click.option("--age-ms", default=0, show_default=True, help="Pretend that it became known so long ago.")
@click.option("--to", "strategy", default="", help="One strategy; all that take signals without it.")
@click.option("--timeout", "timeout_s", default=3.0, show_default=True, help="Seconds to wait for the strategy.")
@click.option("--json", "as_json", is_flag=True, help="Print the signal and its fate as JSON.")
def send(
    venue: str, symbol: str, side: str, kind: str, strength: str, signal_id: str, age_ms: int, strategy: str,
    timeout_s: float, as_json: bool,
) -> None:  # fmt: skip
    """Send one signal and print what became of it.

    Waits until the strategy's subscription is there, so nothing is sent into the void. Exit status 4 when no such
    strategy runs, 5 when it does not subscribe or answer in time, 1 when its handler raised.
    """
    config = load()
    known_market(config, venue, symbol)
    when = datetime.fromtimestamp(time.time() - age_ms / 1000, UTC)
    try:
        signal = read_signal(
            orjson.dumps(
                {
                    "id": signal_id or uuid.uuid4().hex[:12],
                    "kind": kind,
                    "venue": venue,
                    "symbol": symbol,
                    "side": side,
                    "strength": strength,
                    "time": when,
                }
            )  # fmt: skip
        )
    except BadSignal as error:
        raise CommandError(f"no signal: {error}", ExitStatus.USAGE) from None
    failed = []
    for name in _strategies(config, strategy):
        told = _deliver(config, name, signal, timeout_s)
        click.echo(orjson.dumps(told).decode() if as_json else _line(told))
        if str(told["fate"]).startswith(FAILED):
            failed.append(name)
    if failed:
        raise CommandError(f"{', '.join(failed)} failed at it; see var/log/strategy@{failed[0]}.jsonl")


@signals.command()
@click.option("--from", "strategy", default="", help="One strategy; all that take signals without it.")
@click.option("--count", default=0, show_default=True, help="End after so many; 0 goes on.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def tail(strategy: str, count: int, as_json: bool) -> None:
    """Print each signal as a strategy takes it, with its fate."""
    config = load()
    for shown, told in enumerate(_told(config, _strategies(config, strategy)), 1):
        click.echo(orjson.dumps(told).decode() if as_json else _line(told))
        if shown == count:
            return


def _strategies(config: Config, wanted: str) -> list[str]:
    """The strategies that take signals, or the one asked for. Raises CommandError when there is none."""
    names = [name for name, own in config.strategies.items() if _takes_signals(own.program, needed=name == wanted)]
    if wanted:
        if wanted not in names:
            text = f"{wanted}: no enabled strategy of that name takes signals; there is {', '.join(names) or 'none'}"
            raise CommandError(text, ExitStatus.USAGE)
        names = [wanted]
    if not names:
        raise CommandError("no enabled strategy takes signals; see [strategies] in fixring.toml")
    running = [name for name in names if is_running(config.reach, f"strategy@{name}")]
    if not running:
        raise CommandError(f"not running: {', '.join(names)}; start the stack first", ExitStatus.NOT_RUNNING)
    return running


def _takes_signals(program: str, *, needed: bool) -> bool:
    """Whether the class does; one that does not load takes none. Raises ConfigError for it where it is `needed`."""
    try:
        return takes_signals(strategy_class(program))
    except ConfigError:
        if needed:
            raise
        return False


def _deliver(config: Config, name: str, signal: Signal, timeout_s: float) -> dict[str, object]:
    """Send to one strategy once it is subscribed, and wait for the fate that it tells."""
    curve = curve_for(config, OPERATOR)
    deadline_s = time.monotonic() + timeout_s
    context = zmq.Context()
    try:
        out, told = context.socket(zmq.XPUB), context.socket(zmq.SUB)
        for sock, link in ((told, f"signals.{name}.out"), (out, f"signals.{name}")):
            sock.setsockopt(zmq.LINGER, 500)
            if sock is told:
                sock.setsockopt(zmq.SUBSCRIBE, b"")
            join(sock, config.endpoint(link), curve)
        _await(out, deadline_s, name, "did not subscribe")
        if not out.recv().startswith(SUBSCRIBED):
            raise CommandError(f"strategy {name} ended its subscription", ExitStatus.TIMEOUT)
        return _send_until_told(out, told, signal, deadline_s, name)
    finally:
        if curve is not None:
            curve.close()
        context.destroy(linger=500)


def _send_until_told(
    out: "zmq.Socket[bytes]", told: "zmq.Socket[bytes]", signal: Signal, deadline_s: float, name: str
) -> dict[str, object]:
    out.send(signal_line(signal))
    while True:
        _await(told, deadline_s, name, "did not say what became of the signal (it may have taken it)")
        message = orjson.loads(told.recv())
        if (
            isinstance(message, dict)
            and isinstance(message.get("signal"), dict)
            and message["signal"]["id"] == signal.id
        ):
            return message


def _await(sock: "zmq.Socket[bytes]", deadline_s: float, name: str, what: str) -> None:
    left_ms = int((deadline_s - time.monotonic()) * 1000)
    if left_ms <= 0 or not sock.poll(left_ms):
        raise CommandError(f"strategy {name} {what} in time", ExitStatus.TIMEOUT)


def _told(config: Config, names: list[str]) -> Iterator[dict[str, object]]:
    """What strategies tell of the signals that they take."""
    curve = curve_for(config, OPERATOR)
    context = zmq.Context()
    try:
        sock = context.socket(zmq.SUB)
        sock.setsockopt(zmq.SUBSCRIBE, b"")
        for name in names:
            join(sock, config.endpoint(f"signals.{name}.out"), curve)
        while True:
            yield orjson.loads(sock.recv())
    finally:
        if curve is not None:
            curve.close()
        context.destroy(linger=0)


def _line(told: dict[str, object]) -> str:
    signal = told["signal"]
    if not isinstance(signal, dict):
        return f"{told['strategy']}  {told['fate']}  {signal}"
    what = f"{signal['kind']} {signal['venue']} {signal['symbol']} {signal['side']} {signal['strength']}"
    return f"{signal['time']}  {signal['id']}  {what}  {told['strategy']}: {told['fate']}"
