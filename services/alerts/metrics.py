"""Every metric: its name with its unit, what it means, what to do about it, and where in the picture it is read.

This one table makes the page that Prometheus reads, the page of the docs, and the tests. A process that does not answer
has `fixring_actor_up` 0 and nothing else: no old value is shown as one of now. Money and quantities are Decimal until
they are text.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
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

    def of_kind(self, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The part of the name behind the @ of each actor of the kind that answers, and what it says."""
        for name, status in self.picture.of_kind(kind, self.now):
            yield name.partition("@")[2], status


class Metric(NamedTuple):
    """One metric. `mend` is what to do when it is not as it should be."""

    name: str
    kind: Literal["gauge", "counter"]
    sentence: str
    mend: str
    read: Callable[[MetricsView], Iterable[Sample]]
    labels: tuple[str, ...] = ()


# ---- how a value is read ----


def _key(kind: str, key: str, scale: Decimal = Decimal(1)) -> Callable[[MetricsView], Iterator[Sample]]:
    """A key of the status of each actor of a kind: labelled by what stands behind the @ in its name, where it has any.
    What it does not know (None) has no sample."""

    def read(view: MetricsView) -> Iterator[Sample]:
        for name, status in view.of_kind(kind):
            value = status.get(key)
            if value is not None:
                yield ((name,) if name else ()), _scaled(value, scale)

    return read


def _scaled(value: Any, scale: Decimal) -> Value:
    return int(value) if isinstance(value, bool) else value if scale == 1 else Decimal(str(value)) * scale


def _says(kind: str, key: str, *words: object) -> Callable[[MetricsView], Iterator[Sample]]:
    """1 where the key holds one of the words, else 0."""

    def read(view: MetricsView) -> Iterator[Sample]:
        for name, status in view.of_kind(kind):
            yield ((name,) if name else ()), status.get(key) in words

    return read


def _rows(kind: str, key: str, column: str) -> Callable[[MetricsView], Iterator[Sample]]:
    """A column of a table in a status, by the name of the row."""

    def read(view: MetricsView) -> Iterator[Sample]:
        for _, status in view.of_kind(kind):
            for name, row in status.get(key, {}).items():
                yield (name,), row[column]

    return read


def _exposure(column: str) -> Callable[[MetricsView], Iterator[Sample]]:
    def read(view: MetricsView) -> Iterator[Sample]:
        for _, status in view.of_kind("risk"):
            for row in status["exposures"]:
                if row[column] != "":
                    yield (row["account"], row["symbol"]), Decimal(row[column])

    return read


def _up(view: MetricsView) -> Iterator[Sample]:
    for name in view.picture.names:
        yield (name,), view.picture.find(name, view.now) is not None


def _age(view: MetricsView) -> Iterator[Sample]:
    for name in view.picture.names:
        yield (name,), Decimal(view.picture.age_ns(name, view.now)) / NS_PER_S


def _of_actors(key: str) -> Callable[[MetricsView], Iterator[Sample]]:
    def read(view: MetricsView) -> Iterator[Sample]:
        for name, status in view.picture.answering(view.now).items():
            if key in status:
                yield (name,), status[key]

    return read


def _garbage(view: MetricsView) -> Iterator[Sample]:
    for name, status in view.picture.answering(view.now).items():
        yield (name,), sum(status.get("garbage", {}).values())


def _turned_away(view: MetricsView) -> Iterator[Sample]:
    for name, status in view.picture.answering(view.now).items():
        for told, count in status.get("turned_away", {}).items():
            link, _, why = told.partition(": ")
            yield (name, link, why), count


def _children(read_one: Callable[[Mapping[str, Any]], Value]) -> Callable[[MetricsView], Iterator[Sample]]:
    def read(view: MetricsView) -> Iterator[Sample]:
        for name, _, child in view.picture.children(view.now):
            yield (name,), read_one(child)

    return read


def _restrictions(view: MetricsView) -> Iterator[Sample]:
    found: dict[tuple[str, ...], int] = {}
    for each in restrictions(view.picture.answering(view.now)):
        found[each.actor, each.reason] = found.get((each.actor, each.reason), 0) + 1
    yield from found.items()


def _lag(view: MetricsView) -> Iterator[Sample]:
    for name, behind in lag_of(view.picture, view.now):
        yield (name,), behind


def _acknowledged(view: MetricsView) -> Iterator[Sample]:
    for _, status in view.of_kind("orders"):
        for session, row in status["acknowledged"].items():
            for quantile, key in (("0.5", "p50_ms"), ("0.99", "p99_ms")):
                yield (session, quantile), Decimal(str(row[key])) / 1000


