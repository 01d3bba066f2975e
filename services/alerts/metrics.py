"""Every metric: its name with its unit, what it means, what to do about it, and where in the picture it is read.

This one table makes the page that Prometheus reads, the page of the docs, and the tests. A process that does not answer
has `fixring_actor_up` 0 and nothing else: no old value is shown as one of now. Money and quantities are Decimal until
they are text.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from common.alerts import FiringAlert, Silence, SinkStanding
from common.instant import NS_PER_S, Instant
from common.orders.money import Sums
from common.restrictions import SESSION_UP, restrictions
from services.alerts.picture import Picture
from services.alerts.readings import ALL, GIVEN_UP, REASONS, UNREADABLE, age_of_copy_ms, lag_of, refused_by, used_of

Value = int | float | Decimal | bool
Sample = tuple[tuple[str, ...], Value]
"""The values of the labels, in the order of the metric's, and the value."""


class Row(NamedTuple):
    """What one sample is read from: whose it is, and what is told of it."""

    name: str
    it: Any


class MetricsView(NamedTuple):
    """What a page is made of; `profit` is in `currency`, by strategy. `unread` are the metrics that could not be read
    from an answer, as far as the page is made.
    """

    picture: Picture
    profit: Mapping[str, Sums]
    currency: str
    firing: Sequence[FiringAlert]
    sinks: Sequence[SinkStanding]
    silences: Sequence[Silence]
    environment: str
    now: Instant
    unread: list[str]

    def of_kind(self, kind: str) -> Iterator[Row]:
        """Each actor of the kind that answers, and what it says."""
        return (Row(*each) for each in self.picture.of_kind(kind, self.now))


Rows = Callable[[MetricsView], Iterable[Row]]


class Metric(NamedTuple):
    """One metric. `mend` is what to do when it is not as it should be.

    Each of the `rows` gives a sample, with its `value` and what each of the `labels` is of it; one without a value has
    none.
    """

    name: str
    kind: Literal["gauge", "counter"]
    sentence: str
    mend: str
    rows: Rows
    value: Callable[[Row], Value | None]
    labels: Mapping[str, Callable[[Row], str]] = MappingProxyType({})

    def read(self, view: MetricsView) -> Iterator[Sample]:
        """The samples. Raises one of UNREADABLE where an answer is not as it should be."""
        for row in self.rows(view):
            if (value := self.value(row)) is not None:
                yield tuple(label(row) for label in self.labels.values()), value


# ---- what rows there are ----


def _of(*kinds: str) -> Rows:
    """Each actor of the kinds that answers, with its status."""
    return lambda view: (row for kind in kinds for row in view.of_kind(kind))


def _inside(kind: str, key: str) -> Rows:
    """The rows of a table in a status, by their names."""
    return lambda view: (Row(*each) for _, status in view.of_kind(kind) for each in status.get(key, {}).items())


def _asked(view: MetricsView) -> Iterator[Row]:
    """Whoever is asked, with its status, None while it is silent."""
    return (Row(name, view.picture.find(name, view.now)) for name in view.picture.names)


def _ages(view: MetricsView) -> Iterator[Row]:
    return (Row(name, Decimal(view.picture.age_ns(name, view.now)) / NS_PER_S) for name in view.picture.names)


def _answering(view: MetricsView) -> Iterator[Row]:
    return (Row(*each) for each in view.picture.answering(view.now).items())


def _turned_away(view: MetricsView) -> Iterator[Row]:
    """By actor: link, why, and how many."""
    for name, status in _answering(view):
        for told, count in status.get("turned_away", {}).items():
            link, _, why = told.partition(": ")
            yield Row(name, (link, why, count))


def _children(view: MetricsView) -> Iterator[Row]:
    return (Row(name, child) for name, _, child in view.picture.children(view.now))


def _restrictions(view: MetricsView) -> Iterator[Row]:
    """By actor: reason, and how many."""
    found = Counter((each.actor, each.reason) for each in restrictions(view.picture.answering(view.now)))
    return (Row(actor, (reason, count)) for (actor, reason), count in found.items())


