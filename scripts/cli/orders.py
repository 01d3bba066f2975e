"""`fixring orders`, `positions`, `accounts`: what the order manager's books say, and orders by hand."""

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import click
import orjson

from common.actor.control import NoAnswer, Refused, ask, is_running, operator
from common.actor.control import NotRunning as ActorNotRunning
from common.config import Config, load
from common.decimals import rounded, short
from common.exit_status import ExitStatus
from common.instant import NS_PER_S
from common.messages import (
    HIGHEST_NUMBER,
    CommandOutcome,
    OrderEvent,
    PositionChanged,
    QueryAnswer,
    Reason,
    Terms,
)
from common.past.words import trigger_text
from common.strategy.bounds import OutOfBounds
from common.strategy.client import (
    CONTINGENCIES,
    PAYS,
    Client,
    NoOutcome,
    NotRunning,
    UnknownName,
    terms_in_words,
)
from common.strategy.entry import Superseded
from scripts.cli.asking import asked
from scripts.cli.errors import CommandError
from scripts.cli.names import known_market, known_name, known_scope
from scripts.cli.tables import table
from scripts.cli.watching import watchable

SIDES = {"1": "buy", "2": "sell"}
CONNECT_S = 5.0
QUERY_S = 3.0
ACCOUNT_S = 5.0
ASKED_AGAIN_S = 0.1
SETTLED_S = 3.0
IMMEDIATE = ("ioc", "fok")
"""TimeInForce(59) of orders that never rest; a market order does not, either."""

ENDS = {"filled": "2", "canceled": "4", "rejected": "8", "expired": "C"}
"""How an order may end, as OrdStatus(39)."""

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
wait_option = click.option(
    "--wait", "wait_s", default=3.0, show_default=True, help="Seconds to wait for the venue's answer."
)


@click.group()
def orders() -> None:
    """Orders: what is open, and new, amended and cancelled ones by hand.

    NAME is an order's name as printed: strategy/number.
    """


# ---- what the books say ----


@orders.command("list")
@click.option("--strategy", default="", help="Only this strategy's.")
@click.option("--venue", default="", help="Only at this venue.")
@click.option("--closed", is_flag=True, help="Those that were closed last, in place of the open ones.")
@click.option("-n", "--lines", default=20, show_default=True, help="So many closed ones.")
@json_option
@watchable
def list_orders(strategy: str, venue: str, closed: bool, lines: int, as_json: bool) -> None:
    """Every open order, and those on our accounts that are somebody else's."""
    config = load()
    with connected(config) as client:
        known_scope(config, client, venue, "", strategy)
        if closed:
            answer = client.query("closed", strategy=strategy, venue=venue, number=lines, timeout_s=QUERY_S)
            _show_closed(config, answer, as_json)
            return
        answer = client.query("orders", strategy=strategy, venue=venue, timeout_s=QUERY_S)
    external = orjson.loads(answer.detail).get("external", [])
    rows = sorted(answer.orders, key=lambda order: (order.venue, order.symbol, order.strategy, order.number))
    gone = _gone(config)
    if as_json:
        document = {"environment": config.environment.value, "lsn": answer.lsn, "external": external, "gone": gone}
        click.echo(orjson.dumps({**document, "orders": [order_document(order) for order in rows]}))
        return
    click.echo(f"{config.environment.value}: {len(rows)} open orders as of LSN {answer.lsn}")
    table(
        ("order", "account", "symbol", "side", "quantity", "price", "filled", "status", "label", "strategy"),
        [
            (f"{o.strategy}/{o.number}", o.account, o.symbol, SIDES[o.side], short(o.order_qty), price_text(o),
             short(o.cum_qty), o.status.value + (f", list {o.list_number}" if o.list_number else ""), o.label,
             _GONE[gone[o.strategy]].format(o.strategy) if o.strategy in gone else "")
            for o in rows
        ],
    )  # fmt: skip
    for order in external:
        side = SIDES.get(order["side"], order["side"])
        click.echo(
            f"not ours: {order['account']} {order['symbol']} {side} {order['order_qty']} at {order['price']}, "
            f"OrderID(37) {order['order_id']}"
        )


_GONE: Final = {"silent": "{} is SILENT", "ended": "{} has ended"}


def _gone(config: Config) -> dict[str, str]:
    """The strategies that have ended or are silent, each with that word; none where nobody tells."""
    with contextlib.suppress(CommandError):
        rows = asked(config.reach, "orders", "status", {})["strategies"]
        return {name: row["sign"] for name, row in rows.items() if row["sign"] in _GONE}
    return {}


