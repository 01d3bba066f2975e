"""The pages as JSON documents, made of the view of the log and of what the actors answered. Pure: time is passed in.

What is old or unknown is said so in the document itself, so that no page can show it as if it were of now.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from common.config import STRATEGY, Config
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.orders.facts import facts_of
from common.orders.money import Line, held_by, net_by_strategy, prices_told, rates_in, summed, told_lines
from common.orders.order_state import Order
from services.desk.rows import order_row, part_row, sums_row, units
from services.desk.stack import Stack
from services.desk.tail import Tail
from services.desk.view import View

OLD_S: Final = 3.0
"""What of the log is older is stale, and said so."""

ASKED_OLD_S: Final = 5.0
"""And what the actors said, who have two seconds to answer and are asked again after one."""

OPEN_SHOWN: Final = 1_000
CLOSED_SHOWN: Final = 200
MISSING: Final = ("not running", "not answering")
SESSION_UP: Final = ("ready", "live", "off_schedule")
GIVEN_UP: Final = ("halted", "refused")
SESSION_WORDS: Final = {
    "ready": "open for orders",
    "live": "logged on",
    "logged_on": "logged on, and the gate is closed: orders are being reconciled",
    "connecting": "connecting",
    "starting": "starting",
    "off_schedule": "closed by its schedule",
    "killed": "killed: only cancels leave",
    "halted": "halted: a person must look",
    "logged_out": "logged out by hand",
    "not running": "its process does not run",
    "not answering": "its process does not answer",
}


class Seen(NamedTuple):
    """All that a page is made of, at one moment."""

    config: Config
    tail: Tail
    stack: Stack
    now: Instant
    monotonic_s: float


def head(seen: Seen) -> dict[str, Any]:
    """What stands on every page: the environment, how old what is shown is, and what is wrong."""
    tail, stack = seen.tail, seen.stack
    lag_s, books = tail.lag_s(seen.now.wall_ns), None if tail.view is None else tail.view.books
    asked_s = None if not stack.asked_s else max(0.0, seen.monotonic_s - stack.asked_s)
    orders = stack.detail("orders")
    return {
        "environment": seen.config.environment.value,
        "time_ms": seen.now.wall_ns // NS_PER_MS,
        "lsn": 0 if books is None else books.lsn,
        "lag_s": None if lag_s is None else round(lag_s, 2),
        "behind": tail.behind,
        "asked_s": None if asked_s is None else round(asked_s, 1),
        "log_stale": lag_s is None or lag_s > OLD_S,
        "stack_stale": asked_s is None or asked_s > ASKED_OLD_S,
        "killed": is_killed(stack),
        "orders_state": orders.get("state", stack.states.get("orders", "not asked yet")),
        "troubles": troubles(seen),
        "alerts": alerts(stack),
    }


def is_killed(stack: Stack) -> bool:
    """Whether anybody says that the kill switch holds."""
    latched = any(detail.get("latched") for name, detail in stack.details.items() if "@" in name)
    return latched or bool(stack.detail("risk").get("killed"))


def alerts(stack: Stack) -> list[dict[str, Any]]:
    """What any actor names as firing, in its own words; none where nobody watches."""
    found: list[dict[str, Any]] = []
    for name, detail in stack.details.items():
        firing = detail.get("firing", ())
        rows = firing if isinstance(firing, list) else []
        found += [{"who": name, **row} if isinstance(row, dict) else {"who": name, "text": str(row)} for row in rows]
    return found


def troubles(seen: Seen) -> list[dict[str, str]]:
    """All that is wrong, the worst first: who, and what."""
    tail, stack = seen.tail, seen.stack
    found = [{"who": name, "text": state} for name, state in stack.states.items() if state in MISSING]
    found += [
        {"who": name, "text": f"{child['phase']}: {child.get('last_exit', '')}"}
        for name, child in stack.children.items() if child.get("phase") in GIVEN_UP
    ]  # fmt: skip
    found += [{"who": row["actor"], "text": row["text"]} for row in stack.restricted]
    if tail.trouble:
        found.append({"who": "desk", "text": f"cannot read the log: {tail.trouble}"})
    lag_s = tail.lag_s(seen.now.wall_ns)
    if lag_s is not None and lag_s > OLD_S:
        what = f"{tail.behind} records behind" if tail.behind else "the journal writes nothing"
        found.append({"who": "journal", "text": f"what is shown of the log is {lag_s:.0f} s old: {what}"})
    return found


# ---- overview ----


def overview(seen: Seen) -> dict[str, Any]:
    """The first page."""
    view = seen.tail.view
    return {
        "actors": [_actor_row(seen.stack, name) for name in seen.stack.states],
        "sessions": session_rows(seen),
        "rest": _rest_rows(seen.stack),
        "strategies": _strategy_rows(seen),
        "since_ms": 0 if view is None else view.since_ns // NS_PER_MS,
        "last_act": None if view is None or not view.acts else act_row(view, -1),
        "orders": _order_counts(view, seen.now),
        "profit": profit(seen, parts=False),
    }


def _actor_row(stack: Stack, name: str) -> dict[str, Any]:
    detail, child = stack.detail(name), stack.children.get(name, {})
    memory = detail.get("memory_bytes")
    return {
        "name": name, "state": stack.states[name], "ok": stack.states[name] not in MISSING,
        "phase": child.get("phase", ""), "restarts": child.get("restarts", 0), "last_exit": child.get("last_exit", ""),
        "pid": detail.get("pid", child.get("pid", 0)), "uptime_s": detail.get("uptime_s"),
        "memory_mb": None if memory is None else round(memory / 1e6, 1),
    }  # fmt: skip


def session_rows(seen: Seen) -> list[dict[str, Any]]:
    """Every FIX session that is configured, order entry, drop copy and market data, in words."""
    names = [name for name in seen.stack.states if name.partition("@")[0] in ("session", "dropcopy", "marketdata")]
    return [_session_row(seen, name) for name in names]


def _session_row(seen: Seen, name: str) -> dict[str, Any]:
    detail, state = seen.stack.detail(name), seen.stack.states[name]
    view, own = seen.tail.view, name.partition("@")[2]
    told = {} if view is None or not name.startswith("session@") else view.acknowledgements.rows().get(own, {})
    return {
        "name": name, "state": state, "words": SESSION_WORDS.get(state, state), "ok": state in SESSION_UP,
        "out": detail.get("next_outbound"), "in": detail.get("next_inbound"), "generation": detail.get("generation"),
        "connection": detail.get("connection"), "heard_ms": detail.get("last_heard_ms"),
        "offset_ms": detail.get("clock_offset_ms"), "gate": detail.get("gate", ""), "kill": detail.get("kill", ""),
        "rate_used": detail.get("rate_used"), "rate_limit": detail.get("rate_limit"),
        "unreleased": detail.get("unreleased"), "may_be_open": detail.get("may_be_open"),
        "logons": 0 if view is None else view.logons(own) if name.startswith("session@") else None,
        "ack_p50_ms": told.get("p50_ms"), "ack_p99_ms": told.get("p99_ms"), "acks": told.get("count", 0),
        "schedule": detail.get("schedule", ""), "failed_logon": detail.get("failed_logon", ""),
        "by_hand": name.startswith("session@"),
    }  # fmt: skip


def _rest_rows(stack: Stack) -> list[dict[str, Any]]:
    rows = []
    for name, state in stack.states.items():
        if name.startswith("account@"):
            detail = stack.detail(name)
            rows.append(
                {"name": name, "state": state, "ok": state not in MISSING and not detail.get("failing"),
                 "asked": detail.get("asked"), "failed": detail.get("failed"),
                 "last_error": detail.get("last_error", ""), "failing": detail.get("failing", "")}
            )  # fmt: skip
    return rows


def _strategy_rows(seen: Seen) -> list[dict[str, Any]]:
    """What is configured or was added, and whoever else has an order or has given a command since the desk began to
    read."""
    view = seen.tail.view
    open_orders: dict[str, int] = defaultdict(int)
    for order in _open(view):
        open_orders[order.strategy] += 1
    tallies = {} if view is None else view.tallies
    added = (name.partition("@")[2] for name in seen.stack.states if name.startswith(STRATEGY))
    names = sorted({*seen.config.strategies, *added, *open_orders, *(name for name in tallies if name)})
    rows = []
    for name in names:
        detail, state = seen.stack.detail(f"strategy@{name}"), seen.stack.states.get(f"strategy@{name}", "")
        tally = tallies.get(name)
        outcomes = {} if tally is None else tally.outcomes
        rows.append(
            {"name": name, "state": state or "not a process of this stack", "ok": state not in MISSING,
             "open": open_orders.get(name, 0), "sent": outcomes.get("sent", 0), "refused": outcomes.get("refused", 0),
             "expired": outcomes.get("expired", 0), "fills": 0 if tally is None else tally.fills,
             "last_refusal": "" if tally is None else tally.last_refusal,
             "refused_ms": 0 if tally is None else tally.last_refusal_ns // NS_PER_MS,
             "raising": ", ".join(detail.get("raising", {}))}
        )  # fmt: skip
    return rows


def act_row(view: View, nth: int) -> dict[str, Any]:
    """What a person did."""
    act = view.acts[nth]
    return {"lsn": act.lsn, "time_ms": act.stamp_ns // NS_PER_MS, "actor": act.act.actor, "act": act.act.act,
            "by": act.act.by, "text": act.act.text}  # fmt: skip


def _order_counts(view: View | None, now: Instant) -> dict[str, Any]:
    unknown = [order for order in _open(view) if order.is_unknown]
    oldest = min(unknown, key=lambda order: order.sent_ns, default=None)
    return {
        "open": sum(1 for _ in _open(view)), "unknown": len(unknown),
        "oldest_unknown": "" if oldest is None else f"{oldest.strategy}/{oldest.number}",
        "oldest_unknown_s": None if oldest is None else max(0, (now.wall_ns - oldest.sent_ns) // NS_PER_S),
    }  # fmt: skip


def _open(view: View | None) -> Iterable[Order]:
    return () if view is None else (order for orders in view.books.open.values() for order in orders.values())


# ---- orders ----


def orders(seen: Seen) -> dict[str, Any]:
    """The blotter: what is open, the newest first, and what was closed last. `hidden` are open ones without room."""
    view = seen.tail.view
    if view is None:
        return {"rows": [], "hidden": 0, "external": []}
    books = view.books
    found = sorted(_open(view), key=lambda order: order.sent_lsn, reverse=True)
    closed = [books.orders[name] for name in islice(reversed(books.closed), CLOSED_SHOWN)]
    unsettled = [books.orders[name] for name in books.unsettled]
    rows = [order_row(order, books) for order in (*found[:OPEN_SHOWN], *unsettled, *closed)]
    external = [
        {"account": each.venue, "symbol": each.order.symbol, "order_id": each.order.order_id,
         "qty": str(each.order.order_qty), "price": str(each.order.price)} for each in books.externals.values()
    ]  # fmt: skip
    return {"rows": rows, "hidden": max(0, len(found) - OPEN_SHOWN), "external": external}


def changed_orders(view: View) -> list[dict[str, Any]] | None:
    """The rows of what has changed since this was asked last; None where that is more than the page holds.

    Of orders that were sent since and are over already no more are told than a page shows; of every other one its end
    is told, since it stands there as open.
    """
    told_lsn, names = view.told_lsn, view.take_changed()
    found, unseen = [], 0
    for name in reversed(names):
        order = view.books.orders.get(name)
        if order is None:
            continue
        if order.is_closed and order.sent_lsn > told_lsn:
            unseen += 1
            if unseen > CLOSED_SHOWN:
                continue
        found.append(order)
    return None if len(found) > OPEN_SHOWN else [order_row(order, view.books) for order in reversed(found)]


# ---- money and risk ----


def profit_lines(seen: Seen) -> list[Line]:
    """What each part has brought, at risk's prices of its last answer."""
    view = seen.tail.view
    if view is None:
        return []
    money = seen.config.stack.money
    prices = prices_told(seen.stack.detail("risk").get("exposures", ()))
    accounts = {name: facts_of(account.venue, 0) for name, account in seen.config.accounts.items()}
    return told_lines(held_by(view.books), prices, rates_in(money.currency, money.fixed_rates, accounts, prices))


