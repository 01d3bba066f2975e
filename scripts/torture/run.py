"""Torture: a real stack under load, one fault after another, and after each the proof that nothing is wrong.

A round: the load runs; a fault happens; the time until every venue acknowledges an order again is taken; the load goes
on for a moment and is then quieted; and everything is compared: what the load was told, the journal, the exchanges' own
logs, the order manager's books, the actors' own hashes. The seed decides the order of the faults and what they hit.
"""

import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import orjson

from common.actor.control import NoAnswer, NotRunning, Refused
from common.config import CHECKOUT
from common.journal import verify
from common.journal.errors import JournalError
from common.journal.files import OsFiles
from common.messages import OrderEvent, PositionChanged
from common.strategy.client import Client
from common.strategy.client import NotRunning as OrdersNotRunning
from scripts.stack import PrivateStack, StackFailed
from scripts.torture.audit import Exchange, JournalAudit, compare_command, compare_sent
from scripts.torture.faults import REPEATS_NUMBERS, one_of_each_first, table
from scripts.torture.load import Load
from scripts.torture.means import Means
from scripts.torture.probe import Probe
from scripts.torture.scene import Fault, LeftOut, Scene, Wrong

RECOVERY_S = 5.0
"""The bound: trading again at every venue."""

RECOVERY_WAIT_S = 20.0
"""How long is waited at least, whatever the bound, to tell slow from never."""

LOAD_S = (0.7, 1.5)
"""Load before a fault, and again behind it."""

QUIET_S = 30.0
"""What never arrived at Binance is known only when its window (11 s) has closed, and asked for once more behind it. So
long an order may rightly be UNKNOWN, the load's own or one of the stack's strategies.
"""

RECONCILE_S = 60.0
MOST_DIFFERENCES = 20


@dataclass
class Round:
    """One fault and what came of it. `recovery_s` by venue, None where it never traded again."""

    fault: str
    recovery_s: dict[str, float | None] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    left_out: str = ""
    commands: int = 0
    loaded_s: float = 0

    @property
    def worst_s(self) -> float | None:
        """The slowest venue's recovery; None where one never traded again."""
        found = list(self.recovery_s.values())
        return None if None in found else max((s for s in found if s is not None), default=None)


