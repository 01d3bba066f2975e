"""What can be watched, and what the actor `alerts` answers: the words that its rules, pages and readers share.

A rule names a watch and a limit. It fires of a subject (an actor, a session, a place, a strategy) once the watch's
value for it has been beyond the limit for the rule's time.
"""

import enum
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

LOG: Final = "log"
HEARTBEAT: Final = "heartbeat"
"""What is told without a table of its own: no sink has such a name."""

LONGEST_SILENCE_S: Final = 7 * 24 * 3600
"""Nobody remembers a longer one: who wants that disables the rule."""


class Severity(enum.StrEnum):
    """How soon somebody is to look: `critical` now, `warning` today."""

    WARNING = "warning"
    CRITICAL = "critical"


class WatchKind(enum.StrEnum):
    """What a rule can look at."""

    ACTOR_SILENT = "actor_silent"
    ACTOR_HALTED = "actor_halted"
    ACTOR_RESTARTS = "actor_restarts"
    SESSION_DOWN = "session_down"
    UNKNOWN_ORDER = "unknown_order"
    REFUSALS = "refusals"
    LOSS = "loss"
    RISK_USE = "risk_use"
    DISK = "disk"
    CLOCK = "clock"
    DISCREPANCY = "discrepancy"
    JOURNAL_LAG = "journal_lag"
    COPY_LAG = "copy_lag"
    KILLED = "killed"
    RESTRICTED = "restricted"
    SINK_FAILING = "sink_failing"


class Watching(NamedTuple):
    """A watch: what its value is, and what the rule of its name has where the configuration says nothing else.

    `unit` is that of the value, "" where it is so or not so and there is no limit. `limit` None: no rule without one of
    the configuration. `is_below`: it fires below the limit, not above.
    """

    sentence: str
    mend: str
    unit: str
    limit: Decimal | None
    for_s: int
    severity: Severity
    is_below: bool = False


