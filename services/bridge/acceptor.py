"""The FIX face of a bridge: an acceptor of FIX 4.4 whose sessions, numbers and messages outlive it in its log."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from common.exchange.fix_gateway import Client, Handler, LastingHost, ResendingFixGateway
from common.exchange.lines import Line
from common.exchange.requests import Request
from common.exchange.settings import Party
from common.fix.session import Effect, LoggedOn, SessionSettings, peek_logon
from common.fix.wire import encode, split, utc_timestamp
from common.instant import Instant
from services.bridge.desk import Desk, terms_of
from services.bridge.listings import Listing, security_list

LISTENER = "fix"
CANCEL_ON_DISCONNECT = b"9001"
"""CancelOnDisconnect(9001)=Y of Logon(A): what the client has open goes with its connection."""

NOT_AVAILABLE = 4
"""BusinessRejectReason(380): application not available."""

STILL_CANCELLING = "the orders that were open when the connection was lost are being cancelled: log on again"
OTHER_LOG = "has no numbers of yours: begin anew with ResetSeqNumFlag(141)=Y, and ask about every open order"


class Acceptor(ResendingFixGateway):
    """See the module. It has a desk carry out what clients ask, and speaks for it."""

    def __init__(
        self,
        host: LastingHost,
        clients: Iterable[str],
        desk: Desk,
        identity: str,
        why_not: Callable[[str], str],
        is_caught_up: Callable[[], bool],
        listings: Sequence[Listing] = (),
    ) -> None:
        """`clients` are the SenderCompIDs(49) that may log on; `identity` is the log's. `why_not` says why nothing of a
        symbol can be sent to the venue now, `is_caught_up` whether its answers to what was asked before are known."""
        self._desk = desk
        self._identity = identity
        self._why_not = why_not
        self._is_caught_up = is_caught_up
        self._listings = listings
        self.first = next(iter(clients), "")
        self._wants_guard: dict[str, bool] = {}
        self._here: set[str] = set()
        self._barred = {client for client in desk.book.guarded if any(desk.book.open_of(client))}
        super().__init__(host, LISTENER, [Party(comp_id=client, account=client) for client in clients])
        desk.mouth = self

    def _session_settings(self, party: Party) -> SessionSettings:
        """With the log's id in RawData(96) of Logon(A), which has no Text(58): another one knows nothing of what went
        before."""
        told = f"log {self._identity}"
        fields = f"95={len(told)}\x0196={told}\x01".encode()
        settings = super()._session_settings(party)
        return SessionSettings(
            sender_comp_id=settings.sender_comp_id,
            target_comp_id=settings.target_comp_id,
            initiator=False,
            begin_string=settings.begin_string,
            heart_bt_int_s=settings.heart_bt_int_s,
            sequence_policy=settings.sequence_policy,
            logon_fields=lambda msg_seq_num, sending_time: fields,
        )

    def _handlers(self) -> Mapping[str, Handler]:
        return {
            "D": self._new_order, "F": self._cancel, "G": self._amend, "q": self._mass_cancel, "H": self._status,
            "AF": self._mass_status, "x": self._list,
        }  # fmt: skip

    def tell(self, client: str, msg_type: str, body: bytes, now: Instant) -> None:
        """Say it under the next number of the client's session, which may be away."""
        if client in self._clients:
            self._send(self._clients[client], msg_type, body, now)

    def tells_strictly(self, client: str) -> bool:
        """See `Mouth`: whoever is not our own session may check what he gets against the standard."""
        return client != self.first

    # ---- cancel on disconnect

    def _why_refused(self, raw: bytes, now: Instant) -> str:
        """The death of the bridge was a loss of connection too: it cancels before it lets anybody in."""
        named = peek_logon(raw)
        client = "" if named is None else named[1]
        self._barred = {each for each in self._barred if self._desk.owes_cancels(each)}
        return STILL_CANCELLING if client in self._barred else ""

    def _perform(self, client: Client, effect: Effect, now: Instant) -> None:
        if type(effect) is LoggedOn:
            self._logged_on_as(client.party.comp_id)
        super()._perform(client, effect, now)

    def _logged_on_as(self, name: str) -> None:
        self._here.add(name)
        wanted = self._wants_guard.get(name, False)
        if wanted != (name in self._desk.book.guarded):
            self._desk.guard(name, wanted=wanted)

    def _part(self, client: Client, line: Line, now: Instant) -> None:
        """A connection ends, by a Logout(5) or without."""
        super()._part(client, line, now)
        name = client.party.comp_id
        if name in self._here:
            self._here.discard(name)
            if name in self._desk.book.guarded:
                self._desk.give_up(name, now)

    # ---- another log

    def _admit(self, raw: bytes) -> Client | str:
        """A client that counts on from numbers that this log never had was another log's: what it makes of gaps would
        be evidence of nothing."""
        client = super()._admit(raw)
        if isinstance(client, str):
            return client
        fields, session = split(raw), client.session
        is_new = client.generation == 1 and session.next_inbound == 1
        if is_new and fields.get(b"141") != b"Y" and fields.get(b"34") != b"1":
            return OTHER_LOG
        self._wants_guard[client.party.comp_id] = fields.get(CANCEL_ON_DISCONNECT) == b"Y"
        return client

    def _farewell(self, raw: bytes, why: str, now: Instant) -> bytes:
        """Logout(5) with the reason; strangers hear nothing."""
        if why not in (OTHER_LOG, STILL_CANCELLING):
            return b""
        to = split(raw).get(b"49", b"")
        head = b"35=5\x0134=1\x0149=%b\x0152=%b\x0156=%b\x01" % (
            self._comp_id.encode(), utc_timestamp(now.wall_ns), to,
        )  # fmt: skip
        return encode(self.begin_string.encode(), head + f"58=log {self._identity} {why}\x01".encode())

    # ---- requests

    def _new_order(self, client: Client, request: Request, now: Instant) -> None:
        terms = terms_of(request)
        self._desk.new_order(client, request, terms, self._why_not(terms.symbol), now)

    def _amend(self, client: Client, request: Request, now: Instant) -> None:
        terms = terms_of(request)
        self._desk.amend(client, request, terms, self._why_not(terms.symbol), now)

    def _cancel(self, client: Client, request: Request, now: Instant) -> None:
        self._desk.cancel(client, request, now)

    def _mass_cancel(self, client: Client, request: Request, now: Instant) -> None:
        self._desk.cancel_all(client, request, now)

    def _status(self, client: Client, request: Request, now: Instant) -> None:
        if self._answers_now(client, request, request.text(11), now):
            self._desk.status(client, request, now)

    def _mass_status(self, client: Client, request: Request, now: Instant) -> None:
        if self._answers_now(client, request, request.text(584), now):
            self._desk.mass_status(client, request, now)

    def _list(self, client: Client, request: Request, now: Instant) -> None:
        strictly = self.tells_strictly(client.party.comp_id)
        self._send(client, "y", security_list(request, self._listings, self._desk.unique(), strictly=strictly), now)

    def _answers_now(self, client: Client, request: Request, name: str, now: Instant) -> bool:
        """Whether the venue was read since we were last away from it; else the client is told to ask again."""
        if not self._is_caught_up():
            body = request.not_served(NOT_AVAILABLE, "the venue's orders are not read yet, ask again", name)
            self._send(client, "j", body, now)
            return False
        return True
