"""What a fault of the torture is, and what its deed may use."""

import random
from collections.abc import Callable, Mapping
from typing import NamedTuple

from common.config import Kind
from scripts.stack import PrivateStack
from scripts.torture.audit import Exchange, JournalAudit
from scripts.torture.load import Load
from scripts.torture.means import Means


class LeftOut(Exception):
    """The fault cannot be done here; the text says why."""


class Wrong(Exception):
    """The stack's answer to the fault was not what it must be; the text says what it was."""


class Scene(NamedTuple):
    """What a deed may use."""

    stack: PrivateStack
    load: Load
    rng: random.Random
    means: Means | None
    last_s: dict[str, float]
    """When a deed that a stack bears only so often was last done, by its name."""

    journal: JournalAudit
    exchanges: Mapping[str, Exchange]
    """The exchanges' own logs, by venue."""

    def actors(self, *kinds: Kind) -> list[str]:
        """The names of the actors of these kinds; of all without any."""
        return [actor.name for actor in self.stack.config.actors() if not kinds or actor.kind in kinds]


class Fault(NamedTuple):
    """One entry of the table. Of each `group` one fault comes first, before the others of any."""

    name: str
    group: str
    sentence: str
    deed: Callable[[Scene], None]
