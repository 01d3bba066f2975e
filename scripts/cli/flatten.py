"""`fixring flatten`: close positions, and nothing beyond."""

from decimal import Decimal
from typing import NamedTuple

import click
import msgspec

from common.config import Config, InstrumentConfig, load
from common.decimals import short
from common.exit_status import ExitStatus
from common.orders.books import Place
from common.orders.money import Held, prices_told
from common.strategy.client import Client
from common.venues.registry import find_profile
from common.venues.venue import Feature
from scripts.cli.asking import asked
from scripts.cli.errors import CommandError
from scripts.cli.names import known_name, known_scope
from scripts.cli.orders import QUERY_S, cancel_matching, connected, outcome_of
from scripts.cli.strategy import children_of
from scripts.cli.tables import table

ROUNDS = 5
END_S = 3.0
"""How long an immediate order may take until its end is known."""


class Open(NamedTuple):
    """A position of an account: its whole, and the quantity of it that is to be taken off."""

    venue: str
    whole: Decimal
    quantity: Decimal


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
@click.option("--strategy", default="", help="Only this strategy's own part, under its name: it must be stopped.")
@click.option("--slippage", default="0.005", show_default=True, help="How far beyond the market, as a share of it.")
@click.option("--yes", is_flag=True, help="Do not ask; this is the confirmation.")
def flatten(venue: str, account: str, symbol: str, strategy: str, slippage: str, yes: bool) -> None:
    """Close the accounts' positions, or those that the options say, and nothing beyond.

    Open orders there are cancelled first. Then immediate orders take off what is held, each for no more than the
    position of then. Strategies go on trading: stop or halt them before. With --strategy they are that strategy's own
    orders, and take off its own part as far as the account's position becomes smaller by that.
    """
    config = load()
    ratio = _ratio(slippage)
    if strategy:
        _need_stopped(config, strategy)
    with connected(config) as asker:
        known_scope(config, asker, venue, symbol, strategy)
    known_name("account", account, config.accounts)
    with connected(config, strategy) as client:
        held = _held(client, venue, account, symbol, strategy)
        if not held:
            click.echo("nothing is held there")
            return
        table(
            ("account", "symbol", "position", "to be taken off"),
            [(*place, short(p.whole), short(p.quantity)) for place, p in held.items()],
        )
        if not yes:
            click.confirm("Cancel the orders there, and close these?", abort=True, err=True)
        left = [place for place in held if not _close(config, client, place, held[place].venue, ratio, strategy)]
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


def _need_stopped(config: Config, strategy: str) -> None:
    """See that no process of the strategy runs, since it would lose its name to this one. Raises CommandError."""
    child = children_of(config).get(f"strategy@{strategy}")
    if child is not None and (child["pid"] or not child["stopped"]):
        text = f"{strategy} is not stopped, and its orders bear its name: first fixring strategy stop {strategy}"
        raise CommandError(text, ExitStatus.REFUSED)


def _held(client: Client, venue: str, account: str, symbol: str, strategy: str) -> dict[Place, Open]:
    told = client.query("positions", venue=venue, account=account, timeout_s=QUERY_S).positions
    wanted = {(p.account, p.symbol): p for p in told if symbol in ("", p.symbol)}
    if not strategy:
        return {place: Open(p.venue, p.quantity, p.quantity) for place, p in wanted.items() if p.quantity}
    parts = msgspec.json.decode(client.query("money", timeout_s=QUERY_S).detail, type=Held).parts
    own = {part.place: part.position.quantity for part in parts if part.strategy == strategy}
    return {
        place: Open(p.venue, p.quantity, closable(own[place], p.quantity))
        for place, p in wanted.items()
        if own.get(place)
    }


def closable(own: Decimal, whole: Decimal) -> Decimal:
    """What of a strategy's own part comes off without making the account's whole position larger on the other side."""
    return min(own, whole, key=abs) if own * whole > 0 else Decimal(0)


def _close(config: Config, client: Client, place: Place, venue: str, ratio: Decimal, strategy: str) -> bool:
    """Whether nothing that could be traded is left of the position."""
    account, symbol = place
    its = config.accounts.get(account)
    instrument = None if its is None else its.venue.instruments.get(symbol)
    if its is None or instrument is None:
        click.echo(f"{symbol} of {account}: not in the configuration, so nobody can trade it", err=True)
        return False
    _, _, resting = cancel_matching(client, strategy or "*", venue, account, symbol, END_S)
    if resting:
        click.echo(f"{symbol} of {account}: {len(resting)} orders are not closed yet, and may still trade", err=True)
        return False
    reduce_only = not instrument.contract.is_spot and find_profile(its.venue.dialect).has(Feature.REDUCE_ONLY)
    for _ in range(ROUNDS):
        held = _held(client, venue, account, symbol, strategy).get(place)
        price = prices_told(asked(config.reach, "risk", "status", {})["exposures"]).get(place)
        if held is None:
            click.echo(f"{symbol} of {account} is closed")
            return True
        if not held.quantity:
            why = f"the account holds {short(held.whole)}, which an order would move away from 0"
            click.echo(f"{symbol} of {account}: {strategy}'s part stays: {why}; see fixring book --from", err=True)
            return False
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
