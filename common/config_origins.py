"""Where each value of the configuration comes from: a variable, a desk's file, the venue's own, or nobody has said it.

The order is that of `common.config.load`: a variable of the environment counts before a file of the folder, that before
the venue's own `venue.toml`, and what none of them says has the default of its struct.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from common.config import (
    CREDENTIAL_TABLES,
    ENV_PREFIX,
    SERVED_VENUES,
    STACK_FILE,
    VENUE_FILE,
    Config,
    VenueConfig,
    read_folder,
    read_toml,
    told_at_start,
)
from common.venues.layers import venue_layer
from common.venues.registry import folder_of

DEFAULT: Final = "default"
BY_NAME: Final = frozenset({"name", "symbol"})
"""What a file says by its own name, or by that of a table."""

Keys = tuple[str, ...]
Layer = tuple[Path, Mapping[str, Any]]
"""A file, and what it says."""


class ConfiguredValue(NamedTuple):
    """One value: its keys from the section or venue on, and who says it: a variable's name, a file, or `default`."""

    keys: Keys
    value: object
    origin: str


def configured_values(config: Config, environ: Mapping[str, str] | None = None) -> list[ConfiguredValue]:
    """Every value of the stack and of the served venues, in the order of their structs. `environ` stands in for
    os.environ, as in `load`. Raises ConfigError.
    """
    env = os.environ if environ is None else environ
    variables = {_keys_of(name): name for name in env if name.startswith(ENV_PREFIX)}
    if SERVED_VENUES not in env and told_at_start(config.paths):
        variables[_keys_of(SERVED_VENUES)] = f"scripts/start --venues, kept in {config.paths.served}"
    stack_table, desk_tables = read_folder(config.paths.config)
    found = _told(config.stack, (), variables, [(config.paths.config / STACK_FILE, stack_table)])
    for name, venue in config.venues.items():
        file, own_file = config.paths.config / f"{name}.toml", folder_of(venue.dialect) / VENUE_FILE
        layers = [(file, desk_tables[name]), (own_file, venue_layer(read_toml(own_file), venue.environment.value))]
        found += _told(venue, (name,), variables, layers)
    return found


def _keys_of(variable: str) -> Keys:
    return tuple(variable.removeprefix(ENV_PREFIX).lower().split("__"))


def _told(
    section: msgspec.Struct,
    above: Keys,
    variables: Mapping[Keys, str],
    layers: Sequence[Layer],
) -> list[ConfiguredValue]:
    values = []
    for keys, value in _leaves(section, ()):
        origin = _variable_of((*above, *keys), variables) or _layer_of(section, keys, layers)
        values.append(ConfiguredValue((*above, *keys), msgspec.to_builtins(value, str_keys=True), origin))
    return values


def _leaves(value: object, keys: Keys) -> Iterator[tuple[Keys, object]]:
    """What stands below, down to what is no table."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _leaves(getattr(value, name), (*keys, name))
    elif isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, (*keys, str(name)))
    else:
        yield keys, value


def _variable_of(keys: Keys, variables: Mapping[Keys, str]) -> str:
    """The variable that says it, or the whole table in which it stands; "" for none."""
    lower = tuple(key.lower() for key in keys)
    lengths = range(len(lower), 0, -1)
    return next((variables[lower[:length]] for length in lengths if lower[:length] in variables), "")


def _layer_of(section: msgspec.Struct, keys: Keys, layers: Sequence[Layer]) -> str:
    for file, table in layers:
        if _holds(table, keys):
            return str(file)
    if isinstance(section, VenueConfig):
        if keys[-1] in BY_NAME:
            return next((str(file) for file, table in layers if _holds(table, keys[:-1])), DEFAULT)
        if keys[-1] == "kind" and keys[-2] in CREDENTIAL_TABLES:
            return str(layers[-1][0].parent)
    return DEFAULT


def _holds(table: Mapping[str, Any], keys: Keys) -> bool:
    found: Any = table
    for key in keys:
        if not isinstance(found, Mapping) or key not in found:
            return False
        found = found[key]
    return True
