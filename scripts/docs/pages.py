"""The pages of docs/ that have parts made from the code, and how such a part is put in its place.

A part stands between `<!-- generated: NAME -->` and `<!-- end: NAME -->`; the rest of a page is a person's.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from common.config import CHECKOUT
from scripts.docs import alerts, configuration, orders, protocol, sdk, venues

Parts = Mapping[str, Callable[[], str]]

PAGES: Mapping[str, Parts] = {
    "alerts": {"watches": alerts.watches},
    "configuration": {"stack": configuration.stack, "venue": configuration.venue},
    "metrics": {"metrics": alerts.metrics},
    "orders": orders.parts(),
    "protocol": protocol.parts(),
    "sdk": sdk.parts(),
    "venues": {"venues": venues.venues, "credentials": venues.credentials},
}
"""The name of a page to its parts."""


def path_of(name: str) -> Path:
    """Where the page is."""
    return CHECKOUT / "docs" / f"{name}.md"


def made(name: str) -> str:
    """The page with its parts as the code would have them. Raises ValueError where it has no place for one."""
    return with_parts(path_of(name).read_text("utf-8"), PAGES[name])


def with_parts(page: str, parts: Parts) -> str:
    """The text `page` with its parts made anew. Raises ValueError where it has no place for one."""
    for name, make in parts.items():
        begin, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"the page has no place for its part {name}: put {begin} and {end} there")
        page = f"{before}{begin}\n{make()}\n{end}{after}"
    return page