def profit(seen: Seen, *, parts: bool) -> dict[str, Any]:
    """Profit by strategy and in all; with `parts` by venue and symbol too, and each part by itself."""
    found, view = profit_lines(seen), seen.tail.view
    day = None if view is None else view.books.day
    document: dict[str, Any] = {
        "currency": seen.config.stack.money.currency,
        "day": "" if day is None or not day.began_ns else f"{day.day} {day.zone}",
        "total": sums_row("total", summed(found)),
        "by_strategy": _grouped(found, lambda line: line.strategy or "(nobody)"),
    }
    if parts:
        document["by_venue"] = _grouped(found, lambda line: line.position.venue)
        document["by_symbol"] = _grouped(found, lambda line: line.position.symbol)
        document["parts"] = [] if view is None else [part_row(line, view.books) for line in found]
    return document


def profit_sample(seen: Seen) -> dict[str, str]:
    """Net profit of now, the day's where one has begun, by strategy and in all: a point of the chart."""
    return {name: f"{net:.2f}" for name, net in net_by_strategy(profit_lines(seen)).items()}


def _grouped(found: Iterable[Line], key: Any) -> list[dict[str, Any]]:
    groups: dict[str, list[Line]] = defaultdict(list)
    for line in found:
        groups[key(line)].append(line)
    return [sums_row(name, summed(its)) for name, its in sorted(groups.items())]


