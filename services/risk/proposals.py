"""What a command is checked by: the proposal that it comes to, from the state, what is in flight, the prices and rates.

Prices and rates are soft: they are of this process, and nothing of them is in the log.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from common.actor.rates import Bucket
from common.instant import NS_PER_MS, Instant
from common.messages import AmendOrder, CancelOrder, NewOrder, QueryOrder, Reason, TopOfBook
from common.orders.numbers import ZERO
from common.orders.worst import least_qty
from services.risk.exposure import ExposureSums, InFlight
from services.risk.limits import (
    Proposal,
    Reference,
    Refusal,
    Standing,
    SymbolRules,
    base_at_worst,
    reduce_room,
    shown,
    total,
)
from services.risk.settings import AccountLimits, RiskSettings
from services.risk.state import RiskState

NO_SUMS: Final = ExposureSums()
MAX_BUCKETS = 1024
"""So many strategies' rates are kept; orders typed by hand have a strategy of their own each."""


class References:
    """What prices are measured by: the latest of each symbol's market data, with when it was heard."""

    def __init__(self) -> None:
        """Nothing is known."""
        self.tops: dict[tuple[str, str], tuple[TopOfBook, int]] = {}

    def hear_top(self, top: TopOfBook, now: Instant) -> None:
        """Market data has come."""
        self.tops[top.venue, top.symbol] = (top, now.boot_ns)

    def find(self, venue: str, symbol: str, now: Instant) -> Reference:
        """The middle of the book, or where one side is empty the last trade; its age by the oldest of its clocks."""
        held = self.tops.get((venue, symbol))
        if held is None:
            return Reference(None, 0)
        top, heard_boot_ns = held
        age_ns = max(now.wall_ns - top.heard_ns, now.boot_ns - heard_boot_ns)
        bid, ask = top.bid_px, top.ask_px
        if bid is not None and ask is not None:
            price: Decimal | None = (bid + ask) / 2
        else:
            # A book that is repeated every second says nothing of when it last traded.
            price = top.last_px if top.last_ns else None
            age_ns = max(age_ns, now.wall_ns - top.last_ns) if price is not None else age_ns
        if price is None or not price.is_finite() or price <= ZERO:
            return Reference(None, age_ns, top.why_not)
        return Reference(price, age_ns, top.why_not)


class CommandRates:
    """The message rates: each strategy's own, and each session's, of which a share is kept for cancels."""

    def __init__(self, settings: RiskSettings) -> None:
        """Nothing is used."""
        self._settings = settings
        self.of_strategies: dict[str, Bucket] = {}
        self._of_sessions: dict[str, Bucket] = {}
        self._reserves: dict[str, int] = {}
        for name, account in settings.accounts.items():
            for session in account.sessions or (name,):
                self._of_sessions[session] = Bucket(account.messages, account.window_ns)
                self._reserves[session] = int(account.messages * settings.cancel_reserve_ratio)

    def knows(self, session: str) -> bool:
        """Whether there is such a session."""
        return session in self._of_sessions

    def count(self, session: str, now: Instant) -> None:
        """A message that always passes goes to the session."""
        self._of_sessions[session].count_message(now.boot_ns)

    def rows(self, now: Instant) -> dict[str, dict[str, int]]:
        """What is left of each session's rate, for the status."""
        return {
            name: {"messages_left": bucket.available(now.boot_ns), "cancel_reserve": self._reserves[name]}
            for name, bucket in self._of_sessions.items()
        }

    def why_strategy_is_full(self, strategy: str, now: Instant) -> Refusal | None:
        """Count one message of the strategy; why not, where its rate has no room."""
        bucket = self.of_strategies.get(strategy)
        if bucket is None:
            rate = self._settings.strategy(strategy).rate
            if len(self.of_strategies) >= MAX_BUCKETS:
                self._forget_full_buckets(now)
            bucket = self.of_strategies[strategy] = Bucket(rate.messages, rate.window_ms * NS_PER_MS)
        if not bucket.allows(now.boot_ns):
            window_ms = bucket.window_ns // 1_000_000
            text = f"strategy {strategy} sends more than {bucket.messages} messages in {window_ms} ms"
            return Refusal(Reason.STRATEGY_RATE, text, limit=f"{bucket.messages} in {window_ms} ms")
        bucket.count_message(now.boot_ns)
        return None

    def _forget_full_buckets(self, now: Instant) -> None:
        """A full bucket is like a new one: strategies that are gone need none."""
        buckets = self.of_strategies
        for strategy in [name for name, each in buckets.items() if each.available(now.boot_ns) >= each.messages]:
            del buckets[strategy]

    def why_session_is_full(self, session: str, now: Instant) -> Refusal | None:
        """The same of what adds risk, to the session."""
        bucket, reserve = self._of_sessions[session], self._reserves[session]
        if not bucket.allows(now.boot_ns, reserve):
            window_ms = bucket.window_ns // 1_000_000
            text = (
                f"session {session} has used its {bucket.messages} messages in {window_ms} ms, "
                f"{reserve} of which only cancels may use"
            )
            return Refusal(Reason.SESSION_RATE, text, limit=f"{bucket.messages - reserve} in {window_ms} ms")
        bucket.count_message(now.boot_ns)
        return None


