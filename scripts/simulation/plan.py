"""What a seed decides before anything runs: which kinds of trouble it has, and every single fault with its step."""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

FORMER_VENUES = ("generic", "binance")
"""What every plan before the seventh version runs, and whatever draws no venues."""

VENUES = ("generic", "binance", "kraken", "deribit", "bybit")
RESENDING = ("generic", "kraken")
"""Those whose numbers persist, and which ask for what they have missed."""

WITHOUT_REST = ("generic",)
WITH_LISTS = ("binance",)
"""Those that have order lists, of which one is there in half of the plans since the ninth version."""

SHARE_WITH_LISTS = 0.5
SHARES_OF_ONE_VENUE, SHARES_OF_THREE = 0.2, 0.1
"""How many of the plans since the seventh version run so many venues; the others run two."""

TRADERS = ("strategy@alpha", "strategy@beta")
PROBE = "strategy@probe"
DESK = "strategy@desk"
"""A strategy that is written with the SDK, in plans since the third version."""

OLDER_CODE = "older code"
"""A writer of the journal that is no process: what it has written nobody can fold, and it says nothing."""
TWIN = "strategy@twin"
"""A process that takes the name of another strategy when it is started."""

FORMER_SENTENCES = {
    "kill": "A process is killed between two of its turns.",
    "kill-in-effects": "A process is killed after some of the effects of a turn.",
    "kill-in-disk": "A process is killed inside one of its calls to the disk.",
    "kill-many": "Several processes are killed at once.",
    "kill-exchange": "An exchange's process is killed.",
    "kill-strategy": "A strategy is killed.",
    "crash-host": "The host of the stack loses power: what was not synced is lost, or torn.",
    "stop": "A process gets SIGTERM.",
    "pause": "A process gets SIGSTOP, and SIGCONT later.",
    "cut": "A TCP connection is reset.",
    "half-open": "A TCP connection swallows everything and tells nobody.",
    "stall": "A TCP connection delivers nothing for a while.",
    "slow-links": "The stack's own links become slow.",
    "slow-tcp": "The way to the exchanges becomes slow.",
    "lossy-stream": "PUB sockets drop messages.",
    "disk-error": "A write or sync of the journal, of a session or of an account fails with EIO.",
    "disk-full": "The disk of the stack is full for a while.",
    "disk-short": "Writes of the journal, of a session or of an account take less than they are given.",
    "clock-jump": "The wall clock of a host is set forward or back.",
    "clock-drift": "The wall clock of a host runs fast or slow.",
    "exchange": "An exchange misbehaves as commanded: rejects, gaps, doubles, garbles, says unknown, says good-bye.",
    "relogon": "An operator logs a session out, and on again.",
    "halt": "An operator halts a venue, a strategy, a symbol or everything, and later ends that.",
    "twin": "A strategy's process is started twice: the later instance takes the name.",
    "garbage": "Bytes without meaning come in over a link.",
    "kill-switch": "An operator pulls the kill switch, and later resumes.",
    "latch-crash": "An operator pulls the kill switch, and within 50 ms the host of the stack loses power.",
    "latch-alone": "An operator pulls the kill switch while the journal is down for a second: the emergency file.",
    "latch-death": "An operator pulls the kill switch, and a session is killed under the latch.",
}
"""The kinds of fault of the first two versions, with what each does."""

WEIGHTS = {
    "kill": 8, "kill-in-effects": 6, "kill-in-disk": 6, "kill-many": 2, "kill-exchange": 3, "kill-strategy": 3,
    "crash-host": 3, "stop": 2, "pause": 3, "cut": 5, "half-open": 3, "stall": 3, "slow-links": 2, "slow-tcp": 2,
    "lossy-stream": 2, "disk-error": 2, "disk-full": 1, "disk-short": 1, "clock-jump": 2, "clock-drift": 1,
    "exchange": 8, "relogon": 1, "kill-switch": 1, "halt": 1, "twin": 1, "garbage": 1,
    "latch-crash": 1, "latch-alone": 1, "latch-death": 1,
}  # fmt: skip

SINCE_SECOND = frozenset(("latch-crash", "latch-alone", "latch-death"))
"""What a plan of the first version never draws."""


