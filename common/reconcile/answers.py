"""Comparing our books with what a venue answers, where nothing but its answers can be had.

Open orders: over REST the venue's own list, else OrderStatusRequest(H) for each order of ours. Balances: what they have
changed by since the baseline, against our fills since and, where the venue tells it, what holding contracts has cost
and brought; a spot account holds its positions as assets, so they are
compared by that too, and those in contracts by how many the venue says are held. Fills: the venue's trades from the
newest snapshot on, by their identities. Numbers: those of the session, once the venue has answered on its connection,
against the journal's.

An order that was heard of after a question was asked excuses itself from that answer; a balance or a position is right
if it is what our fills came to at any instant between question and answer. What still differs at a second answer is a
difference.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from common.actor.control import NoAnswer, NotRunning, Refused, ask
from common.config import Config
from common.instant import NS_PER_S
from common.messages import Answer, RestOrder, Trade
from common.orders.books import TRADES_PAGE, Baseline, SessionBooks
from common.orders.numbers import ZERO
from common.orders.order_state import Order
from common.orders.telling import is_number, newest_ns
from common.reconcile.journal_books import JournalBooks, asset_changes, contracts_held
from common.reconcile.result import Part, Result, Verdict, compared, contracts_differ
from common.venues.registry import find_profile
from common.venues.venue import Feature

ANSWER_S = 10.0
LATE_S = 0.5
"""How long reports of fills that a balance already holds may take to reach the journal."""

PAUSE_S = 0.02
RETRY_S = 0.3

Balances = Mapping[str, Decimal]
Moment = tuple[Balances, Balances]
"""What our fills have changed each asset by, and how many contracts of each symbol they come to."""

Terms = tuple[Decimal, Decimal | None, Decimal]


class Unanswered(Exception):
    """A question has no answer: which, of whom, and what was said instead."""


class AskedAccount:
    """One account of a venue that is asked. `audited_lsn` is where the audit before this began."""

    def __init__(self, config: Config, books: JournalBooks, name: str, audited_lsn: int) -> None:
        """Nothing is asked yet."""
        self._config = config
        self._books = books
        self._name = name
        self._audited_lsn = audited_lsn
        self._sessions = tuple(session.name for session in config.accounts[name].sessions)
        venue = config.accounts[name].venue
        self._has_rest = venue.rest is not None
        profile = find_profile(venue.dialect)
        self._has_query, self._tells_funding = profile.has(Feature.STATUS_QUERY), profile.tells_funding
        self._symbols = tuple(venue.instruments)
        self._moments: list[Moment] = []
        self._silence = ""

    def compare(self, timeout_s: float) -> Result:
        """Every part, asked again until the differences are the same twice, at most `timeout_s` seconds long."""
        deadline_s = time.monotonic() + timeout_s
        before: set[str] = set()
        while True:
            result = self._attempt()
            found = set(result.differences)
            if not found or found == before or time.monotonic() > deadline_s:
                return result
            before = found
            time.sleep(RETRY_S)

    def _attempt(self) -> Result:
        numbers = self._part(self._numbers)
        open_orders = self._part(self._open_orders)
        balances = self._part(self._balances)
        fills = self._part(self._fills)
        parts = {
            "positions": self._positions(balances),
            "balances": balances,
            "open orders": open_orders,
            "fills": fills,
            "numbers": numbers,
        }
        return Result(f"LSN {self._books.lsn}, by the venue's answers", parts)

    def _part(self, compare: Callable[[], Part]) -> Part:
        try:
            return compare()
        except Unanswered as error:
            return Part(Verdict.NOT_ANSWERED, str(error))

    # ---- the parts ----

    def _numbers(self) -> Part:
        status = self._session_status()
        ours = self._session()
        taken, sent = status["next_inbound"] - 1, status["next_outbound"] - 1
        self._read_until(lambda: ours.last_inbound >= taken and ours.last_outbound >= sent, LATE_S)
        text = (
            f"MsgSeqNum(34) {sent} sent and {taken} taken on connection {status['connection']}, which the venue answers"
        )
        pairs = (("taken", taken, ours.last_inbound), ("sent", sent, ours.last_outbound))
        return compared(
            (
                f"the session has {word} MsgSeqNum(34) {number}, the journal holds only {held}"
                for word, number, held in pairs
                if held < number
            ),
            text,
        )

    def _open_orders(self) -> Part:
        if self._has_rest:
            answers = [self._ask("open_orders", symbol) for symbol in self._symbols]
            told = [(answer.ask.asked_lsn, order) for answer in answers for order in answer.orders]
            text = f"{len(told)} in the venue's list, of {', '.join(self._symbols)}"
            asked_lsn = min((answer.ask.asked_lsn for answer in answers), default=self._books.lsn)
            return compared([*self._unknown(), *self._listed(asked_lsn, [order for _, order in told])], text)
        if not self._has_query:
            return Part(Verdict.NOT_COMPARABLE, "the venue has neither OrderStatusRequest(H) nor a REST side")
        self._session_status()
        ours = self._books.books.open_orders(self._name)
        unasked = [order for order in ours if not self._heard_since(order)]
        if unasked:
            names = ", ".join(map(_name, unasked[:5]))
            raise Unanswered(f"no answer to OrderStatusRequest(H) about {len(unasked)} orders: {names}")
        text = f"each of our {len(ours)}, by OrderStatusRequest(H); this dialect has no question for what else is open"
        return compared(self._unknown(), text)

    def _balances(self) -> Part:
        if not self._has_rest:
            return Part(Verdict.NOT_COMPARABLE, "no REST side is configured, and this dialect has no question for them")
        baseline = self._books.books.account(self._name).baseline
        self._moments = [self._moment()]
        answer = self._ask("balances")
        self._read_until(lambda: False, LATE_S)
        if baseline is None:
            text = "they were never told while no order of ours was open, so there is no baseline yet"
            return Part(Verdict.NOT_COMPARABLE, text)
        funding: Balances = {}
        if self._tells_funding and self._in_contracts():
            paid = self._ask("funding", since_ns=baseline.stamp_ns)
            funding = {asset: amount for asset, amount, _ in paid.balances}
        return self._against(baseline, {asset: free + locked for asset, free, locked in answer.balances}, funding)

    def _in_contracts(self) -> list[str]:
        """The symbols that are traded in contracts."""
        contract_of = self._books.books.known.contract_of
        return [symbol for symbol in self._symbols if not contract_of(self._name, symbol).is_spot]

    def _against(self, baseline: Baseline, told: Balances, funding: Balances) -> Part:
        """Whether `told` is the baseline and what our fills have changed since, at one of the moments noted, and what
        funding has."""
        before = asset_changes(self._books.books.known.find(self._name), baseline.positions)
        held = dict(baseline.balances)
        found: list[list[str]] = []
        for moment, _ in self._moments:
            expected = {
                asset: sum((each.get(asset, ZERO) for each in (held, moment, funding)), -before.get(asset, ZERO))
                for asset in held.keys() | told.keys() | moment.keys()
            }
            found.append(_balances_differ(held, expected, told, self._excuses()))
        stated = datetime.fromtimestamp(baseline.stamp_ns // NS_PER_S, UTC)
        since = f"the baseline of {stated:%Y-%m-%d %H:%M:%S} UTC, LSN {baseline.lsn}"
        paid = f", and funding since of {_shown(funding)}" if funding else ""
        return compared(sorted(found, key=len)[0], f"{len(told)} assets, counted from {since}: {_shown(held)}{paid}")

    def _excuses(self) -> str:
        """What else may have moved a balance, in words."""
        is_paid = self._in_contracts() and not self._tells_funding
        return "a deposit, a withdrawal or a payment of funding" if is_paid else "a deposit or withdrawal"

    def _positions(self, balances: Part) -> Part:
        """As the balances, unless some are in contracts: what is held of those shows in no balance."""
        contracts = self._in_contracts()
        if not contracts:
            return balances._replace(text=f"a spot account holds them as balances: {balances.text}", differences=())
        if not self._has_rest:
            text = f"no REST side is configured, and no question of FIX asks for contracts: {', '.join(contracts)}"
            return Part(Verdict.NOT_COMPARABLE, text)
        return self._part(lambda: self._contracts(contracts))

    def _contracts(self, symbols: list[str]) -> Part:
        self._moments = [self._moment()]
        told = dict(self._ask("positions").positions)
        self._read_until(lambda: False, LATE_S)
        found = [contracts_differ(held, told) for _, held in self._moments]
        return compared(sorted(found, key=len)[0], f"by how many the venue says are held of {', '.join(symbols)}")

    def _fills(self) -> Part:
        if not self._has_rest:
            return Part(Verdict.NOT_COMPARABLE, "no REST side is configured; the balances would tell them")
        differences: list[str] = []
        places: list[str] = []
        for symbol in self._symbols:
            after = self._books.began_after.get((self._name, symbol), "")
            trades, asked_lsn = self._history(symbol, after)
            self._read_until(lambda: False, LATE_S)
            differences += self._trades_differ(symbol, trades, asked_lsn, after)
            places.append(f"{len(trades)} of {symbol} after {f'trade {after}' if after else 'the first record'}")
        return compared(differences, f"{'; '.join(places)}; those before it are in the balances")

    def _history(self, symbol: str, after: str) -> tuple[list[Trade], int]:
        """The venue's trades behind `after`, page by page, and where the log stood at the first question."""
        trades: dict[tuple[str, str, str], Trade] = {}
        asked_lsn, since_ns = self._books.lsn, self._books.began_ns or self._books.books.epoch_ns
        while True:
            if after:
                answer = self._ask("history", symbol, from_trade_key=str(int(after) + 1))
            else:
                answer = self._ask("history", symbol, since_ns=since_ns)
            trades |= {(trade.trade_key, trade.order_id, trade.side): trade for trade in answer.trades}
            if len(answer.trades) < TRADES_PAGE:
                return list(trades.values()), asked_lsn
            last, upto_ns = answer.trades[-1].trade_key, newest_ns(answer.trades)
            if is_number(last):
                after = last
            elif upto_ns > since_ns:
                since_ns = upto_ns
            else:
                raise Unanswered(f"{TRADES_PAGE} trades of {symbol} at one time, and their names have no order")

    # ---- ours against theirs ----

    def _unknown(self) -> list[str]:
        return [f"{_name(order)} is UNKNOWN" for order in self._books.books.open_orders(self._name) if order.is_unknown]

    def _listed(self, asked_lsn: int, told: list[RestOrder]) -> Iterator[str]:
        """How the venue's list differs from ours; what was heard of after the question is not in the answer yet."""
        books = self._books.books
        there = {order.cl_ord_id: order for order in told}
        # Where an amendment leaves the order its first name at the venue, the venue's own id is what both know.
        by_order_id = {(row.symbol, row.order_id): row.cl_ord_id for row in told if row.order_id}
        for order in books.open_orders(self._name):
            names = {leg.cl_ord_id: leg for leg in order.legs}
            names |= {
                by_order_id[order.symbol, leg.order_id]: leg
                for leg in order.legs
                if (order.symbol, leg.order_id) in by_order_id
            }
            rows = {name: there.pop(name) for name in names if name in there}
            if order.touched_lsn > asked_lsn or order.is_unknown:
                continue
            if not rows:
                yield f"{_name(order)} ({order.leg.cl_ord_id}) is {order.status.value} for us, not open there"
            for name, row in rows.items():
                leg = names[name]
                ours, theirs = (leg.order_qty, leg.price, leg.cum_qty), (row.order_qty, row.price, row.cum_qty)
                if ours != theirs:
                    yield terms_differ(f"{_name(order)} ({leg.cl_ord_id})", ours, theirs)
        for cl_ord_id, row in there.items():
            known = books.by_id.get(cl_ord_id) or books.by_order_id.get((self._name, row.symbol, row.order_id))
            if known is None or (known.is_closed and known.touched_lsn <= asked_lsn):
                side = "buy" if row.side == "1" else "sell"
                yield f"{cl_ord_id or row.order_id} ({side} {row.order_qty} {row.symbol}) is open there, not for us"

    def _trades_differ(self, symbol: str, trades: list[Trade], asked_lsn: int, after: str) -> Iterator[str]:
        there = {trade.trade_key for trade in trades}
        ledger, filled = self._books.books.ledger, self._books.filled
        for trade in trades:
            place = (self._name, symbol, trade.trade_key)
            if place not in filled and not ledger.knows(*place):
                yield f"trade {trade.trade_key} ({trade.last_qty} {symbol} at {trade.last_px}) is there, not for us"
        for (venue, of, key), lsn in filled.items():
            if (venue, of) == (self._name, symbol) and lsn <= asked_lsn and key not in there and _is_after(key, after):
                yield f"trade {key} of {symbol} is counted by us (LSN {lsn}), not there"

    def _heard_since(self, order: Order) -> bool:
        """Whether the venue has said anything of the order since the audit began."""
        heard_lsn = max(self._books.answered.get((order.strategy, order.number), 0), order.touched_lsn)
        return heard_lsn > self._audited_lsn

    def _moment(self) -> Moment:
        known, held = self._books.books.known.find(self._name), self._books.books.positions_at(self._name)
        return asset_changes(known, held), contracts_held(known, held)

    # ---- asking ----

    def _session_status(self) -> dict[str, Any]:
        """The session's status. Raises Unanswered where nobody is logged on."""
        name = f"session@{self._session().session}"
        try:
            status = ask(self._config.reach, name, "status")
        except (NotRunning, NoAnswer, Refused) as error:
            raise Unanswered(str(error)) from None
        self._read_on()
        if not self._session().logged_on:
            raise Unanswered(f"{name} is {status['state']}: nobody is logged on")
        return status

    def _session(self) -> SessionBooks:
        """The first of the account's sessions that is logged on, else the first."""
        found = [self._books.books.session(name, self._name) for name in self._sessions]
        return next((session for session in found if session.logged_on), found[0])

    def _ask(self, what: str, symbol: str = "", **details: object) -> Answer:
        """The account's answer to one question, once it is in the journal. Raises Unanswered."""
        if self._silence:
            raise Unanswered(self._silence)
        self._read_on()
        seen = len(self._books.answers)
        question = {"account": self._name, "what": what, "symbol": symbol, **details}
        try:
            ask(self._config.reach, "orders", "inquire", question)
        except (NotRunning, NoAnswer, Refused) as error:
            raise Unanswered(str(error)) from None
        self._read_until(lambda: self._answer_to(what, symbol, seen) is not None, ANSWER_S)
        answer = self._answer_to(what, symbol, seen)
        asked = f"account@{self._name}, asked for {what} {symbol}".rstrip()
        if answer is None:
            self._silence = f"{asked}, did not answer within {ANSWER_S:g} s"
            raise Unanswered(self._silence)
        if answer.failed:
            raise Unanswered(f"{asked}: {answer.text}")
        return answer

    def _answer_to(self, what: str, symbol: str, seen: int) -> Answer | None:
        for _, answer in self._books.answers[seen:]:
            if (answer.account, answer.ask.what, answer.ask.symbol, answer.ask.number) == (self._name, what, symbol, 0):
                return answer
        return None

    def _read_until(self, done: Callable[[], bool], timeout_s: float) -> None:
        """Read the journal on until `done`, or the time is over."""
        deadline_s = time.monotonic() + timeout_s
        while not done() and time.monotonic() < deadline_s:
            if not self._step():
                time.sleep(PAUSE_S)

    def _read_on(self) -> None:
        while self._step():
            pass

    def _step(self) -> bool:
        """Fold one more record, and note what our fills come to then."""
        stepped = self._books.step()
        if stepped and self._moments and (moment := self._moment()) != self._moments[-1]:
            self._moments.append(moment)
        return stepped


def _balances_differ(held: Balances, expected: Balances, told: Balances, excuses: str) -> list[str]:
    return [
        f"{asset}: {held.get(asset, ZERO):f} at the baseline and our fills since make {total:f}, the venue says "
        f"{told.get(asset, ZERO):f} (after {excuses}: fixring orders baseline)"
        for asset, total in sorted(expected.items())
        if total != told.get(asset, ZERO)
    ]


def terms_differ(order: str, *terms: Terms) -> str:
    """Quantity, price and what is filled of one order: for us and for the venue, in words."""
    shown = " and ".join(f"{qty} at {px} with {cum} filled" for qty, px, cum in terms)
    return f"{order}: ours and theirs are {shown}"


def _name(order: Order) -> str:
    return f"{order.strategy}/{order.number}"


def _shown(balances: Balances) -> str:
    held = [f"{held:f} {asset}" for asset, held in sorted(balances.items()) if held]
    more = f" and {len(held) - 6} more" if len(held) > 6 else ""
    return ", ".join(held[:6]) + more if held else "nothing"


def _is_after(key: str, after: str) -> bool:
    return key.isdigit() and (not after or int(key) > int(after))
