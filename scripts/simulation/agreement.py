"""At rest: what strategies were told and what risk counts, against the exchanges' own logs."""

from decimal import Decimal

from common.messages import OrderEvent
from common.venues.registry import find_profile
from scripts.simulation import setting
from scripts.simulation.desk import Desk
from scripts.simulation.invariants import Violation
from scripts.simulation.money import NO_MONEY, TrueMoney, are_fees_told, is_compared, is_money_told, our_money
from scripts.simulation.trader import Trader
from scripts.simulation.truth import BUY, SELL, TrueOrder
from scripts.simulation.world import World
from services.orders.core import OrdersCore
from services.risk.core import RiskCore

SHOWN = 3


def told_apart(world: World) -> list[str]:
    """Where a strategy that lives and holds its name was told otherwise than it is."""
    apart: list[str] = []
    for process in world.processes.values():
        core = process.core
        if isinstance(core, Trader) and not core.superseded:
            differences = _differences(core, _true_orders(world, core.strategy))
            apart += [f"{process.name}: {text}" for text in differences[:SHOWN]]
        elif isinstance(core, Desk):
            apart += _desk_apart(world, core)
    return apart


def _desk_apart(world: World, desk: Desk) -> list[str]:
    """Where the SDK's client holds open orders or positions that are not the exchanges'."""
    theirs = {
        number: sum((order.cum_qty for order in orders), Decimal(0))
        for number, orders in _true_orders(world, desk.strategy.name).items()
        if any(order.open for order in orders)
    }
    ours = {order.number: order.cum_qty for order in desk.entry.orders.values()}
    apart = [] if ours == theirs else [f"{desk.name}: open are {ours}, there {theirs}"]
    for venue, symbol in setting.position_limits(world.config):
        held, true = desk.strategy.position(venue, symbol), world.truths[venue].position(symbol)
        if held != true:
            apart.append(f"{desk.name}: holds {held} {symbol} at {venue}, {true} there")
    return apart


def _true_orders(world: World, strategy: str) -> dict[int, list[TrueOrder]]:
    """What each order of the strategy is at its exchange: one order, or one after the other."""
    checkers = world.checkers
    return {
        number: list({key: checkers.true_orders[key] for key in legs if key in checkers.true_orders}.values())
        for (owner, number), legs in checkers.legs.items()
        if owner == strategy
    }


def _differences(trader: Trader, true_orders: dict[int, list[TrueOrder]]) -> list[str]:
    found: list[str] = []
    told_open = {order.number for order in trader.open_orders()}
    for number, theirs in true_orders.items():
        is_open = any(order.open for order in theirs)
        if is_open != (number in told_open):
            found.append(f"{number} is {'open' if is_open else 'not open'} there, told was {trader.orders.get(number)}")
        elif number in trader.orders:
            found += _terms_apart(trader, trader.orders[number], theirs)
    found += [f"{number} is open, and was never sent" for number in told_open - true_orders.keys()]
    return found


def _terms_apart(trader: Trader, told: OrderEvent, theirs: list[TrueOrder]) -> list[str]:
    cum_qty = sum((order.cum_qty for order in set(theirs)), Decimal(0))
    found: list[str] = []
    if told.cum_qty != cum_qty:
        found.append(f"{told} is told, CumQty(14) is {cum_qty} there")
    expected_qty = trader.fills.expected_qty(told.number)
    if expected_qty is not None and expected_qty != told.cum_qty:
        found.append(f"{told} is told, and fills that come to {expected_qty}")
    still = next((order for order in theirs if order.open), None)
    if still is not None and (told.leaves_qty, told.price) != (still.leaves_qty_told(told.status), still.price):
        found.append(f"{told} is told, LeavesQty(151) is {still.leaves_qty} there at {still.price}")
    return found


