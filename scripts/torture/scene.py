"""What a fault of the torture is, and what its deed may use."""

import random
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from common.actor.control import Refused
from common.config import Kind
from scripts.stack import PrivateStack
from scripts.torture.audit import Exchange, JournalAudit
from scripts.torture.load import Load
from scripts.torture.means import Means

STRUCK_S = 2.0


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

    patience_s: float
    """How long a start may take until it counts as one that never ends."""

    def actors(self, *kinds: Kind) -> list[str]:
        """The names of the actors of these kinds; of all without any."""
        return [actor.name for actor in self.stack.config.actors() if not kinds or actor.kind in kinds]


def begin_fault(scene: Scene, kind: str, **arguments: object) -> str:
    """Have one of the exchanges go wrong; the actor that does. Raises LeftOut where none of them can, and says why."""
    why = ""
    for venue in scene.rng.sample(list(scene.exchanges), len(scene.exchanges)):
        actor = f"exchange@{venue}"
        try:
            scene.stack.ask(actor, "fault", {"kind": kind, "scope": "fix", **arguments})
        except Refused as reason:
            why = str(reason)
        else:
            return actor
    raise LeftOut(why)


def await_struck(scene: Scene, actor: str, kind: str) -> None:
    """Until the load has met the exchange's fault; what did not strike by then is called off."""
    deadline_s = time.monotonic() + STRUCK_S
    while time.monotonic() < deadline_s:
        answer = scene.stack.ask(actor, "fault", {"kind": "list"})
        faults = answer["faults"]
        assert isinstance(faults, list)
        if not any(fault["kind"] == kind for fault in faults):
            return
        time.sleep(0.05)
    scene.stack.ask(actor, "fault", {"kind": "clear"})


class Fault(NamedTuple):
    """One entry of the table. Of each `group` one fault comes first, before the others of any."""

    name: str
    group: str
    sentence: str
    deed: Callable[[Scene], None]
