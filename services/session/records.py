"""A session's way to its durable records: folded as they are written, numbered, and acknowledged once they are
durable.
"""

import msgspec

from common.actor.core import BaseCore
from common.actor.links import Acknowledged, Appender
from common.instant import Instant
from common.messages import (
    Appended,
    EpochGranted,
    GapFilled,
    Inbound,
    Kind,
    OperatorAct,
    Outbound,
    Payload,
    Refused,
    SessionChanged,
    Withdrawn,
)
from services.session.clock import JournalClock
from services.session.history import History

OwnPayload = Outbound | Inbound | SessionChanged | Refused | Withdrawn | GapFilled | OperatorAct
KINDS: dict[type, Kind] = {
    Outbound: Kind.OUTBOUND,
    Inbound: Kind.INBOUND,
    SessionChanged: Kind.SESSION,
    Refused: Kind.REFUSED,
    Withdrawn: Kind.WITHDRAWN,
    GapFilled: Kind.GAP_FILLED,
    OperatorAct: Kind.OPERATOR,
}
OWN_KINDS = frozenset(KINDS.values())
decode_payload = msgspec.msgpack.Decoder(Payload).decode


class Records:
    """What the rest of the session appends to; where the records go is this object's matter."""

    def __init__(self, core: BaseCore, writer: str, history: History) -> None:
        self.appender = Appender(core, writer)
        self.history = history
        self.clock = JournalClock()
        self.last_number = 0

    def append(self, payload: OwnPayload, now: Instant) -> int:
        """Fold one record and send it on its way. Returns the number that `received` acknowledges."""
        self.history.apply(payload)
        self.last_number = self.appender.append(KINDS[type(payload)], payload, now)
        return self.last_number

    def received(self, message: msgspec.Struct, now: Instant) -> Acknowledged | None:
        """A message of the journal link. Raises Superseded."""
        if isinstance(message, Appended | EpochGranted):
            self.clock.heard(message.stamp_ns, message.journal_epoch, now)
        return self.appender.received(message, now)

    def away(self, now: Instant) -> bool:
        """Whether the journal does not answer."""
        return self.appender.away(now)
