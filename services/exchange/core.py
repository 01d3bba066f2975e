"""The exchange actor's core: listeners in, one turn's changes to the log, then everything that follows from them out.

Nothing that a turn did is sent before the log has it. After the death of the process the log tells the next one every
order, trade, balance and persistent number that anybody was ever told.
"""

from random import Random

import msgspec

from common.actor.acts import do_act
from common.actor.core import Core, Exit, Send
from common.exchange.changes import Deposited, Listed
from common.exchange.fault_schedule import FaultSchedule
from common.exchange.gateways import Gateway
from common.exchange.history import History
from common.exchange.lines import Line
from common.exchange.settings import ExchangeSettings
from common.exchange.store import Store
from common.exchange.superfluous import TagCheck
from common.exchange.traders import Traders
from common.exchange.venue import Venue
from common.fix.dictionary import Dictionary
from common.instant import NS_PER_MS, NS_PER_S, Instant, earliest
from common.journal.errors import JournalError
from common.journal.files import Files
from common.messages import ControlAnswer, ControlRequest
from common.venues.registry import find_dictionary, find_profile, find_simulated
from services.exchange.control import Control

INTEGRITY = 7
STOP_WITHIN_NS = 500 * NS_PER_MS
TIDY_EVERY_NS = 250 * NS_PER_MS
# When the process was away for longer, the traders do not make up for it.
MAX_TRADER_STEPS = 50