class Proposals:
    """See the module. `standing` tells what holds for the moment and not for an order."""

    def __init__(self, settings: RiskSettings, standing: Callable[[], Standing]) -> None:
        """`live_with` comes first."""
        self._settings = settings
        self._standing = standing
        self.references = References()
        self.configured = {name: account.facts.bases for name, account in settings.accounts.items()}
        self._places_seen = 0
        self._outside: dict[str, list[ExposureSums]] = {}

    def live_with(self, state: RiskState, in_flight: InFlight) -> None:
        """A life begins with these."""
        self._state = state
        self._in_flight = in_flight
        self._places_seen = 0

    # -- what a command names ------------------------------------------------------------------------------------------

    def account_of(self, command: NewOrder | AmendOrder) -> AccountLimits | None:
        """The account that the command names, where its venue has it and it has the session."""
        account = self._settings.accounts.get(command.account)
        if account is None or (account.facts.venue or command.account) != command.venue:
            return None
        return account if command.session in (account.sessions or (command.account,)) else None

    def why_unknown(
        self, command: NewOrder | AmendOrder | CancelOrder | QueryOrder, account: AccountLimits | None
    ) -> Refusal:
        """Why the command's account, session or symbol is none that there is."""
        if account is None:
            venues = {its.facts.venue or name: None for name, its in self._settings.accounts.items()}
            if command.venue not in venues:
                known = ", ".join(sorted(venues))
                text = f"no venue {command.venue} is configured; there is {known}"
                return Refusal(Reason.UNKNOWN_VENUE, text, command.venue, known)
            accounts = self._settings.accounts.items()
            there = [name for name, its in accounts if (its.facts.venue or name) == command.venue]
            text = f"{command.venue} has no account {command.account} with a session {command.session}"
            return Refusal(Reason.UNKNOWN_ACCOUNT, f"{text}; there is {', '.join(there)}", command.account)
        known = ", ".join(sorted(account.symbols))
        text = f"{command.venue} has no symbol {command.symbol} with limits; there is {known}"
        return Refusal(Reason.UNKNOWN_SYMBOL, text, command.symbol, known)

    def why_left_out(self, proposal: Proposal) -> Refusal | None:
        """What a record that has no effect would have said is not known, so nothing is added to what is."""
        left_out = self._state.books.left_out
        return Refusal(Reason.HALTED, left_out.text) if left_out.halts and not proposal.reduces else None

    # -- what it comes to ----------------------------------------------------------------------------------------------

    def propose(
        self,
        command: NewOrder | AmendOrder,
        strategy: str,
        rules: SymbolRules,
        now: Instant,
        *,
        open_qty: Decimal,
        added_qty: Decimal,
        is_amendment: bool = False,
        reduces: bool = False,
    ) -> Proposal:
        """What the command comes to; how much of it may trade, and how much it adds, is the caller's to say."""
        account, symbol = command.account, command.symbol
        folded, soft = self._state.exposure, self._in_flight.exposure
        place, share = (account, symbol), (strategy, account, symbol)
        firm = folded.firm.get(place, NO_SUMS), soft.firm.get(place, NO_SUMS)
        return Proposal(
            strategy=strategy,
            account=account,
            venue=command.venue,
            symbol=symbol,
            terms=command.terms,
            open_qty=open_qty,
            added_qty=added_qty,
            is_amendment=is_amendment,
            reduces=reduces,
            reduce_room=reduce_room(*firm, command.side) if command.terms.is_reduce_only else None,
            rules=rules,
            strategy_rules=self._settings.strategy(strategy),
            standing=self._standing(),
            reference=self.references.find(command.venue, symbol, now),
            firm=self._firm(total(*firm), symbol),
            share=total(folded.shares.get(share, NO_SUMS), soft.shares.get(share, NO_SUMS)),
            open_orders=folded.open_orders.get(strategy, 0) + soft.open_orders.get(strategy, 0),
            wall_ns=now.wall_ns,
        )

    def at_worst(self, order: NewOrder, rules: SymbolRules, now: Instant) -> NewOrder:
        """The order with the quantity that it counts with, where it asks for an amount of the quote asset."""
        if order.terms.cash_order_qty is None:
            return order
        order_qty = base_at_worst(order.terms, rules, self.references.find(order.venue, order.symbol, now))
        return replace(order, terms=replace(order.terms, order_qty=order_qty))

    def least_qty(self, amend: AmendOrder) -> Decimal | None:
        """The smallest total that the order to be amended may turn out to have, or None when it is not known or open.

        An amendment in flight that asks for less may still win, so what this one adds is counted from there.
        """
        order = self._state.books.by_id.get(amend.orig_cl_ord_id)
        smallest = None if order is None else least_qty(order, amend.orig_cl_ord_id)
        if smallest is None:
            reserved = self._in_flight.find(amend.orig_cl_ord_id)
            if reserved is None:
                return None
            smallest = reserved.total_qty
        return min([smallest, *self._in_flight.amended_to(amend.orig_cl_ord_id)])

    def _firm(self, sums: tuple[Decimal, Decimal, Decimal], symbol: str) -> tuple[Decimal, Decimal, Decimal]:
        """With what is held in the symbol where the configuration knows nothing of it: it counts against the limit on
        the side where it makes matters worse, and never makes room on the other.
        """
        may_buy, may_sell, position = sums
        for held in self._held_outside(symbol):
            may_buy += max(ZERO, held.position + held.buy)
            may_sell += max(ZERO, held.sell - held.position)
        return may_buy, may_sell, position

    def _held_outside(self, symbol: str) -> list[ExposureSums]:
        """The sums of the symbol in accounts whose venue does not have it, or that are not there any more."""
        firm = self._state.exposure.firm
        if len(firm) != self._places_seen:
            self._places_seen, self._outside = len(firm), {}
            for (account, its_symbol), sums in firm.items():
                if its_symbol not in self.configured.get(account, ()):
                    self._outside.setdefault(its_symbol, []).append(sums)
        return self._outside.get(symbol, [])

    # -- for people ----------------------------------------------------------------------------------------------------

    def places(self) -> list[tuple[str, str]]:
        """(account, symbol) of all that is configured or held."""
        configured = {(name, symbol) for name, account in self._settings.accounts.items() for symbol in account.symbols}
        return sorted(configured | set(self._state.exposure.firm))

    def exposure_row(self, account: str, symbol: str, now: Instant) -> dict[str, object]:
        """What may be held at worst of one place, with its limit, JSON-ready."""
        place, venue = (account, symbol), self._state.books.known.venue_of(account)
        folded, soft = self._state.exposure.firm.get(place, NO_SUMS), self._in_flight.exposure.firm.get(place, NO_SUMS)
        may_buy, may_sell, position = total(folded, soft)
        settings = self._settings.accounts.get(account)
        rules = None if settings is None else settings.symbols.get(symbol)
        reference = self.references.find(venue, symbol, now)
        return {
            "venue": venue,
            "account": account,
            "symbol": symbol,
            "position": shown(position),
            "underlying": "" if rules is None or reference.price is None else shown(
                rules.contract.underlying(reference.price, position)
            ),
            "worst_long": shown(position + may_buy),
            "worst_short": shown(position - may_sell),
            "limit": "" if rules is None else shown(rules.position_limit),
            "reference": "" if reference.price is None else shown(reference.price),
            "reference_age_ms": reference.age_ns // 1_000_000,
            "reference_max_age_ms": 0 if rules is None else rules.max_age_ns // 1_000_000,
        }

    def strategy_rows(self) -> dict[str, object]:
        """The open orders of each strategy, with their limit, JSON-ready."""
        folded, soft = self._state.exposure.open_orders, self._in_flight.exposure.open_orders
        names = sorted({*folded, *soft, *self._settings.strategies})
        return {
            name: {
                "open_orders": folded.get(name, 0) + soft.get(name, 0),
                "max_open_orders": self._settings.strategy(name).max_open_orders,
            }
            for name in names
            if folded.get(name, 0) or soft.get(name, 0) or name in self._settings.strategies
        }
