"""The application behind a session, and the contract when it fails.

Contract. A message is handed on at least once: once per connection history that the host replays, so after a crash
perhaps again, and the key to deduplicate by is (session, generation of its numbers, MsgSeqNum(34)). Within one
process it is handed on exactly once. If the application raises, the message stays consumed (its number was right, so
asking for it again would only fail again), it is kept in `failed` with the error, and a business message is answered
with BusinessMessageReject(j), BusinessRejectReason(380)=4. Neither the process nor the session ends, and nothing is
tried twice.
"""

from collections import deque
from typing import NamedTuple, Protocol

from common.fix.outgoing import reverse_route
from common.fix.session import Session
from common.fix.session_types import Inbound, Instant
from common.fix.wire import split


class Reply(NamedTuple):
    """A message to send: MsgType(35), the fields behind the standard header, extra header fields."""

    msg_type: str
    body: bytes
    header: bytes = b""


class Application(Protocol):
    """What stands behind a session."""

    def logged_on(self) -> None: ...

    def logged_out(self) -> None: ...

    def message(self, inbound: Inbound) -> list[Reply]: ...


class Failure(NamedTuple):
    """A message that the application could not take."""

    inbound: Inbound
    error: Exception


class Delivery:
    """Hands messages to an application and keeps its failures away from the session."""

    def __init__(self, session: Session, application: Application, keep_failed: int = 100) -> None:
        self.session = session
        self.application = application
        self.failed: deque[Failure] = deque(maxlen=keep_failed)
        self.failures = 0

    def deliver(self, inbound: Inbound, now: Instant) -> None:
        """Hand one message on and send the replies, if the session still can."""
        if not inbound.application or inbound.rejected:
            return
        try:
            replies = self.application.message(inbound)
        except Exception as error:
            self.failures += 1
            self.failed.append(Failure(inbound, error))
            # BusinessMessageReject(j) is never answered by another one: two failing sides would not stop.
            failed = inbound.msg_type != "j"
            replies = [business_reject(inbound.raw, 4, "Application not available")] if failed else []
        if self.session.logged_on:
            for reply in replies:
                self.session.send(reply.msg_type, reply.body, now, reply.header)


def business_reject(raw: bytes, reason: int, text: str) -> Reply:
    """BusinessMessageReject(j) for a message that the session accepted; `reason` is BusinessRejectReason(380)."""
    fields = split(raw)
    body = b"45=%b\x0158=%b\x01372=%b\x01380=%d\x01" % (
        fields[b"34"],
        text.encode("latin-1", "replace").replace(b"\x01", b" "),
        fields[b"35"],
        reason,
    )
    return Reply("j", body, reverse_route(fields))