class Roles(NamedTuple):
    """Who is there of each kind of process in a run at those venues."""

    venues: tuple[str, ...]

    @property
    def sessions(self) -> tuple[str, ...]:
        """Order entry."""
        return tuple(f"session@{venue}" for venue in self.venues)

    @property
    def market_data(self) -> tuple[str, ...]:
        """Prices."""
        return tuple(f"marketdata@{venue}" for venue in self.venues)

    @property
    def accounts(self) -> tuple[str, ...]:
        """The REST side of those that have one."""
        return tuple(f"account@{venue}" for venue in self.venues if venue not in WITHOUT_REST)

    @property
    def exchanges(self) -> tuple[str, ...]:
        """The venues' own side."""
        return tuple(f"exchange@{venue}" for venue in self.venues)

    @property
    def stack(self) -> tuple[str, ...]:
        """All of ours but the strategies."""
        return ("journal", "orders", "risk", *self.sessions, *self.market_data, *self.accounts)

    @property
    def disks(self) -> tuple[str, ...]:
        """Whose calls to the disk fail: the journal's most often, the others' for the latch and the emergency file."""
        return ("journal", "journal", "journal", *self.sessions, *self.accounts)

    def targets(self, kind: "FaultKind") -> tuple[str, ...]:
        """What a fault of that kind may be aimed at; nothing where there is none of what it needs."""
        if not kind.roles:
            return kind.targets
        there = Roles(tuple(venue for venue in self.venues if venue in kind.venues))
        by_role = {"venue": there.venues, "exchange": there.exchanges, "session": there.sessions,
                   "account": there.accounts}  # fmt: skip
        return tuple(name for role in kind.roles for name in by_role[role])


class FaultKind(NamedTuple):
    """A kind of fault since the third version: what it does, and how often.

    `share` is of the runs, `gap` the mean number of steps from one of its faults to the next in such a run. One of them
    may be aimed at `targets` or, where there are `roles`, at whoever has one of these at one of `venues`. Plans of a
    version before `since` never draw it.
    """

    sentence: str
    share: float = 0.25
    gap: int = 400
    targets: tuple[str, ...] = ("",)
    since: int = 3
    roles: tuple[str, ...] = ()
    venues: tuple[str, ...] = VENUES


_EXCHANGE = ("exchange",)

# A plan of the third version has the second's faults, every one, and beside them those of these kinds. Each kind is
# drawn by dice of its own, so that a new one takes nothing from the others, and since the version that has it, so that
# older seeds stay what they were. A kind is added by a row here with a new VERSION, by the function that carries it out
# in `adversary._STRIKES`, and by what ends it in `adversary.make_well`. What a run has from its beginning, such as a
# setting, asks `Plan.kinds`.
SINCE_THIRD: dict[str, FaultKind] = {
    "beyond-bounds": FaultKind("A strategy sends what its link does not take.", gap=200, targets=TRADERS),
    "poison": FaultKind("A record that nobody can fold stands in the log, until it is skipped.", gap=500),
    "slow-reading": FaultKind(
        "Orders is killed and reads its log slowly when it comes back; strategies are started anew meanwhile. In such"
        " a run it keeps the events of its last 50 records only.",
        share=0.3, gap=500,
    ),
    "full-queue": FaultKind(
        "The queue to a strategy has no room for a message or a few, and has again.", gap=60, targets=(*TRADERS, DESK)
    ),
    "unreadable": FaultKind("An exchange writes reports that cannot be cut into fields.", gap=150, roles=_EXCHANGE),
    "odd-fields": FaultKind("An exchange writes times and prices of a form that there is not.", roles=_EXCHANGE),
    "left-out": FaultKind(
        "The stack starts again without a venue's file or an instrument's table, and later with it.",
        gap=700, roles=("venue",),
    ),
    "latch-unread": FaultKind(
        "An operator pulls the kill switch, and who holds a latch is killed; its next look at the disk fails once.",
        gap=600, roles=("session", "account"),
    ),
    "stranger": FaultKind("Somebody else trades on our account, at the exchange's own screen.", roles=_EXCHANGE),
    "self-trade": FaultKind(
        "Orders of ours that meet trade with each other.", gap=300, roles=_EXCHANGE,
        venues=("generic", "binance", "kraken", "deribit"),
    ),
    "correction": FaultKind(
        "An exchange takes a trade back, or corrects it.", 0.35, 120, roles=_EXCHANGE, venues=("generic",)
    ),
    "bare-fills": FaultKind(
        "An exchange tells fills without instrument, side and price.", roles=_EXCHANGE,
        venues=("generic", "binance", "kraken"),
    ),
    "crossed": FaultKind(
        "A fill crosses a request and bears its names; the request is refused.", roles=_EXCHANGE, venues=RESENDING
    ),
    "gap-fill-alone": FaultKind(
        "An exchange uses a number for nothing, and fills that gap with all behind it.", roles=_EXCHANGE,
        venues=RESENDING,
    ),
    "silence": FaultKind("An exchange neither carries out some cancels nor says so.", roles=_EXCHANGE),
    "asks-again": FaultKind(
        "An exchange asks for everything that was sent, again and again.", roles=_EXCHANGE, venues=RESENDING
    ),
    "set-back": FaultKind(
        "An operator sets a session's inbound number back, so that the venue tells again what it told long ago.",
        gap=500, roles=("session",), venues=RESENDING,
    ),
    "untold": FaultKind(
        "An exchange tells CumQty(14) and holds the trades back; an operator books some of them by hand meanwhile.",
        roles=_EXCHANGE, venues=("generic",),
    ),
    "done-for-day": FaultKind(
        "An exchange tells of orders that are done for the day, and rest on.", roles=_EXCHANGE, venues=("generic",)
    ),
    "twice-in-one": FaultKind("A venue tells the same thing twice in one message.", gap=150, roles=("session",)),
    "test-flood": FaultKind(
        "An exchange sends more TestRequest(1) than may be answered.", gap=800, roles=_EXCHANGE, venues=RESENDING
    ),
    "refused-logon": FaultKind(
        "An exchange refuses a few logons, and the session has to log on.", gap=300, roles=_EXCHANGE, since=5
    ),
    "news": FaultKind(
        "An exchange announces the end of the connections that there are, and ends them; whoever logs on meanwhile"
        " stays.", 0.3, 150, since=5, roles=_EXCHANGE, venues=("binance",),
    ),
    "hang": FaultKind(
        "A strategy hangs, ends in order, or is started again by its supervisor. In such a run the strategies are"
        " watched over, and what rests of one of them is cancelled when it is gone.",
        0.35, 300, TRADERS, since=8,
    ),
    "price-jump": FaultKind(
        "Somebody takes all that rests in a book up to a price, and trades there; the market comes back afterwards.",
        0.6, 60, since=9, roles=_EXCHANGE,
    ),
}  # fmt: skip
"""What a plan of the first two versions never draws."""