def _refused(view: MetricsView) -> Iterator[Sample]:
    for kind in ("orders", "risk", "session"):
        for name, status in view.picture.of_kind(kind, view.now):
            yield (name,), refused_by(kind, status)


def _refusals_by_reason(view: MetricsView) -> Iterator[Sample]:
    for _, status in view.of_kind("risk"):
        for reason, count in status["counts"].items():
            if reason in REASONS:
                yield (reason,), count


def _risk_count(name: str) -> Callable[[MetricsView], Iterator[Sample]]:
    def read(view: MetricsView) -> Iterator[Sample]:
        for _, status in view.of_kind("risk"):
            yield (), status["counts"].get(name, 0)

    return read


def _copy(key: str) -> Callable[[MetricsView], Iterator[Sample]]:
    """What the journal knows of the copy off the machine, where one is made."""

    def read(view: MetricsView) -> Iterator[Sample]:
        for _, status in view.of_kind("journal"):
            if status.get("copy"):
                yield (), status["copy"][key]

    return read


def _copy_age(view: MetricsView) -> Iterator[Sample]:
    for _, status in view.of_kind("journal"):
        if status.get("copy"):
            yield (), age_of_copy_ms(status) / 1000


def _replicator_away(view: MetricsView) -> Iterator[Sample]:
    for _, status in view.of_kind("replicator"):
        yield (), status["failing"] != ""


def _use(view: MetricsView) -> Iterator[Sample]:
    for _, status in view.of_kind("risk"):
        for row in status["exposures"]:
            if (use := used_of(row)) is not None:
                yield (row["account"], row["symbol"]), use


def _halts(view: MetricsView) -> Iterator[Sample]:
    for _, status in view.of_kind("risk"):
        yield (), len(status["halts"])


def _sessions_up(view: MetricsView) -> Iterator[Sample]:
    for kind in ("session", "dropcopy", "marketdata"):
        for name, status in view.picture.of_kind(kind, view.now):
            yield (name,), status["state"] in SESSION_UP


def _heard(view: MetricsView) -> Iterator[Sample]:
    for kind in ("session", "dropcopy", "marketdata"):
        for name, status in view.picture.of_kind(kind, view.now):
            if status.get("last_heard_ms") is not None:
                yield (name,), Decimal(status["last_heard_ms"]) / 1000


def _strategy_counts(view: MetricsView) -> Iterator[Sample]:
    for strategy, status in view.of_kind("strategy"):
        for what, count in status["counts"].items():
            yield (strategy, what), count


def _raising(view: MetricsView) -> Iterator[Sample]:
    for strategy, status in view.of_kind("strategy"):
        yield (strategy,), len(status["raising"])


def _profit(part: str, *, today: bool = False) -> Callable[[MetricsView], Iterator[Sample]]:
    def read(view: MetricsView) -> Iterator[Sample]:
        for strategy, sums in view.profit.items():
            if (found := sums.today if today else sums.profit) is not None:
                yield (strategy, view.currency), getattr(found, part)

    return read


def _profit_lacks(view: MetricsView) -> Iterator[Sample]:
    if (sums := view.profit.get(ALL)) is not None:
        yield (), len(sums.lacks) + len(sums.stale)


def _firing(view: MetricsView) -> Iterator[Sample]:
    for alert in view.firing:
        yield (alert.rule, alert.subject, alert.severity.value), 1


def _acknowledged_alerts(view: MetricsView) -> Iterator[Sample]:
    for alert in view.firing:
        if alert.acknowledged is not None:
            yield (alert.rule, alert.subject), 1


def _silences(view: MetricsView) -> Iterator[Sample]:
    for silence in view.silences:
        yield (silence.rule, silence.subject), Decimal(max(0, silence.until_ns - view.now.wall_ns)) / NS_PER_S


def _sinks(column: str) -> Callable[[MetricsView], Iterator[Sample]]:
    def read(view: MetricsView) -> Iterator[Sample]:
        for sink in view.sinks:
            yield (sink.name,), getattr(sink, column)

    return read


MS: Final = Decimal("0.001")
LOOK: Final = "fixring status"
COPY: Final = "fixring replication status; look at the NATS servers"

