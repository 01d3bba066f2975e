"""The actor `dropcopy@NAME`: a session on which a venue repeats what it tells of all orders of an account.

It sends no order, opens no gate and kills nothing. What it hears goes to the journal: of each report the fill, bust or
correction, which the books count once by its trade key whoever tells it first, and the end of an order. Acceptances,
refusals and changed terms are the order entry session's to hear: told a second time, later, they would be of the past.
Nothing waits for this session, and while it is away nothing is asked for on its account.
"""

import msgspec
from msgspec.structs import replace

from common.actor.links import Appender
from common.fix.session import Session
from common.fix.session_types import Inbound, SessionSettings
from common.instant import Instant, earliest
from common.messages import (
    MAX_RECORD_BYTES,
    ExecutionReport,
    Kind,
    OneEvent,
    Several,
    VenueEvent,
    encode,
    events_of,
)
from common.messages import Inbound as InboundRecord
from common.orders.words import tells_end, tells_trade
from common.venues.credentials import Credentials
from common.venues.dialect import BadReport, Dialect, Identity
from common.venues.listening import ListeningConfig, ListeningCore

MAX_BYTES = MAX_RECORD_BYTES - (4 << 10)
"""A message and what it says are below what a record has."""


class DropCopyConfig(ListeningConfig, frozen=True, kw_only=True):
    """One drop copy: its own name and that of the account."""

    name: str
    account: str


class DropCopyCore(ListeningCore):
    """See the module. Link: "journal"; target "fix"."""

    what = "drop copy"

    def __init__(self, config: DropCopyConfig, dialect: Dialect) -> None:
        super().__init__(f"dropcopy@{config.name}", config, dialect)
        self.config = config
        self._appender = Appender(self, self.name, ack_may_wait=frozenset({Kind.INBOUND}))
        self._counted = 0

    # ---- the journal ----

    def started(self, now: Instant) -> None:
        """See `Core`: nothing is heard before there is somewhere to write it."""
        self._appender.request_epoch(now)
        super().started(now)

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        """See `Core`."""
        if link == "journal":
            self._appender.take_message(message, now)
        else:
            super().received(link, peer, message, now)

    def turn_ended(self, now: Instant) -> None:
        """See `Core`."""
        self._appender.turn_ended(now)

    def next_deadline_ns(self) -> int | None:
        """See `Core`."""
        times = (super().next_deadline_ns(), self._appender.next_deadline_ns())
        return earliest(*times)

    def timer(self, now: Instant) -> None:
        """See `Core`."""
        self._appender.timer(now)
        super().timer(now)

    def _connect(self, now: Instant) -> None:
        if self._appender.granted and not self._appender.full:
            super()._connect(now)
        else:
            self._schedule(now, failed=True)

    # ---- what the venue says ----

    def _session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        return self.dialect.session_settings(identity._replace(drop_copy=True), credentials)

    def _logged_on(self, fix: Session, now: Instant) -> None:
        self.note("info", "logged_on", connection=self._connection)

    def _inbound(self, effect: Inbound, now: Instant) -> None:
        if not effect.application:
            return
        if self._appender.full:
            self._close("the journal takes nothing", now)
            return
        event = self._event(effect)
        self._counted += len(events_of(event))
        config = self.config
        record = InboundRecord(
            config.name,
            self._connection,  # whose numbers began at 1
            self._connection,
            effect.msg_seq_num,
            effect.msg_type,
            effect.raw,
            event,
            effect.poss_dup,
            account=config.account,
            venue=config.venue,
            drop_copy=True,
        )
        self._appender.append(Kind.INBOUND, record, now)

    def _event(self, effect: Inbound) -> VenueEvent | None:
        """What counts of the message. One that cannot be read is journaled raw, and said to be so: the order entry
        session has it too."""
        if effect.wrong:
            self._note_unreadable(effect, effect.wrong)
            return None
        try:
            told = events_of(self.dialect.decode(effect.msg_type, effect.raw, effect.fields))
        except BadReport as error:
            self._note_unreadable(effect, str(error))
            return None
        counted = [found for each in told if (found := counts(each)) is not None]
        event: VenueEvent | None = Several(tuple(counted)) if len(counted) > 1 else next(iter(counted), None)
        if event is not None and len(effect.raw) + len(encode(event)) > MAX_BYTES:
            self._note_unreadable(effect, f"{len(counted)} things in one message: more than a record has room for")
            return None
        return event

    # ---- status ----

    def status(self, now: Instant) -> dict[str, object]:
        """See `Core`."""
        row = {**super().status(now), "counted": self._counted, "unacknowledged": self._appender.unacknowledged}
        return {**row, "account": self.config.account, "epoch": self._appender.epoch, "lsn": self._appender.last_lsn}

    def _state(self) -> str:
        """One word for people; nobody waits for this session, so that it is no word for what is starting."""
        state = super()._state()
        return "away" if state in ("waiting", "connecting") else state


def counts(event: OneEvent) -> ExecutionReport | None:
    """What counts of something that a drop copy tells: a fill or its change, or an order's end, without the order's
    terms."""
    if not isinstance(event, ExecutionReport) or event.unknown_order or event.ambiguous:
        return None
    if not tells_trade(event) and not tells_end(event):
        return None
    return replace(event, order_qty=None, price=None)
