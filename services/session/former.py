"""The former connection: the one that another has taken over from, heard and answered until it ends.

A venue that announces the end of a connection lets another log on before. From the record of that one's beginning on
the numbers are its own, and no command leaves on the former one any more; but what was sent there is answered there,
so all that it tells is journaled as ever, under its own generation. It is logged out once its successor is logged on.
"""

from common.actor.core import Close, Core
from common.actor.rates import MessageRate
from common.fix.session_types import Disconnect, Notice, OtherEffect, Unnumbered
from common.fix.session_types import Inbound as FixInbound
from common.instant import Instant
from common.venues.dialect import Dialect
from services.session.inbox import Inbox
from services.session.kill import KillSwitch
from services.session.outbox import Outbox
from services.session.records import Records


class Former:
    """See the module. There is none while `outbox` has no FIX session."""

    def __init__(
        self, core: Core, dialect: Dialect, records: Records, rate: MessageRate, kill: KillSwitch
    ) -> None:
        """`core` takes the effects and notes; `kill` hears what an answer means for it; `rate` is this one's own."""
        self._core = core
        self._kill = kill
        self.outbox = Outbox(core, records, rate)
        self.inbox = Inbox(core, dialect, records, self.outbox)
        self._closing = ""

    @property
    def lives(self) -> bool:
        """Whether there is one."""
        return self.outbox.fix is not None

    def is_it(self, connection: int) -> bool:
        """Whether that is its number."""
        return self.lives and connection == self.outbox.connection

    def take_over(self, outbox: Outbox) -> None:
        """The connection of `outbox` is the former one from here on."""
        self._closing = ""
        self.outbox.take_over(outbox)

    def log_out(self, now: Instant) -> None:
        """Its successor is logged on."""
        if self.outbox.fix is not None:
            self.outbox.fix.logout("", now)
            self.carry_out(now)

    def break_off(self, text: str) -> None:
        """End it now, whatever has not left."""
        if self.lives:
            self._core.effects.append(Close(self.outbox.connection))
            self.ended(text)

    def ended(self, text: str) -> None:
        """The connection is gone. What it carried was told as of unknown fate when its successor began."""
        self._core.note("info", "former_ended", connection=self.outbox.connection, text=text)
        self.outbox.gone()

    def data(self, data: bytes, now: Instant) -> None:
        """Bytes of the venue."""
        if self.outbox.fix is not None:
            self.outbox.fix.received(data, now)
            self.carry_out(now)

    def writable(self, now: Instant) -> None:
        """It takes bytes again."""
        self.outbox.unblock(now)
        self._close_if_drained()

    def acknowledged(self, number: int, stamp_ns: int, now: Instant) -> None:
        """The journal has everything up to that append."""
        if self.lives:
            self.outbox.acknowledged(number, stamp_ns, now)
            self._close_if_drained()

    def next_deadline_ns(self) -> int | None:
        """When `timer` has something to do, in boot time."""
        return self.outbox.fix.next_deadline_ns() if self.outbox.fix is not None else None

    def timer(self, now: Instant) -> None:
        """Heartbeats, and the end of one that does not answer."""
        if self.outbox.fix is not None:
            self.outbox.fix.timer(now)
            self.carry_out(now)

    def carry_out(self, now: Instant) -> None:
        """Carry out what its FIX session wants."""
        while (effect := self.outbox.next_effect(now)) is not None:
            self._fix_effect(effect, now)
        self._close_if_drained()

    def _fix_effect(self, effect: OtherEffect, now: Instant) -> None:
        if isinstance(effect, FixInbound):
            events = self.inbox.journal_message(effect, now)
            if self._kill.latched:
                for event in events:
                    self._kill.hear_event(event, now)
        elif isinstance(effect, Unnumbered):
            self.inbox.journal_unnumbered(effect, now)
        elif isinstance(effect, Disconnect):
            self._closing = f"{effect.reason.name.lower()}: {effect.text}"
        elif isinstance(effect, Notice):
            self._core.note(effect.level.value, effect.code, text=effect.text)

    def _close_if_drained(self) -> None:
        if self._closing and not self.outbox.unreleased:
            self.break_off(self._closing)
