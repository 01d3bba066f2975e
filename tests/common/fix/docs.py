"""The generated parts of docs/fix.md: the transition diagram and the case table.

python -m tests.common.fix.docs     writes them; a test compares them
"""

import importlib
import sys
from pathlib import Path

from common.fix.session_types import TRANSITIONS, DisconnectReason, SessionState
from scripts.docs.pages import with_parts
from tests.common.fix.official import NOT_APPLICABLE, OFFICIAL, PLAYED

PAGE = Path(__file__).parents[3] / "docs" / "fix.md"
SUITES = (
    "test_acceptor_cases",
    "test_initiator_cases",
    "test_listener",
    "test_application",
)


def diagram() -> str:
    """The states and what moves a session between them, as a Mermaid diagram."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> DISCONNECTED"]
    for state, moves in TRANSITIONS.items():
        targets: dict[SessionState, list[str]] = {}
        for event, after in moves.items():
            targets.setdefault(after, []).append(event.name)
        lines += [f"    {state.name} --> {after.name}: {', '.join(events)}" for after, events in targets.items()]
    return "\n".join([*lines, "```"])


def states() -> str:
    """Each state in a sentence."""
    return "\n".join(
        ["| state | meaning |", "|---|---|", *(f"| {state.name} | {state.value} |" for state in SessionState)]
    )


def reasons() -> str:
    """Each reason for closing in a sentence."""
    rows = [f"| {reason.name} | {reason.value} |" for reason in DisconnectReason]
    return "\n".join(["| reason | meaning |", "|---|---|", *rows])


def cases() -> str:
    """Every case and the tests that play it."""
    for suite in SUITES:
        importlib.import_module(f"tests.common.fix.{suite}")
    lines = ["| case | what happens | played by |", "|---|---|---|"]
    for one, what in OFFICIAL.items():
        played = "<br>".join(f"`{name}`" for name in sorted(set(PLAYED.get(one, []))))
        lines.append(f"| {one} | {what} | {played} |")
    lines += [f"| {one} | {why} | not applicable |" for one, why in NOT_APPLICABLE.items()]
    return "\n".join(lines)


def missing() -> list[str]:
    """Cases that no test plays."""
    cases()
    return [one for one in OFFICIAL if one not in PLAYED]


def generated(page: str) -> str:
    """The page with its generated parts made anew."""
    return with_parts(page, {"diagram": diagram, "states": states, "reasons": reasons, "cases": cases})


if __name__ == "__main__":
    PAGE.write_text(generated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.exit(0)
