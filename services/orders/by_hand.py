"""What a person may have the order manager do: close an order that nothing else can settle, and ask the venues."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final, Literal

import msgspec

from common.actor.acts import ActDone, Cannot, ControlAct, Done, NoArguments
from common.actor.core import Core, Send
from common.actor.links import Appender
from common.instant import Instant
from common.link_roles import JOURNAL_ACT
from common.messages import STRATEGY_NAME, Ask, Booked, FilledByHand, Kind, OperatorAct, Verdict
from common.orders.books import Books
from common.orders.fold import BASELINE, WRITER
from common.orders.money import held_by
from common.orders.numbers import is_plausible
from services.orders.evidence import EvidenceArguments, HostEvidence
from services.orders.reconciliation import Reconciliation
from services.orders.watch import Watch

TOKENS: Final = 256
"""So many acts of other processes are remembered, so that one which is told again is journaled once."""


class VerdictArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person's word on one order: `ord_status` is how it ended, OrdStatus(39) filled, canceled, rejected or expired.

    `cum_qty`: the venue's CumQty(14), for the order alone; a position moves by fills that a venue told, never by this.
    `known`: although the order is not UNKNOWN, because the venue has lost what it told of it.
    """

    strategy: str
    number: int
    ord_status: Literal["2", "4", "8", "C"]
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    cum_qty: Decimal | None = None
    known: bool = False


class FillArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person's word that `qty` of one order was filled at `px`, which the venue has told in CumQty(14) alone."""

    strategy: str
    number: int
    qty: Decimal
    px: Decimal
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class InquireArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question to an account, whose answer is in the journal: see `common.messages.Ask`."""

    account: str
    what: Literal["balances", "positions", "funding", "open_orders", "history"]
    symbol: str = ""
    from_trade_key: str = ""
    since_ns: int = 0


class BaselineArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose baseline begins anew, and why: a deposit, a withdrawal, trades of somebody else."""

    account: str
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=400)]


class BookArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person's word that a strategy holds `qty` more (below zero: less) without a fill, at `px` each: from outside,
    or with `is_transfer` from `from_strategy`. "" is nobody.
    """

    account: str
    symbol: str
    qty: Decimal
    px: Decimal
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=400)]
    strategy: Annotated[str, msgspec.Meta(pattern=rf"\A({STRATEGY_NAME})?\Z")] = ""
    is_transfer: bool = False
    from_strategy: Annotated[str, msgspec.Meta(pattern=rf"\A({STRATEGY_NAME})?\Z")] = ""


class RestartingArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The strategy that its supervisor starts again."""

    strategy: Annotated[str, msgspec.Meta(pattern=rf"\A{STRATEGY_NAME}\Z")]


