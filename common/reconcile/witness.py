"""Our books against the simulated exchanges' own as a second witness, after the venues were asked as a live desk must.

How it compares while strategies go on trading. A simulated exchange tells its whole state as of one instant, with the
next numbers of our session: everything that it had said by then is in our journal under MsgSeqNum(34) below its next
outbound number, and everything that it had heard below its next inbound one. So the journal is folded, with the order
manager's own fold, exactly as far as that last number, and there both must be the same: open orders, what each
asset's balance has changed by, fills, and the numbers themselves. What we had numbered and it had not heard yet is
under way, not a difference.

Before that the order manager is asked to audit: it asks every venue as a live desk must, OrderStatusRequest(H) where
there is one, else REST through the account. What the venues' words settle goes into the books; what they cannot
settle is told. A venue that is not simulated has no second witness: there `common.reconcile.answers` compares with
what the venue answers.
"""

import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from common.actor.control import NoAnswer, NotRunning, Refused, ask
from common.config import Config, Environment
from common.contracts import PROFIT_STEP
from common.messages import SessionState
from common.orders.books import SessionBooks
from common.orders.numbers import ZERO
from common.orders.order_state import Order
from common.reconcile.answers import AskedAccount, terms_differ
from common.reconcile.journal_books import JournalBooks, asset_changes, contracts_held, held_at_cost
from common.reconcile.result import Audit, Part, Result, Verdict, compared, contracts_differ, nobody_answered
from common.venues.registry import find_profile
from common.venues.venue import Feature

AUDIT_S = 10.0
REQUESTS_OF_AUDIT = 30
"""What an audit asks, behind what is being asked already. Where a venue allows few requests in a second, these take
time of their own."""

PAUSE_S = 0.05
RETRY_S = 0.2
NUMBER_S = 2.0
"""How long the journal may take to show what an exchange has said before its session counts as cut."""

UNSETTLED = "kept"
"""An audit's discrepancy whose action begins so needs a person."""


def audit(config: Config, books: JournalBooks, names: list[str]) -> dict[str, Audit]:
    """Have orders ask the venues about everything open; what came of it, by account."""
    from_lsn = books.lsn
    silence: dict[str, str] = {}
    try:
        ask(config.reach, "orders", "audit")
        began_s, within_s = time.monotonic(), {name: audit_within_s(config, name) for name in names}
        while left := _auditing(ask(config.reach, "orders", "status"), [name for name in names if name not in silence]):
            took_s = time.monotonic() - began_s
            silence |= {
                name: f"the audit did not end within {within_s[name]:g} s" for name in left if took_s > within_s[name]
            }
            time.sleep(PAUSE_S)
    except (NotRunning, NoAnswer, Refused) as error:
        silence = dict.fromkeys(names, f"orders could not audit: {error}")
    books.read_on()
    found: dict[str, list[str]] = {name: [] for name in names}
    for lsn, told in books.discrepancies:
        if lsn > from_lsn and told.account in found and told.action.startswith(UNSETTLED):
            found[told.account].append(f"{told.subject}: ours {told.ours}, theirs {told.theirs} (LSN {lsn})")
    return {name: Audit(tuple(found[name]), silence.get(name, "")) for name in names}


def audit_within_s(config: Config, name: str) -> float:
    """How long the account's audit may take at the pace that its venue's REST side allows, in seconds."""
    calls_per_s = find_profile(config.accounts[name].venue.dialect).rest_calls_per_s
    return AUDIT_S + (REQUESTS_OF_AUDIT / calls_per_s if calls_per_s else 0.0)


def _auditing(status: Mapping[str, Any], names: list[str]) -> list[str]:
    return [name for name in names if status.get("accounts", {}).get(name, {}).get("auditing")]


# ---- the second witness ----


def compare(config: Config, books: JournalBooks, name: str, audited_lsn: int, timeout_s: float) -> Result:
    """Compare the account's books with its venue's, at most `timeout_s` seconds long.

    `audited_lsn` is where the audit before this began. Raises Refused where an exchange refuses to tell its state.
    """
    venue = config.accounts[name].venue
    if venue.environment is not Environment.SIMULATED:
        return AskedAccount(config, books, name, audited_lsn).compare(timeout_s)
    deadline = time.monotonic() + timeout_s
    result: Result | None = None
    while True:
        theirs = _exchange_state(config, venue.name, name)
        if theirs is None:
            why = f"exchange@{venue.name} does not answer: it is not running, or has not opened its journal yet"
        else:
            why = _why_not_up(books, name, theirs) or "the journal did not show in time what the exchange has said"
            result = _compare_at(config, books, name, theirs) or result
        if result is not None and not result.differences:
            return result
        if time.monotonic() > deadline:
            return result or nobody_answered(why)
        time.sleep(RETRY_S)


