"""`fixring bench codec`: the FIX codec beside simplefix and, where it is installed, the `quickfix` package."""

import importlib
import statistics
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import click
import simplefix

from common.fix.dictionary import Dictionary
from common.fix.session import Session
from common.fix.session_types import Inbound, LoggedOn, Outbound, SessionSettings
from common.fix.validation import Validator
from common.fix.wire import Framer, Message, encode, split, utc_timestamp
from common.instant import Instant
from scripts.cli.bench_shown import AS_JSON, show

WALL_NS = 1_767_225_600_123_456_789
BATCH = 500

# An ExecutionReport(8) as venues send it: 22 fields.
REPORT_BODY = (
    b"35=8\x0134=4711\x0149=SPOT\x0152=20260101-00:00:00.123456\x0156=TRADER1\x0137=28457\x0111=a17c00000004d2\x0117=98123\x01"
    b"150=F\x0139=1\x0155=BTCUSDT\x0154=1\x0140=2\x0159=1\x0138=0.50000000\x0144=65000.10000000\x0132=0.12000000\x01"
    b"31=65000.10000000\x0114=0.12000000\x01151=0.38000000\x016=65000.10000000\x0160=20260101-00:00:00.123456\x01"
)
REPORT = encode(b"FIX.4.4", REPORT_BODY)
READ_TAGS = (34, 11, 37, 17, 150, 39, 55, 54, 32, 31, 14, 151)


class Case(NamedTuple):
    """One thing measured: what it is called, who does it, and one round of it."""

    task: str
    engine: str
    run: Callable[[], object]


def encode_ours() -> bytes:
    """NewOrderSingle(D) from its values, as the hot path does it."""
    stamp = utc_timestamp(WALL_NS, 6)
    return encode(
        b"FIX.4.4",
        b"35=D\x0134=%d\x0149=TRADER1\x0152=%b\x0156=SPOT\x0111=%b\x0138=%b\x0140=2\x0144=%b\x0154=1\x0155=%b\x0159=1\x0160=%b\x01"
        % (4711, stamp, b"a17c00000004d2", b"0.50000000", b"65000.10000000", b"BTCUSDT", stamp),
    )


def decode_ours() -> tuple[int, Decimal, Decimal]:
    """Frame, verify and read an ExecutionReport(8)."""
    (raw,) = _FRAMER.feed(REPORT)
    fields = split(raw)
    for tag in _READ_TAGS_BYTES:
        fields[tag]
    return int(fields[b"34"]), Decimal(fields[b"32"].decode()), Decimal(fields[b"31"].decode())


_FRAMER = Framer()
_READ_TAGS_BYTES = [b"%d" % tag for tag in READ_TAGS]


def encode_simplefix() -> bytes:
    """The same NewOrderSingle(D)."""
    message = simplefix.FixMessage()
    stamp = utc_timestamp(WALL_NS, 6)
    for tag, value in (
        (8, b"FIX.4.4"), (35, b"D"), (34, 4711), (49, b"TRADER1"), (52, stamp), (56, b"SPOT"), (11, b"a17c00000004d2"),
        (38, b"0.50000000"), (40, b"2"), (44, b"65000.10000000"), (54, b"1"), (55, b"BTCUSDT"), (59, b"1"), (60, stamp),
    ):  # fmt: skip
        message.append_pair(tag, value)
    encoded: bytes = message.encode()
    return encoded


def decode_simplefix() -> tuple[int, Decimal, Decimal]:
    """The same report. simplefix verifies neither BodyLength(9) nor CheckSum(10), so the sum is added."""
    parser = simplefix.FixParser()
    parser.append_buffer(REPORT)
    message = parser.get_message()
    assert message is not None and int(message.get(10)) == sum(REPORT[:-7]) & 255
    for tag in READ_TAGS:
        message.get(tag)
    return int(message.get(34)), Decimal(message.get(32).decode()), Decimal(message.get(31).decode())


def decode_message() -> int:
    """The same report as a typed Message."""
    (raw,) = _FRAMER.feed(REPORT)
    message = Message(raw)
    for tag in READ_TAGS:
        message.require(tag)
    return message.msg_seq_num


def session_case(validate: bool) -> Callable[[], object]:
    """A logged-on session receiving reports in order: framed, checked, numbered."""
    settings = SessionSettings(
        sender_comp_id="TRADER1",
        target_comp_id="SPOT",
        initiator=True,
        reset_on_logon=True,
        validate=Validator(Dictionary.load("FIX44")) if validate else None,
    )
    now = Instant(WALL_NS, 10**12)
    session = Session(settings)
    session.connected(now)
    logon = b"35=A\x0134=1\x0149=SPOT\x0152=20260101-00:00:00.123\x0156=TRADER1\x0198=0\x01108=30\x01141=Y\x01"
    session.received(encode(b"FIX.4.4", logon), now)
    assert any(isinstance(effect, LoggedOn) for effect in session.take_effects())
    head, tail = REPORT_BODY.split(b"34=4711")

    def one() -> object:
        raw = encode(b"FIX.4.4", b"%b34=%d%b" % (head, session.next_inbound, tail))
        session.received(raw, now)
        (effect,) = session.take_effects()
        assert isinstance(effect, Inbound)
        return effect

    return one


