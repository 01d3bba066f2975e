"""`fixring pnl` and `fixring book`: what each strategy has brought, and what came to one without a fill."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import click
import msgspec
import orjson

from common.config import Config, load
from common.decimals import rounded, short
from common.exit_status import ExitStatus
from common.orders.facts import facts_of
from common.orders.money import Held, Line, Price, Profit, Sums, prices_told, rates_in, summed, told_lines
from scripts.cli.asking import asked
from scripts.cli.errors import CommandError
from scripts.cli.names import known_name, known_scope
from scripts.cli.orders import QUERY_S, connected, json_option
from scripts.cli.tables import table
from scripts.cli.watching import watchable

GROUPS = ("strategy", "venue", "account", "symbol")
NOBODY = "(nobody)"
_WHAT = ("realised", "unrealised", "fees", "net")


@click.command()
@click.option("--by", type=click.Choice(GROUPS), help="Add up by this; without it each position is a row.")
@click.option("--strategy", default="", help="Only this strategy's.")
@click.option("--venue", default="", help="Only at this venue.")
@click.option("--symbol", default="", help="Only in this symbol.")
@json_option
@watchable
def pnl(by: str | None, strategy: str, venue: str, symbol: str, as_json: bool) -> None:
    """Profit of each strategy, in all and of the day, in the currency of `[money]`.

    By the average cost method, at the prices and rates of now. What has no price or no rate is left out, and named.
    """
    config = load()
    with connected(config) as client:
        known_scope(config, client, venue, symbol, strategy)
        held = msgspec.json.decode(client.query("money", timeout_s=QUERY_S).detail, type=Held)
    prices = prices_told(asked(config.reach, "risk", "status", {})["exposures"])
    found = _lines(config, held, prices)
    wanted = [line for line in found if _is_asked(line, strategy, venue, symbol)]
    groups = {} if by is None else _grouped(wanted, by)
    if as_json:
        click.echo(orjson.dumps(_document(config, held, wanted, groups)))
        return
    day, total = held.day, summed(wanted)
    since = f"the day is {day.day} {day.zone}" if day.began_ns else "no day has begun: see day_begins in [money]"
    click.echo(f"{config.environment.value}: profit in {config.stack.money.currency} as of LSN {held.lsn}; {since}")
    if by is None:
        _print_lines(wanted, total)
    else:
        table((by, *_WHAT, "today"), _group_rows(groups, total))
    for text in total.lacks:
        click.echo(f"not in it: {text}")
    for text in total.stale:
        click.echo(f"stale: {text}")
    if total.undated:
        names = ", ".join(total.undated)
        click.echo(f"fees paid in {names} are in part at the rate of now: the journal has none of the fills' time")


def _is_asked(line: Line, strategy: str, venue: str, symbol: str) -> bool:
    asked_for = ((strategy, line.strategy), (venue, line.position.venue), (symbol, line.position.symbol))
    return all(wanted in ("", its) for wanted, its in asked_for)


def _document(config: Config, held: Held, wanted: Sequence[Line], groups: dict[str, list[Line]]) -> dict[str, Any]:
    day = held.day
    return {
        "environment": config.environment.value, "lsn": held.lsn, "currency": config.stack.money.currency,
        "day": day.day, "day_began_ns": day.began_ns, "zone": day.zone, "total": _sums_document(summed(wanted)),
        "groups": {name: _sums_document(summed(its)) for name, its in groups.items()},
        "parts": [_line_document(line) for line in wanted],
    }  # fmt: skip


def _lines(config: Config, held: Held, prices: dict[tuple[str, str], Price]) -> list[Line]:
    money = config.stack.money
    accounts = {name: facts_of(account.venue, 0) for name, account in config.accounts.items()}
    return told_lines(held, prices, rates_in(money.currency, money.fixed_rates, accounts, prices))


def profit_rows(config: Config, held: Held, prices: dict[tuple[str, str], Price]) -> list[tuple[str, ...]]:
    """Profit by strategy and in all, as cells: realised, unrealised, fees, net and the day's net."""
    found = _lines(config, held, prices)
    return _group_rows(_grouped(found, "strategy"), summed(found)) if found else []