class OrdersByHand:
    """See the module. `acts` are what there is; what is done is in the journal before it has any effect."""

    def __init__(
        self, core: Core, books: Books, appender: Appender, accounts: Mapping[str, Reconciliation], watch: Watch,
        evidence: HostEvidence,
    ) -> None:  # fmt: skip
        """`core` takes the questions to `accounts`, which are those that are asked, once orders is live."""
        self._core = core
        self._books = books
        self._appender = appender
        self._accounts = accounts
        self._watch = watch
        self._told: dict[str, int] = {}
        """The append that has it, by its token."""
        self.acts = {
            "verdict": ControlAct(VerdictArguments, self._verdict),
            "fill": ControlAct(FillArguments, self._fill),
            "audit": ControlAct(NoArguments, self._audit),
            "inquire": ControlAct(InquireArguments, self._inquire),
            "baseline": ControlAct(BaselineArguments, self._baseline),
            "book": ControlAct(BookArguments, self._book),
            JOURNAL_ACT: ControlAct(ActDone, self._journal_act),
            "evidence": ControlAct(EvidenceArguments, evidence.bring_in),
            "restarting": ControlAct(RestartingArguments, self._restarting),
            "money": ControlAct(NoArguments, self._money),
        }

    def _money(self, _: NoArguments, by: str, now: Instant) -> Done:
        """What is held, as a client's query tells it: for who looks on and has no place among the clients."""
        return Done("", msgspec.json.encode(held_by(self._books)))

    def _audit(self, _: NoArguments, by: str, now: Instant) -> str:
        for account in self._accounts.values():
            account.inquiries.audit()
        return "whatever is open is asked about"

    def _journal_act(self, done: ActDone, by: str, now: Instant) -> Done:
        if done.token not in self._told:
            if len(self._told) >= TOKENS:
                del self._told[next(iter(self._told))]
            act = OperatorAct(done.actor, done.act, done.by, done.text)
            self._told[done.token] = self._appender.append(Kind.OPERATOR, act, now)
        return Done("it is in the journal", number=self._told[done.token])

    def _restarting(self, told: RestartingArguments, by: str, now: Instant) -> str:
        self._watch.restarting(told.strategy, now)
        return "its start is allowed for"

    def _need_rest(self, account: str) -> None:
        accounts = [name for name, its in self._accounts.items() if its.has_rest]
        if account not in accounts:
            raise Cannot(f"no account {account} has a REST side; there is {', '.join(accounts) or 'none'}")

    def _baseline(self, word: BaselineArguments, by: str, now: Instant) -> str:
        self._need_rest(word.account)
        resting = len(self._books.open_orders(word.account))
        if resting:
            raise Cannot(f"{resting} orders are open at {word.account}: halt it and cancel them, then ask again")
        self._appender.append(Kind.OPERATOR, OperatorAct(WRITER, BASELINE, by, f"{word.account}: {word.text}"), now)
        return f"the next balances of {word.account}, told while nothing of ours is open, are its baseline"

    def _inquire(self, asked: InquireArguments, by: str, now: Instant) -> str:
        self._need_rest(asked.account)
        ask = Ask(
            self._books.known.venue_of(asked.account), 0, asked.what, asked.symbol,
            from_trade_key=asked.from_trade_key, asked_lsn=self._books.lsn, since_ns=asked.since_ns,
            account=asked.account,
        )  # fmt: skip
        self._core.effects.append(Send(f"account.{asked.account}", ask))
        return "asked"

    def _verdict(self, word: VerdictArguments, by: str, now: Instant) -> str:
        name = f"{word.strategy}/{word.number}"
        order = self._books.orders.get((word.strategy, word.number))
        if order is None:
            raise Cannot(f"{name}: no open order has that name")
        if order.is_closed:
            raise Cannot(f"{name} is {order.status.value} already")
        if not (order.is_unknown or word.known):
            raise Cannot(f"{name} is {order.status.value}, not UNKNOWN: cancel it, or say that it is known")
        cum_qty = order.cum_qty if word.cum_qty is None else word.cum_qty
        if not (is_plausible(cum_qty) and order.cum_qty <= cum_qty <= order.order_qty):
            bounds = f"{order.cum_qty}, as much as is known, and {order.order_qty}"
            raise Cannot(f"{name}: a filled quantity of {cum_qty} is not between {bounds}")
        verdict = Verdict(order.strategy, order.number, word.ord_status, cum_qty, by, word.text)
        self._appender.append(Kind.VERDICT, verdict, now)
        return f"the verdict on {name} is in the journal"

    def _book(self, word: BookArguments, by: str, now: Instant) -> str:
        known, place = self._books.known, f"{word.symbol} at {word.account}"
        if word.account not in known.accounts:
            raise Cannot(f"{word.account}: no such account; there is {', '.join(sorted(known.accounts))}")
        if not known.find(word.account).knows(word.symbol):
            there = ", ".join(sorted(known.find(word.account).bases))
            raise Cannot(f"{place}: no such symbol; there is {there}")
        if not (word.qty and is_plausible(abs(word.qty)) and is_plausible(word.px) and word.px > 0):
            wanted = "the quantity must not be 0, and the price must be above 0"
            raise Cannot(f"{word.qty} at {word.px} cannot be booked: {wanted}")
        if word.is_transfer and word.from_strategy == word.strategy:
            raise Cannot(f"{word.strategy or 'nobody'} is on both sides of the transfer of {place}")
        told = Booked(
            word.account, word.symbol, word.strategy, word.qty, word.px, by, word.text, word.is_transfer,
            word.from_strategy if word.is_transfer else "",
        )  # fmt: skip
        self._appender.append(Kind.BOOKED, told, now)
        return f"{word.qty} {place} at {word.px} is in the journal"

    def _fill(self, word: FillArguments, by: str, now: Instant) -> str:
        name = f"{word.strategy}/{word.number}"
        order = self._books.orders.get((word.strategy, word.number))
        if order is None:
            raise Cannot(f"{name}: no order in memory has that name")
        missing = self._books.missing_qty(order)
        if not (is_plausible(word.qty) and 0 < word.qty <= missing):
            told = f"its venue's CumQty(14) is {missing} above the trades that it has told"
            raise Cannot(f"{name}: {told}, and that much can be booked by hand, not {word.qty}")
        if not (is_plausible(word.px) and word.px > 0):
            raise Cannot(f"{name}: {word.px} is no price of a fill")
        told_by_hand = FilledByHand(order.strategy, order.number, word.qty, word.px, by, word.text)
        self._appender.append(Kind.FILLED_BY_HAND, told_by_hand, now)
        return f"{word.qty} of {name} at {word.px} is in the journal"
