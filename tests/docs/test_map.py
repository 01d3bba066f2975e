"""Invariants: the map names what there is; every word of ours that the code fixes has its sentence."""

import re
from pathlib import Path

import pytest

from common.config import CHECKOUT, SERVED_VENUES, load
from common.link_roles import RELAY
from common.messages import Kind, OrderStatus
from common.orders.outcome import Outcome
from scripts.simulation.invariants import INVARIANTS

PAGES = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (CHECKOUT / "docs").glob("*.md")))
CODE = re.compile(r"`([^`\n]+)`")
ROOMS = ("common/", "services/", "scripts/", "tests/", "docs/", "configs/", "deploy/")
EXAMPLES = frozenset({"services/strategies/mine.py", "configs/NAME.toml"})
A_VENUE_OF_A_READER = "acme"
"""Names of files that a reader would make."""

LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")
WORD = re.compile(r"^\| \*\*(.+?)\*\* \| (.+) \|$", re.M)
FIXS_OWN = frozenset(
    {"PENDING_NEW", "NEW", "PARTIALLY_FILLED", "FILLED", "PENDING_CANCEL", "PENDING_REPLACE", "CANCELED", "REJECTED",
     "EXPIRED", "SUSPENDED", "DONE_FOR_DAY"}
)  # fmt: skip
"""States of an order that are values of OrdStatus(39)."""

ORDER_MANAGER = ("starting", "restarting", "live", "journal_away", "stopping", "superseded")


def text_of(page: str) -> str:
    return (CHECKOUT / page).read_text("utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    named = [
        span for span in CODE.findall(text_of(page)) if span.startswith(ROOMS) and re.fullmatch(r"[\w./@-]+", span)
    ]
    missing = {name for name in named if not (CHECKOUT / name).exists()} - EXAMPLES
    assert not {name for name in missing if A_VENUE_OF_A_READER not in name}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for target, anchor in LINK.findall(text_of(page)):
        if "://" in target:
            continue
        path = (CHECKOUT / page).parent / target
        assert path.exists(), target
        heads = {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in headings(path)}
        assert not anchor or anchor[1:] in heads, f"{target}{anchor}"


def headings(path: Path) -> list[str]:
    return re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.M) if path.suffix == ".md" else []


def test_the_map_is_one_page_and_its_invariants_are_there() -> None:
    rules = text_of("docs/architecture.md").partition("## Where each rule lives")[2]
    named = {span for span in CODE.findall(rules) if "/" not in span}
    assert named and named <= INVARIANTS.keys()


def test_the_readme_has_every_process_and_no_other() -> None:
    told = re.findall(r"^\| `(\w+)(?:@\w+)?` \|", text_of("README.md"), re.M)
    whole = load(environ={SERVED_VENUES: ""}, before_start=True)
    # The configuration has one host, and so no relay.
    there = {actor.name.partition("@")[0] for actor in whole.actors()} | {RELAY}
    assert sorted(told) == sorted(there)


def words() -> dict[str, str]:
    return dict(WORD.findall(text_of("docs/words.md")))


def test_the_words_are_in_order_each_once_with_one_sentence() -> None:
    rows = WORD.findall(text_of("docs/words.md"))
    names = [name for name, _ in rows]
    assert names == sorted(set(names), key=lambda name: name.lower().replace("_", " "))
    assert all(meaning[0].isupper() and meaning.endswith(".") for _, meaning in rows)
    assert not [name for name, meaning in rows if re.search(r"\. [A-Z]", meaning)]


def test_every_word_that_the_code_fixes_has_its_sentence() -> None:
    known = words()
    told = " ".join(known.values())
    assert {kind.name for kind in Kind} <= set(CODE.findall(told)), "each kind of record"
    assert {outcome.value for outcome in Outcome} - {"pending"} <= known.keys()
    assert {status.value for status in OrderStatus} - FIXS_OWN <= {name.upper() for name in known}
    assert set(ORDER_MANAGER) <= known.keys()
    actors = {actor.name.partition("@")[0] for actor in load(environ={}).actors()} - {"marketdata", "orders"}
    assert actors <= known.keys()


def test_every_word_set_in_bold_as_a_term_has_its_sentence() -> None:
    """A term is one or two words in bold that begin small, at the first place where a page says what it is."""
    known = words()
    terms = {term for page in PAGES for term in re.findall(r"\*\*([a-z]+(?: [a-z]+)?)\*\*", text_of(page))}
    assert {term for term in terms if term not in known and term.removesuffix("s") not in known} <= EMPHASISED


EMPHASISED = frozenset({"clocks", "decimal", "disk", "network"})
"""What is bold for its weight and is no term of ours."""