def session_send() -> Callable[[], object]:
    """A logged-on session sending an order: numbered, stamped, encoded."""
    now = Instant(WALL_NS, 10**12)
    session = Session(SessionSettings(sender_comp_id="T", target_comp_id="S", initiator=True, reset_on_logon=True))
    session.connected(now)
    logon = b"35=A\x0134=1\x0149=S\x0152=20260101-00:00:00.123\x0156=T\x0198=0\x01108=30\x01141=Y\x01"
    session.received(encode(b"FIX.4.4", logon), now)
    session.take_effects()
    body = (
        b"11=a17c00000004d2\x0138=0.5\x0140=2\x0144=65000.1\x0154=1\x0155=BTCUSDT\x0159=1\x0160=%b\x01"
        % b"20260101-00:00:00.123456"
    )

    def one() -> object:
        session.send("D", body, now)
        (effect,) = session.take_effects()
        assert isinstance(effect, Outbound)
        return effect

    return one


def quickfix_cases() -> list[Case]:
    """The C++ engine from Python, if the extra `bench` is installed."""
    try:
        quickfix: Any = importlib.import_module("quickfix")
    except ImportError:
        return []
    report = REPORT.decode("latin-1")

    def encode_quickfix() -> object:
        message = quickfix.Message()
        header = message.getHeader()
        stamp = utc_timestamp(WALL_NS, 6).decode()
        for tag, value in ((8, "FIX.4.4"), (35, "D"), (34, "4711"), (49, "TRADER1"), (52, stamp), (56, "SPOT")):
            header.setField(tag, value)
        for tag, value in (
            (11, "a17c00000004d2"), (38, "0.50000000"), (40, "2"), (44, "65000.10000000"), (54, "1"), (55, "BTCUSDT"),
            (59, "1"), (60, stamp),
        ):  # fmt: skip
            message.setField(tag, value)
        return message.toString()

    def decode_quickfix() -> object:
        message = quickfix.Message(report, True)
        header = message.getHeader()
        number = int(header.getField(34))
        for tag in READ_TAGS[1:]:
            message.getField(tag)
        return number, Decimal(message.getField(32)), Decimal(message.getField(31))

    return [
        Case("NewOrderSingle encode", "quickfix", encode_quickfix),
        Case("ExecutionReport decode and verify", "quickfix", decode_quickfix),
    ]


def measure(cases: list[Case], rounds: int) -> dict[tuple[str, str], float]:
    """The median of the batches in microseconds a message; the engines take turns, so that a slow moment hits all."""
    times: dict[tuple[str, str], list[float]] = {(case.task, case.engine): [] for case in cases}
    for _ in range(rounds):
        for case in cases:
            begun = time.perf_counter_ns()
            for _ in range(BATCH):
                case.run()
            times[case.task, case.engine].append((time.perf_counter_ns() - begun) / BATCH / 1000)
    return {key: statistics.median(batches) for key, batches in times.items()}


def cases() -> list[Case]:
    """Everything that is measured."""
    return [
        Case("NewOrderSingle encode", "fixring", encode_ours),
        Case("NewOrderSingle encode", "simplefix", encode_simplefix),
        Case("ExecutionReport decode and verify", "fixring", decode_ours),
        Case("ExecutionReport decode and verify", "simplefix", decode_simplefix),
        *quickfix_cases(),
        Case("ExecutionReport as a typed Message", "fixring", decode_message),
        Case("Session send", "fixring", session_send()),
        Case("Session receive", "fixring", session_case(False)),
        Case("Session receive, validated", "fixring", session_case(True)),
    ]


@click.command()
@click.option("--rounds", default=40, show_default=True, help=f"Batches of {BATCH} messages for each.")
@AS_JSON
def codec(rounds: int, as_json: bool) -> None:
    """The FIX codec: fixring, simplefix, and quickfix where the extra `bench` is installed."""
    figures = measure(cases(), rounds)
    pair = ("NewOrderSingle encode", "ExecutionReport decode and verify")
    engines = [engine for engine in ("fixring", "simplefix", "quickfix") if (pair[0], engine) in figures]
    sums = {engine: sum(figures[task, engine] for task in pair) for engine in engines}
    ratios = {engine: total / sums["fixring"] for engine, total in sums.items()}
    rows = [{"task": task, "engine": engine, "us": round(us, 3)} for (task, engine), us in figures.items()]
    lines = [f"{'us a message':<38}" + "".join(f"{engine:>12}" for engine in ("fixring", "simplefix", "quickfix"))]
    for task in dict.fromkeys(task for task, _ in figures):
        shown = [figures.get((task, engine)) for engine in ("fixring", "simplefix", "quickfix")]
        lines.append(f"{task:<38}" + "".join(f"{'' if us is None else format(us, '.2f'):>12}" for us in shown))
    lines.append(f"{'encode + decode and verify':<38}" + "".join(f"{sums[engine]:>12.2f}" for engine in engines))
    lines.append(f"{'times fixring':<38}" + "".join(f"{ratios[engine]:>12.2f}" for engine in engines))
    if "quickfix" not in engines:
        lines.append("quickfix is not installed: pip install '.[bench]' compiles it for some minutes")
    times = {engine: round(ratio, 2) for engine, ratio in ratios.items()}
    show({"figures": rows, "times_fixring": times}, lines, as_json=as_json)