class Torture:
    """One stack, one load. `say` takes a line for whoever watches."""

    def __init__(
        self,
        stack: PrivateStack,
        seed: int,
        rate: float,
        say: Callable[[str], None] = lambda _: None,
        bound_s: float = RECOVERY_S,
        means: Means | None = None,
    ) -> None:
        """The stack is running and ready, with `means`; within `bound_s` seconds each venue must trade again."""
        self.stack = stack
        self._bound_s = bound_s
        self.rounds: list[Round] = []
        self.commands = 0
        self._say = say
        self._rng = random.Random(seed)
        self._load = Load(stack.config, rate, seed)
        self._probe = Probe(stack.config)
        self._exchanges = {v: Exchange(v, stack.config.paths.exchange(v)) for v in stack.config.venues}
        self._journal = JournalAudit(stack.config.journal_folder)
        self._patience_s = max(RECOVERY_WAIT_S, bound_s)
        self._scene = Scene(
            stack, self._load, self._rng, means, {}, self._journal, self._exchanges, self._patience_s
        )
        self._load.start()

    def __enter__(self) -> "Torture":
        """Nothing more than the constructor."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the load and let go of the sockets."""
        self._load.end()
        self._probe.close()

    # -- rounds --

    def faults(self, only: str = "") -> Iterator[Fault]:
        """Each fault once, in seeded order, one of each group first, for ever anew. `only` is a word in the names."""
        chosen = [fault for fault in table(self.stack.config) if only in fault.name]
        while chosen:
            yield from one_of_each_first(chosen, self._rng)

    def round(self, fault: Fault) -> Round:
        """One fault, from load to comparison."""
        began_s = time.monotonic()
        result = Round(fault.name)
        self.rounds.append(result)
        self._load.resume()
        self._pause()
        over_s = self._inflict(fault, result)
        result.recovery_s = self._probe.wait(over_s, self._patience_s)
        for venue, seconds in result.recovery_s.items():
            if seconds is None:
                result.differences.append(f"{venue} has not traded again after {self._patience_s:.0f} s")
            elif seconds > self._bound_s:
                result.differences.append(f"{venue} traded again after {seconds:.2f} s, over {self._bound_s:g} s")
        self._pause()
        result.loaded_s = time.monotonic() - began_s
        result.differences += self._compare(fault)
        result.commands = self._load.book.given_count - self.commands
        self.commands = self._load.book.given_count
        self._tell(result)
        return result

    def _inflict(self, fault: Fault, result: Round) -> float:
        try:
            fault.deed(self._scene)
        except LeftOut as reason:
            result.left_out = str(reason)
        except (Wrong, StackFailed, NoAnswer, NotRunning, Refused, JournalError) as error:
            result.differences.append(str(error))
        return time.monotonic()

    def _pause(self) -> None:
        time.sleep(self._rng.uniform(*LOAD_S))

    def _tell(self, result: Round) -> None:
        worst_s = result.worst_s
        took = "never" if worst_s is None else f"{worst_s:.2f} s"
        state = "ok" if not result.differences else f"{len(result.differences)} DIFFERENCES"
        if result.left_out:
            state = f"left out: {result.left_out}"
        done = f"again after {took:>7}  {result.commands:6} commands"
        self._say(f"{len(self.rounds):4} {result.fault:24} {done}  {state}")
        for difference in result.differences[:MOST_DIFFERENCES]:
            self._say(f"     {difference}")

    # -- the comparison --

    def _compare(self, fault: Fault) -> list[str]:
        """Everything, at rest. The load's orders are over; the stack's own strategies trade on."""
        found: list[str] = []
        if not self._load.quiet(QUIET_S):
            waiting = list(self._load.book.unsettled())
            found.append(f"{len(waiting)} commands of the load have not come to an end: {waiting[:3]}")
        if self._load.failure is not None:
            found.append(f"the load failed: {self._load.failure!r}")
        if not self._probe.clear(QUIET_S):
            found.append("the probe's orders could not be cancelled")
        found += self._compare_logs(fault)
        found += self._compare_books()
        found += self._compare_actors()
        found += self._reconcile()
        found += self._verify()
        return found

    def _compare_logs(self, fault: Fault) -> list[str]:
        """The load's book, the journal and the exchanges' logs, one command at a time."""
        found: list[str] = []
        for exchange in self._exchanges.values():
            exchange.read()
        try:
            self._journal.read()
        except JournalError as error:
            return [f"the journal cannot be read: {error}"]
        for told in self._load.book.settle():
            found += compare_command(told, self._journal.commands.get(told.name), self._exchanges[told.venue])
        for exchange in self._exchanges.values():
            found += compare_sent(self._journal, exchange)
        if fault.name == REPEATS_NUMBERS:
            self._journal.complaints.clear()
        lists = [self._load.book.differences, self._journal.differences, self._journal.complaints]
        for differences in [*lists, *(exchange.differences for exchange in self._exchanges.values())]:
            found += differences
            differences.clear()
        for exchange in self._exchanges.values():
            exchange.settle()
        self._journal.settle()
        return found

    def _compare_books(self) -> list[str]:
        """The order manager's open orders and positions against the exchanges' logs; both move, so until they meet."""
        deadline_s = time.monotonic() + QUIET_S
        try:
            with Client("probe-reader", config=self.stack.config) as client:
                while True:
                    answer = client.query("reconcile")
                    for exchange in self._exchanges.values():
                        exchange.read()
                    exchanges = self._exchanges.values()
                    found: list[str] = []
                    for each in exchanges:
                        found += _differences(each, answer.orders, answer.positions, self._names_at(each.venue))
                    if not found or time.monotonic() > deadline_s:
                        return found
                    time.sleep(0.05)
        except OrdersNotRunning as error:
            return [str(error)]

    def _compare_actors(self) -> list[str]:
        """What the actors say of themselves, once all of them are there and no order is UNKNOWN."""
        there_by_s, settled_by_s = time.monotonic() + self._bound_s, time.monotonic() + QUIET_S
        answers = self.stack.ask_all("status")
        while time.monotonic() < (there_by_s if answers.errors else settled_by_s):
            if not answers.errors and not answers.details.get("orders", {}).get("unknown_orders"):
                break
            time.sleep(0.1)
            answers = self.stack.ask_all("status")
        found = [str(error) for error in answers.errors.values()]
        for name, detail in answers.details.items():
            if detail.get("hash_mismatches"):
                found.append(f"{name}: its folded state differs from the one whose hash the log holds")
            if name == "orders" and detail.get("unknown_orders"):
                found.append(f"orders: {detail['unknown_orders']} orders are still UNKNOWN")
            if name == "orders" and detail.get("undecodable"):
                found.append(f"orders: {detail['undecodable']} records could not be read")
        return found

    def _reconcile(self) -> list[str]:
        """`fixring reconcile`, as an operator runs it."""
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "scripts.cli.main", "reconcile"],
                cwd=CHECKOUT, env=self.stack.environ, capture_output=True, text=True, timeout=RECONCILE_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return [f"fixring reconcile did not end within {RECONCILE_S:.0f} s"]
        if done.returncode == 0:
            return []
        return [f"fixring reconcile ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-1500:]}"]

    def _names_at(self, venue: str) -> dict[str, str]:
        """What we call orders that go by other names at the venue: those of its bridge, where it has one. Behind one an
        amendment leaves the order its first name."""
        if self.stack.config.venues[venue].bridge is None:
            return {}
        try:
            told = self.stack.ask(f"bridge@{venue}", "state")["names"]
        except (NotRunning, NoAnswer, Refused):
            return {}
        assert isinstance(told, dict)
        return told

    def _verify(self) -> list[str]:
        """Every byte of the journal."""
        try:
            verify(self.stack.config.journal_folder, OsFiles())
        except JournalError as error:
            return [f"fixring journal verify: {error}"]
        return []


