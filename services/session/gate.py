"""The gate of one connection after another: closed until both sides are proven to be in step and orders opens it.

After each logon a TestRequest(1) is sent; its answer shows that both sides hold the same numbers (caught up). Orders
then reconciles and sends OpenGate for this very connection; what adds risk waits for that.
"""

from common.actor.core import Core
from common.fix.session_types import Inbound
from common.fix.wire import split
from common.instant import NS_PER_MS, Instant
from common.messages import OpenGate, SessionState
from services.session.outbox import Outbox
from services.session.records import Records

TEST_AGAIN_NS = 5_000 * NS_PER_MS
"""The TestRequest(1) that proves both sides in step is sent again after so long without its answer."""


class Gate:
    """See the module. `caught_up` and `is_open` are of the live connection."""

    def __init__(self, core: Core, records: Records, outbox: Outbox) -> None:
        """`core` takes the notes."""
        self._core = core
        self._records = records
        self._outbox = outbox
        self.caught_up = False
        self.is_open = False
        self._test_req_id = b""
        self._test_due_ns: int | None = None

    def ask(self, now: Instant) -> None:
        """Ask for the proof: after the logon, and again where the question is unanswered or did not leave."""
        self._test_req_id = b"up-%d" % self._records.history.connection
        self._test_due_ns = now.boot_ns + TEST_AGAIN_NS
        fix = self._outbox.fix
        if fix is not None and fix.logged_on:
            self._outbox.send("1", b"112=%b\x01" % self._test_req_id, b"", None, now)

    def is_answer(self, message: Inbound) -> bool:
        """Whether the message is the Heartbeat(0) that was asked for."""
        if message.msg_type != "0" or not self._test_req_id:
            return False
        return (message.fields or split(message.raw)).get(b"112") == self._test_req_id

    def in_step(self, now: Instant) -> None:
        """Both sides hold the same numbers."""
        self._test_req_id, self._test_due_ns = b"", None
        self.caught_up = True
        self._records.changed(SessionState.CAUGHT_UP, now)

    def open(self, command: OpenGate, now: Instant) -> None:
        """Orders has reconciled; an OpenGate for another connection, or before its time, opens nothing."""
        history = self._records.history
        ours = command.session == history.session and command.connection == history.connection
        if ours and self.caught_up and not self.is_open:
            self.is_open = True
            self._records.changed(SessionState.OPENED, now)
            self._core.note("info", "opened", connection=command.connection, orders_epoch=command.orders_epoch)

    def connection_died(self) -> None:
        """The next connection begins with nothing proven."""
        self.caught_up = self.is_open = False
        self._test_req_id, self._test_due_ns = b"", None

    def next_deadline_ns(self) -> int | None:
        """When the question is due again, in boot time."""
        return self._test_due_ns

    def timer(self, now: Instant) -> None:
        """Ask again for an answer that did not come."""
        if self._test_due_ns is not None and now.boot_ns >= self._test_due_ns:
            self.ask(now)