def risk_apart(world: World) -> list[str]:
    """Where risk counts otherwise than it is."""
    core = world.processes["risk"].core
    if not isinstance(core, RiskCore):
        return ["risk does not run"]
    apart = [f"{len(core.in_flight)} are in flight"] if len(core.in_flight) else []
    for venue, symbol in setting.position_limits(world.config):
        truth, sums = world.truths[venue], core.state.exposure.firm[venue, symbol]
        ours = (sums.buy, sums.sell, sums.position)
        may_buy, may_sell = (truth.open_qty(symbol, side) + truth.strange_qty(symbol, side) for side in (BUY, SELL))
        theirs = (may_buy, may_sell, truth.position(symbol))
        if ours != theirs:
            apart.append(f"{symbol} at {venue}: {_shown(ours)} with us, {_shown(theirs)} there")
    return apart


def money_apart(world: World) -> list[str]:
    """Where orders counts a strategy's part of a position otherwise than its trades at the exchange come to."""
    core = world.processes["orders"].core
    if not isinstance(core, OrdersCore):
        return ["orders does not run"]
    theirs, ours = _true_money(world), core.books.own
    apart: list[str] = []
    for share in sorted(ours.keys() | theirs.keys()):
        strategy, venue, symbol = share
        truth, held = world.truths[venue], ours.get(share)
        they, instrument = theirs.get(share, NO_MONEY), truth.instrument(symbol)
        we = NO_MONEY if held is None or instrument is None else our_money(held, instrument)
        if not is_money_told(held, prices_are_odd=truth.prices_are_odd):
            we = we._replace(cash=they.cash)
        if not are_fees_told(strategy, find_profile(world.config.venues[venue].dialect)):
            we = we._replace(fees=they.fees)
        if is_compared(strategy, world.checkers.filled_by_hand) and not we.equals(they):
            apart.append(f"{share}: {we} with us, {they} there")
    return apart


def _true_money(world: World) -> dict[tuple[str, str, str], TrueMoney]:
    """What the trades of each strategy's orders come to at each exchange, by symbol; of "" those of somebody else's."""
    checkers, found = world.checkers, dict[tuple[str, str, str], TrueMoney]()
    owners = {leg: strategy for (strategy, _), legs in checkers.legs.items() for leg in legs}
    for venue, truth in world.truths.items():
        for order in truth.orders.values():
            owner = next((owners[venue, name] for name in order.cl_ord_ids if (venue, name) in owners), "")
            share, money = (owner, venue, order.symbol), truth.money(order)
            found[share] = money.plus(found[share]) if share in found else money
    return found


def strangers_apart(world: World) -> list[str]:
    """Where orders shows other open orders of somebody else on our account than there are."""
    core = world.processes["orders"].core
    if not isinstance(core, OrdersCore):
        return ["orders does not run"]
    apart: list[str] = []
    for venue, truth in world.truths.items():
        shown = {order_id for place, _, order_id in core.books.externals if place == venue}
        if shown != truth.strangers():
            apart.append(f"{venue}: {sorted(shown)} with us, {sorted(truth.strangers())} there")
    return apart


def _shown(sums: tuple[Decimal, Decimal, Decimal]) -> str:
    return "{} bids, {} offers, {} held".format(*sums)


def check_named(world: World) -> None:
    """Orders and risk name what of ours rests where the configuration knows nothing of it. Raises Violation."""
    assert world.left_out is not None
    resting = {
        (venue, order.symbol)
        for (venue, cl_ord_id), order in world.checkers.true_orders.items()
        if order.open
        and _is_left_out(world.left_out, venue, order.symbol)
        and world.checkers.is_logged(venue, cl_ord_id)
    }
    for name in ("orders", "risk"):
        process = world.processes[name]
        status = {} if process.core is None else process.core.status(process.clock.read())
        if status.get("state") in ("live", "killed"):
            rows = status["outside"]
            assert isinstance(rows, list)
            unnamed = resting - {(row["venue"], row["symbol"]) for row in rows if row["open_orders"]}
            if unnamed:
                raise Violation("outside-named", f"{name} does not name what rests at {sorted(unnamed)}")


def _is_left_out(left_out: tuple[str, str], venue: str, symbol: str) -> bool:
    return venue == left_out[0] and left_out[1] in ("", symbol)