def _copies(view: MetricsView) -> Iterator[Row]:
    """The journal, where a copy of it is made off the machine."""
    return (row for row in view.of_kind("journal") if row.it.get("copy"))


def _acknowledged(view: MetricsView) -> Iterator[Row]:
    """By session: quantile, and milliseconds."""
    for session, told in _inside("orders", "acknowledged")(view):
        yield from (Row(session, (quantile, told[key])) for quantile, key in (("0.5", "p50_ms"), ("0.99", "p99_ms")))


def _exposures(view: MetricsView) -> Iterator[Row]:
    return (Row("", place) for _, status in view.of_kind("risk") for place in status["exposures"])


def _profits(view: MetricsView) -> Iterator[Row]:
    """By strategy: currency, and sums."""
    return (Row(strategy, (view.currency, sums)) for strategy, sums in view.profit.items())


def _strategy_counts(view: MetricsView) -> Iterator[Row]:
    """By strategy: what, and how often."""
    for row in view.of_kind("strategy"):
        yield from (Row(_behind_at(row), each) for each in row.it["counts"].items())


def _firing(view: MetricsView) -> Iterator[Row]:
    return (Row(alert.rule, alert) for alert in view.firing)


def _silences(view: MetricsView) -> Iterator[Row]:
    """By rule: subject, and seconds."""
    for silence in view.silences:
        left_ns = max(0, silence.until_ns - view.now.wall_ns)
        yield Row(silence.rule, (silence.subject, Decimal(left_ns) / NS_PER_S))


def _sinks(view: MetricsView) -> Iterator[Row]:
    return (Row(sink.name, sink) for sink in view.sinks)


# ---- how a row is read ----


def _name(row: Row) -> str:
    return row.name


def _behind_at(row: Row) -> str:
    return row.name.partition("@")[2]


def _it(row: Row) -> Any:
    return row.it


def _first(row: Row) -> Any:
    return row.it[0]


def _second(row: Row) -> Any:
    return row.it[1]


def _last(row: Row) -> Any:
    return row.it[-1]


def _key(key: str, scale: Decimal | None = None) -> Callable[[Row], Value | None]:
    """What a status has under the key, None where it does not know."""

    def read(row: Row) -> Value | None:
        value: Value | None = row.it.get(key)
        return value if value is None or scale is None else Decimal(str(value)) * scale

    return read


def _attribute(name: str) -> Callable[[Row], Any]:
    return lambda row: getattr(row.it, name)


def _decimal(key: str) -> Callable[[Row], Decimal | None]:
    """A number that a place of risk's tells as text, None where it is ""."""
    return lambda row: None if row.it[key] == "" else Decimal(row.it[key])


def _profit(part: str, *, today: bool = False) -> Callable[[Row], Value | None]:
    def read(row: Row) -> Value | None:
        sums = _last(row)
        found = sums.today if today else sums.profit
        return None if found is None else getattr(found, part)

    return read


def _lacking(row: Row) -> int | None:
    sums = _last(row)
    return len(sums.lacks) + len(sums.stale) if row.name == ALL else None


def _by(name: str, read: Callable[[Row], str] = _name) -> Mapping[str, Callable[[Row], str]]:
    return {name: read}


MS: Final = Decimal("0.001")
PLACE: Final = {"account": lambda row: row.it["account"], "symbol": lambda row: row.it["symbol"]}
SESSION: Final = _by("session", _behind_at)
VENUE: Final = _by("venue", _behind_at)
ACCOUNT: Final = _by("account", _behind_at)
STRATEGY: Final = _by("strategy", _behind_at)
MONEY: Final = {"strategy": _name, "currency": _first}
SESSIONS: Final = ("session", "dropcopy", "marketdata")
LOOK: Final = "fixring status"
COPY: Final = "fixring replication status; look at the NATS servers"

