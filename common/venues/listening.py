"""What an actor does with a FIX connection on which it only listens: make it, keep it by its schedule, end it, say how
it is.

Numbers start at 1 with each logon and nothing of the session is journaled. What the connection is for is the actor's
own: what it says once it is logged on, what it makes of what it hears, what it forgets with the connection.

Where the venue announces the end of a connection another is made beside it. What the first tells counts until the
second is logged on; then the first is logged out.
"""

from abc import abstractmethod

import msgspec

from common.actor.acts import do_act
from common.actor.core import Close, Connect, Core, Exit, HostWorked, Send, Write
from common.fix.schedule import Schedule
from common.fix.session import Session
from common.fix.session_types import Disconnect, DisconnectReason, Inbound, LoggedOn, Notice, Outbound, SessionSettings
from common.fix.session_types import Effect as FixEffect
from common.instant import NS_PER_MS, NS_PER_S, Instant, earliest
from common.messages import ControlRequest
from common.venues.connector import Connector, Hours
from common.venues.credentials import Credentials
from common.venues.dialect import Dialect, Identity
from common.venues.key_in_use import KeyInUse, ReadAgain, sender_of
from common.venues.nonces import NonceKeeper, Nonces

TARGET = "fix"
CONNECT_TIMEOUT_NS = 10 * NS_PER_S
LOGOUT_TIMEOUT_NS = 500 * NS_PER_MS
CLOCK_WARNING_NS = 250 * NS_PER_MS


class ListeningConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One such session. Either `sender_comp_id` or `comp_id_prefix` is set, as for an order entry session.

    `hosts` counts those that are tried in turn. Without `schedule` the session is open at all times.
    `read_credentials` gives the credentials as they are now, for each logon; without it they stay as they are.
    `nonces` keeps the numbers of the Logons(A), where the venue wants them to grow.
    """

    venue: str
    target_comp_id: str
    connects: int
    connects_window_ms: int
    sender_comp_id: str = ""
    comp_id_prefix: str = ""
    heart_bt_int_s: int = 30
    reconnect_min_ms: int = 50
    reconnect_max_ms: int = 5000
    hosts: int = 1
    first_connection: int = 0
    credentials: Credentials | None = None
    read_credentials: ReadAgain | None = None
    schedule: Schedule | None = None
    nonces: NonceKeeper | None = None


class _Beside:
    """A connection beside the one that is listened to: its successor, or the one before it, on its way out."""

    def __init__(self, number: int, sender: str, fix: Session, deadline_ns: int) -> None:
        self.number = number
        self.sender = sender
        self.fix = fix
        self.deadline_ns = deadline_ns
        self.blocked = False
        self.waiting: list[bytes] = []
        self.leaves = False

    def writes(self) -> list[Write]:
        """What may leave now."""
        if self.blocked:
            return []
        waiting, self.waiting = self.waiting, []
        return [Write(self.number, raw) for raw in waiting]


class ListeningCore(Core):
    """See the module. Target: "fix"."""

    what = "session"
    """What the session is, in the text of its Logout(5)."""

    def __init__(self, name: str, config: ListeningConfig, dialect: Dialect) -> None:
        """`name` is the actor's."""
        super().__init__(name)
        self.dialect = dialect
        self.hours = Hours(config.schedule)
        self.connector = Connector(
            self.name,
            config.reconnect_min_ms,
            config.reconnect_max_ms,
            config.connects,
            config.connects_window_ms,
            jitter_seed=0,
            hosts=config.hosts,
        )
        self._listening = config
        self._key = KeyInUse(config.credentials, config.read_credentials)
        # Nothing is journaled here, so a new process begins its CompIDs where the caller says, to pass over locked
        # ones.
        self._connection = self._last_connection = config.first_connection
        self._beside: _Beside | None = None
        self._nonces = Nonces() if config.nonces is None else config.nonces.load()
        self._fix: Session | None = None
        self._deadline_ns: int | None = None
        self._heard_wall_ns = 0
        self._sender = ""
        self._stopping = False
        self._blocked = False
        self._waiting: list[bytes] = []
        self._messages = 0
        self._garbled = 0
        self._unreadable = 0

    # ---- what the actor makes of it ----

    @abstractmethod
    def _session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """The FIX session of the next connection. Raises ValueError where the credentials are of no use."""

    @abstractmethod
    def _logged_on(self, fix: Session, now: Instant) -> None:
        """The venue has let us in."""

    @abstractmethod
    def _inbound(self, effect: Inbound, now: Instant) -> None:
        """A message of the venue."""

    def _forget(self) -> None:
        """The connection is gone, and with it what only it told."""

    # ---- the connection ----

    def started(self, now: Instant) -> None:
        """See `Core`."""
        self.hours.look(now)
        self._schedule(now, failed=False)

    def _schedule(self, now: Instant, *, failed: bool) -> None:
        """Make the next connection, unless the schedule has none now."""
        if self.hours.is_open:
            self.connector.schedule(now, failed=failed)
        else:
            self.connector.cancel()

    def _keep_hours(self, now: Instant) -> None:
        """Log out where the schedule's period has ended, connect where the next has begun."""
        if not self.hours.look(now) or self._stopping:
            return
        self.note("info", "schedule_opened" if self.hours.is_open else "schedule_closed", text=self.hours.text)
        if self._fix is None:
            self._schedule(now, failed=False)
        elif not self.hours.is_open:
            self._log_out("the period of the schedule has ended", now)

    def _log_out(self, text: str, now: Instant) -> None:
        """Log out, so that the venue frees the name at once; what is not even made yet is closed."""
        assert self._fix is not None
        if not self._fix.connection:
            self._close(text, now)
            return
        self._fix.logout(text, now)
        self._carry_out(now)
        if self._fix is not None:
            self._deadline_ns = now.boot_ns + LOGOUT_TIMEOUT_NS

    def _connect(self, now: Instant) -> None:
        self._connection, self._sender, self._fix = self._dial(now)
        self._deadline_ns = now.boot_ns + CONNECT_TIMEOUT_NS
        self._blocked = False

    def _dial(self, now: Instant) -> tuple[int, str, Session]:
        """Begin the next connection: its number, its SenderCompID(49), and its FIX session."""
        self._last_connection += 1
        settings = self._key.make(self._settings_with)
        if self._key.failure:
            self.note("error", "key_not_used", text=self._key.failure)
        self.connector.attempted(now)
        self.effects.append(Connect(self._last_connection, TARGET))
        return self._last_connection, settings.sender_comp_id, Session(settings)

    def _settings_with(self, credentials: Credentials | None) -> SessionSettings:
        config, profile = self._listening, self.dialect.profile
        sender = sender_of(config.sender_comp_id, config.comp_id_prefix, self._last_connection, profile, credentials)
        identity = Identity(sender, config.target_comp_id, config.heart_bt_int_s, self._nonces.latest_ms)
        return self._session_settings(identity, credentials)

    def connected(self, connection: int, now: Instant) -> None:
        """See `Core`."""
        beside = self._is_beside(connection)
        if beside is not None:
            self._count_logon(now)
            beside.fix.connected(now)
            self._carry_out_beside(now)
        elif self._fix is not None and connection == self._connection:
            self._deadline_ns = None
            self._count_logon(now)
            self._fix.connected(now)
            self._carry_out(now)

    def closed(self, connection: int, text: str, now: Instant) -> None:
        """See `Core`."""
        if self._is_beside(connection) is not None:
            self._end_beside(text, closed=True)
        elif self._fix is not None and connection == self._connection:
            self._ended(text, now)

    def data(self, connection: int, data: bytes, now: Instant) -> None:
        """See `Core`."""
        beside = self._is_beside(connection)
        if beside is not None:
            beside.fix.received(data, now)
            self._carry_out_beside(now)
        elif self._fix is not None and connection == self._connection:
            self._fix.received(data, now)
            self._carry_out(now)

    def blocked(self, connection: int, now: Instant) -> None:
        """See `Core`."""
        beside = self._is_beside(connection)
        if beside is not None:
            beside.blocked = True
        else:
            self._blocked = self._blocked or connection == self._connection

    def writable(self, connection: int, now: Instant) -> None:
        """See `Core`."""
        beside = self._is_beside(connection)
        if beside is not None:
            beside.blocked = False
            self.effects += beside.writes()
        elif connection == self._connection:
            self._blocked = False
            self._write_waiting()

    def _ended(self, text: str, now: Instant) -> None:
        self._fix = None
        self._deadline_ns = None
        self._waiting.clear()
        self._forget()
        self.note("warning", "disconnected", connection=self._connection, text=text)
        if self._stopping:
            self.effects.append(Exit(0, "stopped"))
        elif self._beside is not None and not self._beside.leaves and self.hours.is_open:
            self._succeed()
        else:
            self._schedule(now, failed=True)

    def _close(self, text: str, now: Instant) -> None:
        self.effects.append(Close(self._connection))
        self._ended(text, now)

    # ---- another beside it ----

    def _is_beside(self, connection: int) -> _Beside | None:
        beside = self._beside
        return beside if beside is not None and beside.number == connection else None

    def _end_announced(self, now: Instant) -> None:
        """The venue will end the connection: have another one before, under the next of its names."""
        renamed = bool(self._listening.comp_id_prefix) and self.dialect.profile.ends_announced
        if not renamed or self._beside is not None or self._stopping or not self.hours.is_open:
            return
        if self.connector.may_attempt(now):
            self._beside = _Beside(*self._dial(now), now.boot_ns + CONNECT_TIMEOUT_NS)

    def _succeed(self) -> None:
        """The connection beside is the one to listen to, however far it is."""
        beside, self._beside = self._beside, None
        assert beside is not None
        self._connection, self._sender, self._fix = beside.number, beside.sender, beside.fix
        self._blocked, self._waiting = beside.blocked, beside.waiting
        self._deadline_ns = None if beside.fix.connection else beside.deadline_ns

    def _change_over(self, now: Instant) -> None:
        """The successor is logged on: listen to it, and log the one before it out. What that told stays until the
        successor tells better.
        """
        assert self._fix is not None
        former = _Beside(self._connection, self._sender, self._fix, now.boot_ns + LOGOUT_TIMEOUT_NS)
        former.blocked, former.waiting, former.leaves = self._blocked, self._waiting, True
        self._succeed()
        self._beside = former
        former.fix.logout("", now)
        self._carry_out_beside(now)

    def _carry_out_beside(self, now: Instant) -> None:
        beside = self._beside
        while beside is not None and self._beside is beside and (effects := beside.fix.take_effects()):
            for effect in effects:
                self._beside_effect(beside, effect, now)

    def _beside_effect(self, beside: _Beside, effect: FixEffect, now: Instant) -> None:
        if self._beside is not beside:
            # Changed over by an effect before this one, or ended.
            if self._fix is beside.fix:
                self._fix_effect(effect, beside.fix, now)
        elif isinstance(effect, Outbound):
            beside.waiting.append(effect.raw)
            self.effects += beside.writes()
        elif isinstance(effect, LoggedOn):
            self._change_over(now)
            self._fix_effect(effect, beside.fix, now)
            self._carry_out(now)
        elif isinstance(effect, Disconnect):
            self._count_refusal(effect)
            self._end_beside(f"{effect.reason.name.lower()}: {effect.text}")

    def _end_beside(self, text: str, *, closed: bool = False) -> None:
        assert self._beside is not None
        if not closed:
            self.effects.append(Close(self._beside.number))
        self.note("info", "ended_beside", connection=self._beside.number, text=text)
        self._beside = None

    # ---- what the FIX session says ----

    def _carry_out(self, now: Instant) -> None:
        fix = self._fix
        while fix is not None and (effects := fix.take_effects()):
            for effect in effects:
                self._fix_effect(effect, fix, now)
                if self._fix is not fix:
                    return

    def _fix_effect(self, effect: FixEffect, fix: Session, now: Instant) -> None:
        if isinstance(effect, Outbound):
            self._waiting.append(effect.raw)
            self._write_waiting()
        elif isinstance(effect, Inbound):
            self._messages += 1
            self._heard_wall_ns = now.wall_ns
            self._inbound(effect, now)
        elif isinstance(effect, LoggedOn):
            self.effects.append(HostWorked(TARGET))
            self.connector.worked()
            self._nonces = self._nonces.accepted()
            self._logged_on(fix, now)
        elif isinstance(effect, Disconnect):
            self._count_refusal(effect)
            self._close(f"{effect.reason.name.lower()}: {effect.text}", now)
        elif isinstance(effect, Notice):
            self._garbled += effect.code == "garbled"
            self.note(effect.level.value, effect.code, text=effect.text)

    def _count_logon(self, now: Instant) -> None:
        """Its number is kept before it is sent. Where the disk does not take it the logon goes out all the same."""
        self._nonces = self._nonces.sent(now.wall_ns)
        try:
            if self._listening.nonces is not None:
                self._listening.nonces.keep(self._nonces)
        except OSError as error:
            self.note("error", "nonce_not_kept", text=str(error))

    def _count_refusal(self, effect: Disconnect) -> None:
        if effect.reason is DisconnectReason.LOGON_REFUSED:
            self._nonces = self._nonces.refused()

    def _write_waiting(self) -> None:
        while self._waiting and not self._blocked:
            self.effects.append(Write(self._connection, self._waiting.pop(0)))

    # ---- time ----

    def next_deadline_ns(self) -> int | None:
        """See `Core`."""
        fix_ns = self._fix.next_deadline_ns() if self._fix is not None else None
        beside = self._beside
        beside_ns = (None, None) if beside is None else (beside.fix.next_deadline_ns(), beside.deadline_ns)
        times = (self.connector.due_boot_ns, self._deadline_ns, fix_ns, self.hours.next_deadline_ns(), *beside_ns)
        return earliest(*times)

    def timer(self, now: Instant) -> None:
        """See `Core`."""
        self._keep_hours(now)
        if self.connector.due_boot_ns is not None and now.boot_ns >= self.connector.due_boot_ns:
            self._connect(now)
        if self._fix is not None:
            self._fix.timer(now)
            self._carry_out(now)
        if self._beside is not None:
            self._beside.fix.timer(now)
            self._carry_out_beside(now)
        if self._beside is not None and now.boot_ns >= self._beside.deadline_ns:
            self._end_beside("not in time")
        if self._deadline_ns is not None and now.boot_ns >= self._deadline_ns:
            self._close("no connection in time", now)

    # ---- stop, control, status ----

    def stop(self, now: Instant) -> None:
        """See `Core`: log out."""
        self._stopping = True
        self.connector.cancel()
        if self._beside is not None:
            self._end_beside("stopped")
        if self._fix is None:
            self.effects.append(Exit(0, "stopped"))
            return
        self._log_out(f"the {self.what} session is stopped", now)

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        """See `Core`: nothing but status is asked of this actor, and the shell answers that."""
        assert isinstance(message, ControlRequest)
        self.effects.append(Send("control", do_act(self.name, {}, message, now), peer))

    def status(self, now: Instant) -> dict[str, object]:
        """See `Core`."""
        fix = self._fix
        offset_ns = fix.last_sending_time_offset_ns if fix is not None else 0
        return {
            "state": self._state(),
            "schedule": self.hours.text,
            "epoch": 0,
            "lsn": 0,
            "connection": self._connection,
            "sender_comp_id": self._sender,
            **self._key.status,
            "next_outbound": fix.next_outbound if fix is not None else 1,
            "next_inbound": fix.next_inbound if fix is not None else 1,
            "last_heard_ms": (now.wall_ns - self._heard_wall_ns) // NS_PER_MS if self._heard_wall_ns else None,
            "clock_offset_ms": round(offset_ns / NS_PER_MS, 3),
            "clock_warning": abs(offset_ns) > CLOCK_WARNING_NS,
            "messages": self._messages,
            "garbled": self._garbled,
            "unreadable": self._unreadable,
        }

    def _state(self) -> str:
        """One word for people."""
        if self._fix is None:
            return "waiting" if self.hours.is_open else "off_schedule"
        return "live" if self._fix.logged_on else "connecting"

    def _note_unreadable(self, effect: Inbound, why: str, **more: object) -> None:
        self._unreadable += 1
        raw = effect.raw.decode("latin-1")
        self.note("error", "unreadable", msg_type=effect.msg_type, why=why, raw=raw, **more)