METRICS: Final[Sequence[Metric]] = (
    # ---- every process ----
    Metric(
        "fixring_environment", "gauge", "1, labelled with where orders go: simulated, testnet or live.",
        "nothing; it tells stacks apart", lambda view: [((view.environment,), 1)], ("environment",),
    ),
    Metric(
        "fixring_actor_up", "gauge", "Whether an actor or supervisor answers (1) or is silent (0).",
        "fixring status, then its log in var/log", _up, ("actor",),
    ),
    Metric(
        "fixring_actor_answer_age_seconds", "gauge", "How old its last answer is; what else is told of it is as old.",
        "as for fixring_actor_up", _age, ("actor",),
    ),
    Metric(
        "fixring_actor_uptime_seconds", "gauge", "How long its process has run.",
        "a small one again and again: its log has the ends", _of_actors("uptime_s"), ("actor",),
    ),
    Metric(
        "fixring_actor_memory_bytes", "gauge", "Resident memory of its process.",
        "one that grows for hours with no more open orders is a fault: report it", _of_actors("memory_bytes"),
        ("actor",),
    ),
    Metric(
        "fixring_actor_lsn", "gauge", "The last record of the log that it has read or written.",
        "one that stands while the journal's moves: fixring_journal_lag_records", _of_actors("lsn"), ("actor",),
    ),
    Metric(
        "fixring_actor_garbage_messages_total", "counter", "Messages that came to its sockets and could not be read.",
        "its log has the beginning of each: find who sends them", _garbage, ("actor",),
    ),
    Metric(
        "fixring_link_turned_away_total", "counter", "Peers that a link between hosts has not let in, by why.",
        "`fixring keys check` on both hosts; else somebody knocks who has no business there", _turned_away,
        ("actor", "link", "why"),
    ),
    Metric(
        "fixring_actor_restarts_total", "counter", "How often its supervisor has started it again.",
        "its log from the first end on", _children(lambda child: int(child["restarts"])), ("actor",),
    ),
    Metric(
        "fixring_actor_given_up", "gauge", "1 when its supervisor does not start it again by itself.",
        "its log, then fixring start ACTOR", _children(lambda child: child["phase"] in GIVEN_UP), ("actor",),
    ),
    Metric(
        "fixring_restrictions", "gauge", "What keeps the stack from doing all that is configured; no sample when none.",
        "fixring status, and its line in docs/operations.md", _restrictions, ("actor", "reason"),
    ),
    # ---- the journal ----
    Metric(
        "fixring_journal_records_total", "counter", "The records of the log; its rate is the stack's.",
        LOOK, _key("journal", "lsn"),
    ),
    Metric(
        "fixring_journal_batches_total", "counter", "Batches, each made durable at once; records by batch is its load.",
        LOOK, _key("journal", "batches"),
    ),
    Metric(
        "fixring_journal_free_bytes", "gauge", "What is free on the disk that the journal lies on.",
        "make room, or set retention_bytes", _key("journal", "free_bytes"),
    ),
    Metric(
        "fixring_journal_low_disk", "gauge", "1 when less than low_disk_bytes are free: what adds risk is refused.",
        "make room", _key("journal", "low_disk"),
    ),
    Metric(
        "fixring_journal_full", "gauge", "1 when the journal takes nothing any more.",
        "make room now", _says("journal", "state", "full"),
    ),
    Metric(
        "fixring_journal_lag_records", "gauge", "How many records an actor that folds the log is behind it.",
        "look at the processors; what is not read is not known", _lag, ("actor",),
    ),
    # ---- the copy off the machine ----
    Metric(
        "fixring_copy_lag_records", "gauge", "How many durable records the copy off the machine lacks.",
        COPY, _copy("lag_records"),
    ),
    Metric(
        "fixring_copy_age_seconds", "gauge", "How much older than the journal the copy's last record is.",
        COPY, _copy_age,
    ),
    Metric(
        "fixring_copy_behind", "gauge", "1 when the copy is further behind than it may be: what adds risk is refused.",
        COPY, _copy("behind"),
    ),
    Metric(
        "fixring_replicator_away", "gauge", "1 while the replicator cannot publish, or nothing has said yes.",
        COPY, _replicator_away,
    ),
    Metric(
        "fixring_replicator_unclear_total", "counter", "Publications whose answer was no clear yes.",
        "many: look at the NATS servers' logs", _key("replicator", "unclear"),
    ),
    Metric(
        "fixring_snapshot_lsn", "gauge", "The record on which the oldest of the newest snapshots stands.",
        "one that falls behind makes starts long: the log of snapshots", _key("snapshots", "lsn"),
    ),
    # ---- orders ----
    Metric(
        "fixring_orders_open", "gauge", "Orders that are open.",
        "fixring orders list", _key("orders", "open_orders"),
    ),
    Metric(
        "fixring_orders_unknown", "gauge", "Orders that may have reached a venue and have not been heard of.",
        "fixring orders unknown", _key("orders", "unknown_orders"),
    ),
    Metric(
        "fixring_orders_oldest_unknown_seconds", "gauge", "Since the oldest message was sent whose fate is not known.",
        "ask the venue; fixring orders settle when its screen shows it", _key("orders", "oldest_unknown_s"),
    ),
    Metric(
        "fixring_orders_in_flight", "gauge", "Commands passed on to risk and not in the log yet.",
        "many that stay: risk or a session stands still", _key("orders", "in_flight"),
    ),
    Metric(
        "fixring_orders_wishes", "gauge", "Cancels that wait for their order to close.",
        "fixring orders list; look at the venue", _key("orders", "wishes"),
    ),
    Metric(
        "fixring_orders_clients", "gauge", "Strategies and other clients that orders knows.",
        LOOK, _key("orders", "clients"),
    ),
    Metric(
        "fixring_orders_discrepancies_total", "counter", "Differences between the books and a venue's word, journaled.",
        "fixring reconcile; fixring journal tail --kind discrepancy", _key("orders", "discrepancies"),
    ),
    Metric(
        "fixring_orders_doubts", "gauge", "Orders of an account that are asked about.",
        "fixring orders unknown", _rows("orders", "accounts", "doubts"), ("account",),
    ),
    Metric(
        "fixring_acknowledge_seconds", "gauge",
        "How long a venue takes to say its first word on an order: a quantile of the last 200 orders of a session.",
        "a venue that is slow, or a host that has too much to do: fixring status", _acknowledged,
        ("session", "quantile"),
    ),
    Metric(
        "fixring_commands_refused_total", "counter", "Commands refused since the process began, by who refused.",
        "fixring risk show; its log", _refused, ("actor",),
    ),
    # ---- risk ----
    Metric(
        "fixring_risk_killed", "gauge", "1 while the kill switch is latched for risk.",
        "find out why, then fixring resume", _key("risk", "killed"),
    ),
    Metric(
        "fixring_risk_halts", "gauge", "Scopes that are halted: what adds risk there is refused.",
        "fixring risk show; fixring risk unhalt", _halts,
    ),
    Metric(
        "fixring_risk_in_flight", "gauge", "Commands passed on to sessions and not in the log yet.",
        "many that stay: a session stands still", _key("risk", "in_flight"),
    ),
    Metric(
        "fixring_risk_passed_total", "counter", "Commands that risk has passed since it began.",
        LOOK, _risk_count("passed"),
    ),
    Metric(
        "fixring_risk_refused_total", "counter", "Commands that risk has refused since it began, by reason.",
        "fixring risk show; the reason says which limit", _refusals_by_reason, ("reason",),
    ),
    Metric(
        "fixring_position", "gauge", "The position, in the base asset or in contracts.",
        "fixring positions", _exposure("position"), ("account", "symbol"),
    ),
    Metric(
        "fixring_position_worst_long", "gauge", "The position if every open order that buys were filled.",
        "fixring risk show", _exposure("worst_long"), ("account", "symbol"),
    ),
    Metric(
        "fixring_position_worst_short", "gauge", "The position if every open order that sells were filled.",
        "fixring risk show", _exposure("worst_short"), ("account", "symbol"),
    ),
    Metric(
        "fixring_position_limit", "gauge", "What the worst position may be on either side.",
        "[risk.symbols.SYMBOL]", _exposure("limit"), ("account", "symbol"),
    ),
    Metric(
        "fixring_risk_use_ratio", "gauge", "The share of the position's limit that is used at worst; 1 is all of it.",
        "close positions or cancel orders there, or raise the limit", _use, ("account", "symbol"),
    ),
    Metric(
        "fixring_reference_price", "gauge", "The price that limits are counted with, in the quote asset.",
        "fixring status names one that is missing", _exposure("reference"), ("account", "symbol"),
    ),
    Metric(
        "fixring_strategy_open_orders", "gauge", "Open orders of a strategy, as risk counts them.",
        "fixring orders list", _rows("risk", "strategies", "open_orders"), ("strategy",),
    ),
    Metric(
        "fixring_strategy_open_orders_limit", "gauge", "How many it may have.",
        "[risk.strategies.NAME]", _rows("risk", "strategies", "max_open_orders"), ("strategy",),
    ),
    Metric(
        "fixring_session_messages_left", "gauge", "Messages that risk lets a session still send in the window.",
        "0 that stays: strategies send more than the venue takes", _rows("risk", "sessions", "messages_left"),
        ("session",),
    ),
    # ---- sessions ----
    Metric(
        "fixring_session_up", "gauge", "Whether a session is as connected as it is to be now, its gate open.",
        "fixring session show SESSION", _sessions_up, ("session",),
    ),
    Metric(
        "fixring_session_heard_age_seconds", "gauge", "Since the venue was last heard on it.",
        "above twice HeartBtInt(108): the connection is dead", _heard, ("session",),
    ),
    Metric(
        "fixring_session_clock_offset_seconds", "gauge", "SendingTime(52) of the venue less our clock.",
        "mend the host's clock (NTP)", _key("session", "clock_offset_ms", MS), ("session",),
    ),
    Metric(
        "fixring_session_connections_total", "counter", "Connections that it has made, over all its lives.",
        "many in a short time: fixring session show SESSION", _key("session", "connection"), ("session",),
    ),
    Metric(
        "fixring_session_failed_logons", "gauge", "Connections in a row that ended without a logon.",
        "fixring session show SESSION has the venue's words", _key("session", "failed_logons"), ("session",),
    ),
    Metric(
        "fixring_session_next_outbound", "gauge", "The next MsgSeqNum(34) that we send.",
        "fixring reconcile compares it with the venue", _key("session", "next_outbound"), ("session",),
    ),
    Metric(
        "fixring_session_next_inbound", "gauge", "The next MsgSeqNum(34) that we expect.",
        "fixring reconcile compares it with the venue", _key("session", "next_inbound"), ("session",),
    ),
    Metric(
        "fixring_session_messages_sent_total", "counter", "Messages that it has written to its socket since it began.",
        LOOK, _key("session", "sent"), ("session",),
    ),
    Metric(
        "fixring_session_may_be_open_orders", "gauge", "Orders that may be open at the venue, by its own small table.",
        "fixring orders list", _key("session", "may_be_open"), ("session",),
    ),
    Metric(
        "fixring_session_unreleased_messages", "gauge", "Messages numbered that the journal has not acknowledged yet.",
        "many that stay: look at the journal", _key("session", "unreleased"), ("session",),
    ),
    Metric(
        "fixring_session_rate_used_messages", "gauge", "Messages of the venue's window that are used.",
        "near fixring_session_rate_limit_messages: send less", _key("session", "rate_used"), ("session",),
    ),
    Metric(
        "fixring_session_rate_limit_messages", "gauge", "How many the venue takes in its window.",
        "[fix.limits]", _key("session", "rate_limit"), ("session",),
    ),
    Metric(
        "fixring_session_unreadable_messages_total", "counter", "Messages of the venue that could not be read at all.",
        "fixring journal grep; report it to the venue", _key("session", "unreadable"), ("session",),
    ),
    Metric(
        "fixring_session_garbled_messages_total", "counter", "Messages of the venue that are no FIX.",
        "look at what lies between; report it to the venue", _key("session", "garbled"), ("session",),
    ),
    Metric(
        "fixring_session_killed", "gauge", "1 while the kill switch is latched at it.",
        "find out why, then fixring resume", _key("session", "latched"), ("session",),
    ),
    Metric(
        "fixring_session_journal_away", "gauge", "1 while the journal does not answer it: it sends no order.",
        "look at the journal", _key("session", "journal_away"), ("session",),
    ),
    Metric(
        "fixring_feed_messages_published_total", "counter", "Prices and trades published to strategies since it began.",
        "one that stands: fixring status, then the session of that venue", _key("marketdata", "published"), ("venue",),
    ),
    # ---- accounts ----
    Metric(
        "fixring_account_questions_total", "counter", "Questions that orders has put to the venue's REST side.",
        LOOK, _key("account", "asked"), ("account",),
    ),
    Metric(
        "fixring_account_failures_total", "counter", "Questions to the venue's REST side that failed.",
        "fixring status has the last error: keys, network, clock", _key("account", "failed"), ("account",),
    ),
    Metric(
        "fixring_account_waiting_questions", "gauge", "Questions that wait for their turn.",
        "many that stay: the venue is slow or limits us", _key("account", "waiting"), ("account",),
    ),
    Metric(
        "fixring_account_killed", "gauge", "1 while the kill switch is latched at it.",
        "find out why, then fixring resume", _key("account", "latched"), ("account",),
    ),
    # ---- strategies and money ----
    Metric(
        "fixring_strategy_events_total", "counter", "What a strategy has counted of itself since it began, by what.",
        "errors: its log has each", _strategy_counts, ("strategy", "event"),
    ),
    Metric(
        "fixring_strategy_unanswered_commands", "gauge", "Commands of a strategy that have no outcome yet.",
        "many that stay: orders or the journal stands still", _key("strategy", "unanswered"), ("strategy",),
    ),
    Metric(
        "fixring_strategy_refused_in_a_row", "gauge", "Its commands refused since one was not.",
        "its log has the reasons", _key("strategy", "refused_in_a_row"), ("strategy",),
    ),
    Metric(
        "fixring_strategy_raising_hooks", "gauge", "Hooks of a strategy whose last call raised.",
        "its log has the traceback", _raising, ("strategy",),
    ),
    Metric(
        "fixring_profit_realised", "gauge", 'What closing has brought, in the currency; strategy "all" is the sum.',
        "fixring pnl", _profit("realised"), ("strategy", "currency"),
    ),
    Metric(
        "fixring_profit_unrealised", "gauge", "What is held would bring so much at the prices of now.",
        "fixring pnl", _profit("unrealised"), ("strategy", "currency"),
    ),
    Metric(
        "fixring_profit_fees", "gauge", "Fees paid.",
        "fixring pnl", _profit("fees"), ("strategy", "currency"),
    ),
    Metric(
        "fixring_profit_net", "gauge", "Realised and unrealised profit less fees.",
        "fixring pnl; fixring flatten closes positions", _profit("net"), ("strategy", "currency"),
    ),
    Metric(
        "fixring_profit_today_net", "gauge", "The same since the day began; no sample where no day is told.",
        "fixring pnl; fixring risk halt", _profit("net", today=True), ("strategy", "currency"),
    ),
    Metric(
        "fixring_profit_incomplete", "gauge", "What profit lacks for want of a price or rate, or has at a stale one.",
        "fixring pnl names them", _profit_lacks,
    ),
    # ---- bridges and simulated exchanges ----
    Metric(
        "fixring_bridge_undecided_requests", "gauge", "Requests of which a bridge does not know whether they arrived.",
        "fixring status; its log", _key("bridge", "undecided"), ("venue",),
    ),
    Metric(
        "fixring_exchange_open_orders", "gauge", "Orders in the books of a simulated exchange, its traders' included.",
        "nothing; it is simulated", _key("exchange", "open_orders"), ("venue",),
    ),
    # ---- alerts ----
    Metric(
        "fixring_alert_firing", "gauge", "1 for each alert that fires; no sample for any other.",
        "fixring alerts list", _firing, ("rule", "subject", "severity"),
    ),
    Metric(
        "fixring_alert_acknowledged", "gauge", "1 for each alert that fires and that a person has acknowledged.",
        "fixring alerts list has who it was", _acknowledged_alerts, ("rule", "subject"),
    ),
    Metric(
        "fixring_silence_left_seconds", "gauge",
        'For how long nobody is told of a rule yet; subject "" is every one. No sample when nothing is silenced.',
        "fixring alerts list has who wants it and why; fixring alerts unsilence", _silences, ("rule", "subject"),
    ),
    Metric(
        "fixring_notices_sent_total", "counter", "Notices that a sink has taken since alerts began.",
        "fixring alerts test", _sinks("sent"), ("sink",),
    ),
    Metric(
        "fixring_notices_failed_total", "counter", "Attempts to send a notice that failed; each is made again.",
        "fixring alerts list has the error", _sinks("failed"), ("sink",),
    ),
    Metric(
        "fixring_notices_waiting", "gauge", "Notices that wait for a sink.",
        "fixring alerts list", _sinks("waiting"), ("sink",),
    ),
    Metric(
        "fixring_notices_dropped_total", "counter", "Notices given up because too many waited.",
        "mend the sink; fixring alerts list has what fires", _sinks("dropped"), ("sink",),
    ),
    Metric(
        "fixring_metrics_unread", "gauge", "Metrics without a sample because an answer is not as it should be.",
        "the log of alerts names them: report it", lambda view: [((), len(view.unread))],
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
        lines += [f"{metric.name}{_labels(metric.labels, labels)} {_number(value)}" for labels, value in samples]
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