def _why_not_up(books: JournalBooks, name: str, theirs: Mapping[str, Any]) -> str:
    """Which side it is that does not trade, "" where both do."""
    session = _session(books, name)
    if _their_session(session, theirs) is None:
        return f"its exchange is up, and our session@{session.session} is not logged on there"
    if session.state is not SessionState.OPENED:
        return f"session@{session.session} has not opened its gate: it is {session.state.value}"
    return ""


def _session(books: JournalBooks, name: str) -> SessionBooks:
    """The account's session by whose numbers both sides are brought to one instant: the first whose gate is open."""
    sessions = books.books.sessions_of(name) or [SessionBooks(name, name)]
    return next((each for each in sessions if each.state is SessionState.OPENED), sessions[0])


def _exchange_state(config: Config, venue: str, account: str) -> dict[str, Any] | None:
    try:
        theirs = ask(config.reach, f"exchange@{venue}", "state", {} if account == venue else {"account": account})
        return theirs if config.venues[venue].bridge is None else _behind_bridge(config, venue, theirs)
    except (NotRunning, NoAnswer):
        return None
    except Refused as error:
        raise Refused(f"exchange@{venue}: {error}") from None


def _behind_bridge(config: Config, venue: str, theirs: dict[str, Any]) -> dict[str, Any]:
    """The exchange's word, with the numbers of the bridge in front of it, and the names that this has told us of orders
    that go by others there. The bridge is asked later: what it has not told yet is a difference that passes."""
    told: dict[str, Any] = ask(config.reach, f"bridge@{venue}", "state")
    orders = [{**row, "cl_ord_id": told["names"].get(row["cl_ord_id"], row["cl_ord_id"])} for row in theirs["orders"]]
    return {**theirs, "sessions": told["sessions"], "orders": orders, "is_bridged": True}


def _compare_at(config: Config, books: JournalBooks, name: str, theirs: Mapping[str, Any]) -> Result | None:
    """Both sides as of the last thing that the exchange had said; None when the journal cannot be read just so far."""
    session = _session(books, name)
    said = _their_session(session, theirs)
    if said is None or session.last_inbound > said["next_outbound"] - 1:
        books.read_on()
        return None
    generation, wanted = session.generation, said["next_outbound"] - 1
    deadline = time.monotonic() + NUMBER_S
    while session.last_inbound < wanted:
        if not books.step():
            if time.monotonic() > deadline:
                return None
            time.sleep(PAUSE_S)
        if session.generation != generation:
            return None
    if session.state is not SessionState.OPENED:
        return None
    balances = _balances(books, name, theirs, tells_fees=_tells_fees(config, name))
    open_orders, fills = len(theirs["orders"]), theirs["trade_count"]
    parts = {
        "positions": _positions(books, name, theirs, balances),
        "balances": balances,
        "open orders": compared(_orders_differ(books, name, theirs, said["next_inbound"]), f"{open_orders} there"),
        "fills": compared(_fills_differ(books, name, theirs), f"{fills} there"),
        "numbers": compared(_numbers_differ(session, said), f"the exchange has sent MsgSeqNum(34) {wanted}"),
    }
    return Result(f"MsgSeqNum(34) {wanted} of generation {generation}, LSN {books.lsn}", parts)