def _group_rows(groups: dict[str, list[Line]], total: Sums) -> list[tuple[str, ...]]:
    return [*((name, *_profit_cells(summed(its))) for name, its in groups.items()), ("total", *_profit_cells(total))]


def _grouped(wanted: Sequence[Line], by: str) -> dict[str, list[Line]]:
    groups: dict[str, list[Line]] = {}
    for line in wanted:
        name = (line.strategy or NOBODY) if by == "strategy" else getattr(line.position, by)
        groups.setdefault(name, []).append(line)
    return dict(sorted(groups.items()))


def _print_lines(wanted: Sequence[Line], total: Sums) -> None:
    table(
        ("strategy", "account", "symbol", "position", "average", "price", *_WHAT, "today"),
        [
            *(
                (line.strategy or NOBODY, line.position.account, line.position.symbol, short(line.position.quantity),
                 short(line.position.average_price), "-" if line.price is None else short(line.price.px),
                 *_profit_cells(summed([line])))
                for line in wanted
            ),
            ("total", "", "", "", "", "", *_profit_cells(total)),
        ],
    )  # fmt: skip


def _profit_cells(sums: Sums) -> tuple[str, ...]:
    profit, today = sums.profit, sums.today
    figures = (profit.realised, profit.unrealised, profit.fees, profit.net)
    return *(f"{figure:.2f}" for figure in figures), "-" if today is None else f"{today.net:.2f}"


def _profit_document(profit: Profit | None) -> dict[str, str] | None:
    return None if profit is None else {what: rounded(getattr(profit, what)) for what in _WHAT}


def _sums_document(sums: Sums) -> dict[str, Any]:
    return {
        "profit": _profit_document(sums.profit), "today": _profit_document(sums.today),
        "lacks": sums.lacks, "stale": sums.stale, "fees_at_rate_of_now": sums.undated,
    }  # fmt: skip


def _line_document(line: Line) -> dict[str, Any]:
    position = line.position
    return {
        "strategy": line.strategy, "venue": position.venue, "account": position.account, "symbol": position.symbol,
        "quantity": str(position.quantity), "average_price": rounded(position.average_price),
        "unpriced_qty": str(position.unpriced_qty), "price": None if line.price is None else str(line.price.px),
        "price_age_ms": None if line.price is None else line.price.age_ms, "currency": line.currency,
        "realised": rounded(line.realised), "unrealised": None if line.unrealised is None else rounded(line.unrealised),
        "fees": {asset: rounded(paid) for asset, paid in line.fees.items()},
        **_sums_document(summed([line])),
    }  # fmt: skip


@click.command()
@click.argument("account")
@click.argument("symbol")
@click.argument("qty")
@click.argument("price")
@click.option("--strategy", default="", help="To this strategy; without it to nobody's part.")
@click.option("--from", "source", help="From this strategy of the same account, or from 'nobody'; else from outside.")
@click.option("--text", required=True, help="Why, such as a deposit; it goes into the journal with your name.")
@click.option("--yes", is_flag=True, help="Do not ask; this is the confirmation.")
def book(
    account: str, symbol: str, qty: str, price: str, strategy: str, source: str | None, text: str, yes: bool
) -> None:
    """Book QTY of SYMBOL in ACCOUNT, at PRICE each, that came without a fill; below zero (after --) it went.

    From outside: a deposit, or what was held before the journal began. The account's baseline begins anew then: take it
    with `fixring orders baseline`. With --from it goes over from one strategy to another.
    """
    config = load()
    known_name("account", account, config.accounts)
    known_name("symbol", symbol, config.accounts[account].venue.instruments)
    came = "" if source is None else f" from {source}"
    if not yes:
        deal = f"{_number(qty)} {symbol} of {account} at {_number(price)}{came}"
        click.confirm(f"Book {deal} to {strategy or 'nobody'}?", abort=True, err=True)
    arguments: dict[str, object] = {
        "account": account, "symbol": symbol, "qty": str(_number(qty)), "px": str(_number(price)), "text": text,
        "strategy": strategy, "is_transfer": source is not None,
        "from_strategy": "" if source in (None, "nobody") else source,
    }  # fmt: skip
    click.echo(asked(config.reach, "orders", "book", arguments)["text"])


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise CommandError(f"{text}: not a number", ExitStatus.USAGE) from None