def _show_closed(config: Config, answer: QueryAnswer, as_json: bool) -> None:
    """The latest first. What has left the order manager's memory `fixring orders show` finds by its name."""
    if as_json:
        document = {"environment": config.environment.value, "lsn": answer.lsn}
        click.echo(orjson.dumps({**document, "orders": [order_document(order) for order in answer.orders]}))
        return
    click.echo(f"{config.environment.value}: {len(answer.orders)} closed orders as of LSN {answer.lsn}")
    table(
        ("order", "account", "symbol", "side", "quantity", "filled", "average", "status", "why", "label"),
        [
            (f"{o.strategy}/{o.number}", o.account, o.symbol, SIDES[o.side], short(o.order_qty), short(o.cum_qty),
             short(o.avg_px), o.status.value, o.text or ("" if o.reason is Reason.NONE else o.reason.value), o.label)
            for o in answer.orders
        ],
    )  # fmt: skip


@orders.command()
@json_option
@watchable
def unknown(as_json: bool) -> None:
    """The orders of which something is not known: what evidence is missing, what was tried, when it is asked again."""
    config = load()
    rows = asked(config.reach, "orders", "status", {})["in_doubt"]
    if as_json:
        click.echo(orjson.dumps({"environment": config.environment.value, "orders": rows}))
        return
    click.echo(f"{config.environment.value}: {len(rows)} orders are asked about")
    if rows:
        table(
            ("order", "account", "symbol", "status", "asked", "by", "next", "is missing"),
            [
                (row["order"], row["account"], row["symbol"], row["status"], f"{row['asked']} times", row["by"],
                 f"in {row['next_ms'] / 1000:.1f} s", "; ".join(row["lacks"]))
                for row in rows
            ],
        )  # fmt: skip
        click.echo("Where the venue has no evidence: fixring orders settle, or fixring orders fill, by your word")


@orders.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """One order, or what became of the command NAME."""
    strategy, number = order_name(name)
    config = load()
    with connected(config) as client:
        answer = client.query("order", strategy=strategy, number=number, timeout_s=QUERY_S)
    command = orjson.loads(answer.detail).get("command")
    if not answer.orders and command is None:
        raise CommandError(f"{name}: no such order in memory; `fixring journal tail --order {name}` reads the log")
    document: dict[str, Any] = {"environment": config.environment.value, "lsn": answer.lsn, "command": command}
    if answer.orders:
        document["order"] = order_document(answer.orders[0])
    if as_json:
        click.echo(orjson.dumps(document))
        return
    click.echo(f"{'environment':14} {document['environment']}")
    for key, value in document.get("order", {}).items():
        click.echo(f"{key:14} {value}")
    if command is not None:
        said = " ".join(str(command[key]) for key in ("outcome", "reason", "text") if command[key] not in ("", "none"))
        click.echo(f"{'command':14} {said} (LSN {command['lsn']})")


@click.command()
@click.option("--venue", default="", help="Only at this venue.")
@json_option
@watchable
def positions(venue: str, as_json: bool) -> None:
    """What the fills of each venue and symbol add up to, in the venue's unit and in the underlying.

    Fees in the base asset are taken off.
    """
    config = load()
    with connected(config) as client:
        answer = client.query("positions", venue=venue, timeout_s=QUERY_S)
    rows = sorted(answer.positions, key=lambda position: (position.venue, position.account, position.symbol))
    if as_json:
        document = {"environment": config.environment.value, "lsn": answer.lsn}
        click.echo(orjson.dumps({**document, "positions": [position_document(position) for position in rows]}))
        return
    click.echo(f"{config.environment.value}: positions as of LSN {answer.lsn}")
    table(
        ("venue", "account", "symbol", "quantity", "underlying", "average price", "realised profit", "fees"),
        [
            (p.venue, p.account, p.symbol, short(p.quantity), underlying_text(p), average_text(p),
             short(p.realised_profit), ", ".join(f"{short(paid)} {asset}" for asset, paid in sorted(p.fees)))
            for p in rows
        ],
    )  # fmt: skip


@click.command()
@click.option("--venue", default="", help="Only this venue.")
@json_option
def accounts(venue: str, as_json: bool) -> None:
    """Balances as each account's REST side tells them now; an account without one is only named."""
    config = load()
    known_name("venue", venue, config.venues)
    wanted = {name: account for name, account in config.accounts.items() if venue in ("", account.venue.name)}
    names = [name for name, account in wanted.items() if account.venue.rest is not None]
    with connected(config) as client:
        before = client.query("accounts", timeout_s=QUERY_S).lsn
        for name in names:
            _ask(config, "inquire", {"account": name, "what": "balances"})
        told = _fresh_balances(client, names, before)
    if as_json:
        click.echo(orjson.dumps({"environment": config.environment.value, "accounts": told}))
        return
    for name in wanted:
        click.echo(f"{name} ({config.environment.value})")
        if name not in names:
            click.echo("  no REST side is configured")
        for asset, (free, locked) in sorted(told.get(name, {}).get("balances", {}).items()):
            click.echo(f"  {asset:8} free {free:>24}   locked {locked:>24}")


