"""The clockwork of a session: Heartbeat(0) when we are silent, TestRequest(1) when the peer is, and the end of both."""

from common.fix.session_types import DisconnectReason, Instant, SessionSettings
from common.fix.standing import Standing
from common.fix.wire import NS_PER_S


class Liveness:
    """Cases 4 and 6. `interval_s` is the HeartBtInt(108) in force, 0 for none; `received_boot_ns` is when the last
    message came."""

    __slots__ = ("_asked", "_lost_after", "_owed", "_standing", "_test_after", "interval_s", "received_boot_ns")

    def __init__(self, settings: SessionSettings, standing: Standing) -> None:
        self.interval_s = settings.heart_bt_int_s
        self.received_boot_ns = 0
        self._standing = standing
        self._owed = b""  # the TestReqID(112) of the newest TestRequest(1) that waits for its answer
        self._asked = False  # a TestRequest(1) is out since the last message came
        self._test_after = settings.test_request_multiplier
        self._lost_after = settings.disconnect_multiplier

    def begin(self, boot_ns: int, interval_s: int) -> None:
        """A connection is up."""
        self.interval_s = interval_s
        self._owed = b""
        self._standing.allowance.forget()
        self._standing.sent_boot_ns = boot_ns
        self.heard(boot_ns)

    def heard(self, boot_ns: int) -> None:
        """The peer sent a message, whatever is in it."""
        self.received_boot_ns = boot_ns
        self._asked = False

    def answer(self, test_req_id: bytes, now: Instant) -> None:
        """Case 4.b: answer a TestRequest(1). Of more than a window allows only the newest is answered, later."""
        if self._standing.allowance.take(now.boot_ns):
            self._owed = b""
            self._standing.send(b"0", b"112=%b\x01" % test_req_id, now)
        else:
            self._owed = test_req_id

    def due_ns(self) -> list[int]:
        """When `timer` has something to do, by boot_ns."""
        interval = self.interval_s * NS_PER_S
        owed = [self._standing.allowance.next_ns()] if self._owed else []
        if not interval:
            return owed
        silence = self._lost_after if self._asked else self._test_after
        return [*owed, self._standing.sent_boot_ns + interval, self.received_boot_ns + int(interval * silence)]

    def timer(self, now: Instant) -> None:
        """Send or close what is due."""
        if self._owed and now.boot_ns >= self._standing.allowance.next_ns():
            self.answer(self._owed, now)
        interval, t, standing = self.interval_s * NS_PER_S, now.boot_ns, self._standing
        if not interval:
            return
        silent_ns = t - self.received_boot_ns
        if silent_ns >= int(interval * self._lost_after):
            standing.close(DisconnectReason.HEARTBEAT_TIMEOUT, f"nothing received for {silent_ns / NS_PER_S:.1f} s")
        elif silent_ns >= int(interval * self._test_after) and not self._asked:
            self._asked = True
            standing.send(b"1", b"112=%d-%d\x01" % (standing.connection, standing.next_outbound), now)
        elif t >= standing.sent_boot_ns + interval:
            standing.send(b"0", b"", now)
