"""What came of comparing one venue: a verdict a part, and every difference in words."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

PARTS = ("positions", "balances", "open orders", "fills", "numbers")
"""What is compared at every venue, or named as not comparable there."""


class Verdict(StrEnum):
    """What came of one part. Silence is never equal."""

    EQUAL = "equal"
    DIFFERS = "differs"
    NOT_COMPARABLE = "not comparable"
    NOT_ANSWERED = "not answered"


class Part(NamedTuple):
    """One part's verdict; `text` says by what it was compared, or why it was not."""

    verdict: Verdict
    text: str
    differences: tuple[str, ...] = ()


class Audit(NamedTuple):
    """What came of asking a venue about everything open: what its word could not settle, and why it did not end."""

    unsettled: tuple[str, ...] = ()
    silence: str = ""


class Result(NamedTuple):
    """One venue: its parts as of one instant, and the audit before."""

    as_of: str
    parts: Mapping[str, Part]
    audit: Audit = Audit()

    @property
    def differences(self) -> list[str]:
        """All of them."""
        return [*self.audit.unsettled, *(found for part in self.parts.values() for found in part.differences)]

    @property
    def unanswered(self) -> list[str]:
        """The parts about which nobody answered, and the audit where it did not end."""
        silent = [name for name, part in self.parts.items() if part.verdict is Verdict.NOT_ANSWERED]
        return [*silent, self.audit.silence] if self.audit.silence else silent

    def document(self) -> dict[str, Any]:
        """As JSON shows it."""
        parts = {name: {"verdict": part.verdict.value, "text": part.text} for name, part in self.parts.items()}
        differences = self.differences
        return {"compared": not self.unanswered, "as_of": self.as_of, "differences": differences, "parts": parts}

    def told(self, venue: str) -> str:
        """As a screen shows it."""
        differences, unanswered = self.differences, self.unanswered
        if differences:
            head = f"{venue}: {len(differences)} differences as of {self.as_of}"
        elif unanswered:
            head = f"{venue}: not answered: {', '.join(unanswered)}"
        else:
            head = f"{venue}: equal as of {self.as_of}"
        parts = [f"  {name:12} {part.verdict.value}, {part.text}" for name, part in self.parts.items()]
        return "\n".join([head, *parts, *(f"  DIFFERS: {difference}" for difference in differences)])


def compared(differences: Iterable[str], text: str) -> Part:
    """A part that was compared: equal where nothing differs."""
    found = tuple(differences)
    return Part(Verdict.DIFFERS if found else Verdict.EQUAL, text, found)


def nobody_answered(why: str) -> Result:
    """A venue of which nothing was heard."""
    return Result("", {name: Part(Verdict.NOT_ANSWERED, why) for name in PARTS})


def contracts_differ(ours: Mapping[str, Decimal], there: Mapping[str, Decimal]) -> list[str]:
    """Of which symbols more or fewer contracts are held for us than at the venue, in words."""
    nothing = Decimal(0)
    return [
        f"{symbol}: {ours.get(symbol, nothing):f} contracts for us, {there.get(symbol, nothing):f} there"
        for symbol in sorted(ours.keys() | there.keys())
        if ours.get(symbol, nothing) != there.get(symbol, nothing)
    ]