def _fresh_balances(client: Client, names: Sequence[str], after_lsn: int) -> dict[str, Any]:
    """The accounts' balances once each was told after `after_lsn`."""
    deadline = time.monotonic() + ACCOUNT_S
    while True:
        accounts: dict[str, Any] = orjson.loads(client.query("accounts", timeout_s=QUERY_S).detail)["accounts"]
        missing = [name for name in names if accounts.get(name, {}).get("balances_lsn", 0) <= after_lsn]
        if not missing:
            return accounts
        if time.monotonic() > deadline:
            raise CommandError(
                f"account@{missing[0]} did not answer within {ACCOUNT_S:g} s; see `fixring status`", ExitStatus.TIMEOUT
            )
        time.sleep(ASKED_AGAIN_S)


# ---- orders by hand ----


@orders.command()
@click.argument("venue")
@click.argument("symbol")
@click.argument("side", type=click.Choice(["buy", "sell"]))
@click.argument("quantity")
@click.option("--price", help="The limit; a market order without.")
@click.option("--cash", is_flag=True, help="QUANTITY is an amount of the quote asset, of a market order.")
@click.option("--post-only", is_flag=True, help="Only as a maker.")
@click.option("--reduce-only", is_flag=True, help="Only what makes the position in contracts smaller.")
@click.option("--display", "display_qty", help="An iceberg: no more of it is seen in the book at once.")
@click.option("--stop", "stop_px", help="Sleep until a trade is there: a stop, with --price a stop-limit.")
@click.option("--take-profit", is_flag=True, help="With --stop: sleep until the price is there or better.")
@click.option("--trailing", help="A stop that follows the price: 100bips, or a distance in the quote asset.")
@click.option("--peg", type=click.Choice(["primary", "market"]), help="The best price of its own side, or the other.")
@click.option("--peg-levels", type=click.IntRange(0), default=0, help="So many prices deeper than the best one.")
@click.option("--expire", help="Good till then, in UTC: 2026-12-24T18:00.")
@click.option("--tif", type=click.Choice(["gtc", "ioc", "fok"]), default="gtc", show_default=True)
@click.option("--name", "name", default="", help="STRATEGY or STRATEGY/NUMBER; a fresh strategy name without.")
@click.option("--take-over", is_flag=True, help="The name is a configured strategy's: silence the one that runs.")
@click.option("--label", default="", help="A free word that stays with the order.")
@click.option("--account", default="", help="Whose order it is to be; the venue's only account without.")
@click.option("--ttl", "ttl_ms", type=click.IntRange(1, 1000), default=1000, show_default=True, help="Milliseconds.")
@wait_option
@json_option
def new(
    venue: str, symbol: str, side: str, quantity: str, price: str | None, cash: bool, post_only: bool,
    reduce_only: bool, display_qty: str | None, stop_px: str | None, take_profit: bool, trailing: str | None,
    peg: str | None, peg_levels: int, expire: str | None, tif: str, name: str, take_over: bool, label: str,
    account: str, ttl_ms: int, wait_s: float, as_json: bool,
) -> None:  # fmt: skip
    """Send one order and wait until the venue has answered, and for the end of one that does not rest.

    Exit status 6 when it is refused, 5 without an answer in time, 1 when it ended with nothing filled.
    """
    config = load()
    known_market(config, venue, symbol)
    strategy, wanted = _wanted_name(name)
    if strategy in config.strategies and not take_over:
        raise CommandError(
            f"{strategy} is a configured strategy: an order under its name takes the name, and the process that has it"
            " is silent until it is started anew. Leave --name out, or give --take-over if that is what you want",
            ExitStatus.USAGE,
        )
    with connected(config, strategy) as client:
        if wanted:
            client.number_from(wanted)
        with _usage():
            number = client.new(
                venue, symbol, side, None if cash else quantity, price, time_in_force=tif, post_only=post_only,
                cash_order_qty=quantity if cash else None, stop_px=stop_px,
                expire_ns=_expire_ns(expire), reduce_only=reduce_only, display_qty=display_qty, label=label,
                time_to_live_ms=ttl_ms, account=account, take_profit=take_profit, peg=peg or "",
                peg_levels=peg_levels, **_trailing(trailing),
            )  # fmt: skip
        deadline = time.monotonic() + wait_s
        outcome = outcome_of(client, number, wait_s)
        is_immediate = tif in IMMEDIATE or (price is stop_px is trailing is peg is None)
        event = None
        if outcome.outcome == "sent" and is_immediate:
            event = _ended(client, number, deadline)
        elif outcome.outcome == "sent":
            event = _acknowledged(client, (number,), deadline).get(number)
    _report(outcome, event, as_json)
    if is_immediate and event is not None:
        _need_filled(event, wait_s)