def _differences(
    exchange: Exchange,
    orders: tuple[OrderEvent, ...],
    positions: tuple[PositionChanged, ...],
    names: Mapping[str, str],
) -> Iterator[str]:
    """The order manager's view of one venue against the exchange's own log; `names` are ours of orders that go by
    others there."""
    venue, truth = exchange.venue, exchange.truth
    # By ClOrdID(11), which is the same on both sides: how OrderID(37) is written is the venue's.
    ours = {order.cl_ord_id: order for order in orders if order.venue == venue}
    # Behind a bridge OrderID(37) is the venue's own, and an amendment may have renamed the order since it was asked.
    by_order_id = {order.order_id: name for name, order in ours.items()} if names else {}
    theirs = {}
    for there in [each for each in truth.orders.values() if each.open]:
        last = there.cl_ord_ids[-1]
        theirs[by_order_id.get(str(there.order_id)) or names.get(last, last)] = there
    for name in ours.keys() - theirs.keys():
        order = ours[name]
        yield f"{order.strategy}/{order.number} is {order.status} ({name}, {order.order_id}), and not open at {venue}"
    for name in theirs.keys() - ours.keys():
        yield f"{venue} has order {theirs[name].order_id} ({name}) open, and the order manager has not"
    for name in ours.keys() & theirs.keys():
        mine, true = ours[name], theirs[name]
        if (mine.cum_qty, mine.leaves_qty, mine.price) != (true.cum_qty, true.leaves_qty, true.price):
            yield (
                f"{mine.strategy}/{mine.number}: {mine.cum_qty} filled, {mine.leaves_qty} left at {mine.price}; "
                f"{venue} has {true.cum_qty}, {true.leaves_qty} at {true.price}"
            )
    held = {position.symbol: position.quantity for position in positions if position.venue == venue}
    for symbol in held.keys() | truth.positions.keys():
        if held.get(symbol, Decimal(0)) != truth.position(symbol):
            yield f"position {symbol}: {held.get(symbol)}, and {venue} has {truth.position(symbol)}"


def report(
    torture: Torture, seed: int, rate: float, minutes: float, only: str, *, requires_all: bool = False
) -> dict[str, object]:
    """Everything that was done and found, JSON-ready. With `requires_all` a fault that was left out is a failure."""
    by_fault: dict[str, list[Round]] = {}
    for result in torture.rounds:
        by_fault.setdefault(result.fault, []).append(result)
    command = f"fixring torture --minutes {minutes:g} --seed {seed} --rate {rate:g}{f' --only {only}' if only else ''}"
    command += f" --venues {','.join(torture.stack.config.venues)}"
    seconds = sum(result.loaded_s for result in torture.rounds)
    left_out = {name: results[0].left_out for name, results in sorted(by_fault.items()) if _never_done(results)}
    wanted = [fault for fault in table(torture.stack.config) if only in fault.name]
    return {
        "seed": seed,
        "command": command + (" --require-all" if requires_all else ""),
        "rounds": len(torture.rounds),
        "commands": torture.commands,
        "commands_per_s": round(torture.commands / seconds) if seconds else 0,
        "differences": sum(len(result.differences) for result in torture.rounds),
        "faults": {name: _row(results) for name, results in sorted(by_fault.items())},
        "left_out": left_out,
        "groups_not_reached": sorted({f.group for f in wanted} - {f.group for f in wanted if f.name in by_fault}),
        "faults_not_reached": sum(f.name not in by_fault for f in wanted),
        "is_good": not any(r.differences for r in torture.rounds) and not (requires_all and left_out),
        "details": [f"round {n}, {r.fault}: {d}" for n, r in enumerate(torture.rounds, 1) for d in r.differences],
    }


def _never_done(results: list[Round]) -> bool:
    """One that a stack bears only so often is left out when its turn comes too soon again, and was done."""
    return all(result.left_out for result in results)


def _row(results: list[Round]) -> dict[str, object]:
    took = sorted(r.worst_s for r in results if r.worst_s is not None and not r.left_out)
    return {
        "count": sum(not r.left_out for r in results),
        "median_s": round(statistics.median(took), 3) if took else None,
        "worst_s": round(took[-1], 3) if took else None,
        "differences": sum(len(r.differences) for r in results),
        "left_out": next((r.left_out for r in results if r.left_out), ""),
    }


def save(document: dict[str, object], folder: Path) -> Path:
    """Write the report beside the stack's state."""
    file = folder / "torture.json"
    file.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    return file