SENTENCES = FORMER_SENTENCES | {name: kind.sentence for name, kind in SINCE_THIRD.items()}
"""Every kind of fault, with what it does."""

VERSION = 10
"""How plans are drawn now. Former versions are kept, so that a seed that failed under one still means what it meant.
Since the fourth the traders send stop orders too; the fifth has a kind of fault more; since the sixth they send iceberg
orders, market orders for an amount of the quote asset, and orders that are good till a date; the seventh draws which
venues there are, where the others have FORMER_VENUES, and has reduce-only orders for contracts. The eighth has a kind
of fault more, and strategies that are watched over. In the ninth strategies send order lists and take-profit, trailing
and pegged orders to the venues that have them, and it has a kind of fault more, which triggers these. In the tenth the
first order of a list may pay what the others sell.
"""

APART_VERSION = 8
"""Of the plans of stacks behind a bridge, and on two hosts: what their seeds show was counted in these."""

PLANTED_VERSION = 3
"""Of the plans in which most planted bugs are looked for: how many seeds that takes was counted in these."""

SILENT_AFTER_NS = 4_000_000_000
"""Some times what the stack's own links delay a word at most."""

SLOW_SHARE = 0.25
SLOW_PAUSES_MS = (600, 1_500)
TURNS_PER_SLOW_STEP = 3
"""Where little happens most turns only hear what time it is, 20 times a second and process."""


class Fault(NamedTuple):
    """One fault: `number` names it for the shrinker, `dice` seeds whatever it still has to decide."""

    number: int
    step: int
    kind: str
    target: str
    dice: int


class Vigil(NamedTuple):
    """How a strategy wants to be watched over: gone after so long without a word, and whether its orders go with it."""

    silent_after_ns: int
    cancels: bool