class ExchangeCore(Core):
    """The exchange. `folder` holds the log, the snapshots and nothing else; `history` is kept beside it."""

    def __init__(
        self, settings: ExchangeSettings, folder: str, files: Files, history: History, segment_bytes: int
    ) -> None:
        super().__init__(f"exchange@{settings.name}")
        self.settings = settings
        self.venue: Venue
        self.gateways: dict[str, Gateway] = {}
        self._open = (folder, files, history, segment_bytes)
        self._ready = False
        self._control: Control
        self._faults: FaultSchedule
        self._traders: Traders | None = None
        self._expiry_ns: int | None = None
        self._trader_period_ns = 0
        self._next_trader_ns = 0
        self._held: dict[int, list[bytes]] = {}
        self._stop_by_ns: int | None = None
        self._tidy_ns = 0

    # ---- life

    def started(self, now: Instant) -> None:
        """Recover, and open an account that is new."""
        folder, files, history, segment_bytes = self._open
        try:
            store = Store.open(self.settings, folder, files, history, now, segment_bytes)
        except JournalError as error:
            self.effects.append(Exit(INTEGRITY, str(error)))
            return
        self.venue = venue = Venue(self.settings, store, find_simulated(self.settings.dialect), self._tags())
        self.gateways = venue.side.gateways
        for instrument in self.settings.instruments:
            if venue.state.listed.get(instrument.symbol) != instrument:
                venue.engine.record(Listed(instrument))
        for account, balances in self.settings.accounts.items():
            for asset, amount in balances.items():
                if (account, asset) not in venue.state.accounts.deposits:
                    venue.engine.record(Deposited(account, asset, amount))
        self._faults = FaultSchedule(venue)
        self._control = Control(venue, self._sessions, self._faults.begin)
        self._start_traders(now)
        self._ready = True
        self.note(
            "info",
            "ready",
            lsn=store.last_lsn,
            replayed=store.replayed,
            open_orders=len(venue.state.orders),
            trades=venue.state.trades,
        )

    def _tags(self) -> TagCheck | None:
        """What finds superfluous fields, where they are refused whatever the venue does."""
        dialect = self.settings.dialect
        if not self.settings.refuses_superfluous:
            return None
        return TagCheck(find_dictionary(dialect), Dictionary.load(find_profile(dialect).fix_version))

    def _start_traders(self, now: Instant) -> None:
        settings, venue = self.settings, self.venue
        orders_per_s = settings.traders * settings.trader_orders_per_s
        if not orders_per_s:
            return
        random = Random(f"{settings.seed} {venue.state.next_order_id}")
        self._traders = Traders(venue.engine, settings.instruments, random)
        self._traders.furnish(now)
        self._trader_period_ns = NS_PER_S // orders_per_s
        self._next_trader_ns = now.boot_ns + self._trader_period_ns

    def stop(self, now: Instant) -> None:
        """Log everybody out, wait a little for the answers, close the log."""
        if not self._ready:
            self.effects.append(Exit(0, "stopped"))
            return
        self._stop_by_ns = now.boot_ns + STOP_WITHIN_NS
        for gateway in self.gateways.values():
            gateway.stop(now)

    def status(self, now: Instant) -> dict[str, object]:
        """State, places in the log, sessions and counts."""
        if not self._ready:
            return {"state": "starting"}
        venue = self.venue
        return {
            "state": "live" if self._stop_by_ns is None else "stopping",
            "epoch": venue.store.epoch,
            "lsn": venue.store.last_lsn,
            "dialect": self.settings.dialect,
            "connections": len(venue.lines.all),
            "open_orders": len(venue.state.orders),
            "trades": venue.state.trades,
            "sessions": self._sessions(),
            "faults": len(venue.faults.active),
            "counts": dict(venue.counts),
        }

    @property
    def ready(self) -> bool:
        """Whether it has recovered, and still runs."""
        return self._ready

    @property
    def holds_requests(self) -> bool:
        """Whether a fault keeps it from reading what has come."""
        return bool(self._held)

    def abandon(self) -> None:
        """Let go of the log as a killed process would; for the simulator and tests."""
        if self._ready:
            self.venue.store.abandon()
        self._ready = False

    # ---- connections

    def accepted(self, connection: int, listener: str, now: Instant) -> None:
        """A listener has a new connection: hand it to its gateway."""
        if not self._ready:
            return
        line = Line(connection, listener)
        self.venue.lines.opened(line)
        self.gateways[listener].accepted(line, now)

    def data(self, connection: int, data: bytes, now: Instant) -> None:
        """Bytes from a connection: hand them to its gateway, later where a fault stalls the line."""
        line = self.venue.lines.line(connection) if self._ready else None
        if line is None:
            return
        if self.venue.lines.stalled(line):
            self._held.setdefault(connection, []).append(data)
            return
        self.gateways[line.scope].data(line, data, now)

    def closed(self, connection: int, text: str, now: Instant) -> None:
        """The connection is gone."""
        line = self.venue.lines.line(connection) if self._ready else None
        if line is None:
            return
        self.venue.lines.lost(line)
        self._forget(line, now)

    def blocked(self, connection: int, now: Instant) -> None:
        """The connection takes no more for now."""
        line = self.venue.lines.line(connection) if self._ready else None
        if line is not None:
            line.blocked = True

    def writable(self, connection: int, now: Instant) -> None:
        """It does again."""
        line = self.venue.lines.line(connection) if self._ready else None
        if line is not None:
            line.blocked = False

    def _forget(self, line: Line, now: Instant) -> None:
        """The connection is gone, whoever ended it."""
        self._held.pop(line.number, None)
        self.gateways[line.scope].lost(line, now)

    # ---- time

    def next_deadline_ns(self) -> int | None:
        """When a gateway, a line, a fault, the traders or the end of this process is due, in boot terms."""
        if not self._ready:
            return None
        due = [gateway.next_deadline_ns() for gateway in self.gateways.values()]
        due.append(self.venue.lines.next_deadline_ns())
        due += self._faults.due_ns()
        if self._traders is not None:
            due.append(self._next_trader_ns)
        if self.venue.history.recent.size:
            due.append(self._tidy_ns)
        due += [self._stop_by_ns, self._expiry_ns]
        return earliest(*due)

    def timer(self, now: Instant) -> None:
        """Let everybody do what is due."""
        if not self._ready:
            return
        for gateway in self.gateways.values():
            gateway.timer(now)
        if self._faults.timer(now):
            self._resume(now)
        self.venue.engine.expire(now)
        self._trade(now)

    def _trade(self, now: Instant) -> None:
        if self._traders is None or self._stop_by_ns is not None:
            return
        for _ in range(MAX_TRADER_STEPS):
            if self._next_trader_ns > now.boot_ns:
                return
            self._traders.act(now)
            self._next_trader_ns += self._trader_period_ns
        self._next_trader_ns = now.boot_ns + self._trader_period_ns

    def turn_ended(self, now: Instant) -> None:
        """Log what happened, then let it be told."""
        if not self._ready:
            return
        venue = self.venue
        for gateway in self.gateways.values():
            gateway.settle(now)
        first_ns = venue.engine.next_expiry_ns()
        # Of a wall clock that may be set: reckoned anew at each turn.
        self._expiry_ns = None if first_ns is None else now.boot_ns + max(0, first_ns - now.wall_ns)
        try:
            venue.commit(now)
            for line in venue.lines.flush(now):
                self._forget(line, now)
            if now.boot_ns >= self._tidy_ns:
                venue.store.tidy()
                self._tidy_ns = now.boot_ns + TIDY_EVERY_NS
            self.effects += venue.take_effects()
            self._finish(now)
        except JournalError as error:
            # Nothing of this turn may be told: the log does not have it.
            self.abandon()
            self.effects.append(Exit(INTEGRITY, str(error)))

    def _finish(self, now: Instant) -> None:
        if self._stop_by_ns is None:
            return
        if now.boot_ns >= self._stop_by_ns or not any(gateway.busy for gateway in self.gateways.values()):
            self.venue.store.close()
            self._ready = False
            self.effects.append(Exit(0, "stopped"))

    def _resume(self, now: Instant) -> None:
        """A stall is over: what came meanwhile is read now."""
        held, self._held = self._held, {}
        for connection, parts in held.items():
            for data in parts:
                self.data(connection, data, now)

    # ---- control

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        """A control request."""
        assert isinstance(message, ControlRequest)
        if self._ready:
            answer = do_act(self.name, self._control.acts, message, now)
        else:
            answer = ControlAnswer(message.token, False, "the exchange is starting; ask again")
        # After the turn's commit, so that an answer never tells what the log does not have.
        target = self.venue.effects if self._ready else self.effects
        target.append(Send(link, answer, peer))

    def _sessions(self) -> dict[str, dict[str, object]]:
        """By name, order entry's first: whoever has the same one at another listener is named with that."""
        sessions: dict[str, dict[str, object]] = {}
        for listener, gateway in self.gateways.items():
            for name, row in gateway.sessions().items():
                sessions[f"{name}@{listener}" if name in sessions else name] = row
        return sessions