def _their_session(session: SessionBooks, theirs: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Their end of the session's present connection; None while there is none."""
    said: Mapping[str, Any] | None = theirs["sessions"].get(session.sender_comp_id)
    return said if said is not None and said["state"] == "logged_on" else None


def _numbers_differ(ours: SessionBooks, theirs: Mapping[str, Any]) -> list[str]:
    if theirs["next_inbound"] - 1 <= ours.last_outbound:
        return []
    heard = theirs["next_inbound"] - 1
    return [f"the exchange has heard MsgSeqNum(34) {heard}, the journal holds only {ours.last_outbound} sent"]


def _orders_differ(books: JournalBooks, name: str, theirs: Mapping[str, Any], next_inbound: int) -> list[str]:
    differences, session = [], _session(books, name).session
    open_there = {row["cl_ord_id"]: row for row in theirs["orders"]}
    # Behind a bridge OrderID(37) is the venue's own: a bridge that has lost its log has lost what it renamed.
    renamed = {str(row["order_id"]): row["cl_ord_id"] for row in theirs["orders"] if "is_bridged" in theirs}
    for order in books.books.open_orders(name):
        for leg in order.legs:
            if not leg.is_open:
                continue
            known_there = leg.cl_ord_id in open_there
            row = open_there.pop(leg.cl_ord_id if known_there else renamed.get(leg.order_id, ""), None)
            # A replacement's own number is not kept: until it is heard of, it is under way.
            unheard = leg.owner in order.requests or order.session != session or order.sent_number >= next_inbound
            under_way = not leg.word and unheard
            if row is not None:
                differences += _terms_differ(order, leg.cl_ord_id, row)
            elif not under_way:
                differences.append(f"{_name(order)} ({leg.cl_ord_id}) is {order.status.value} for us, not open there")
    for cl_ord_id, row in open_there.items():
        side = "buy" if row["side"] == "1" else "sell"
        differences.append(
            f"{cl_ord_id} ({side} {row['leaves_qty']} of {row['order_qty']} {row['symbol']}) is open there, not for us"
        )
    return differences


def _terms_differ(order: Order, cl_ord_id: str, row: Mapping[str, Any]) -> list[str]:
    leg = next(leg for leg in order.legs if leg.cl_ord_id == cl_ord_id)
    price = None if row["price"] is None else Decimal(row["price"])
    ours = (leg.order_qty, leg.price, leg.cum_qty)
    there = (Decimal(row["order_qty"]), price, Decimal(row["cum_qty"]))
    return [] if ours == there else [terms_differ(f"{_name(order)} ({cl_ord_id})", ours, there)]


def _tells_fees(config: Config, name: str) -> bool:
    return find_profile(config.accounts[name].venue.dialect).has(Feature.FILL_FEES)


def _balances(books: JournalBooks, name: str, theirs: Mapping[str, Any], *, tells_fees: bool) -> Part:
    """Where no fill tells its fee, a balance is less than our fills say by what they cost, and never more."""
    ours, there = _changes(books, name, theirs)
    differences = _balances_differ(books, name, theirs)
    rounded = _rounded(books, name)
    is_more = any(
        there.get(asset, ZERO) - ours.get(asset, ZERO) > rounded.get(asset, ZERO)
        for asset in ours.keys() | there.keys()
    )
    if tells_fees or is_more or not differences:
        return compared(differences, "by what each asset's balance has changed by")
    text = f"this venue tells no fee with a fill, and what is missing may be fees: {'; '.join(differences)}"
    return Part(Verdict.NOT_COMPARABLE, text)


def _changes(
    books: JournalBooks, name: str, theirs: Mapping[str, Any]
) -> tuple[Mapping[str, Decimal], Mapping[str, Decimal]]:
    """What our fills say that each asset has changed by, and what it has; less what the contracts that are held have
    cost, so that it is the same for fills that we heard of in another order."""
    known, held = books.books.known.find(name), books.books.positions_at(name)
    ours, costs = asset_changes(known, held), held_at_cost(known, held)
    there = {asset: Decimal(row["change"]) for asset, row in theirs["positions"].items()}
    for asset, cost in costs.items():
        ours[asset] = ours.get(asset, ZERO) - cost
    for asset, text in theirs["contract_costs"].items():
        there[asset] = there.get(asset, ZERO) - Decimal(text)
    return ours, there


def _rounded(books: JournalBooks, name: str) -> Mapping[str, Decimal]:
    """By how much what contracts have settled may differ, by asset: each of their fills is rounded by itself."""
    known, found = books.books.known.find(name), dict[str, Decimal]()
    for held in books.books.positions_at(name):
        contract = known.contract(held.symbol)
        if not contract.is_spot:
            found[contract.settle] = found.get(contract.settle, ZERO) + (held.fills + 1) * PROFIT_STEP
    return found


def _balances_differ(books: JournalBooks, name: str, theirs: Mapping[str, Any]) -> list[str]:
    ours, there = _changes(books, name, theirs)
    rounded = _rounded(books, name)
    return [
        f"{asset}: our fills changed it by {ours.get(asset, ZERO)}, the balance changed by {there.get(asset, ZERO)}"
        for asset in sorted(ours.keys() | there.keys())
        if abs(ours.get(asset, ZERO) - there.get(asset, ZERO)) > rounded.get(asset, ZERO)
    ]


def _positions(books: JournalBooks, name: str, theirs: Mapping[str, Any], balances: Part) -> Part:
    """A spot position is a balance. Contracts are compared by their number: opening them moves no balance."""
    ours = contracts_held(books.books.known.find(name), books.books.positions_at(name))
    there = {symbol: Decimal(qty) for symbol, qty in theirs["contracts"].items()}
    if not (ours or there):
        return balances._replace(differences=())
    found = contracts_differ(ours, there)
    contracts = compared(found, f"{len(there)} in contracts there")
    differs = balances.verdict is Verdict.DIFFERS
    return contracts._replace(verdict=balances.verdict) if differs and not found else contracts


def _fills_differ(books: JournalBooks, name: str, theirs: Mapping[str, Any]) -> list[str]:
    ours = sum(position.fills for position in books.books.positions_at(name))
    return [] if ours == theirs["trade_count"] else [f"{ours} fills for us, {theirs['trade_count']} there"]


def _name(order: Order) -> str:
    return f"{order.strategy}/{order.number}"
