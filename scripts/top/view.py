"""What is shown of the stack, line by line, and what each key does. Pure: a look at the stack and a view in, lines out.

Keys: up and down choose an order, Enter tells its story, / filters, k kills after a y, Escape goes back, q ends.
"""

import enum
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from common.printable import printable
from common.restrictions import SESSION_UP

UP, DOWN, ENTER, ESCAPE, ERASE = "up", "down", "enter", "escape", "erase"
"""Keys that are no character."""

HELP: Final = "up/down order  Enter story  / filter  k kill  q quit"
ORDERS_TITLE: Final = f"{'order':<22}{'account':<12}{'symbol':<14}{'side':<6}{'open':>14}{'price':>14}  status"
MISSING: Final = frozenset({"not running", "not answering"})
OLD_S: Final = 3.0
"""A look that is older is named so."""


class Style(enum.Enum):
    """How a line is drawn."""

    PLAIN = enum.auto()
    TITLE = enum.auto()
    GOOD = enum.auto()
    BAD = enum.auto()
    CHOSEN = enum.auto()


class Line(NamedTuple):
    """One line of the screen."""

    text: str
    style: Style = Style.PLAIN


class Look(NamedTuple):
    """The stack as it was asked last: `status` as `fixring status --json` has it, {} before the first answer; open
    orders as `fixring orders list --json` has them, profit by strategy as cells, and what did not answer.
    """

    time: str = ""
    status: Mapping[str, Any] = {}
    orders: Sequence[Mapping[str, Any]] = ()
    profit: Sequence[Sequence[str]] = ()
    currency: str = ""
    silent: Sequence[str] = ()


class Mode(enum.Enum):
    """What the keys mean now."""

    OVERVIEW = enum.auto()
    FILTER = enum.auto()
    STORY = enum.auto()
    KILL = enum.auto()


class View(NamedTuple):
    """What a person has chosen: `text` is the story, or what the kill said."""

    mode: Mode = Mode.OVERVIEW
    filter: str = ""
    chosen: int = 0
    text: Sequence[str] = ()
    scrolled: int = 0


class Act(enum.Enum):
    """What a key asks of the terminal's program."""

    QUIT = enum.auto()
    STORY = enum.auto()
    KILL = enum.auto()


def matching(look: Look, view: View) -> list[Mapping[str, Any]]:
    """The open orders in which the filter's text stands, in their name, account, symbol, side or status."""
    shown = ("name", "account", "symbol", "side", "status")
    return [order for order in look.orders if view.filter in " ".join(str(order.get(key, "")) for key in shown)]


def chosen_order(look: Look, view: View) -> str:
    """The name of the order that is chosen; "" where none is shown."""
    orders = matching(look, view)
    return str(orders[min(view.chosen, len(orders) - 1)]["name"]) if orders else ""


def pressed(look: Look, view: View, key: str) -> tuple[View, Act | None]:
    """What a key makes of the view, and what it asks for."""
    match view.mode:
        case Mode.FILTER:
            return _typed(view, key), None
        case Mode.KILL:
            back = view._replace(mode=Mode.OVERVIEW)
            return (back, Act.KILL) if key == "y" else (back, None)
        case Mode.STORY:
            return _read(view, key)
    return _chosen(look, view, key)


def _typed(view: View, key: str) -> View:
    if key == ENTER:
        return view._replace(mode=Mode.OVERVIEW)
    if key == ESCAPE:
        return view._replace(mode=Mode.OVERVIEW, filter="")
    text = view.filter[:-1] if key == ERASE else view.filter + (key if len(key) == 1 else "")
    return view._replace(filter=text, chosen=0)


def _read(view: View, key: str) -> tuple[View, Act | None]:
    steps = {UP: -1, DOWN: 1}
    if key in steps:
        last = max(0, len(view.text) - 1)
        return view._replace(scrolled=min(max(0, view.scrolled + steps[key]), last)), None
    back = view._replace(mode=Mode.OVERVIEW, text=(), scrolled=0)
    return (back, Act.QUIT) if key == "q" else (back, None) if key in (ESCAPE, ENTER) else (view, None)


def _chosen(look: Look, view: View, key: str) -> tuple[View, Act | None]:
    last = max(0, len(matching(look, view)) - 1)
    match key:
        case "q":
            return view, Act.QUIT
        case "k":
            return view._replace(mode=Mode.KILL), None
        case "/":
            return view._replace(mode=Mode.FILTER), None
        case "up" | "down":
            return view._replace(chosen=min(max(0, view.chosen + (1 if key == DOWN else -1)), last)), None
        case "enter" if chosen_order(look, view):
            return view._replace(mode=Mode.STORY, text=("reading the journal ...",), scrolled=0), Act.STORY
        case "escape":
            return view._replace(filter="", chosen=0), None
    return view, None


def screen(look: Look, view: View, width: int, height: int, age_s: float) -> list[Line]:
    """At most `height` lines of at most `width` characters; the stack was asked `age_s` ago."""
    if view.mode is Mode.STORY:
        body = [Line(text) for text in view.text[view.scrolled :]]
        lines = [Line("up/down scroll  Escape back  q quit", Style.TITLE), *body]
    else:
        lines = [*_head(look, age_s), *_actors(look), *_sessions(look), *_accounts(look), *_profit(look)]
        lines += _orders(look, view, max(3, height - len(lines) - 3))
        lines = [*lines[: height - 1], _foot(view)]
    return [Line(printable(line.text)[: max(0, width - 1)], line.style) for line in lines[:height]]