class Plan(NamedTuple):
    """A seed's faults, in the order of their steps, and its traders' temper; `kinds` are those since the third version
    that it draws from, `venues` those that it runs. In a slow one little is traded, so that heartbeats, a venue's
    window and TCP's own time-outs end within the storm, and nobody mends a half-open connection but whoever finds it
    out.
    """

    seed: int
    steps: int
    faults: tuple[Fault, ...]
    traders: int
    pause_ns: int
    version: int
    slow: bool
    kinds: frozenset[str]
    venues: tuple[str, ...] = FORMER_VENUES

    @property
    def roles(self) -> Roles:
        """Who is there."""
        return Roles(self.venues)

    @property
    def vigils(self) -> dict[str, Vigil]:
        """The strategies that are watched over; of two the orders of one go with it, and those of the other stay."""
        if "hang" not in self.kinds:
            return {}
        return {
            name.partition("@")[2]: Vigil(SILENT_AFTER_NS, (self.seed // 2 + number) % 2 == 0)
            for number, name in enumerate(TRADERS)
        }

    @property
    def turns_per_step(self) -> int:
        """How many turns of processes are a step."""
        return TURNS_PER_SLOW_STEP if self.slow else 1


def plan(
    seed: int, steps: int, without: Sequence[str] = (), only: frozenset[int] | None = None, version: int = VERSION
) -> Plan:
    """What a seed does in `steps` steps. `without` names kinds to leave out, `only` the numbers of faults to keep."""
    random, roles = Random(f"plan {seed}"), Roles(_venues(seed, version) if version > 6 else FORMER_VENUES)
    known = [kind for kind in WEIGHTS if version > 1 or kind not in SINCE_SECOND]
    kinds = [kind for kind in known if random.random() < 0.4] or ["kill"]
    mean_gap = random.choice((60, 120, 250, 500))
    traders = random.choice((1, 2, 2))
    pause_ms = random.choice((5, 15, 40, 100))
    slow = version > 1 and random.random() < SLOW_SHARE
    if slow:
        pause_ms = random.choice(SLOW_PAUSES_MS)
    elif version > 8:
        # What waits for the market needs more of it to trade at all.
        pause_ms = max(pause_ms // 3, 5)
    faults: list[Fault] = []
    step = random.randrange(30, 300)
    while step < steps:
        kind = random.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
        fault = Fault(len(faults), step, kind, _target(kind, random, version, roles), random.randrange(1 << 30))
        faults.append(fault)
        step += 1 + int(random.expovariate(1.0) * mean_gap)
    kinds_since = _kinds_since_third(seed, version, roles)
    for kind in kinds_since:
        _add(faults, kind, roles, seed, steps)
    faults.sort(key=lambda fault: fault.step)
    kept = [fault for fault in faults if fault.kind not in without and (only is None or fault.number in only)]
    drawn = frozenset(kinds_since).difference(without)
    return Plan(seed, steps, tuple(kept), traders, pause_ms * 1_000_000, version, slow, drawn, roles.venues)


def _venues(seed: int, version: int) -> tuple[str, ...]:
    """In the order of VENUES."""
    random = Random(f"venues {seed}")
    draw = random.random()
    count = 1 if draw < SHARES_OF_ONE_VENUE else 3 if draw > 1 - SHARES_OF_THREE else 2
    drawn = random.sample(VENUES, count)
    if version > 8 and set(WITH_LISTS).isdisjoint(drawn) and random.random() < SHARE_WITH_LISTS:
        drawn[0] = random.choice(WITH_LISTS)
    return tuple(venue for venue in VENUES if venue in drawn)


def _kinds_since_third(seed: int, version: int, roles: Roles) -> list[str]:
    known = {name: kind for name, kind in SINCE_THIRD.items() if kind.since <= version and roles.targets(kind)}
    return [name for name, kind in known.items() if Random(f"whether {seed} {name}").random() < kind.share]


def _add(faults: list[Fault], name: str, roles: Roles, seed: int, steps: int) -> None:
    kind, random = SINCE_THIRD[name], Random(f"plan {seed} {name}")
    targets = roles.targets(kind)
    step = random.randrange(30, 300)
    while step < steps:
        target = random.choice(targets)
        faults.append(Fault(len(faults), step, name, target, random.randrange(1 << 30)))
        step += 1 + int(random.expovariate(1.0) * kind.gap)


def _target(kind: str, random: Random, version: int, roles: Roles) -> str:
    match kind:
        case "disk-error" | "disk-short":
            return random.choice(roles.disks) if version > 1 else ""
        case "latch-death":
            return random.choice(roles.sessions)
        case "kill" | "kill-in-effects" | "stop" | "pause":
            return random.choice(roles.stack)
        case "kill-in-disk":
            return random.choice(("journal", "journal", *roles.sessions))
        case "kill-exchange" | "exchange":
            return random.choice(roles.exchanges)
        case "kill-strategy":
            return random.choice(TRADERS)
        case "clock-jump" | "clock-drift":
            return random.choice(("stack", *roles.exchanges))
        case "cut" | "half-open" | "stall":
            return random.choice((*roles.sessions, *roles.sessions, *roles.market_data))
        case "relogon":
            return random.choice(roles.sessions)
        case _:
            return ""
