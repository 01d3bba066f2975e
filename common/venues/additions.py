"""What a venue adds to its version of FIX, a field a line: `tag Name TYPE`, then value=MEANING for each value."""

from collections.abc import Mapping
from typing import Any

from common.venues.reading import VenueTag


def additions_of(fields: str, messages: Mapping[str, str], adds: Mapping[str, str] = {}) -> Mapping[str, Any]:
    """As `Dictionary.with_additions` takes them: enough to name and explain what the venue says, not to validate it.

    `messages` are names by MsgType(35), and `adds` what a message of the standard has beside its own fields.
    """
    named: dict[str, Any] = {msg_type: {"name": name} for msg_type, name in messages.items()}
    return {
        "fields": dict(_field(line) for line in fields.split("\n") if line),
        "messages": named | {msg_type: {"adds": tags} for msg_type, tags in adds.items()},
    }


def _field(line: str) -> tuple[str, dict[str, Any]]:
    tag, name, type_, *values = line.split()
    return tag, {"name": name, "type": type_, "values": dict(value.split("=") for value in values)}


def tag_in(additions: Mapping[str, Any], number: int) -> VenueTag:
    """The tag of one of the venue's own fields, by its number."""
    return VenueTag(number, additions["fields"][str(number)]["name"])
