"""What a person may say to risk, and what he is told: halts, and the order that he would send.

What risk would say to an order is asked over the control link, before it is sent.
"""

from collections.abc import Mapping

import msgspec

from common.actor.acts import Cannot, Done
from common.instant import NS_PER_MS
from common.messages import Attempt, Name, NewOrder, StrategyName, Terms
from services.risk.limits import Proposal, Refusal, shown
from services.risk.settings import AccountLimits

SCOPES = ("firm", "venue", "account", "strategy", "symbol")


class HaltArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a halt is of: the firm, or the venue, account, strategy or symbol called `name`."""

    scope: str = "firm"
    name: str = ""

    def checked_name(self) -> str:
        """The name. Raises Cannot where it names nothing that can be halted."""
        if self.scope not in SCOPES or (self.scope == "firm") != (not self.name) or " " in self.name:
            raise Cannot(f"scope is one of {', '.join(SCOPES)}; all but firm need a name")
        return self.name

    @property
    def text(self) -> str:
        """As it stands in the journal."""
        return f"{self.scope} {self.name}".strip()


class Preview(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The order. `account` "" is the venue's only one, or its first."""

    strategy: StrategyName
    venue: Name
    symbol: Name
    terms: Terms
    account: Name = ""

    def to_order(self, accounts: Mapping[str, AccountLimits]) -> NewOrder:
        """As a command that nobody has sent: its attempt is none, and so is its ClOrdID(11)."""
        of_venue = [name for name, its in accounts.items() if (its.facts.venue or name) == self.venue]
        account = self.account or next(iter(of_venue), self.venue)
        limits = accounts.get(account)
        session = limits.sessions[0] if limits is not None and limits.sessions else account
        return NewOrder(
            Attempt(0, 0), self.strategy, 0, self.venue, self.symbol, self.terms, "", 0, account=account,
            session=session,
        )  # fmt: skip


class Previewed(msgspec.Struct, frozen=True, kw_only=True):
    """Risk's answer: whether it would pass now, or why not, with the numbers that decide. Numbers are text."""

    passes: bool
    reason: str = ""
    text: str = ""
    value: str = ""
    limit: str = ""
    notional: str = ""
    position_worst: str = ""
    position_limit: str = ""
    reference: str = ""
    reference_age_ms: int = 0
    open_orders: int = 0

    @classmethod
    def refused(cls, refusal: Refusal) -> "Previewed":
        """It would be refused."""
        told = refusal.text or refusal.reason.sentence
        return cls(
            passes=False, reason=refusal.reason.value, text=told, value=refusal.value, limit=refusal.limit
        )

    @classmethod
    def passed(cls, p: Proposal) -> "Previewed":
        """It would pass, if nothing changes until it comes."""
        price = p.reference.price
        return cls(
            passes=True, text="risk would pass it now", notional="" if p.notional is None else shown(p.notional),
            position_worst=shown(p.worst), position_limit=shown(p.rules.position_limit),
            reference="" if price is None else shown(price), reference_age_ms=p.reference.age_ns // NS_PER_MS,
            open_orders=p.open_orders,
        )  # fmt: skip

    def told(self) -> Done:
        """As a person is told it."""
        return Done(self.text, msgspec.json.encode(self))
