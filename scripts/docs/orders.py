"""The diagrams and tables of docs/orders.md, drawn from `common.orders` by asking it.

What a record may change is read from the fold's source: the changes that its handler, and what that calls, can make.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import get_args

from common.fix.dictionary import Dictionary
from common.messages import PAYLOADS, Attempt, ExecutionReport, Kind, NewOrder, Terms
from common.orders.changes import Change
from common.orders.fold import Fold
from common.orders.leg import EXEC_TYPES, NEXT_WORD, Leg
from common.orders.numbers import ZERO
from common.orders.order_state import Order, Request, RequestKind
from common.orders.outcome import FINAL, Evidence, Outcome, decide
from common.orders.over_rest import OverRest
from common.orders.own_side import OwnSide
from common.orders.telling import Telling
from common.orders.words import TERMINAL_WORDS
from scripts.docs.protocol import states
from scripts.docs.structs import described, table

FIX = Dictionary.load("FIX44")
ORD_STATUS, EXEC_TYPE = 39, 150
OLDER = {"1": "Partial fill", "2": "Fill", "L": "Triggered"}
"""ExecType(150) that FIX 4.4 has not, and other versions have."""

OPEN = "open"
QTY, PRICE = Decimal(10), Decimal(5)
IN_TIME, TOO_LATE = 1, 2
EVIDENCE = {
    (Evidence.OUTBOUND, IN_TIME): "outbound record, in time",
    (Evidence.REFUSED, IN_TIME): "refusal, in time",
    (Evidence.WITHDRAWN, IN_TIME): "withdrawal",
    (Evidence.STAMP, TOO_LATE): "any later stamp",
}
PENDING: Mapping[str, tuple[RequestKind | None, bool]] = {
    "nothing is pending": (None, False),
    "a cancel is pending": (RequestKind.CANCEL, False),
    "an amendment is pending": (RequestKind.AMEND, False),
    "it is not known whether it arrived": (None, True),
}
"""What an order may wait for: the kind of request, or to be heard of."""


def parts() -> Mapping[str, Callable[[], str]]:
    """Each part of the page by its name."""
    return {
        "outcomes": outcomes, "word diagram": word_diagram, "words": words, "shown": shown, "states": states,
        "records": records, "changes": changes,
    }  # fmt: skip


def outcomes() -> str:
    """How an attempt gets its outcome, as a diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {Outcome.PENDING}"]
    for current in Outcome:
        for (evidence, stamp_ns), said in EVIDENCE.items():
            after = decide(current, evidence, IN_TIME, stamp_ns)
            if after is not current:
                lines.append(f"    {current} --> {after}: {said}")
    lines += [f"    {final} --> [*]" for final in Outcome if final in FINAL]
    return _mermaid(lines)


def word_diagram() -> str:
    """What the reports of the venue make of one order, as a diagram; the words in which it is open are one state."""
    moves: dict[tuple[str, str], list[str]] = {}
    for word in NEXT_WORD:
        for exec_type, status in _reports():
            before, after = _end(word), _end(_told(word, exec_type, status))
            if after != before:
                moves.setdefault((before, after), []).append(_name(EXEC_TYPE, exec_type))
    lines = ["stateDiagram-v2", f"    [*] --> {OPEN}"]
    for (before, after), exec_types in moves.items():
        lines.append(f"    {before} --> {after}: {', '.join(dict.fromkeys(exec_types))}")
    return _mermaid(lines)


def words() -> str:
    """With which ExecType(150) a report's OrdStatus(39) counts, by the venue's last word."""
    rows = []
    for word, takes in NEXT_WORD.items():
        taken = [_name(EXEC_TYPE, exec_type) for exec_type in EXEC_TYPES if exec_type in takes]
        left = [_name(EXEC_TYPE, exec_type) for exec_type in EXEC_TYPES if exec_type not in takes]
        few = ", ".join(taken) if len(taken) < len(left) else f"all but {', '.join(left)}" if left else "all"
        rows.append((_state(word), few))
    return table(("the venue's last word", "ExecType(150) whose OrdStatus(39) takes its place"), rows)


def shown() -> str:
    """The state that is shown, by the venue's last word and what the order waits for."""
    rows: list[tuple[str, ...]] = []
    for word in NEXT_WORD:
        for filled in (ZERO, QTY / 2):
            cells = [str(_order(word, filled, kind, unknown=unknown).status) for kind, unknown in PENDING.values()]
            heading = f"{_state(word)}{', partly filled' if filled else ''}"
            if not rows or rows[-1][1:] != tuple(cells) or not filled:
                rows.append((heading, *cells))
    return table(("the venue's last word", *PENDING), rows)


