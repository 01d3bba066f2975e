"""What no actor of ours sends or writes: requests beyond every bound, and records that nobody can fold.

A request comes from a strategy, over its link, and is answered. A record is in the log, as if older code had written
it: it halts what adds risk, and an operator has it skipped after a while.
"""

from decimal import Decimal
from random import Random

import msgspec

from common.actor.core import Send
from common.instant import NS_PER_MS
from common.messages import (
    HIGHEST_NUMBER,
    AmendRequest,
    Answer,
    Append,
    Ask,
    Attempt,
    CancelAllRequest,
    CancelRequest,
    ClientRequest,
    EpochRequest,
    Expired,
    Kind,
    NewOrderRequest,
    QueryRequest,
    Reason,
    Refused,
    Terms,
    Trade,
    Verdict,
    encode,
)
from scripts.simulation.plan import OLDER_CODE
from scripts.simulation.process import Process
from scripts.simulation.trader import LINK, Trader
from scripts.simulation.world import World
from services.journal.core import LINK as JOURNAL_LINK

HUGE = (1 << 64) - 1
NAN = Decimal("NaN")
LENGTHS = (129, 5_000, 352_000, 1_000_000)
"""Characters of a text: one more than a label may have, and up to what just fits into a message of ZeroMQ."""

APPEND_AFTER_NS = 20 * NS_PER_MS


def send_beyond_bounds(world: World, target: str, random: Random) -> None:
    """A strategy sends a command beyond the bounds of its link: it must be answered, whatever it was."""
    process = world.processes.get(target)
    trader = process.core if process is not None else None
    if process is None or not isinstance(trader, Trader) or not trader.epoch or trader.superseded:
        return
    trader.ask(_beyond(random))
    trader.effects.append(Send(LINK, QueryRequest("order", "x", HUGE)))
    process.flush()


def _beyond(random: Random) -> ClientRequest:
    long = random.choice("Lé") * random.choice(LENGTHS)
    return random.choice((
        NewOrderRequest(0, 0, "generic", "BTCUSDT", Terms("1", "2", Decimal(1), Decimal(60_000)), label=long),
        NewOrderRequest(0, 0, "generic", long, Terms("1", "2", Decimal(1), Decimal(60_000))),
        NewOrderRequest(0, 0, "generic", "BTCUSDT", Terms("1", "2", Decimal("9" * 5_000), Decimal(1))),
        AmendRequest(0, 0, HIGHEST_NUMBER + 1),
        CancelRequest(0, 0, HUGE),
        CancelRequest(0, 0, 1, long),
        CancelAllRequest(0, 0, long),
    ))  # fmt: skip


def _poison(random: Random) -> tuple[int, bytes]:
    """A record that no fold can count with; of nobody's orders, so that the books are what they would be without it."""
    trade = Trade("BTCUSDT", "1", "V", "1", random.choice((NAN, Decimal("1E+999999"))), Decimal(1), Decimal(0), "", 1)
    kind, payload = random.choice((
        (Kind.OUTBOUND, b"\xc1"),
        (Kind.INBOUND, b"\x93\xa7inbound\xa2\xff\xff"),
        (Kind.STATE_HASH, b"\xc1"),
        (Kind.VERDICT, Verdict("maker 2", HUGE, "4", NAN, OLDER_CODE, "L" * 400_000)),
        (Kind.EXPIRED, Expired("maker 2", HUGE, Attempt(-1, HUGE), HUGE)),
        (Kind.ANSWER, Answer("generic", Ask("generic", 1, "trades", "BTCUSDT"), False, trades=(trade,))),
        (Kind.REFUSED, Refused("orders", Reason.NONE, "L" * 400_000, "maker 2", HUGE, None, None, NewOrderRequest(
            HUGE, HUGE, "L" * 200_000, "", Terms("1", "2", NAN, NAN)))),
    ))  # fmt: skip
    return int(kind), payload if isinstance(payload, bytes) else encode(payload)


def write_poison(world: World, target: str, random: Random) -> None:
    """A record that nobody can fold gets into the log; it is accepted after a while."""
    journal = world.processes["journal"]
    token = random.randrange(HIGHEST_NUMBER)
    _give(journal, EpochRequest(OLDER_CODE, token))
    world.scheduler.after(APPEND_AFTER_NS, _append, journal, *_poison(random))
    world.scheduler.after(random.choice((300, 1_000, 3_000)) * NS_PER_MS, accept_left_out, world)


def _append(journal: Process, kind: int, payload: bytes) -> None:
    core = journal.core
    if core is None:
        return
    writers = core.status(journal.clock.read())["writers"]
    assert isinstance(writers, dict)
    if OLDER_CODE in writers:
        epoch, number = writers[OLDER_CODE]["epoch"], writers[OLDER_CODE]["append_number"] + 1
        _give(journal, Append(OLDER_CODE, epoch, number, [(kind, payload)]))


def _give(journal: Process, message: msgspec.Struct) -> None:
    core = journal.core
    if core is not None:
        journal.agenda.put(lambda now: core.received(JOURNAL_LINK, OLDER_CODE.encode(), message, now))


def accept_left_out(world: World) -> None:
    """An operator has every record skipped that orders or risk has left out."""
    for name in ("orders", "risk"):
        process = world.processes[name]
        status = process.core.status(process.clock.read()) if process.core is not None else {}
        world.skip_left_out(name, status)


