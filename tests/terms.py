"""The terms of a test's order among its other fields."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from common.messages import Terms

T = TypeVar("T", bound=msgspec.Struct)


def gathered(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with those that are terms of an order in `terms`, as the Structs have them."""
    terms = {name: value for name, value in values.items() if name in Terms.__struct_fields__}
    others = {name: value for name, value in values.items() if name not in terms}
    return {**others, "terms": Terms(**terms)}


def wanting(message: T, **terms: Any) -> T:
    """The message with other terms."""
    changed = msgspec.structs.replace(message.terms, **terms)  # type: ignore[attr-defined]
    return msgspec.structs.replace(message, terms=changed)