def _head(look: Look, age_s: float) -> list[Line]:
    if not look.status:
        return [Line("asking the stack ...", Style.TITLE)]
    status = look.status
    lines = [Line(f"fixring {status['environment']}  {look.time} UTC  {len(look.orders)} open orders", Style.TITLE)]
    lines += [Line(f"STALE: this is of {age_s:.0f} s ago", Style.BAD)] if age_s > OLD_S else []
    lines += [Line(f"RESTRICTED {each['actor']}: {each['text']}", Style.BAD) for each in status["restricted"]]
    lines += [Line(f"does not answer: {', '.join(look.silent)}", Style.BAD)] if look.silent else []
    unknown = status["actors"].get("orders", {}).get("unknown_orders", 0)
    lines += [Line(f"{unknown} orders are UNKNOWN: fixring orders unknown", Style.BAD)] if unknown else []
    return lines


def _actors(look: Look) -> list[Line]:
    actors: Mapping[str, Mapping[str, Any]] = look.status.get("actors", {})
    missing = [Line(f"{name} is {its['state']}", Style.BAD) for name, its in actors.items() if its["state"] in MISSING]
    restarts = {name: its["restarts"] for name, its in actors.items() if its.get("restarts")}
    told = ", ".join(f"{name} {times}" for name, times in restarts.items()) or "none"
    return [Line(f"{len(actors)} processes, {len(missing)} missing; restarts: {told}"), *missing] if actors else []


def _sessions(look: Look) -> list[Line]:
    sessions: Mapping[str, Mapping[str, Any]] = look.status.get("sessions", {})
    if not sessions:
        return []
    title = f"{'session':<26}{'state':<16}{'out':>10}{'in':>10}{'heard s':>10}{'ack p50 ms':>12}{'p99 ms':>10}"
    lines, acknowledged = [Line(title, Style.TITLE)], look.status.get("acknowledged", {})
    for name, its in sessions.items():
        heard_ms = its.get("last_heard_ms")
        heard = "-" if heard_ms is None else f"{heard_ms / 1000:.1f}"
        numbers = f"{its.get('next_outbound', '-'):>10}{its.get('next_inbound', '-'):>10}"
        told = acknowledged.get(name.removeprefix("session@"), {})
        times = f"{told.get('p50_ms', '-'):>12}{told.get('p99_ms', '-'):>10}"
        style = Style.GOOD if its["state"] in SESSION_UP else Style.BAD
        lines.append(Line(f"{name:<26}{its['state']:<16}{numbers}{heard:>10}{times}", style))
    return lines


def _accounts(look: Look) -> list[Line]:
    """The REST sides that have failed since their start, or one line that none has."""
    accounts: Mapping[str, Mapping[str, Any]] = look.status.get("accounts", {})
    if not accounts:
        return []
    asked, failed = (sum(its[key] for its in accounts.values()) for key in ("asked", "failed"))
    lines = [Line(f"REST: {asked} questions, {failed} failed")]
    for name, its in accounts.items():
        if its["failing"]:
            lines.append(Line(f"REST of {name} FAILS: {its['failing']}", Style.BAD))
        elif its["failed"]:
            lines.append(Line(f"REST of {name}: {its['failed']} failed, the last: {its['last_error']}"))
    return lines


def _profit(look: Look) -> list[Line]:
    if not look.profit:
        return []
    titles = ("realised", "unrealised", "fees", "net", "today")
    lines = [Line(f"{'profit in ' + look.currency:<22}" + "".join(f"{title:>14}" for title in titles), Style.TITLE)]
    for name, *cells in look.profit:
        style = Style.BAD if cells[3].startswith("-") else Style.PLAIN
        lines.append(Line(f"{name:<22}" + "".join(f"{cell:>14}" for cell in cells), style))
    return lines


def _orders(look: Look, view: View, room: int) -> list[Line]:
    """The chosen one is always among them."""
    orders = matching(look, view)
    chosen = min(view.chosen, max(0, len(orders) - 1))
    first = max(0, chosen - room + 1)
    title = ORDERS_TITLE + (f"   filter: {view.filter}" if view.filter else "")
    lines = [Line(title, Style.TITLE)]
    for nth, order in enumerate(orders[first : first + room], first):
        text = (
            f"{order['name']:<22}{order['account']:<12}{order['symbol']:<14}{order['side']:<6}"
            f"{order['leaves_qty']:>14}{order['price'] or 'market':>14}  {order['status']}"
        )
        unknown = Style.BAD if order["status"] == "UNKNOWN" else Style.PLAIN
        lines.append(Line(text, Style.CHOSEN if nth == chosen else unknown))
    return lines


def _foot(view: View) -> Line:
    match view.mode:
        case Mode.FILTER:
            return Line(f"filter: {view.filter}_   Enter keeps it, Escape drops it", Style.TITLE)
        case Mode.KILL:
            return Line("KILL: refuse every new order, cancel every open one? y kills, another key does not", Style.BAD)
    return Line(HELP, Style.TITLE)
