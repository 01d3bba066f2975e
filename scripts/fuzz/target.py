"""What is fuzzed: a target plays the inputs of one seed to a part of the system and says what must hold."""

from collections import Counter
from typing import NamedTuple, Protocol


class Broken(Exception):
    """What must hold of a target does not. The text says what, and after which input."""


class Tally:
    """What one target was given: inputs, and how many of them decoded, by the place that they were given to."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.inputs: Counter[str] = Counter()
        self.decoded: Counter[str] = Counter()

    def count(self, place: str, *, decoded: bool) -> None:
        """One more input."""
        self.inputs[place] += 1
        self.decoded[place] += decoded

    def add(self, other: "Tally") -> None:
        """All that the other counted, too."""
        self.inputs += other.inputs
        self.decoded += other.decoded

    @property
    def share(self) -> float:
        """How many of the inputs decoded, of one; 1 where there was none."""
        total = self.inputs.total()
        return self.decoded.total() / total if total else 1.0


class Round(NamedTuple):
    """The inputs of one seed: `size` of them, of which those are left out whose number is not in `only`."""

    seed: int
    size: int
    only: frozenset[int] | None = None

    def numbers(self) -> list[int]:
        """The numbers of the inputs that are played, in their order."""
        return [number for number in range(self.size) if self.only is None or number in self.only]


class Target(Protocol):
    """One family of inputs. The same round is always the same inputs, whichever of them are left out."""

    sentence: str
    """What it gives to whom, and what must hold."""

    size: int
    """How many inputs a round has."""

    def play(self, a_round: Round, tally: Tally) -> None:
        """Give the inputs of a round. Raises Broken; whatever else it raises came out of the part under test."""
