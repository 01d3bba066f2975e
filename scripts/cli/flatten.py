"""`fixring flatten`: close positions, and nothing beyond."""

from decimal import Decimal
from typing import NamedTuple

import click

from common.config import Config, InstrumentConfig, load
from common.decimals import short
from common.exit_status import ExitStatus
from common.messages import PositionChanged
from common.orders.money import Place, prices_told
from common.strategy.client import Client
from common.venues.registry import find_profile
from common.venues.venue import Feature
from scripts.cli.asking import asked
from scripts.cli.errors import CommandError
from scripts.cli.names import known_name, known_scope
from scripts.cli.orders import QUERY_S, cancel_matching, connected, outcome_of
from scripts.cli.tables import table

ROUNDS = 5
END_S = 3.0
"""How long an immediate order may take until its end is known."""


class Closing(NamedTuple):
    """The order that closes a position as far as the venue's grid lets it."""

    side: str
    qty: Decimal
    price: Decimal


def closing(held: Decimal, instrument: InstrumentConfig, price: Decimal, slippage_ratio: Decimal) -> Closing | None:
    """What takes off as much of the position as can be traded, at worst that far beyond the price; None where the venue
    takes no order for so little."""
    qty = abs(held) // instrument.lot_size * instrument.lot_size
    qty = min(qty, instrument.max_qty)
    if not qty or qty < instrument.min_qty or instrument.contract.notional(price, qty) < instrument.min_notional:
        return None
    tick = instrument.tick_size
    if held > 0:
        worst = price * (1 - slippage_ratio)
        below = worst // tick * tick
        return Closing("sell", qty, below if below == worst else below + tick)
    return Closing("buy", qty, price * (1 + slippage_ratio) // tick * tick)


@click.command()
@click.option("--venue", default="", help="Only at this venue.")
@click.option("--account", default="", help="Only in this account.")
@click.option("--symbol", default="", help="Only in this symbol.")
@click.option("--slippage", default="0.005", show_default=True, help="How far beyond the market, as a share of it.")
@click.option("--yes", is_flag=True, help="Do not ask; this is the confirmation.")
def flatten(venue: str, account: str, symbol: str, slippage: str, yes: bool) -> None:
    """Close the accounts' positions, or those that the options say, and nothing beyond.

    Open orders there are cancelled first. Then immediate orders take off what is held, each for no more than the
    position of then. Strategies go on trading: stop or halt them before.
    """
    config = load()
    ratio = _ratio(slippage)
    with connected(config) as client:
        known_scope(config, client, venue, symbol, "")
        known_name("account", account, config.accounts)
        held = _held(client, venue, account, symbol)
        if not held:
            click.echo("nothing is held there")
            return
        table(("account", "symbol", "position"), [(*place, short(p.quantity)) for place, p in held.items()])
        if not yes:
            click.confirm("Cancel the orders there, and close these?", abort=True, err=True)
        left = [place for place in held if not _close(config, client, place, held[place].venue, ratio)]
    if left:
        names = ", ".join(f"{symbol} of {account}" for account, symbol in left)
        raise CommandError(f"not closed: {names}", ExitStatus.TIMEOUT)


def _ratio(text: str) -> Decimal:
    try:
        ratio = Decimal(text)
    except ArithmeticError:
        ratio = Decimal(-1)
    if not 0 <= ratio < 1:
        raise CommandError(f"--slippage {text}: a share from 0 to below 1, such as 0.005", ExitStatus.USAGE)
    return ratio


def _held(client: Client, venue: str, account: str, symbol: str) -> dict[Place, PositionChanged]:
    told = client.query("positions", venue=venue, account=account, timeout_s=QUERY_S).positions
    return {(p.account, p.symbol): p for p in told if p.quantity and symbol in ("", p.symbol)}


def _close(config: Config, client: Client, place: Place, venue: str, ratio: Decimal) -> bool:
    """Whether nothing that could be traded is left of the position."""
    account, symbol = place
    its = config.accounts.get(account)
    instrument = None if its is None else its.venue.instruments.get(symbol)
    if its is None or instrument is None:
        click.echo(f"{symbol} of {account}: not in the configuration, so nobody can trade it", err=True)
        return False
    _, _, resting = cancel_matching(client, "*", venue, account, symbol, END_S)
    if resting:
        click.echo(f"{symbol} of {account}: {len(resting)} orders are not closed yet, and may still trade", err=True)
        return False
    reduce_only = not instrument.contract.is_spot and find_profile(its.venue.dialect).has(Feature.REDUCE_ONLY)
    for _ in range(ROUNDS):
        held = _held(client, venue, account, symbol).get(place)
        price = prices_told(asked(config.paths.run, "risk", "status", {})["exposures"]).get(place)
        if held is None:
            click.echo(f"{symbol} of {account} is closed")
            return True
        if price is None or price.is_stale:
            click.echo(f"{symbol} of {account}: there is no price that is fresh enough", err=True)
            return False
        order = closing(held.quantity, instrument, price.px, ratio)
        if order is None:
            click.echo(f"{symbol} of {account} is closed but for {short(held.quantity)}, too little for an order")
            return True
        if not _trade(client, place, venue, order, reduce_only=reduce_only):
            return False
    return False


def _trade(client: Client, place: Place, venue: str, order: Closing, *, reduce_only: bool) -> bool:
    """Send the order, and wait for its end: whether it has one."""
    account, symbol = place
    number = client.new(
        venue, symbol, order.side, order.qty, order.price, time_in_force="ioc", account=account, label="flatten",
        reduce_only=reduce_only,
    )  # fmt: skip
    outcome = outcome_of(client, number, END_S)
    click.echo(f"{order.side} {short(order.qty)} {symbol} of {account} at {short(order.price)}: {outcome.outcome}")
    if outcome.outcome != "sent":
        why = outcome.text or outcome.reason.sentence
        click.echo(f"{symbol} of {account}: {outcome.reason.value}: {why}", err=True)
        return False
    return client.wait_closed(number, END_S)
