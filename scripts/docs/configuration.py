"""The tables of docs/configuration.md: every key of the configuration, as `common.config` has it."""

import msgspec

from common.config import InstrumentConfig, Section, StackConfig, Symbol, VenueConfig
from scripts.docs.structs import described, is_struct, plain, table, type_words

KEYS = {Symbol: "SYMBOL"}
BY_ITS_NAME = {(VenueConfig, "name"), (InstrumentConfig, "symbol")}
"""What a file must not give: it is the name of the file, or of the table."""

Paths = dict[type[msgspec.Struct], list[str]]


def stack() -> str:
    """Every table of the stack's file."""
    return _tables(StackConfig)


def venue() -> str:
    """Every table of a venue's file."""
    return _tables(VenueConfig)


def _tables(root: type[msgspec.Struct]) -> str:
    paths: Paths = {}
    _collect(root, "", paths)
    return "\n\n".join(_section(struct, names) for struct, names in paths.items())


def _collect(struct: type[msgspec.Struct], path: str, paths: Paths) -> None:
    """Add every table below `struct`, which is at `path`; one Struct may be found at several."""
    paths.setdefault(struct, []).append(path)
    for field in msgspec.structs.fields(struct):
        inner = plain(field.type)
        name = f"{path}.{field.name}".lstrip(".")
        if is_struct(inner):
            _collect(inner, name, paths)
        elif getattr(inner, "__origin__", None) is dict and is_struct(plain(inner.__args__[1])):
            _collect(plain(inner.__args__[1]), f"{name}.{KEYS.get(inner.__args__[0], 'NAME')}", paths)


def _section(struct: type[msgspec.Struct], paths: list[str]) -> str:
    told = described(struct)
    heading = ", ".join(f"`[{path}]`" for path in paths if path) or "Top level"
    rows = [
        (f"`{field.name}`", type_words(field.name, field.type), _default(field), told.fields.get(field.name, ""))
        for field in msgspec.structs.fields(struct)
        if (struct, field.name) not in BY_ITS_NAME
    ]
    return f"### {heading}\n\n{told.text}\n\n{table(('key', 'type', 'default', 'meaning'), rows)}"


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    kind = plain(field.type)
    if value is not None and is_struct(kind) and value == _all_defaults(kind):
        return "its defaults"
    return "none" if value is None or value == {} else f"`{toml_value(value)}`"


def _all_defaults(kind: type[msgspec.Struct]) -> object:
    """The table as it is where the file leaves it out, or None where it must say something."""
    return None if any(field.required for field in msgspec.structs.fields(kind)) else kind()


def toml_value(value: object) -> str:
    """A default as a TOML file would have it."""
    if isinstance(value, Section):
        return toml_value(msgspec.structs.asdict(value))
    if isinstance(value, dict):
        inner = ", ".join(f"{key} = {toml_value(each)}" for key, each in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:_}" if isinstance(value, int) else f'"{value}"'
