"""The tables of docs/sdk.md: the class, the client and every event, as `common.strategy` and `common.messages` have
them.
"""

import enum
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from common.messages import CommandOutcome, OrderEvent, PositionChanged, StatusChanged, Terms, TopOfBook, Traded
from common.strategy.bounds import OutOfBounds
from common.strategy.client import Client, Event, NoOutcome, NotRunning, Number, UnknownName
from common.strategy.entry import NamesUsedUp, NotWelcome, Superseded, TooManyUnanswered
from common.strategy.signals import Signal
from common.strategy.strategy import BadParameters, Market, Setting, Strategy
from scripts.docs.protocol import states
from scripts.docs.structs import described, paragraphs, table

EVENTS = (TopOfBook, Traded, OrderEvent, Terms, CommandOutcome, PositionChanged, StatusChanged, Signal)
ERRORS = (
    BadParameters, OutOfBounds, NotWelcome, Superseded, TooManyUnanswered, NamesUsedUp, NotRunning, NoOutcome,
    UnknownName,
)  # fmt: skip
HOOK = "on_"
ALIASES = {"Event": frozenset(typing.get_args(Event)), "Number": frozenset(typing.get_args(Number))}


def parts() -> Mapping[str, Callable[[], str]]:
    """Each part of the page by its name."""
    return {
        "attributes": attributes,
        "hooks": lambda: _calls(Strategy, lambda name: name.startswith(HOOK)),
        "helpers": lambda: _calls(Strategy, lambda name: not name.startswith(HOOK)),
        "setting": lambda: _fields(Setting),
        "market": lambda: f"{_fields(Market)}\n\n{_calls(Market)}",
        "client": lambda: f"{_made(Client)}\n\n{_values(Client)}\n\n{_calls(Client)}",
        "events": lambda: "\n\n".join(
            f"### `{each.__name__}`\n\n{described(each).text}\n\n{_fields(each)}" for each in EVENTS
        ),
        "states": states,
        "errors": errors,
    }


def attributes() -> str:
    """What a strategy has, beside its hooks and helpers."""
    own = [(f"`{name}`", sentence) for name, sentence in described(Strategy).fields.items()]
    return table(("attribute", "what it is"), [*own, *_properties(Strategy)])


def errors() -> str:
    """Every error of the SDK."""
    return table(("error", "when"), [(f"`{each.__name__}`", _sentence(each)) for each in ERRORS])


def _values(of: type) -> str:
    return table(("attribute", "what it is"), list(_properties(of)))


def _properties(of: type) -> Iterable[tuple[str, str]]:
    return [(f"`{n}`", _sentence(v)) for n, v in vars(of).items() if isinstance(v, property) and n[0] != "_"]


def _calls(of: type, wanted: Callable[[str], bool] = lambda _: True) -> str:
    found = [(name, value) for name, value in vars(of).items() if inspect.isfunction(value) and name[0] != "_"]
    rows = [(f"`{name}{signature(value)}`", _sentence(value)) for name, value in found if wanted(name)]
    return table(("call", "what it does"), rows)


def _made(of: type) -> str:
    made: Any = of.__init__  # type: ignore[misc]
    return f"`{of.__name__}{signature(made, ends='')}`\n\n{paragraphs(inspect.getdoc(made) or '')}"


def _fields(of: type) -> str:
    told = described(of).fields
    hints = typing.get_type_hints(of)
    rows = [(f"`{name}`", f"`{shown(kind)}`", told.get(name, "")) for name, kind in hints.items()]
    return table(("field", "type", "meaning"), rows)


def _sentence(of: Any) -> str:
    return paragraphs(inspect.getdoc(of) or "").replace("\n\n", " ")


def signature(of: Callable[..., Any], ends: str | None = None) -> str:
    """The call as somebody writes it, with the types; `ends` takes the place of what is returned."""
    whole, hints = inspect.signature(of), typing.get_type_hints(of)
    given = [each for each in whole.parameters.values() if each.name != "self"]
    words: list[str] = []
    keywords = False
    for each in given:
        if each.kind is each.KEYWORD_ONLY and not keywords:
            words, keywords = [*words, "*"], True
        text = f"{each.name}: {shown(hints[each.name])}"
        if each.kind is each.VAR_KEYWORD:
            text = f"**{text}"
        words.append(text if each.default is each.empty else f"{text} = {_literal(each.default)}")
    back = "" if hints.get("return") in (None, types.NoneType) else f" -> {shown(hints['return'])}"
    return f"({', '.join(words)}){back if ends is None else ends}"


def _literal(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else f"{value:_}" if type(value) is int else repr(value)


def shown(kind: Any) -> str:
    """A type as somebody writes it, without the modules."""
    members = frozenset(typing.get_args(kind)) or frozenset((kind,))
    for name, union in ALIASES.items():
        if members - {types.NoneType} == union:
            return f"{name} | None" if types.NoneType in members else name
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind.__name__
    if typing.get_origin(kind) is typing.Annotated:
        return shown(typing.get_args(kind)[0])
    if typing.get_origin(kind) is typing.Literal:
        return " | ".join(f'"{each}"' for each in typing.get_args(kind))
    if isinstance(kind, type) and not typing.get_args(kind):
        return "None" if kind is types.NoneType else kind.__name__
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return " | ".join(map(shown, typing.get_args(kind)))
    inner = ", ".join("..." if each is Ellipsis else shown(each) for each in typing.get_args(kind))
    name = re.sub(r"\[.*", "", getattr(kind, "__name__", str(kind)))
    return f"{name}[{inner}]" if inner else name