def records() -> str:
    """Every kind of record, and the changes that folding one can make."""
    calls, makes = _source_of_the_fold()
    handlers = _handlers()
    rows = []
    for kind in Kind:
        name = handlers.get(kind.name)
        made = sorted(_reachable(name, calls, makes)) if name else []
        told = ", ".join(f"`{each}`" for each in made) or ("none" if name else "not folded here")
        rows.append((f"`{kind.name}`", f"`{PAYLOADS[kind].__name__}`", _first(PAYLOADS[kind]), told))
    return table(("kind", "payload", "what it says", "what may change"), rows)


def changes() -> str:
    """Every change with its sentence."""
    return table(("change", "meaning"), [(f"`{each.__name__}`", _first(each)) for each in get_args(Change)])


# ---- asking the code ----


def _reports() -> Iterator[tuple[str, str]]:
    """ExecType(150) and OrdStatus(39) as a venue sends them together: its own, or New where it has none."""
    for exec_type in EXEC_TYPES:
        if FIX.value_name(ORD_STATUS, exec_type) is not None and exec_type not in ("5", "D", "E", "6", "1", "2"):
            yield exec_type, exec_type
    yield "F", "1"
    yield "F", "2"
    yield "5", "0"
    yield "D", "0"
    yield "H", "0"


def _told(word: str, exec_type: str, status: str) -> str:
    leg = _leg(word, ZERO)
    cum_qty = QTY if status == "2" else QTY / 2 if status == "1" else ZERO
    leg.hear_report(
        ExecutionReport("X", "", "7", "E", exec_type, status, "S", "1", QTY, PRICE, ZERO, ZERO, cum_qty, QTY - cum_qty)
    )
    return leg.word


def _leg(word: str, filled: Decimal) -> Leg:
    return Leg("X", "X", QTY, PRICE, word=word, cum_qty=filled)


def _order(word: str, filled: Decimal, kind: RequestKind | None, *, unknown: bool) -> Order:
    command = NewOrder(Attempt(1, 1), "s", 1, "v", "S", Terms("1", "2", QTY, PRICE), "X", 0)
    order = Order.sent(command, 1, 1, 1)
    order.legs = [_leg(word, filled)]
    order.unknown = unknown
    if kind is not None:
        order.requests["Y"] = Request(kind, Attempt(1, 2), "s", 2, "Y", QTY, PRICE)
    return order


def _state(word: str) -> str:
    return _name(ORD_STATUS, word) if word else "not heard of"


def _end(word: str) -> str:
    return _state(word) if word in TERMINAL_WORDS else OPEN


def _name(tag: int, value: str) -> str:
    known = OLDER.get(value) if tag == EXEC_TYPE else None
    return known or (FIX.value_name(tag, value) or value).replace("_", " ").capitalize()


def _mermaid(lines: Iterable[str]) -> str:
    return "\n".join(["```mermaid", *lines, "```"])


def _first(of: type) -> str:
    """The first sentence of what it says of itself."""
    paragraph, _, _ = described(of).text.partition("\n\n")
    return re.split(r"(?<=\.)\s(?=[A-Z`])", paragraph)[0]


# ---- reading the fold ----

Graph = Mapping[str, set[str]]


def _source_of_the_fold() -> tuple[Graph, Graph]:
    """By method of the fold and its rooms: which others it calls, and which changes it makes itself."""
    known = {each.__name__ for each in get_args(Change)}
    calls: dict[str, set[str]] = {}
    makes: dict[str, set[str]] = {}
    rooms = [ast.parse(textwrap.dedent(inspect.getsource(room))).body[0] for room in (Fold, OwnSide, OverRest, Telling)]
    for method in (each for room in rooms for each in ast.walk(room)):
        if isinstance(method, ast.FunctionDef):
            nodes = list(ast.walk(method))
            calls[method.name] = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
            makes[method.name] = {node.id for node in nodes if isinstance(node, ast.Name)} & known
    return {name: found & calls.keys() for name, found in calls.items()}, makes


def _handlers() -> dict[str, str]:
    """The method that folds each kind of record."""
    source = inspect.getsource(Fold.__init__)
    return dict(re.findall(r"Kind\.(\w+): self\.(?:\w+\.)?(\w+)", source))


def _reachable(name: str, calls: Graph, makes: Graph) -> set[str]:
    found, seen, todo = set[str](), set[str](), [name]
    while todo:
        method = todo.pop()
        if method not in seen:
            seen.add(method)
            found |= makes[method]
            todo += calls[method]
    return found
