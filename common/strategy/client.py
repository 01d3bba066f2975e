"""A plain client of the order manager, for scripts, notebooks and the command line.

    with Client("me") as client:
        number = client.new("binance", "BTCUSDT", "buy", "0.01", price="64000")
        print(client.wait(number))
        client.cancel(number)
        print(client.wait_closed(number))

Everything happens inside its calls: there is no thread. A client that is not called for a while misses nothing, since
what the order manager told it meanwhile is asked for again by (LSN, index).
"""

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar

import msgspec
import zmq

from common.actor.curve import Curve, join
from common.actor.start import curve_for
from common.config import Config, Kind, load
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.link_roles import OPERATOR
from common.messages import (
    MAX_TIME_TO_LIVE_NS,
    ONE_CANCELS_OTHER,
    ONE_TRIGGERS_OTHER,
    PROTOCOL,
    UNDECODABLE,
    CommandOutcome,
    Contingency,
    EntryAnswer,
    OrderEvent,
    PositionChanged,
    QueryAnswer,
    QueryRequest,
    Side,
    StatusChanged,
    Terms,
    TimeInForce,
    Welcome,
    WelcomeComplete,
    encode,
)
from common.strategy.entry import Entry, Superseded
from common.strategy.terms import paid_orders, terms_of

SIDES: Final[dict[str, Side]] = {"buy": "1", "sell": "2", "1": "1", "2": "2"}
PAYS: Final = "opo"
"""The word for a list whose first order pays the others."""

CONTINGENCIES: Final[dict[str, Contingency]] = {
    "oco": ONE_CANCELS_OTHER, "oto": ONE_TRIGGERS_OTHER, PAYS: ONE_TRIGGERS_OTHER,
}  # fmt: skip
TIMES_IN_FORCE: Final[dict[str, TimeInForce]] = {"gtc": "1", "ioc": "3", "fok": "4", "1": "1", "3": "3", "4": "4"}
QUEUE_MESSAGES: Final = 10_000

Event = Welcome | StatusChanged | CommandOutcome | OrderEvent | PositionChanged
Number = Decimal | int | str

T = TypeVar("T")

_decode = msgspec.msgpack.Decoder(EntryAnswer).decode


class NotRunning(Exception):
    """The order manager did not answer in time. The text names the endpoint."""


class NoOutcome(Exception):
    """A command has no outcome yet; it stays known and is asked about further. The text names it."""


class UnknownName(ValueError):
    """A question, or a venue in it, is none that there is. The text says what there is."""


