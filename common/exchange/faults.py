"""Faults on command: what the exchange is told to do wrong, how often, and on which kind of line."""

import enum
from dataclasses import dataclass


class Kind(enum.StrEnum):
    """What can go wrong. `FAULT_SENTENCES` says what each does."""

    CUT = "cut"
    STALL = "stall"
    GAP = "gap"
    DUPLICATE = "duplicate"
    GARBLE = "garble"
    UNREADABLE = "unreadable"
    ODD_FIELDS = "odd_fields"
    REJECT = "reject"
    SLOW = "slow"
    UNKNOWN = "unknown"
    LOST = "lost"
    LATE_FILL = "late_fill"
    REJECT_STATUS = "reject_status"
    MAINTENANCE = "maintenance"
    SELF_TRADE = "self_trade"
    BARE = "bare"
    CROSSED = "crossed"
    SKIP = "skip"
    SILENT = "silent"
    TEST_REQUEST = "test_request"
    RESEND_REQUEST = "resend_request"
    DONE_FOR_DAY = "done_for_day"
    UNTOLD = "untold"
    HALF = "half"
    BLIND = "blind"
    BARRED = "barred"
    REFUSE = "refuse"


FAULT_SENTENCES: dict[Kind, str] = {
    Kind.CUT: "Close the connections of the scope at once, without Logout(5).",
    Kind.STALL: "Read and write nothing on the scope for `ms` milliseconds.",
    Kind.GAP: "Give the next `count` application messages their numbers and lose them.",
    Kind.DUPLICATE: "Send the next `count` application messages twice, under one number.",
    Kind.GARBLE: "Break a byte in the next `count` application messages.",
    Kind.UNREADABLE: "Miscount a data field in the next `count` reports, but for ExecType(150) in `text`.",
    Kind.ODD_FIELDS: "Write the next `count` application messages with times and prices of a form that there is not.",
    Kind.REJECT: "Reject the next `count` new orders.",
    Kind.SLOW: "Delay everything sent on the scope by `ms` milliseconds, until it is cleared.",
    Kind.UNKNOWN: "Carry out the next `count` requests, and answer that their execution status is unknown.",
    Kind.LOST: "Do not carry out the next `count` requests, and answer that their status is unknown.",
    Kind.LATE_FILL: "Fill a part of the next `count` orders as they are cancelled, and report it after the cancel.",
    Kind.REJECT_STATUS: "Answer the next `count` questions for an order's state with an error.",
    Kind.SELF_TRADE: "Let the next `count` orders trade with the account's own.",
    Kind.BARE: "Leave Symbol(55), Side(54) and LastPx(31) out of the next `count` reports of fills, but for "
    "ClOrdIDs(11) that begin with `text`.",
    Kind.CROSSED: "Fill a part of the next `count` orders as they are cancelled or amended, under the request's names, "
    "and refuse the request.",
    Kind.MAINTENANCE: "Announce the end of the connections that there are with News(B), and close them after `ms` "
    "milliseconds; whoever logs on meanwhile stays.",
    Kind.SKIP: "Use a number for nothing before the next `count` application messages, and gap-fill what follows.",
    Kind.SILENT: "Do not carry out the next `count` cancels, and say nothing of them.",
    Kind.TEST_REQUEST: "Send `count` TestRequest(1) at once.",
    Kind.RESEND_REQUEST: "Ask for everything that was sent, from one number further each of `count` times.",
    Kind.DONE_FOR_DAY: "Tell of the next `count` orders, once they rest, that they are done for the day; they rest on.",
    Kind.UNTOLD: "Tell CumQty(14) of what is filled, and the trades themselves only when it is cleared.",
    Kind.HALF: "Carry out the next `count` requests that change something, and end the connection within the answer.",
    Kind.BLIND: "Say of orders that are younger than `ms` milliseconds that there are none, to whoever asks.",
    Kind.BARRED: "Refuse the next `count` requests as too many.",
    Kind.REFUSE: "Refuse the next `count` Logons(A), as the venue refuses one.",
}

LACK_SENTENCES: dict[Kind, str] = {
    Kind.UNKNOWN: "no answer of this venue means that a fate is not known; `gap` loses reports, `cut` the rest",
    Kind.LOST: "no answer of this venue means that a fate is not known; `gap` loses reports, `cut` the rest",
    Kind.CROSSED: "no fill of this venue bears a request's names; `late_fill` has one",
    Kind.DONE_FOR_DAY: "no order of this venue is done for the day and rests on",
    Kind.UNTOLD: "this venue tells each trade at once",
}
"""Why a venue cannot do wrong in a way of its own wire, for those that not every venue has."""

FURTHER: dict[Kind, str] = {
    Kind.BLIND: "only a venue that is asked over REST for what was just done there can be blind to it",
    Kind.BARRED: "only a venue whose orders come over REST bars who sends too many",
}
"""Why most venues cannot have these, which a `Side` names that can."""

SCOPES = ("fix", "market_data", "drop_copy", "rest", "websocket", "all")


@dataclass
class Fault:
    """One fault under way. `count` is how often it still strikes (0: until cleared or, for STALL, until it is over)."""

    number: int
    kind: Kind
    scope: str
    count: int
    ms: int
    text: str
    struck: int = 0


def lacking(*kinds: Kind) -> dict[str, str]:
    """What a venue without these says of each: a `Side`'s `lacks`."""
    return {str(kind): LACK_SENTENCES[kind] for kind in kinds}


class BadFault(ValueError):
    """The order for a fault names no kind or scope that there is."""


class Faults:
    """The faults under way, oldest first."""

    def __init__(self) -> None:
        self._numbers = 0
        self._active: list[Fault] = []
        self.struck: dict[str, int] = {}

    def add(self, kind: str, scope: str, count: int, ms: int, text: str) -> Fault:
        """Begin a fault. Raises BadFault."""
        if kind not in FAULT_SENTENCES:
            raise BadFault(f"no fault {kind!r}: there is {', '.join(FAULT_SENTENCES)}")
        if scope not in SCOPES:
            raise BadFault(f"no scope {scope!r}: there is {', '.join(SCOPES)}")
        self._numbers += 1
        fault = Fault(self._numbers, Kind(kind), scope, count, ms, text)
        self._active.append(fault)
        return fault

    def end(self, fault: Fault) -> None:
        """The fault is over."""
        if fault in self._active:
            self._active.remove(fault)

    def clear(self) -> int:
        """End all faults; how many there were."""
        cleared = len(self._active)
        self._active.clear()
        return cleared

    def strikes(self, kind: Kind, scope: str) -> Fault | None:
        """The fault of this kind that applies now, counted as having struck; None where there is none."""
        if not self._active:
            return None
        fault = self.find(kind, scope)
        if fault is not None:
            self.count(fault)
        return fault

    def find(self, kind: Kind, scope: str) -> Fault | None:
        """The oldest fault of this kind and scope, without counting it."""
        for fault in self._active:
            if fault.kind is kind and fault.scope in (scope, "all"):
                return fault
        return None

    def count(self, fault: Fault) -> None:
        """The fault struck once; one whose count is used up is over."""
        fault.struck += 1
        self.struck[fault.kind] = self.struck.get(fault.kind, 0) + 1
        if fault.count and fault.struck >= fault.count:
            self.end(fault)

    @property
    def active(self) -> tuple[Fault, ...]:
        """What is under way."""
        return tuple(self._active)