METRICS: Final[Sequence[Metric]] = (
    # ---- every process ----
    Metric(
        "fixring_environment", "gauge", "1, labelled with where orders go: simulated, testnet or live.",
        "nothing; it tells stacks apart", lambda view: [Row(view.environment, 1)], _it, _by("environment"),
    ),
    Metric(
        "fixring_actor_up", "gauge", "Whether an actor or supervisor answers (1) or is silent (0).",
        "fixring status, then its log in var/log", _asked, lambda row: row.it is not None, _by("actor"),
    ),
    Metric(
        "fixring_actor_answer_age_seconds", "gauge", "How old its last answer is; what else is told of it is as old.",
        "as for fixring_actor_up", _ages, _it, _by("actor"),
    ),
    Metric(
        "fixring_actor_uptime_seconds", "gauge", "How long its process has run.",
        "a small one again and again: its log has the ends", _answering, _key("uptime_s"), _by("actor"),
    ),
    Metric(
        "fixring_actor_memory_bytes", "gauge", "Resident memory of its process.",
        "one that grows for hours with no more open orders is a fault: report it", _answering, _key("memory_bytes"),
        _by("actor"),
    ),
    Metric(
        "fixring_actor_lsn", "gauge", "The last record of the log that it has read or written.",
        "one that stands while the journal's moves: fixring_journal_lag_records", _answering, _key("lsn"), _by("actor"),
    ),
    Metric(
        "fixring_actor_garbage_messages_total", "counter", "Messages that came to its sockets and could not be read.",
        "its log has the beginning of each: find who sends them", _answering,
        lambda row: sum(row.it.get("garbage", {}).values()), _by("actor"),
    ),
    Metric(
        "fixring_link_turned_away_total", "counter", "Peers that a link between hosts has not let in, by why.",
        "`fixring keys check` on both hosts; else somebody knocks who has no business there", _turned_away,
        _last, {"actor": _name, "link": _first, "why": _second},
    ),
    Metric(
        "fixring_actor_restarts_total", "counter", "How often its supervisor has started it again.",
        "its log from the first end on", _children, lambda row: int(row.it["restarts"]), _by("actor"),
    ),
    Metric(
        "fixring_actor_given_up", "gauge", "1 when its supervisor does not start it again by itself.",
        "its log, then fixring start ACTOR", _children, lambda row: row.it["phase"] in GIVEN_UP, _by("actor"),
    ),
    Metric(
        "fixring_restrictions", "gauge", "What keeps the stack from doing all that is configured; no sample when none.",
        "fixring status, and its line in docs/operations.md", _restrictions, _last, {"actor": _name, "reason": _first},
    ),
    # ---- the journal ----
    Metric(
        "fixring_journal_records_total", "counter", "The records of the log; its rate is the stack's.",
        LOOK, _of("journal"), _key("lsn"),
    ),
    Metric(
        "fixring_journal_batches_total", "counter", "Batches, each made durable at once; records by batch is its load.",
        LOOK, _of("journal"), _key("batches"),
    ),
    Metric(
        "fixring_journal_free_bytes", "gauge", "What is free on the disk that the journal lies on.",
        "make room, or set retention_bytes", _of("journal"), _key("free_bytes"),
    ),
    Metric(
        "fixring_journal_low_disk", "gauge", "1 when less than low_disk_bytes are free: what adds risk is refused.",
        "make room", _of("journal"), _key("low_disk"),
    ),
    Metric(
        "fixring_journal_full", "gauge", "1 when the journal takes nothing any more.",
        "make room now", _of("journal"), lambda row: row.it.get("state") == "full",
    ),
    Metric(
        "fixring_journal_lag_records", "gauge", "How many records an actor that folds the log is behind it.",
        "look at the processors; what is not read is not known",
        lambda view: (Row(*each) for each in lag_of(view.picture, view.now)), _it, _by("actor"),
    ),
    # ---- the copy off the machine ----
    Metric(
        "fixring_copy_lag_records", "gauge", "How many durable records the copy off the machine lacks.",
        COPY, _copies, lambda row: row.it["copy"]["lag_records"],
    ),
    Metric(
        "fixring_copy_age_seconds", "gauge", "How much older than the journal the copy's last record is.",
        COPY, _copies, lambda row: age_of_copy_ms(row.it) / 1000,
    ),
    Metric(
        "fixring_copy_behind", "gauge", "1 when the copy is further behind than it may be: what adds risk is refused.",
        COPY, _copies, lambda row: row.it["copy"]["behind"],
    ),
    Metric(
        "fixring_replicator_away", "gauge", "1 while the replicator cannot publish, or nothing has said yes.",
        COPY, _of("replicator"), lambda row: row.it["failing"] != "",
    ),
    Metric(
        "fixring_replicator_unclear_total", "counter", "Publications whose answer was no clear yes.",
        "many: look at the NATS servers' logs", _of("replicator"), _key("unclear"),
    ),
    Metric(
        "fixring_snapshot_lsn", "gauge", "The record on which the oldest of the newest snapshots stands.",
        "one that falls behind makes starts long: the log of snapshots", _of("snapshots"), _key("lsn"),
    ),
    # ---- orders ----
    Metric(
        "fixring_orders_open", "gauge", "Orders that are open.",
        "fixring orders list", _of("orders"), _key("open_orders"),
    ),
    Metric(
        "fixring_orders_unknown", "gauge", "Orders that may have reached a venue and have not been heard of.",
        "fixring orders unknown", _of("orders"), _key("unknown_orders"),
    ),
    Metric(
        "fixring_orders_oldest_unknown_seconds", "gauge", "Since the oldest message was sent whose fate is not known.",
        "ask the venue; fixring orders settle when its screen shows it", _of("orders"), _key("oldest_unknown_s"),
    ),
    Metric(
        "fixring_orders_in_flight", "gauge", "Commands passed on to risk and not in the log yet.",
        "many that stay: risk or a session stands still", _of("orders"), _key("in_flight"),
    ),
    Metric(
        "fixring_orders_wishes", "gauge", "Cancels that wait for their order to close.",
        "fixring orders list; look at the venue", _of("orders"), _key("wishes"),
    ),
    Metric(
        "fixring_orders_clients", "gauge", "Strategies and other clients that orders knows.",
        LOOK, _of("orders"), _key("clients"),
    ),
    Metric(
        "fixring_orders_discrepancies_total", "counter", "Differences between the books and a venue's word, journaled.",
        "fixring reconcile; fixring journal tail --kind discrepancy", _of("orders"), _key("discrepancies"),
    ),
    Metric(
        "fixring_orders_doubts", "gauge", "Orders of an account that are asked about.",
        "fixring orders unknown", _inside("orders", "accounts"), lambda row: row.it["doubts"], _by("account"),
    ),
    Metric(
        "fixring_acknowledge_seconds", "gauge",
        "How long a venue takes to say its first word on an order: a quantile of the last 200 orders of a session.",
        "a venue that is slow, or a host that has too much to do: fixring status", _acknowledged,
        lambda row: Decimal(str(_last(row))) / 1000, {"session": _name, "quantile": _first},
    ),
    Metric(
        "fixring_commands_refused_total", "counter", "Commands refused since the process began, by who refused.",
        "fixring risk show; its log", _of("orders", "risk", "session"),
        lambda row: refused_by(row.name.partition("@")[0], row.it), _by("actor"),
    ),
    # ---- risk ----
    Metric(
        "fixring_risk_killed", "gauge", "1 while the kill switch is latched for risk.",
        "find out why, then fixring resume", _of("risk"), _key("killed"),
    ),
    Metric(
        "fixring_risk_halts", "gauge", "Scopes that are halted: what adds risk there is refused.",
        "fixring risk show; fixring risk unhalt", _of("risk"), lambda row: len(row.it["halts"]),
    ),
    Metric(
        "fixring_risk_in_flight", "gauge", "Commands passed on to sessions and not in the log yet.",
        "many that stay: a session stands still", _of("risk"), _key("in_flight"),
    ),
    Metric(
        "fixring_risk_passed_total", "counter", "Commands that risk has passed since it began.",
        LOOK, _of("risk"), lambda row: row.it["counts"].get("passed", 0),
    ),
    Metric(
        "fixring_risk_refused_total", "counter", "Commands that risk has refused since it began, by reason.",
        "fixring risk show; the reason says which limit", _inside("risk", "counts"),
        lambda row: row.it if row.name in REASONS else None, _by("reason"),
    ),
    Metric(
        "fixring_position", "gauge", "The position, in the base asset or in contracts.",
        "fixring positions", _exposures, _decimal("position"), PLACE,
    ),
    Metric(
        "fixring_position_worst_long", "gauge", "The position if every open order that buys were filled.",
        "fixring risk show", _exposures, _decimal("worst_long"), PLACE,
    ),
    Metric(
        "fixring_position_worst_short", "gauge", "The position if every open order that sells were filled.",
        "fixring risk show", _exposures, _decimal("worst_short"), PLACE,
    ),
    Metric(
        "fixring_position_limit", "gauge", "What the worst position may be on either side.",
        "[risk.symbols.SYMBOL]", _exposures, _decimal("limit"), PLACE,
    ),
    Metric(
        "fixring_risk_use_ratio", "gauge", "The share of the position's limit that is used at worst; 1 is all of it.",
        "close positions or cancel orders there, or raise the limit", _exposures, lambda row: used_of(row.it), PLACE,
    ),
    Metric(
        "fixring_reference_price", "gauge", "The price that limits are counted with, in the quote asset.",
        "fixring status names one that is missing", _exposures, _decimal("reference"), PLACE,
    ),
    Metric(
        "fixring_strategy_open_orders", "gauge", "Open orders of a strategy, as risk counts them.",
        "fixring orders list", _inside("risk", "strategies"), lambda row: row.it["open_orders"], _by("strategy"),
    ),
    Metric(
        "fixring_strategy_open_orders_limit", "gauge", "How many it may have.",
        "[risk.strategies.NAME]", _inside("risk", "strategies"), lambda row: row.it["max_open_orders"], _by("strategy"),
    ),
    Metric(
        "fixring_session_messages_left", "gauge", "Messages that risk lets a session still send in the window.",
        "0 that stays: strategies send more than the venue takes",
        _inside("risk", "sessions"), lambda row: row.it["messages_left"], _by("session"),
    ),
    # ---- sessions ----
    Metric(
        "fixring_session_up", "gauge", "Whether a session is as connected as it is to be now, its gate open.",
        "fixring session show SESSION", _of(*SESSIONS), lambda row: row.it["state"] in SESSION_UP, _by("session"),
    ),
    Metric(
        "fixring_session_heard_age_seconds", "gauge", "Since the venue was last heard on it.",
        "above twice HeartBtInt(108): the connection is dead", _of(*SESSIONS),
        _key("last_heard_ms", MS), _by("session"),
    ),
    Metric(
        "fixring_session_clock_offset_seconds", "gauge", "SendingTime(52) of the venue less our clock.",
        "mend the host's clock (NTP)", _of("session"), _key("clock_offset_ms", MS), SESSION,
    ),
    Metric(
        "fixring_session_connections_total", "counter", "Connections that it has made, over all its lives.",
        "many in a short time: fixring session show SESSION", _of("session"), _key("connection"), SESSION,
    ),
    Metric(
        "fixring_session_failed_logons", "gauge", "Connections in a row that ended without a logon.",
        "fixring session show SESSION has the venue's words", _of("session"), _key("failed_logons"), SESSION,
    ),
    Metric(
        "fixring_session_next_outbound", "gauge", "The next MsgSeqNum(34) that we send.",
        "fixring reconcile compares it with the venue", _of("session"), _key("next_outbound"), SESSION,
    ),
    Metric(
        "fixring_session_next_inbound", "gauge", "The next MsgSeqNum(34) that we expect.",
        "fixring reconcile compares it with the venue", _of("session"), _key("next_inbound"), SESSION,
    ),
    Metric(
        "fixring_session_messages_sent_total", "counter", "Messages that it has written to its socket since it began.",
        LOOK, _of("session"), _key("sent"), SESSION,
    ),
    Metric(
        "fixring_session_may_be_open_orders", "gauge", "Orders that may be open at the venue, by its own small table.",
        "fixring orders list", _of("session"), _key("may_be_open"), SESSION,
    ),
    Metric(
        "fixring_session_unreleased_messages", "gauge", "Messages numbered that the journal has not acknowledged yet.",
        "many that stay: look at the journal", _of("session"), _key("unreleased"), SESSION,
    ),
    Metric(
        "fixring_session_rate_used_messages", "gauge", "Messages of the venue's window that are used.",
        "near fixring_session_rate_limit_messages: send less", _of("session"), _key("rate_used"), SESSION,
    ),
    Metric(
        "fixring_session_rate_limit_messages", "gauge", "How many the venue takes in its window.",
        "[fix.limits]", _of("session"), _key("rate_limit"), SESSION,
    ),
    Metric(
        "fixring_session_unreadable_messages_total", "counter", "Messages of the venue that could not be read at all.",
        "fixring journal grep; report it to the venue", _of("session"), _key("unreadable"), SESSION,
    ),
    Metric(
        "fixring_session_garbled_messages_total", "counter", "Messages of the venue that are no FIX.",
        "look at what lies between; report it to the venue", _of("session"), _key("garbled"), SESSION,
    ),
    Metric(
        "fixring_session_killed", "gauge", "1 while the kill switch is latched at it.",
        "find out why, then fixring resume", _of("session"), _key("latched"), SESSION,
    ),
    Metric(
        "fixring_session_journal_away", "gauge", "1 while the journal does not answer it: it sends no order.",
        "look at the journal", _of("session"), _key("journal_away"), SESSION,
    ),
    Metric(
        "fixring_feed_messages_published_total", "counter", "Prices and trades published to strategies since it began.",
        "one that stands: fixring status, then the session of that venue", _of("marketdata"), _key("published"), VENUE,
    ),
    # ---- accounts ----
    Metric(
        "fixring_account_questions_total", "counter", "Questions that orders has put to the venue's REST side.",
        LOOK, _of("account"), _key("asked"), ACCOUNT,
    ),
    Metric(
        "fixring_account_failures_total", "counter", "Questions to the venue's REST side that failed.",
        "fixring status has the last error: keys, network, clock", _of("account"), _key("failed"), ACCOUNT,
    ),
    Metric(
        "fixring_account_waiting_questions", "gauge", "Questions that wait for their turn.",
        "many that stay: the venue is slow or limits us", _of("account"), _key("waiting"), ACCOUNT,
    ),
    Metric(
        "fixring_account_killed", "gauge", "1 while the kill switch is latched at it.",
        "find out why, then fixring resume", _of("account"), _key("latched"), ACCOUNT,
    ),
    # ---- strategies and money ----
    Metric(
        "fixring_strategy_events_total", "counter", "What a strategy has counted of itself since it began, by what.",
        "errors: its log has each", _strategy_counts, _last, {"strategy": _name, "event": _first},
    ),
    Metric(
        "fixring_strategy_unanswered_commands", "gauge", "Commands of a strategy that have no outcome yet.",
        "many that stay: orders or the journal stands still", _of("strategy"), _key("unanswered"), STRATEGY,
    ),
    Metric(
        "fixring_strategy_refused_in_a_row", "gauge", "Its commands refused since one was not.",
        "its log has the reasons", _of("strategy"), _key("refused_in_a_row"), STRATEGY,
    ),
    Metric(
        "fixring_strategy_raising_hooks", "gauge", "Hooks of a strategy whose last call raised.",
        "its log has the traceback", _of("strategy"), lambda row: len(row.it["raising"]), STRATEGY,
    ),
    Metric(
        "fixring_profit_realised", "gauge", 'What closing has brought, in the currency; strategy "all" is the sum.',
        "fixring pnl", _profits, _profit("realised"), MONEY,
    ),
    Metric(
        "fixring_profit_unrealised", "gauge", "What is held would bring so much at the prices of now.",
        "fixring pnl", _profits, _profit("unrealised"), MONEY,
    ),
    Metric(
        "fixring_profit_fees", "gauge", "Fees paid.",
        "fixring pnl", _profits, _profit("fees"), MONEY,
    ),
    Metric(
        "fixring_profit_net", "gauge", "Realised and unrealised profit less fees.",
        "fixring pnl; fixring flatten closes positions", _profits, _profit("net"), MONEY,
    ),
    Metric(
        "fixring_profit_today_net", "gauge", "The same since the day began; no sample where no day is told.",
        "fixring pnl; fixring risk halt", _profits, _profit("net", today=True), MONEY,
    ),
    Metric(
        "fixring_profit_incomplete", "gauge", "What profit lacks for want of a price or rate, or has at a stale one.",
        "fixring pnl names them", _profits, _lacking,
    ),
    # ---- bridges and simulated exchanges ----
    Metric(
        "fixring_bridge_undecided_requests", "gauge", "Requests of which a bridge does not know whether they arrived.",
        "fixring status; its log", _of("bridge"), _key("undecided"), VENUE,
    ),
    Metric(
        "fixring_exchange_open_orders", "gauge", "Orders in the books of a simulated exchange, its traders' included.",
        "nothing; it is simulated", _of("exchange"), _key("open_orders"), VENUE,
    ),
    # ---- alerts ----
    Metric(
        "fixring_alert_firing", "gauge", "1 for each alert that fires; no sample for any other.",
        "fixring alerts list", _firing, lambda row: 1,
        {"rule": _name, "subject": _attribute("subject"), "severity": lambda row: row.it.severity.value},
    ),
    Metric(
        "fixring_alert_acknowledged", "gauge", "1 for each alert that fires and that a person has acknowledged.",
        "fixring alerts list has who it was", _firing,
        lambda row: None if row.it.acknowledged is None else 1, {"rule": _name, "subject": _attribute("subject")},
    ),
    Metric(
        "fixring_silence_left_seconds", "gauge",
        'For how long nobody is told of a rule yet; subject "" is every one. No sample when nothing is silenced.',
        "fixring alerts list has who wants it and why; fixring alerts unsilence", _silences,
        _last, {"rule": _name, "subject": _first},
    ),
    Metric(
        "fixring_notices_sent_total", "counter", "Notices that a sink has taken since alerts began.",
        "fixring alerts test", _sinks, _attribute("sent"), _by("sink"),
    ),
    Metric(
        "fixring_notices_failed_total", "counter", "Attempts to send a notice that failed; each is made again.",
        "fixring alerts list has the error", _sinks, _attribute("failed"), _by("sink"),
    ),
    Metric(
        "fixring_notices_waiting", "gauge", "Notices that wait for a sink.",
        "fixring alerts list", _sinks, _attribute("waiting"), _by("sink"),
    ),
    Metric(
        "fixring_notices_dropped_total", "counter", "Notices given up because too many waited.",
        "mend the sink; fixring alerts list has what fires", _sinks, _attribute("dropped"), _by("sink"),
    ),
    Metric(
        "fixring_metrics_unread", "gauge", "Metrics without a sample because an answer is not as it should be.",
        "the log of alerts names them: report it", lambda view: [Row("", len(view.unread))], _it,
    ),
)  # fmt: skip


def exposition(view: MetricsView) -> str:
    """The page, in Prometheus' text format 0.0.4: a metric without a sample has its lines of meaning alone."""
    lines = []
    for metric in METRICS:
        lines.append(f"# HELP {metric.name} {_help(metric)}")
        lines.append(f"# TYPE {metric.name} {metric.kind}")
        try:
            samples = list(metric.read(view))
        except UNREADABLE:
            view.unread.append(metric.name)
            continue
        lines += [f"{metric.name}{_labels(tuple(metric.labels), labels)} {_number(value)}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _help(metric: Metric) -> str:
    return f"{metric.sentence} Do: {metric.mend}.".replace("\\", "\\\\").replace("\n", "\\n")


def _labels(names: Sequence[str], values: Sequence[str]) -> str:
    if not names:
        return ""
    pairs = (f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{','.join(pairs)}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: Value) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
