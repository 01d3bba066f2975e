"""Where a command goes: the account that it is for, and which of the account's sessions carries it.

A request names its account; one that names none is for the venue's only one. Of an account's sessions the first, as
configured, whose gate is open carries a command; where none is open, the first that is logged on, since a cancel needs
no more; else the first. A question goes over the session that sent the order, where that is logged on: only its answer
there is evidence of what a later connection of it has brought.
"""

from collections.abc import Mapping

import msgspec

from common.messages import NewOrderRequest, SessionState
from common.orders.books import Books
from common.orders.names import ClOrdIdForm


class Route(msgspec.Struct, frozen=True):
    """An account's venue, its sessions in the order in which they are chosen, and what the venue takes as
    ClOrdID(11).
    """

    venue: str
    sessions: tuple[str, ...]
    names: ClOrdIdForm = ClOrdIdForm.TEXT


class Routes:
    """See the module."""

    def __init__(self, routes: Mapping[str, Route], books: Books) -> None:
        """`routes` are by account; `books` know the state of each session."""
        self._routes = routes
        self._books = books
        self.forms = frozenset(route.names for route in routes.values())
        """Of all accounts."""

    def names_of(self, account: str) -> ClOrdIdForm:
        """What the account's venue takes as ClOrdID(11)."""
        route = self._routes.get(account)
        return ClOrdIdForm.TEXT if route is None else route.names

    def with_account(self, request: NewOrderRequest) -> tuple[NewOrderRequest, str]:
        """The request with its account's name, and why it has none: its venue has several, and it names none of them.

        A venue that is not configured has no account: risk refuses the order.
        """
        if request.account:
            return request, ""
        named = [name for name, route in self._routes.items() if route.venue == request.venue]
        if len(named) > 1:
            return request, f"{request.venue} has several accounts: name one of {', '.join(named)}"
        return msgspec.structs.replace(request, account=named[0] if named else request.venue), ""

    def session_of(self, account: str, *, preferred: str = "") -> str:
        """The session that carries a command of the account; `preferred` where that is logged on."""
        route = self._routes.get(account)
        sessions = route.sessions if route is not None else (account,)
        books = [known for name in sessions if (known := self._books.sessions.get(name)) is not None]
        up = [each for each in books if each.logged_on]
        for each in up:
            if each.session == preferred:
                return preferred
        opened = [each for each in up if each.state is SessionState.OPENED]
        return (opened or up)[0].session if up else sessions[0]
