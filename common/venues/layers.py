"""A venue's own `venue.toml`, and how a desk's file lies over it.

What holds for everybody at a venue (limits, windows, fees, instruments, hosts) stands in the venue's folder; what a
desk decides stands in its own file, whose keys win. The table `environments.NAME` holds what is so in one environment
only, and lies over the rest of `venue.toml`.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

Table = dict[str, Any]
ENVIRONMENTS = "environments"


def venue_layer(own: Mapping[str, Any], environment: str) -> Table:
    """What a `venue.toml` says for one environment."""
    rest = {key: value for key, value in own.items() if key != ENVIRONMENTS}
    environments = own.get(ENVIRONMENTS)
    there = environments.get(environment) if isinstance(environments, dict) else None
    return lay_over(rest, there if isinstance(there, dict) else {})


def lay_over(under: Mapping[str, Any], over: Mapping[str, Any]) -> Table:
    """Both tables as one: tables are laid over each other key by key, and of anything else the upper one counts."""
    layered = deepcopy(dict(under))
    for key, value in over.items():
        below = layered.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        layered[key] = lay_over(below, value) if both and below is not None else deepcopy(value)
    return layered


def holds(table: Mapping[str, Any], path: str) -> bool:
    """Whether the table has the key that a path such as `fix.fallback_hosts[0]` leads to."""
    found: Any = table
    for key in path.split("."):
        name = key.partition("[")[0]
        if not isinstance(found, dict) or name not in found:
            return False
        found = found[name]
    return True
