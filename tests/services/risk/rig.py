"""Risk's core with a journal in memory: records are added by hand, and what the core sends is taken
from its effects.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from common.actor.core import Note, ReadLog, Send
from common.config import RateConfig, StrategyLimits
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.journal.frames import TICK
from common.messages import (
    AmendOrder,
    Attempt,
    CancelOrder,
    ExecutionReport,
    Inbound,
    Instructions,
    Kind,
    NewOrder,
    OrdType,
    Outbound,
    Payload,
    Refused,
    SessionChanged,
    SessionState,
    Side,
    Terms,
    TimeInForce,
    TopOfBook,
)
from common.orders.facts import VenueFacts
from common.orders.leg import Leg
from common.orders.names import cl_ord_id_of
from common.orders.order_state import Order
from common.venues.binance.dialect import Binance
from common.venues.dialect import Dialect
from common.venues.generic.dialect import Generic
from services.risk.core import RiskCore
from services.risk.limits import SymbolRules
from services.risk.settings import AccountLimits, RiskSettings
from services.risk.state import RiskState
from tests.journals import Journal, carry_out

D = Decimal
START_NS = 1_800_000_000 * NS_PER_S

RULES = SymbolRules(
    base="BTC",
    tick_size=D("0.01"),
    lot_size=D("0.001"),
    min_qty=D("0.001"),
    max_qty=D(1000),
    min_notional=D(5),
    max_order_qty=D(10),
    max_order_notional=D(5000),
    position_limit=D(20),
    price_collar_ratio=D("0.05"),
    max_age_ns=5 * NS_PER_S,
)
STRATEGY = StrategyLimits(max_open_orders=10, rate=RateConfig(messages=1000))


DIALECTS: Mapping[str, Dialect] = {"generic": Generic(), "binance": Binance()}


def facts() -> dict[str, VenueFacts]:
    base = {"BTCUSDT": "BTC"}
    return {
        "generic": VenueFacts(Generic().profile.window_ns, base),
        "binance": VenueFacts(Binance().profile.window_ns, base),
    }


def settings(
    rules: SymbolRules = RULES,
    strategies: Mapping[str, StrategyLimits] | None = None,
    default: StrategyLimits = STRATEGY,
    messages: int = 1000,
) -> RiskSettings:
    venues = {
        name: AccountLimits({"BTCUSDT": rules}, venue_facts, messages, NS_PER_S, DIALECTS[name].amend_is_new_order)
        for name, venue_facts in facts().items()
    }
    return RiskSettings(venues, strategies or {}, default, D("0.2"))


class Orders:
    """Makes commands as the order manager does: attempts rise, and ClOrdIDs follow from them."""

    def __init__(self, log: Journal, epoch: int = 7) -> None:
        self.log = log
        self.epoch = epoch
        self.counter = 0

    def attempt(self) -> Attempt:
        self.counter += 1
        return Attempt(self.epoch, self.counter)

    def new(
        self,
        side: Side = "1",
        qty: str = "1",
        price: str | None = "100.00",
        *,
        venue: str = "generic",
        symbol: str = "BTCUSDT",
        strategy: str = "alpha",
        ttl_ms: int = 1000,
        instructions: Instructions = "",
        ord_type: OrdType | None = None,
        stop_px: str | None = None,
        time_in_force: TimeInForce = "1",
        expire_ns: int = 0,
        display_qty: str | None = None,
        further: dict[str, Any] | None = None,
        cash: str | None = None,
    ) -> NewOrder:
        attempt = self.attempt()
        ord_type = ord_type or ("1" if price is None else "2")
        px, stop = None if price is None else D(price), None if stop_px is None else D(stop_px)
        terms = Terms(side, ord_type, D(qty), px, time_in_force, instructions, stop, expire_ns)
        terms = terms if display_qty is None else msgspec.structs.replace(terms, display_qty=D(display_qty))
        terms = msgspec.structs.replace(terms, **(further or {}))
        terms = terms if cash is None else msgspec.structs.replace(terms, order_qty=D(0), cash_order_qty=D(cash))
        return NewOrder(
            attempt, strategy, self.counter, venue, symbol, terms, cl_ord_id_of(attempt),
            self.log.stamp_ns + ttl_ms * NS_PER_MS,
        )  # fmt: skip

    def amend(self, order: NewOrder, qty: str, price: str = "100.00", *, cum: str = "0", orig: str = "") -> AmendOrder:
        attempt = self.attempt()
        return AmendOrder(
            attempt, order.strategy, self.counter, order.venue, order.symbol,
            msgspec.structs.replace(order.terms, order_qty=D(qty), price=D(price)), cl_ord_id_of(attempt),
            orig or order.cl_ord_id, "", order.strategy, order.number, order.order_qty, order.price, D(cum),
            self.log.stamp_ns + NS_PER_S,
        )  # fmt: skip

    def cancel(self, order: NewOrder) -> CancelOrder:
        attempt = self.attempt()
        return CancelOrder(
            attempt, order.strategy, self.counter, order.venue, order.symbol, order.side, cl_ord_id_of(attempt),
            order.cl_ord_id, "", order.strategy, order.number, order.order_qty,
        )  # fmt: skip


def report(
    order: NewOrder | AmendOrder,
    exec_type: str,
    ord_status: str = "",
    *,
    cl_ord_id: str = "",
    orig: str = "",
    qty: str = "",
    last: str = "0",
    px: str = "100",
    cum: str | None = None,
    key: str = "",
    fee: str = "0",
    fee_asset: str = "",
    order_id: str = "",
    ambiguous: bool = False,
    unknown_order: bool = False,
    reference: str = "",
) -> ExecutionReport:
    return ExecutionReport(
        cl_ord_id or order.cl_ord_id, orig, order_id, "", exec_type, ord_status or exec_type, order.symbol, order.side,
        D(qty) if qty else order.order_qty, order.price, D(last), D(px), None if cum is None else D(cum), None, key,
        D(fee), fee_asset, ambiguous=ambiguous, unknown_order=unknown_order, reference_trade_key=reference,
    )  # fmt: skip


class Rig:
    """One life of risk over a log. `sent` are the commands that reached a session, `refused` the refusals appended."""

    def __init__(self, config: RiskSettings | None = None, log: Journal | None = None, *, live: bool = True) -> None:
        self.log = log or Journal(START_NS)
        self.orders = Orders(self.log)
        self.core = RiskCore(config or settings())
        self.boot_ns = 5 * NS_PER_S
        self.inbound_numbers: dict[str, int] = {}
        self.sent: list[msgspec.Struct] = []
        self.appended: list[Payload] = []
        self.control: list[msgspec.Struct] = []
        self.notes: list[Note] = []
        self.grants = live
        self.core.started(self.now)
        self.settle()
        if live:
            self.log_tick(ms=1100)
            self.top()

    @property
    def now(self) -> Instant:
        return Instant(self.log.stamp_ns, self.boot_ns)

    @property
    def state(self) -> RiskState:
        return self.core.state

    @property
    def refused(self) -> list[Refused]:
        return [payload for payload in self.appended if isinstance(payload, Refused)]

    def settle(self) -> None:
        """Carry out effects as a shell and a journal would, until none is left."""
        carry_out(lambda: self.core, self.perform, lambda: self.now)

    def perform(self, effect: object) -> None:
        match effect:
            case Send("journal", message):
                if self.grants:
                    self.to_journal(message)
            case Send("control", message):
                self.control.append(message)
            case Send(link, message):
                assert link == f"session.{message.venue}"  # type: ignore[attr-defined]
                self.sent.append(message)
            case ReadLog(from_lsn, upto_lsn):
                self.core.log_read(self.log.between(from_lsn, upto_lsn), self.now)
            case Note():
                self.notes.append(effect)

    def to_journal(self, message: msgspec.Struct) -> None:
        """The journal takes it at once, and the core reads in the log what it has appended, as everybody does."""
        before_lsn = self.log.lsn
        answers = self.log.take(message)
        self.appended += self.log.payloads(after_lsn=before_lsn)
        for answer in answers:
            self.core.received("journal", b"", answer, self.now)
        published, self.log.published = self.log.published, []
        for block in published:
            self.core.followed(block, self.now)

    # -- what happens to it --------------------------------------------------------------------------------------------

    def record(self, kind: int, payload: msgspec.Struct | bytes = b"\0", ms: int = 1) -> None:
        self.boot_ns += ms * NS_PER_MS
        self.core.followed(self.log.add(kind, payload, ms=ms), self.now)
        self.settle()

    def log_tick(self, ms: int = 100) -> None:
        self.record(TICK, ms=ms)

    def top(
        self,
        bid: str | None = "99.99",
        ask: str | None = "100.01",
        last: str | None = None,
        venue: str = "",
        *,
        last_age_ms: int | None = None,
        why_not: str = "",
    ) -> None:
        for name in [venue] if venue else ["generic", "binance"]:
            top = TopOfBook(
                name, "BTCUSDT", None if bid is None else D(bid), D(1), None if ask is None else D(ask), D(1),
                None if last is None else D(last), self.now.wall_ns,
                0 if last_age_ms is None else self.now.wall_ns - last_age_ms * NS_PER_MS, why_not,
            )  # fmt: skip
            self.core.received("feed", b"", top, self.now)

    def command(self, command: msgspec.Struct) -> None:
        self.core.received("commands", b"", command, self.now)
        self.settle()

    def outbound(
        self, command: NewOrder | AmendOrder | CancelOrder, *, ms: int = 1, connection: int = 1, raw: bytes = b""
    ) -> None:
        msg_type = {NewOrder: "D", AmendOrder: "G", CancelOrder: "F"}[type(command)]
        if isinstance(command, AmendOrder) and DIALECTS[command.venue].amend_is_new_order(command):
            msg_type = "XCN"
        self.record(Kind.OUTBOUND, Outbound(command.venue, 1, connection, 5, msg_type, raw, command), ms)

    def inbound(
        self,
        event: object,
        *,
        venue: str = "generic",
        connection: int = 1,
        number: int = 0,
        poss_dup: bool = False,
    ) -> None:
        self.inbound_numbers[venue] = number = number or self.inbound_numbers.get(venue, 0) + 1
        payload = Inbound(venue, 1, connection, number, "8", b"", event, poss_dup)  # type: ignore[arg-type]
        self.record(Kind.INBOUND, payload)

    def session(self, state: SessionState, *, venue: str = "generic", connection: int = 1, generation: int = 1) -> None:
        following = self.inbound_numbers.get(venue, 0) + 1
        self.record(Kind.SESSION, SessionChanged(venue, generation, connection, state, 1, following))

    def send(self, order: NewOrder) -> NewOrder:
        """Through risk, into the log and acknowledged by the venue."""
        self.command(order)
        assert self.sent and self.sent[-1].attempt == order.attempt, self.refused[-1:]  # type: ignore[attr-defined]
        self.outbound(order)
        self.inbound(report(order, "0"), venue=order.venue)
        return order

    def order(self, number: int = 0) -> Order:
        """The books' order of that number, the last one without."""
        orders = self.state.books.orders
        return list(orders.values())[-1] if not number else next(o for o in orders.values() if o.number == number)

    def legs(self) -> list[Leg]:
        """Every order of the venue that the books know."""
        return [leg for order in self.state.books.orders.values() for leg in order.legs]

    # -- what it counts ------------------------------------------------------------------------------------------------

    def worst(self, venue: str = "generic") -> tuple[Decimal, Decimal, Decimal]:
        """(may be bought, may be sold, position), what is in flight included."""
        firm = self.state.exposure.firm[venue, "BTCUSDT"]
        soft = self.core.in_flight.exposure.firm[venue, "BTCUSDT"]
        return firm.buy + soft.buy, firm.sell + soft.sell, firm.position