ALL: Final = "all"
"""For the quantity of an order that another one pays."""


@orders.command("new-list")
@click.argument("venue")
@click.argument("symbol")
@click.argument("kind", type=click.Choice(list(CONTINGENCIES)))
@click.argument("order", nargs=-1, required=True)
@click.option("--name", "name", default="", help="STRATEGY or STRATEGY/NUMBER; a fresh strategy name without.")
@click.option("--label", default="", help="A free word that stays with the orders.")
@click.option("--account", default="", help="Whose orders they are to be; the venue's only account without.")
@wait_option
@json_option
def new_list(
    venue: str, symbol: str, kind: str, order: tuple[str, ...], name: str, label: str, account: str, wait_s: float,
    as_json: bool,
) -> None:  # fmt: skip
    """Send two or three orders as a list: of two, one cancels the other (oco), or the first one places the others once
    it is filled (oto), or they sell what it has bought (opo).

    Each ORDER is one text, such as "sell 0.01 price=70000 post-only" or "sell 0.01 stop=60000 take-profit"; with opo
    the others say "all" for their quantity, as in "sell all price=70000". Exit status 6 when the list is refused, 5
    without an answer in time.
    """
    config = load()
    known_market(config, venue, symbol)
    strategy, wanted = _wanted_name(name)
    if strategy in config.strategies:
        raise CommandError(
            f"{strategy} is a configured strategy, whose process would be silenced: leave --name out", ExitStatus.USAGE
        )
    with _usage():
        terms = _list_terms(kind, order)
    with connected(config, strategy) as client:
        if wanted:
            client.number_from(wanted)
        with _usage():
            number = client.new_list(venue, symbol, kind, terms, label=label, account=account)
        deadline = time.monotonic() + wait_s
        outcome = outcome_of(client, number, wait_s)
        is_sent = outcome.outcome == "sent"
        numbers = range(number, number + len(order)) if is_sent else (number,)
        told = _acknowledged(client, numbers, deadline) if is_sent else {}
    _report_all(outcome, {each: told.get(each) for each in numbers}, as_json)


def _list_terms(kind: str, orders: Sequence[str]) -> list[Terms]:
    """The orders of a list as they are typed; with opo those behind the first one sell all that it buys. Raises
    ValueError, TypeError."""
    first, *others = orders
    listed = [_listed_terms(first)]
    for text in others:
        side, quantity, *words = text.split() if len(text.split()) > 1 else ("", "")
        if (quantity == ALL) is not (kind == PAYS):
            raise ValueError(f"{text!r}: the quantity is {ALL!r} with {PAYS}, and a number else")
        said = " ".join((side, f"{listed[0].order_qty:f}", *words)) if kind == PAYS else text
        listed.append(_listed_terms(said))
    return listed


def _listed_terms(text: str) -> Terms:
    """An order of a list as it is typed. Raises ValueError, TypeError."""
    side, quantity, *words = text.split() if len(text.split()) > 1 else ("", "")
    flags = {"post-only": "post_only", "take-profit": "take_profit"}
    numbers = {"price": "price", "stop": "stop_px"}
    said: dict[str, Any] = {}
    for word in words:
        key, _, value = word.partition("=")
        if word in flags:
            said[flags[word]] = True
        elif key in numbers and value:
            said[numbers[key]] = value
        else:
            raise ValueError(f"{word!r} in {text!r}: say price=, stop=, post-only or take-profit")
    return terms_in_words(side, quantity or None, **said)


def _trailing(text: str | None) -> dict[str, Any]:
    """How far a stop price follows, as it is typed. Raises ValueError."""
    if text is None:
        return {}
    number, is_bips = text.removesuffix("bips"), text.endswith("bips")
    if not is_bips:
        return {"trailing_offset": text}
    if not number.isdecimal() or not int(number):
        raise ValueError(f"--trailing {text} is no distance such as 100bips or 25.5")
    return {"trailing_bips": int(number)}


def _expire_ns(text: str | None) -> int:
    """A time as it is typed, Unix nanoseconds; 0 for none. Raises ValueError."""
    if text is None:
        return 0
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"--expire {text} is no time such as 2026-12-24T18:00") from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()) * NS_PER_S