def risk(seen: Seen) -> dict[str, Any]:
    """Each limit with its use, what is halted, and what was refused since risk's start, by reason."""
    detail: Mapping[str, Any] = seen.stack.detail("risk")
    limits = [row for place in detail.get("exposures", ()) for row in _place_limits(place, seen)]
    for name, row in detail.get("strategies", {}).items():
        limits.append(_limit(f"strategy {name}", "open orders", row["open_orders"], row["max_open_orders"], "orders"))
    for name in seen.config.sessions:
        session = seen.stack.detail(f"session@{name}")
        if session.get("rate_limit"):
            used, most = session.get("rate_used", 0), session["rate_limit"]
            limits.append(_limit(f"session@{name}", "message rate", used, most, "messages in its window"))
    return {
        "answers": bool(detail), "state": seen.stack.states.get("risk", "not asked yet"),
        "halts": list(detail.get("halts", ())), "limits": limits, "counts": detail.get("counts", {}),
        "exposures": detail.get("exposures", ()),
    }  # fmt: skip


def _place_limits(place: Mapping[str, Any], seen: Seen) -> Iterable[dict[str, Any]]:
    if not place["limit"]:
        return
    long, short = float(place["worst_long"]), float(place["worst_short"])
    view = seen.tail.view
    unit = "" if view is None else units(view.books.known, place["account"], place["symbol"])["unit"]
    worst = place["worst_long"] if long >= -short else place["worst_short"]
    yield _limit(f"{place['account']} {place['symbol']}", "position at worst", worst, place["limit"], unit)


def _limit(who: str, what: str, used: Any, most: Any, unit: str) -> dict[str, Any]:
    """The share is for a bar on a screen: as a float it is near enough."""
    share = abs(float(used)) / float(most) if float(most) else 0.0
    return {"who": who, "what": what, "used": str(used), "limit": str(most), "unit": unit, "share": round(share, 4)}


# ---- sessions ----


def sessions(seen: Seen) -> dict[str, Any]:
    """Each session with its numbers, its gaps, and the last acts of people."""
    view = seen.tail.view
    acts = [] if view is None else [act_row(view, nth) for nth in range(len(view.acts))]
    return {"sessions": session_rows(seen), "acts": acts[::-1]}