class Client:
    """One instance of one strategy, as a context manager. Not for use by several threads."""

    def __init__(
        self,
        strategy: str,
        *,
        entry_endpoint: str | None = None,
        config: Config | None = None,
        state_file: Path | None = None,
        connect_timeout_s: float = 5.0,
        by: str = "",
        roles: Sequence[str] = (Kind.STRATEGIES, OPERATOR),
    ) -> None:
        """`entry_endpoint` is a ZeroMQ address; without one the stack's configuration says it. `by` is the person who
        gives the commands, and stands in the journal with them.

        `state_file` keeps the place of the last event seen, so that a later client of the same name resumes there.
        Where order entry is on another host, the key is that of the first of `roles` which this host has.
        Raises ConfigError where the configuration is asked for and cannot be used.
        """
        curve: Curve | None = None
        if entry_endpoint is None:
            config = config or load()
            entry_endpoint = config.endpoint("entry")
            curve = curve_for(config, *roles)
        self.endpoint = entry_endpoint
        instance = f"{os.getpid():x}-{time.time_ns():x}"
        self._state_file = state_file
        place = _read_place(state_file)
        self._entry = Entry(strategy, instance, (place.lsn, place.index), term=place.term, by=by)
        self._connect_timeout_s = connect_timeout_s
        self._events: deque[Event] = deque()
        self._outcomes: dict[int, CommandOutcome] = {}
        self._answers: dict[int, QueryAnswer] = {}
        self._token = 0
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 200)
        self._socket.setsockopt(zmq.ROUTING_ID, f"{strategy}/{instance}".encode())
        self._socket.setsockopt(zmq.RCVHWM, QUEUE_MESSAGES)
        self._socket.setsockopt(zmq.SNDHWM, QUEUE_MESSAGES)
        self._socket.setsockopt(zmq.RECONNECT_IVL, 20)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 200)
        self._curve = curve
        join(self._socket, entry_endpoint, curve)

    def __enter__(self) -> "Client":
        """Wait for the order manager's welcome. Raises NotRunning."""
        try:
            self.connect()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Close; nothing is cancelled by that."""
        self.close()

    # -- what is known -------------------------------------------------------------------------------------------------

    @property
    def strategy(self) -> str:
        """The name under which it trades."""
        return self._entry.strategy

    @property
    def state(self) -> str:
        """The order manager's state as last told: "connecting", "starting", "restarting", "live", "journal_away",
        "stopping" or "superseded".
        """
        return self._entry.state

    @property
    def orders(self) -> dict[int, OrderEvent]:
        """Its open orders by number, as last told."""
        return dict(self._entry.orders)

    @property
    def positions(self) -> dict[tuple[str, str], PositionChanged]:
        """Positions by (account, symbol), as last told."""
        return dict(self._entry.positions)

    # -- commands ------------------------------------------------------------------------------------------------------

    def number_from(self, number: int) -> None:
        """The next command bears `number`, for a person who names orders by hand; one that was used is a repeat."""
        self._entry.number_from(number)

    def connect(self) -> None:
        """Wait until the order manager has welcomed this client, and told its open orders and the positions.

        Raises NotRunning, Superseded.
        """
        if self._entry.begun:
            return
        self._entry.start(_now())
        deadline_ns = _deadline_ns(self._connect_timeout_s)
        while not self._entry.begun:
            if not self._turn(deadline_ns):
                raise NotRunning(self._why_not_welcome())

    def new(
        self,
        venue: str,
        symbol: str,
        side: str,
        order_qty: Number | None,
        price: Number | None = None,
        *,
        time_in_force: str = "gtc",
        post_only: bool = False,
        stop_px: Number | None = None,
        expire_ns: int = 0,
        reduce_only: bool = False,
        display_qty: Number | None = None,
        cash_order_qty: Number | None = None,
        take_profit: bool = False,
        trailing_bips: int = 0,
        trailing_offset: Number | None = None,
        peg: str = "",
        peg_levels: int = 0,
        label: str = "",
        time_to_live_ms: int = MAX_TIME_TO_LIVE_NS // NS_PER_MS,
        account: str = "",
        cause: str = "",
    ) -> int:
        """Send a new order, a limit order with `price` and a market order without, which with `stop_px` sleeps until a
        trade is at that price or beyond, and with `expire_ns` (Unix, ns) is good till then; returns its number. With
        `reduce_only` it only makes a position in contracts smaller, with `display_qty` no more of it is seen at once.
        With `cash_order_qty` in the place of `order_qty` a market order is for an amount of the quote asset. With
        `take_profit` it sleeps until the price is at `stop_px` or better; with `trailing_bips` or `trailing_offset` its
        stop price follows the market at that distance, from `stop_px` on if it has one. With `peg` it has, once, the
        best price of its own side ("primary") or of the other ("market"), or `peg_levels` deeper.

        `side` is "buy" or "sell", `time_in_force` "gtc", "ioc" or "fok", `account` whose it is to be: "" is the venue's
        only one. `cause` is what it follows from. Raises ValueError for a word or number that is none, OutOfBounds,
        NotRunning, Superseded, TooManyUnanswered, NamesUsedUp.
        """
        self.connect()
        number = self._entry.new(
            _now(),
            venue,
            symbol,
            terms_in_words(
                side, order_qty, price, time_in_force=time_in_force, post_only=post_only, stop_px=stop_px,
                expire_ns=expire_ns, reduce_only=reduce_only, display_qty=display_qty, cash_order_qty=cash_order_qty,
                take_profit=take_profit, trailing_bips=trailing_bips, trailing_offset=trailing_offset, peg=peg,
                peg_levels=peg_levels,
            ),
            label=label,
            time_to_live_ns=time_to_live_ms * NS_PER_MS,
            account=account,
            cause=cause,
        )
        return self._sent(number)

    def new_list(
        self,
        venue: str,
        symbol: str,
        contingency: str,
        orders: Sequence[Terms],
        *,
        label: str = "",
        time_to_live_ms: int = MAX_TIME_TO_LIVE_NS // NS_PER_MS,
        account: str = "",
        cause: str = "",
    ) -> int:
        """Send an order list, its orders as `terms_in_words` makes them: with `contingency` "oco" two of which one
        cancels the other, with "oto" a first one that places one other, or two of which one cancels the other, once it
        is filled, and with "opo" the same, where the first one buys and the others sell what it was filled for, fees
        taken off: the venue counts their quantities, and theirs here are the first one's at most. Returns the number of
        the first; the others have those that follow. Raises what `new` raises.
        """
        kind = _word(contingency, CONTINGENCIES, "contingency")
        orders = paid_orders(orders) if contingency == PAYS else orders
        self.connect()
        return self._sent(
            self._entry.new_list(
                _now(), venue, symbol, kind, orders, label=label, time_to_live_ns=time_to_live_ms * NS_PER_MS,
                account=account, cause=cause,
            )
        )  # fmt: skip

    def amend(
        self,
        target_number: int,
        order_qty: Number | None = None,
        price: Number | None = None,
        *,
        target_strategy: str = "",
    ) -> int:
        """Change the total quantity, the price, or both, of an order of its own or of `target_strategy`; None leaves
        one as it is. Returns the command's number. Raises what `new` raises.
        """
        self.connect()
        quantity = None if order_qty is None else _decimal(order_qty, "order_qty")
        limit = None if price is None else _decimal(price, "price")
        return self._sent(self._entry.amend(_now(), target_number, quantity, limit, target_strategy=target_strategy))

    def cancel(self, target_number: int, target_strategy: str = "") -> int:
        """Cancel an order of its own or of `target_strategy`. Returns its number. Raises what `new` raises."""
        self.connect()
        return self._sent(self._entry.cancel(_now(), target_number, target_strategy))

    def cancel_all(
        self, venue: str = "", symbol: str = "", target_strategy: str = "", *, account: str = ""
    ) -> int:
        """Cancel all its open orders at `venue`, of `account`, in `symbol` ("" is any), or those of `target_strategy`
        ("*" is everybody's). Returns the command's number. Raises what `new` raises.
        """
        self.connect()
        return self._sent(self._entry.cancel_all(_now(), venue, symbol, target_strategy, account=account))

    # -- what comes back -----------------------------------------------------------------------------------------------

    def poll(self, timeout_s: float = 0.0) -> Event | None:
        """The next event, or None when none came within `timeout_s` seconds. Raises Superseded."""
        deadline_ns = _deadline_ns(timeout_s)
        while not self._events:
            if not self._turn(deadline_ns):
                return None
        return self._events.popleft()

    def events(self, timeout_s: float | None = None) -> Iterator[Event]:
        """Events as they come; ends when none came for `timeout_s` seconds (None: never). Raises Superseded."""
        while True:
            event = self.poll(3600.0 if timeout_s is None else timeout_s)
            if event is not None:
                yield event
            elif timeout_s is not None:
                return

    def wait(self, number: int, timeout_s: float = 5.0) -> CommandOutcome:
        """The first outcome of the command `number`; events meanwhile stay queued. Raises NoOutcome, Superseded."""
        deadline_ns = _deadline_ns(timeout_s)
        while number not in self._outcomes:
            if not self._turn(deadline_ns):
                raise NoOutcome(
                    f"command {number} of {self.strategy} has no outcome after {timeout_s} s ({self.state})"
                )
        return self._outcomes[number]

    def wait_closed(self, number: int, timeout_s: float = 5.0) -> bool:
        """Whether its order `number` was told closed within `timeout_s` seconds."""
        deadline_ns = _deadline_ns(timeout_s)
        while number in self._entry.orders:
            if not self._turn(deadline_ns):
                return False
        return True

    def query(
        self,
        what: str,
        *,
        strategy: str = "",
        number: int = 0,
        venue: str = "",
        account: str = "",
        timeout_s: float = 5.0,
    ) -> QueryAnswer:
        """Ask "orders", "order", "positions", "accounts", "reconcile", "names", "money" or "closed".

        Raises UnknownName where the question, the venue or the account is none that there is, NotRunning without an
        answer.
        """
        self._token += 1
        token = self._token
        self._entry.query(QueryRequest(what, strategy, number, venue, token, account, PROTOCOL))
        self._flush()
        deadline_ns = _deadline_ns(timeout_s)
        while token not in self._answers:
            if not self._turn(deadline_ns):
                raise NotRunning(f"the order manager at {self.endpoint} did not answer {what!r} within {timeout_s} s")
        answer = self._answers.pop(token)
        error = msgspec.json.decode(answer.detail).get("error")
        if error:
            raise UnknownName(error)
        return answer

    def close(self) -> None:
        """Close the socket and note the place of the last event in `state_file`."""
        if self._state_file is not None:
            _write_place(self._state_file, _Place(*self._entry.last, self._entry.term))
        self._socket.close()
        if self._curve is not None:
            self._curve.close()
        self._context.term()

    # -- the loop ------------------------------------------------------------------------------------------------------

    def _why_not_welcome(self) -> str:
        within = f"within {self._connect_timeout_s} s"
        if self.state == "connecting":
            cut_off = "" if self._curve is None else self._curve.cut_off.get("entry", "")
            return cut_off or f"nobody answers at {self.endpoint} {within}; is the stack running?"
        return f"the order manager at {self.endpoint} is {self.state} and has welcomed nobody {within}; try again"

    def _sent(self, number: int) -> int:
        self._flush()
        return number

    def _flush(self) -> None:
        outgoing, self._entry.outgoing = self._entry.outgoing, []
        for request in outgoing:
            try:
                self._socket.send(encode(request), zmq.NOBLOCK)
            except zmq.Again:
                # Full: nobody reads. What is unanswered is sent again after the next welcome.
                return

    def _turn(self, deadline_ns: int) -> bool:
        """Take what has come, waiting for it until `deadline_ns` (boot time) at most; False when nothing came by then.

        What is there already is taken also when the time is over, so that a timeout of 0 looks without waiting.
        """
        now = _now()
        self._entry.timer(now)
        self._flush()
        due_ns = self._entry.next_deadline_ns()
        until_ns = deadline_ns if due_ns is None else min(deadline_ns, due_ns)
        if self._socket.poll(max(0, -(-(until_ns - now.boot_ns) // NS_PER_MS))):
            self._receive(_now())
            return True
        return now.boot_ns < deadline_ns

    def _receive(self, now: Instant) -> None:
        while True:
            try:
                data = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                break
            try:
                message = _decode(data)
            except UNDECODABLE:
                continue
            self._take(self._entry.received(message, now))
        self._flush()

    def _take(self, event: EntryAnswer | None) -> None:
        if event is None or isinstance(event, WelcomeComplete):
            return
        if isinstance(event, QueryAnswer):
            self._answers[event.token] = event
            return
        if isinstance(event, CommandOutcome):
            self._outcomes.setdefault(event.number, event)
            while len(self._outcomes) > QUEUE_MESSAGES:
                del self._outcomes[next(iter(self._outcomes))]
        self._events.append(event)
        if self._entry.superseded:
            raise Superseded(f"{self.strategy}: a later instance has taken the name")


def terms_in_words(
    side: str,
    order_qty: Number | None,
    price: Number | None = None,
    *,
    time_in_force: str = "gtc",
    post_only: bool = False,
    stop_px: Number | None = None,
    expire_ns: int = 0,
    reduce_only: bool = False,
    display_qty: Number | None = None,
    cash_order_qty: Number | None = None,
    take_profit: bool = False,
    trailing_bips: int = 0,
    trailing_offset: Number | None = None,
    peg: str = "",
    peg_levels: int = 0,
) -> Terms:
    """The terms of an order in the words of `Client.new`. Raises ValueError for a word or number that is none, and
    TypeError where both sizes are given or none is, or a peg with a price."""
    return terms_of(
        _word(side, SIDES, "side"),
        _given(order_qty, "order_qty"),
        _given(price, "price"),
        time_in_force=_word(time_in_force, TIMES_IN_FORCE, "time_in_force"),
        post_only=post_only,
        stop_px=_given(stop_px, "stop_px"),
        expire_ns=expire_ns,
        reduce_only=reduce_only,
        display_qty=_given(display_qty, "display_qty"),
        cash_order_qty=_given(cash_order_qty, "cash_order_qty"),
        take_profit=take_profit,
        trailing_bips=trailing_bips,
        trailing_offset=_given(trailing_offset, "trailing_offset"),
        peg=peg,
        peg_levels=peg_levels,
    )


def _now() -> Instant:
    return Instant(time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME))


def _deadline_ns(timeout_s: float) -> int:
    """`timeout_s` from now in boot time."""
    return _now().boot_ns + int(timeout_s * NS_PER_S)


def _decimal(value: Number, name: str) -> Decimal:
    if isinstance(value, float):
        raise ValueError(f"{name} {value!r} is a float, which is no exact number: give a Decimal, or text")
    try:
        return Decimal(value)
    except ArithmeticError:
        raise ValueError(f"{name} {value!r} is no decimal number") from None


def _given(value: Number | None, name: str) -> Decimal | None:
    return None if value is None else _decimal(value, name)


def _word(word: str, known: dict[str, T], name: str) -> T:
    if word.lower() not in known:
        raise ValueError(f"{name} {word!r}: say one of {', '.join(known)}")
    return known[word.lower()]


class _Place(msgspec.Struct, frozen=True, array_like=True):
    """The last event seen, and the journal's term then; an older client wrote no term."""

    lsn: int = 0
    index: int = 0
    term: int = 0


def _read_place(file: Path | None) -> _Place:
    if file is None or not file.exists():
        return _Place()
    return msgspec.json.decode(file.read_bytes(), type=_Place)


def _write_place(file: Path, place: _Place) -> None:
    """Replace the file in one step, so that it is never half written."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    fresh.write_bytes(msgspec.json.encode(place))
    fresh.replace(file)