@orders.command()
@click.argument("name")
@click.option("--qty", "quantity", help="The new total quantity, what is filled included.")
@click.option("--price", help="The new limit.")
@wait_option
@json_option
def amend(name: str, quantity: str | None, price: str | None, wait_s: float, as_json: bool) -> None:
    """Change quantity or price of order NAME."""
    if quantity is None and price is None:
        raise click.UsageError("give --qty, --price or both")
    target, number = order_name(name)
    with connected(load()) as client:
        with _usage():
            command = client.amend(number, quantity, price, target_strategy=target)
        deadline = time.monotonic() + wait_s
        outcome = outcome_of(client, command, wait_s)
        event = _settled(client, target, number, deadline) if outcome.outcome == "sent" else None
    _report(outcome, event, as_json)


@orders.command()
@click.argument("name")
@wait_option
@json_option
def cancel(name: str, wait_s: float, as_json: bool) -> None:
    """Cancel order NAME, whatever it takes. With an order of a list the venue cancels the whole list."""
    target, number = order_name(name)
    with connected(load()) as client:
        command = client.cancel(number, target)
        deadline = time.monotonic() + wait_s
        outcome = outcome_of(client, command, wait_s)
        if outcome.outcome == "refused":
            _report(outcome, None, as_json)
            return
        event = _until(client, target, number, deadline, lambda order: not order.open)
    _report(outcome, event, as_json)
    if event is None or event.open:
        raise CommandError(f"{name} is not closed after {wait_s:g} s; the wish stays", ExitStatus.TIMEOUT)


@orders.command("cancel-all")
@click.option("--venue", default="", help="Only at this venue.")
@click.option("--account", default="", help="Only of this account.")
@click.option("--symbol", default="", help="Only in this symbol.")
@click.option("--strategy", default="*", show_default=True, help="Only this strategy's; * is everybody's.")
@click.option("--yes", is_flag=True, help="Do not ask; this is the confirmation.")
@wait_option
@json_option
def cancel_all(
    venue: str, account: str, symbol: str, strategy: str, yes: bool, wait_s: float, as_json: bool
) -> None:
    """Cancel every open order there is, or those that the options say. Strategies go on quoting: see `fixring kill`."""
    config = load()
    wanted = "" if strategy == "*" else strategy
    with connected(config) as client:
        known_scope(config, client, venue, symbol, wanted)
        known_name("account", account, config.accounts)
        if not yes:
            click.confirm("Cancel every order that matches?", abort=True, err=True)
        outcome, cancelled, left = cancel_matching(client, strategy, venue, account, symbol, wait_s)
    names = sorted(f"{strategy_name}/{number}" for strategy_name, number in left)
    if as_json:
        document = {"outcome": outcome.outcome, "cancelled": cancelled, "left": names}
        click.echo(orjson.dumps(document))
    else:
        click.echo(f"{cancelled} orders cancelled")
    if names:
        raise CommandError(f"not closed after {wait_s:g} s: {', '.join(names)}", ExitStatus.TIMEOUT)


# ---- waiting ----


def cancel_matching(
    client: Client, strategy: str, venue: str, account: str, symbol: str, wait_s: float
) -> tuple[CommandOutcome, int, set[tuple[str, int]]]:
    """Cancel what is open there, of everybody with "*": the outcome, how many are closed, and which are not in time.

    Raises CommandError.
    """
    whose = "" if strategy == "*" else strategy
    before = left = _open(client, whose, venue, account, symbol)
    outcome = outcome_of(client, client.cancel_all(venue, symbol, strategy, account=account), wait_s)
    deadline = time.monotonic() + wait_s
    while left and time.monotonic() < deadline:
        left = left & _open(client, whose, venue, account, symbol)
        if left:
            time.sleep(ASKED_AGAIN_S)
    return outcome, len(before) - len(left), left


def _open(client: Client, strategy: str, venue: str, account: str, symbol: str) -> set[tuple[str, int]]:
    answer = client.query("orders", strategy=strategy, venue=venue, account=account, timeout_s=QUERY_S)
    return {(order.strategy, order.number) for order in answer.orders if symbol in ("", order.symbol)}


def outcome_of(client: Client, number: int, wait_s: float) -> CommandOutcome:
    """The command's outcome. Raises CommandError where there is none in time."""
    try:
        return client.wait(number, wait_s)
    except NoOutcome as error:
        raise CommandError(str(error), ExitStatus.TIMEOUT) from None


def _acknowledged(client: Client, numbers: Sequence[int], deadline: float) -> dict[int, OrderEvent]:
    """The first event of each of these orders with the venue's word in it, whichever it tells of first; without those
    that had none in time."""
    told: dict[int, OrderEvent] = {}
    while len(told) < len(numbers) and (left := deadline - time.monotonic()) > 0:
        event = client.poll(left)
        if isinstance(event, OrderEvent) and event.number in numbers and event.event not in ("pending_new", "unknown"):
            told.setdefault(event.number, event)
    return told


