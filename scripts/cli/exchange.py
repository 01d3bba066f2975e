"""`fixring exchange`: a simulated exchange's own truth, and its faults. For venues with environment = "simulated"."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import click
import orjson

from common.actor.control import NoAnswer, NotRunning, Refused, ask
from common.config import Environment, load
from common.exchange.faults import FAULT_SENTENCES, SCOPES
from common.exit_status import ExitStatus
from scripts.cli.errors import CommandError
from scripts.cli.names import known_name

SIDES = {"1": "buy", "2": "sell"}
STATUS = {"0": "new", "1": "partially filled", "2": "filled", "4": "canceled", "8": "rejected", "C": "expired"}
ASK_S = 3.0

Detail = dict[str, Any]
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
symbol_option = click.option("--symbol", default="", help="Only this symbol.")


@click.group()
def exchange() -> None:
    """The simulated exchanges themselves: books, our orders and trades there, and faults."""


def _ask(venue: str, act: str, **arguments: object) -> Detail:
    """One answer of the exchange. Raises CommandError."""
    config = load()
    found = config.venues.get(venue)
    if found is None or found.environment is not Environment.SIMULATED:
        there = ", ".join(n for n, v in config.venues.items() if v.environment is Environment.SIMULATED) or "none"
        raise CommandError(f"no simulated venue is called {venue!r}; there is {there}", ExitStatus.USAGE)
    known_name("symbol", str(arguments.get("symbol", "")), found.instruments)
    try:
        return ask(config.reach, f"exchange@{venue}", act, arguments, ASK_S)
    except NotRunning as error:
        raise CommandError(f"{error}; start the stack with `fixring start`", ExitStatus.NOT_RUNNING) from None
    except NoAnswer as error:
        raise CommandError(str(error), ExitStatus.TIMEOUT) from None
    except Refused as error:
        raise CommandError(f"exchange@{venue}: {error}", ExitStatus.REFUSED) from None


def _print(detail: Detail, as_json: bool, show: Callable[[Detail], None]) -> None:
    if as_json:
        click.echo(orjson.dumps(detail))
    else:
        show(detail)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    texts = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(head))]
    for row in texts:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@exchange.command()
@click.argument("venue")
@symbol_option
@click.option("--depth", default=10, show_default=True, type=click.IntRange(1, 1000), help="Levels a side.")
@json_option
def book(venue: str, symbol: str, depth: int, as_json: bool) -> None:
    """The order books of VENUE, best prices in the middle, with how much of each level is ours."""
    _print(_ask(venue, "book", symbol=symbol, depth=depth), as_json, _show_books)


def _show_books(detail: Detail) -> None:
    for symbol, sides in detail["books"].items():
        click.echo(f"{symbol}, last trade at {sides['last_px'] or 'none yet'}")
        rows = [("offer", *_level(level)) for level in reversed(sides["asks"])]
        rows += [("bid", *_level(level)) for level in sides["bids"]]
        _table(("side", "price", "quantity", "ours"), rows)


def _level(level: Detail) -> tuple[str, str, str]:
    return level["px"], level["qty"], level["own_qty"] if Decimal(level["own_qty"]) else ""


@exchange.command()
@click.argument("venue")
@symbol_option
@json_option
def orders(venue: str, symbol: str, as_json: bool) -> None:
    """Our open orders as VENUE has them."""
    _print(_ask(venue, "orders", symbol=symbol), as_json, _show_orders)


def _show_orders(detail: Detail) -> None:
    click.echo(f"{len(detail['orders'])} open orders of account {detail['account']}")
    _table(
        ("OrderID(37)", "ClOrdID(11)", "symbol", "side", "quantity", "price", "filled", "status"),
        [
            (o["order_id"], o["cl_ord_id"], o["symbol"], SIDES[o["side"]], o["order_qty"], o["price"] or "market",
             o["cum_qty"], STATUS[o["ord_status"]])
            for o in detail["orders"]
        ],
    )  # fmt: skip


@exchange.command()
@click.argument("venue")
@json_option
def positions(venue: str, as_json: bool) -> None:
    """What our balances at VENUE have changed by since the account was opened: the position, asset by asset."""
    _print(_ask(venue, "positions"), as_json, _show_positions)


def _show_positions(detail: Detail) -> None:
    rows = [(asset, row["start"], row["now"], row["change"]) for asset, row in sorted(detail["positions"].items())]
    _table(("asset", "at first", "now", "change"), rows)


@exchange.command()
@click.argument("venue")
@json_option
def balances(venue: str, as_json: bool) -> None:
    """Our balances at VENUE."""
    _print(_ask(venue, "balances"), as_json, _show_balances)


def _show_balances(detail: Detail) -> None:
    rows = [(asset, row["free"], row["locked"]) for asset, row in sorted(detail["balances"].items())]
    _table(("asset", "free", "locked"), rows)


@exchange.command()
@click.argument("venue")
@symbol_option
@click.option("--from-id", "from_trade_id", type=click.IntRange(0), help="From this trade id on, oldest first.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="Trades a symbol.")
@json_option
def trades(venue: str, symbol: str, from_trade_id: int | None, limit: int, as_json: bool) -> None:
    """Our newest trades at VENUE."""
    first = {} if from_trade_id is None else {"from_trade_id": from_trade_id}
    _print(_ask(venue, "trades", symbol=symbol, limit=limit, **first), as_json, _show_trades)


def _show_trades(detail: Detail) -> None:
    _table(
        ("symbol", "trade", "ClOrdID(11)", "side", "quantity", "price", "fee", "role"),
        [
            (t["symbol"], t["trade_id"], t["cl_ord_id"], SIDES[t["side"]], t["qty"], t["px"],
             f"{t['fee']} {t['fee_asset']}", "maker" if t["maker"] else "taker")
            for t in detail["trades"]
        ],
    )  # fmt: skip


@exchange.command()
@click.argument("venue")
@click.argument("kind", default="list")
@click.option(
    "--scope", default="fix", show_default=True, type=click.Choice(SCOPES), help="Where."
)
@click.option("--count", type=click.IntRange(0), help="How often it strikes; 0 until it is cleared.")
@click.option("--ms", default=1000, show_default=True, type=click.IntRange(0), help="How long, for what takes time.")
@click.option("--text", default="", help="What a rejection says.")
@json_option
def fault(venue: str, kind: str, scope: str, count: int | None, ms: int, text: str, as_json: bool) -> None:
    """Make VENUE do something wrong: KIND is a fault, `list` (also what there is) or `clear`."""
    known_name("fault", kind, (*FAULT_SENTENCES, "list", "clear"))
    many = {} if count is None else {"count": count}
    _print(_ask(venue, "fault", kind=kind, scope=scope, ms=ms, text=text, **many), as_json, _show_faults)


def _show_faults(detail: Detail) -> None:
    if "cleared" in detail:
        click.echo(f"{detail['cleared']} faults ended")
        return
    rows = [(f["number"], f["kind"], f["scope"], f["count"] or "-", f["ms"], f["struck"]) for f in detail["faults"]]
    _table(("fault", "kind", "scope", "count", "ms", "struck"), rows)
    click.echo()
    _table(("kind", "what it does", "struck so far"), [
        (kind, sentence, detail["struck"].get(kind, 0)) for kind, sentence in detail["kinds"].items()
    ])  # fmt: skip