WATCHES: Final[Mapping[WatchKind, Watching]] = {
    WatchKind.ACTOR_SILENT: Watching(
        "An actor or a supervisor has not answered for so long.",
        "fixring status; its log in var/log; fixring start ACTOR where it was given up",
        "s", Decimal(15), 0, Severity.CRITICAL,
    ),
    WatchKind.ACTOR_HALTED: Watching(
        "A supervisor has given an actor up and does not start it again.",
        "read its log in var/log, mend what it names, then fixring start ACTOR",
        "", None, 0, Severity.CRITICAL,
    ),
    WatchKind.ACTOR_RESTARTS: Watching(
        "An actor was started again more often than this in ten minutes.",
        "read its log in var/log from the first end on",
        "restarts", Decimal(2), 0, Severity.WARNING,
    ),
    WatchKind.SESSION_DOWN: Watching(
        "A session is not as connected as it is to be now, or its gate is closed.",
        "fixring session show SESSION says what the last connection ended with",
        "", None, 10, Severity.CRITICAL,
    ),
    WatchKind.UNKNOWN_ORDER: Watching(
        "The oldest message about an order that is UNKNOWN was sent so long ago.",
        "fixring orders unknown; ask the venue; settle it when its screen shows the order's fate",
        "s", Decimal(30), 0, Severity.CRITICAL,
    ),
    WatchKind.REFUSALS: Watching(
        "So many commands a minute were refused: by risk, by orders, or by a session.",
        "fixring risk show counts them by reason; look at who sends them",
        "a minute", Decimal(60), 0, Severity.WARNING,
    ),
    WatchKind.LOSS: Watching(
        "The day's loss of a strategy, or of all, in the currency of [money]; without a limit nothing is watched.",
        "fixring pnl; fixring risk halt stops what adds risk, fixring flatten closes positions",
        "currency", None, 0, Severity.CRITICAL,
    ),
    WatchKind.RISK_USE: Watching(
        "So large a share of a limit is used: of a position at its worst, or of a strategy's open orders.",
        "fixring risk show; close positions or cancel orders there, or raise the limit",
        "share", Decimal("0.9"), 5, Severity.WARNING,
    ),
    WatchKind.DISK: Watching(
        "Less than this is free where the journal lies; with less than low_disk_bytes what adds risk is refused.",
        "make room, or set retention_bytes",
        "bytes", Decimal(1 << 30), 0, Severity.CRITICAL, True,
    ),
    WatchKind.CLOCK: Watching(
        "SendingTime(52) of a venue and the clock of this host differ by more.",
        "mend the host's clock (NTP) before the venue rejects messages for it",
        "ms", Decimal(250), 10, Severity.WARNING,
    ),
    WatchKind.DISCREPANCY: Watching(
        "The books and a venue's word differed: a discrepancy was journaled in the last five minutes.",
        "fixring reconcile; fixring journal tail --kind discrepancy shows the records",
        "", None, 0, Severity.CRITICAL,
    ),
    WatchKind.JOURNAL_LAG: Watching(
        "Orders or risk are so many records behind the journal.",
        "look at the processors and at the actor's log; what it has not read it does not know",
        "records", Decimal(10_000), 5, Severity.CRITICAL,
    ),
    WatchKind.COPY_LAG: Watching(
        "The copy of the journal off the machine is so far behind; beyond max_lag_ms what adds risk is refused.",
        "fixring replication status; look at the NATS servers and the network to them",
        "ms", Decimal(1_000), 5, Severity.CRITICAL,
    ),
    WatchKind.KILLED: Watching(
        "The kill switch is latched.",
        "find out why (fixring journal tail --kind operator); then fixring resume",
        "", None, 0, Severity.CRITICAL,
    ),
    WatchKind.RESTRICTED: Watching(
        "Something else keeps the stack from doing all that is configured, as fixring status says it.",
        "fixring status, and its line in docs/operations.md",
        "", None, 15, Severity.WARNING,
    ),
    WatchKind.SINK_FAILING: Watching(
        "A notice, or the heartbeat, could not be sent.",
        "fixring alerts list has the error; fixring alerts test SINK tries it",
        "", None, 0, Severity.WARNING,
    ),
}  # fmt: skip
"""Every watch."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. `limit` None: its watch is so or not so. `sinks`: who is told beside the log, () is all."""

    name: str
    watch: WatchKind
    limit: Decimal | None
    for_s: int
    severity: Severity
    sinks: tuple[str, ...] = ()


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True):
    """A person's word that he has seen an alert: it is not told again until it is over. `at_ns` is Unix nanoseconds."""

    by: str
    why: str
    at_ns: int


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wants nobody to be told until a time: the alerts of a rule, of one subject or ("") of all.

    Times are Unix nanoseconds.
    """

    rule: str
    subject: str
    by: str
    why: str
    since_ns: int
    until_ns: int


class FiringAlert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert that fires. Times are Unix nanoseconds; `value` as `unit` has it, "" where there is none.

    `text` says what is so now, or what was when it was last seen; `mend` what to do. `told` counts the notices that
    had it, and `next_told_ns` is when the next one is due. Who has acknowledged or silenced it stands there, else None.
    """

    rule: str
    watch: WatchKind
    severity: Severity
    subject: str
    text: str
    mend: str
    since_ns: int
    seen_ns: int
    value: str = ""
    unit: str = ""
    told: int = 0
    next_told_ns: int = 0
    acknowledged: Acknowledgement | None = None
    silenced: Silence | None = None


class SinkStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How a sink does: notices sent, attempts that failed in all and since one did not, those that wait, and those that
    were given up. `error` is the last failure's, "" once one was sent.
    """

    name: str
    kind: str
    sent: int = 0
    failed: int = 0
    failed_in_a_row: int = 0
    waiting: int = 0
    dropped: int = 0
    error: str = ""


class AlertsStanding(msgspec.Struct, frozen=True, kw_only=True):
    """What `alerts` adds to its answer to "status": what fires, the most severe and oldest first, its sinks, and the
    silences that hold, the one that ends next first.

    `polled_ns` is when the actors were last asked; `silent` those that did not answer; `metrics` where the metrics are
    served, or why they are not.
    """

    state: str
    polled_ns: int
    firing: list[FiringAlert]
    sinks: list[SinkStanding]
    silent: list[str]
    metrics: str = ""
    metrics_failure: str = ""
    silences: list[Silence] = []