def _ended(client: Client, number: int, deadline: float) -> OrderEvent | None:
    """The order once it is closed, or with the venue's last word when the time is over; None when there was none."""
    event = None
    while event is None or event.open:
        latest = _acknowledged(client, (number,), deadline).get(number)
        if latest is None:
            break
        event = latest
    return event


def _need_filled(order: OrderEvent, wait_s: float) -> None:
    name = f"{order.strategy}/{order.number}"
    if order.open:
        raise CommandError(f"{name} has not ended after {wait_s:g} s; see fixring orders show", ExitStatus.TIMEOUT)
    if not order.cum_qty:
        raise CommandError(f"{name} is {order.status.value}: nothing was filled")


def _settled(client: Client, strategy: str, number: int, deadline: float) -> OrderEvent | None:
    """The order once nothing about it is under way."""
    pending = ("PENDING_REPLACE", "PENDING_CANCEL", "UNKNOWN")
    return _until(client, strategy, number, deadline, lambda order: order.status.value not in pending)


def _until(client: Client, strategy: str, number: int, deadline: float, done: Any) -> OrderEvent | None:
    """The order as soon as `done` says so, else as it is when the time is over."""
    order = None
    while True:
        answer = client.query("order", strategy=strategy, number=number, timeout_s=QUERY_S)
        order = answer.orders[0] if answer.orders else order
        if order is not None and done(order):
            return order
        if time.monotonic() > deadline:
            return order
        time.sleep(ASKED_AGAIN_S)


def _report(outcome: CommandOutcome, event: OrderEvent | None, as_json: bool) -> None:
    """Print what came of a command; a refusal, an expiry and a venue's rejection leave with a status of their own."""
    _report_all(outcome, {outcome.number: event}, as_json)


def _report_all(outcome: CommandOutcome, told: Mapping[int, OrderEvent | None], as_json: bool) -> None:
    """The same of a command that is of several orders, by their numbers: what is wrong with any of them comes last."""
    name, refused = f"{outcome.strategy}/{outcome.number}", outcome.outcome in ("refused", "expired", "withdrawn")
    if as_json:
        for event in told.values():
            document: dict[str, Any] = {
                "name": name, "outcome": outcome.outcome, "reason": outcome.reason.value, "text": outcome.text,
                "lsn": outcome.lsn,
            }  # fmt: skip
            click.echo(orjson.dumps(document if event is None else {**document, "order": order_document(event)}))
    elif not refused:
        click.echo(f"{name} {outcome.outcome} (LSN {outcome.lsn})")
        for event in filter(None, told.values()):
            click.echo(
                f"{event.strategy}/{event.number} {event.status.value}: {SIDES[event.side]} {short(event.cum_qty)} of "
                f"{short(event.order_qty)} {event.symbol} at {price_text(event)} on {event.venue}, "
                f"ClOrdID(11) {event.cl_ord_id}, OrderID(37) {event.order_id or '-'}"
            )
    if refused:
        status = ExitStatus.TIMEOUT if outcome.outcome == "expired" else ExitStatus.REFUSED
        why = outcome.text or outcome.reason.sentence
        raise CommandError(f"{name} {outcome.outcome}, {outcome.reason.value}: {why}", status)
    names = {number: f"{outcome.strategy}/{number}" for number in told}
    rejected = [
        f"{names[number]} rejected by {event.venue}: {event.text}"
        for number, event in told.items() if event is not None and event.status.value == "REJECTED"
    ]  # fmt: skip
    if rejected:
        raise CommandError("; ".join(rejected), ExitStatus.REFUSED)
    silent = [names[number] for number, event in told.items() if event is None]
    if outcome.outcome == "sent" and silent:
        was = "was" if len(silent) == 1 else "were"
        raise CommandError(f"{', '.join(silent)} {was} sent; the venue has not answered yet", ExitStatus.TIMEOUT)


# ---- when nothing else settles it ----


