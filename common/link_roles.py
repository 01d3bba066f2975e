"""Which process serves each link, whom it lets in, and what each may ask: what a key opens where links leave the host.

A role is a line of the Procfile (`Kind` in `common/config.py`), `operator` for the command line, or `relay@HOST` for
the process in which a host answers the others. Each has a key pair. That a session takes commands from risk
alone, whoever has stolen which other key, stands here.
"""

from typing import Final, NamedTuple

OPERATOR: Final = "operator"
RELAY: Final = "relay"
STATUS: Final = "status"
JOURNAL_ACT: Final = "journal_act"
"""What orders is asked for by an actor without a way into the journal: to have an `ActDone` journaled."""


class Ends(NamedTuple):
    """The role that binds a link, and those that may connect to it."""

    server: str
    clients: frozenset[str]


PROCFILE: Final = (
    "exchanges", "journal", "orders", "risk", "sessions", "accounts", "strategies", "desk", "alerts", "relays",
)  # fmt: skip
"""The lines of the Procfile, as roles."""

_ENDS: Final = {
    "entry": Ends("orders", frozenset(("strategies", "desk", OPERATOR))),
    "risk": Ends("risk", frozenset(("orders",))),
    "session": Ends("sessions", frozenset(("risk",))),
    "account": Ends("accounts", frozenset(("orders",))),
    # The replicator is of the journal's line.
    "journal": Ends("journal", frozenset(("orders", "risk", "sessions", "accounts", "journal"))),
    "stream": Ends("journal", frozenset(("orders", "risk"))),
    "feed": Ends("sessions", frozenset(("risk", "strategies", "desk"))),
    "signals": Ends("strategies", frozenset((OPERATOR,))),
}
_EVERYBODY: Final = frozenset((*PROCFILE, OPERATOR))

EVERY_ACT: Final = frozenset(("*",))
_ACTS: Final = {
    OPERATOR: EVERY_ACT,
    # Persons act through it; which of them may do what is its own business.
    "desk": EVERY_ACT,
    "alerts": frozenset((STATUS, "money", JOURNAL_ACT)),
    "strategies": frozenset((STATUS, JOURNAL_ACT)),
    # Their supervisor latches the kill switch where nobody manages what rests.
    "journal": frozenset((STATUS, "kill")),
    "orders": frozenset((STATUS, "kill")),
    "risk": frozenset((STATUS, "kill")),
}


class UnknownLink(ValueError):
    """There is no link of that name. The text says which there are."""


def ends_of(link: str) -> Ends:
    """Who serves the link, and whom it lets in. Raises UnknownLink."""
    kind, _, name = link.partition(".")
    if kind == RELAY and name:
        return Ends(f"{RELAY}@{name}", _EVERYBODY)
    if kind not in _ENDS:
        raise UnknownLink(f"there is no link {link}; there are {', '.join(_ENDS)} and {RELAY}")
    return _ENDS[kind]


def links_of(role: str) -> tuple[list[str], list[str]]:
    """The kinds of links that the role serves, and those that it may connect to, sorted."""
    serves = [kind for kind, ends in _ENDS.items() if ends.server == role]
    joins = [kind for kind, ends in _ENDS.items() if role in ends.clients]
    if role in _EVERYBODY:
        joins.append(RELAY)
    if role.partition("@")[0] == RELAY:
        serves.append(RELAY)
    return sorted(serves), sorted(joins)


def may_ask(role: str, act: str) -> bool:
    """Whether that role may ask another host's actors for that act."""
    acts = _ACTS.get(role, frozenset((STATUS,)))
    return acts is EVERY_ACT or act in acts


def acts_in_words(role: str) -> str:
    """What the role may ask for, for a sentence."""
    acts = _ACTS.get(role, frozenset((STATUS,)))
    return "everything" if acts is EVERY_ACT else ", ".join(sorted(acts))