@orders.command()
@click.argument("name")
@click.option("--status", "ended", type=click.Choice(list(ENDS)), required=True, help="How it ended at the venue.")
@click.option("--text", required=True, help="Where you saw that; it goes into the journal with your name.")
@click.option("--filled", help="CumQty(14) at the venue, where it is above what is known.")
@click.option("--known", is_flag=True, help="Although the order is not UNKNOWN: the venue has lost what it told of it.")
@click.option("--yes", is_flag=True, help="Do not ask; this is the confirmation.")
@json_option
def settle(name: str, ended: str, text: str, filled: str | None, known: bool, yes: bool, as_json: bool) -> None:
    """Close an UNKNOWN order NAME by your word: what you saw at the venue, where the stack finds no evidence by itself.

    Look there first. Positions do not move by this: fills are counted when the venue tells them. Should the venue
    ever tell of the order again, its word is the stronger one.
    """
    strategy, number = order_name(name)
    arguments: dict[str, object] = {
        "strategy": strategy, "number": number, "ord_status": ENDS[ended], "text": text, "known": known,
    }  # fmt: skip
    if filled is not None:
        arguments["cum_qty"] = filled
    config = load()
    with connected(config) as client:
        found = client.query("order", strategy=strategy, number=number, timeout_s=QUERY_S).orders
        if not found:
            raise CommandError(f"{name}: no open order has that name", ExitStatus.REFUSED)
        order = found[0]
        if not yes:
            shown = f"{name} is {order.status.value}, {short(order.leaves_qty)} {order.symbol} open on {order.venue}"
            click.confirm(f"{shown}. Close it as {ended} in every book?", abort=True, err=True)
        _ask(config, "verdict", arguments)
        after = _until(client, strategy, number, time.monotonic() + SETTLED_S, lambda o: not o.open)
    if after is None or after.open:
        raise CommandError(f"{name}: the journal has not told of the verdict yet", ExitStatus.TIMEOUT)
    click.echo(orjson.dumps(order_document(after)) if as_json else f"{name} is {after.status.value} by your word")


@orders.command("fill")
@click.argument("name")
@click.argument("qty")
@click.argument("price")
@click.option("--note", required=True, help="Where you saw that; it goes into the journal with your name.")
@click.option("--yes", is_flag=True, help="Do not ask; this is the confirmation.")
@json_option
def fill(name: str, qty: str, price: str, note: str, yes: bool, as_json: bool) -> None:
    """Book QTY of order NAME as filled at PRICE, where the venue told CumQty(14) and never the trades.

    Look them up at the venue first. Positions move by this. Should the venue tell the trades after all, they take the
    place of as much.
    """
    strategy, number = order_name(name)
    arguments: dict[str, object] = {"strategy": strategy, "number": number, "qty": qty, "px": price, "text": note}
    config = load()
    with connected(config) as client:
        found = client.query("order", strategy=strategy, number=number, timeout_s=QUERY_S).orders
        if not found:
            raise CommandError(f"{name}: no order has that name", ExitStatus.REFUSED)
        before = found[0]
        if not yes:
            deal = f"{qty} {before.symbol} of {name}, a {SIDES[before.side]}"
            click.confirm(f"Book {deal}, as filled at {price}?", abort=True, err=True)
        _ask(config, "fill", arguments)
        deadline = time.monotonic() + SETTLED_S
        after = _until(client, strategy, number, deadline, lambda order: order.cum_qty > before.cum_qty)
    if after is None or after.cum_qty <= before.cum_qty:
        raise CommandError(f"{name}: the journal has not told of the fill yet", ExitStatus.TIMEOUT)
    filled = f"{name} has {short(after.cum_qty)} of {short(after.order_qty)} filled"
    click.echo(orjson.dumps(order_document(after)) if as_json else filled)


@orders.command()
@click.argument("account")
@click.option("--text", required=True, help="Why, such as a deposit; it goes into the journal with your name.")
@click.option("--yes", is_flag=True, help="Do not ask; this is the confirmation.")
def baseline(account: str, text: str, yes: bool) -> None:
    """Count the balances of ACCOUNT from what its venue tells now on, after a deposit, a withdrawal or trades of
    somebody else.

    No order of ours may be open there. `fixring reconcile` compares from here on, and states it.
    """
    config = load()
    known_name("account", account, config.accounts)
    if not yes:
        click.confirm(f"Take the balances of {account} as they are for right?", abort=True, err=True)
    with connected(config) as client:
        before = client.query("accounts", timeout_s=QUERY_S).lsn
        said = _ask(config, "baseline", {"account": account, "text": text})
        deadline = time.monotonic() + ACCOUNT_S
        while (since := _baseline_lsn(client, account)) <= before:
            if time.monotonic() > deadline:
                raise CommandError(f"{account} has no baseline yet: {said['text']}", ExitStatus.TIMEOUT)
            _ask(config, "inquire", {"account": account, "what": "balances"})
            time.sleep(ASKED_AGAIN_S)
    click.echo(f"the baseline of {account} stands at LSN {since}")


def _baseline_lsn(client: Client, account: str) -> int:
    accounts = orjson.loads(client.query("accounts", timeout_s=QUERY_S).detail)["accounts"]
    return int(accounts.get(account, {}).get("baseline_lsn", 0))


@orders.command()
def audit() -> None:
    """Ask every venue about every open order now, as after a new connection."""
    click.echo(_ask(load(), "audit", {}).get("text", "asked"))


# ---- names, links, text ----


def own_name() -> str:
    """A strategy's name that nobody else has: the command line's orders are one strategy each."""
    return f"cli-{time.time_ns() // 1_000_000:x}{os.getpid() & 0xFFFFF:05x}"


def log_knows_strategy(config: Config, strategy: str) -> bool:
    """Whether the order manager has ever heard of it; False, too, where nobody answers."""
    if not is_running(config.reach, "orders"):
        return False
    try:
        with Client(own_name(), config=config, connect_timeout_s=QUERY_S) as client:
            return bool(orjson.loads(client.query("names", strategy=strategy).detail)["strategy_known"])
    except NotRunning:
        return False


def order_name(text: str) -> tuple[str, int]:
    """ "strategy/number" as its two parts. Raises a usage error."""
    strategy, _, number = text.rpartition("/")
    if not strategy or not number.isascii() or not number.isdigit() or len(number) > len(str(HIGHEST_NUMBER)):
        raise click.UsageError(f"{text}: an order's name is STRATEGY/NUMBER, as `fixring orders list` prints it")
    return strategy, int(number)


def _wanted_name(text: str) -> tuple[str, int]:
    if not text:
        return own_name(), 0
    return order_name(text) if "/" in text else (text, 0)


@contextmanager
def connected(config: Config, strategy: str = "") -> Iterator[Client]:
    """A connected client; what it raises becomes an exit status."""
    try:
        with Client(strategy or own_name(), config=config, connect_timeout_s=CONNECT_S, by=operator()) as client:
            yield client
    except NotRunning as error:
        raise CommandError(str(error), ExitStatus.NOT_RUNNING) from None
    except Superseded as error:
        raise CommandError(str(error), ExitStatus.REFUSED) from None
    except (UnknownName, OutOfBounds) as error:
        raise CommandError(str(error), ExitStatus.USAGE) from None


@contextmanager
def _usage() -> Iterator[None]:
    """A word or number that is none, and terms that do not go together, are wrong usage."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from None


def _ask(config: Config, act: str, arguments: dict[str, object]) -> dict[str, object]:
    try:
        return ask(config.reach, "orders", act, arguments)
    except ActorNotRunning as error:
        raise CommandError(str(error), ExitStatus.NOT_RUNNING) from None
    except NoAnswer as error:
        raise CommandError(str(error), ExitStatus.TIMEOUT) from None
    except Refused as error:
        raise CommandError(str(error), ExitStatus.REFUSED) from None


def order_document(order: OrderEvent) -> dict[str, Any]:
    """An order as JSON shows it; quantities and prices as text, never as floats."""
    return {
        "name": f"{order.strategy}/{order.number}", "status": order.status.value, "venue": order.venue,
        "account": order.account,
        "symbol": order.symbol, "side": SIDES[order.side], "order_qty": str(order.order_qty),
        "price": None if order.price is None else str(order.price), "cum_qty": str(order.cum_qty),
        "leaves_qty": str(order.leaves_qty), "avg_px": rounded(order.avg_px), "cl_ord_id": order.cl_ord_id,
        "order_id": order.order_id, "label": order.label, "reason": order.reason.value, "text": order.text,
        "unpriced_qty": str(order.unpriced_qty),
        "stop_px": None if order.terms.stop_px is None else str(order.terms.stop_px), "triggered": order.triggered,
        "take_profit": order.terms.take_profit, "peg_price_type": order.terms.peg_price_type,
        "peg_offset": None if order.terms.peg_offset is None else str(order.terms.peg_offset),
        "peg_offset_type": order.terms.peg_offset_type, "list_number": order.list_number,
    }  # fmt: skip


def position_document(position: PositionChanged) -> dict[str, Any]:
    """A position as JSON shows it."""
    return {
        "venue": position.venue, "account": position.account, "symbol": position.symbol,
        "quantity": str(position.quantity), "underlying_qty": rounded(position.underlying_qty), "base": position.base,
        "average_price": rounded(position.average_price), "realised_profit": rounded(position.realised_profit),
        "fees": {asset: str(paid) for asset, paid in position.fees}, "unpriced_qty": str(position.unpriced_qty),
    }  # fmt: skip


def underlying_text(position: PositionChanged) -> str:
    """What the position comes to of the underlying, with its unit: contracts say little of their size."""
    return f"{short(position.underlying_qty)} {position.base}".rstrip()


def average_text(position: PositionChanged) -> str:
    """What the position cost; fills whose price the venue has not told are in it for nothing, and it says so."""
    unknown = f" (price of {short(position.unpriced_qty)} unknown)" if position.unpriced_qty else ""
    return f"{short(position.average_price)}{unknown}"


def price_text(order: OrderEvent) -> str:
    """The limit, or that there is none; and what wakes one that sleeps."""
    terms = order.terms
    price = ("pegged" if terms.is_pegged else "market") if order.price is None else short(order.price)
    return price if order.triggered else f"{price} {trigger_text(terms)}".rstrip()
