"""What a person does from a page: over order entry in a name of his own, or over the control links, with his name."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec

from common.actor.control import NoAnswer, Refused, ask, ask_all
from common.actor.control import NotRunning as ActorNotRunning
from common.actor.kill_switch import actors_to_kill
from common.config import Config, Kind
from common.strategy.bounds import OutOfBounds
from common.strategy.client import Client, NoOutcome, NotRunning, UnknownName, terms_in_words
from common.strategy.entry import Superseded
from services.desk.access import Login
from services.desk.users import Role

ANSWER_S: Final = 2.0
OUTCOME_S: Final = 3.0
MOST_REMEMBERED: Final = 10_000


class ActRefused(Exception):
    """It was not done; the text says why."""


class NotYours(ActRefused):
    """The order is another's, and the role does not reach so far."""


class Ticket(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A new order as the form gives it: numbers as text. `account` "" is the venue's only one."""

    venue: str
    symbol: str
    side: str
    qty: str
    price: str = ""
    stop: str = ""
    tif: str = "gtc"
    post_only: bool = False
    reduce_only: bool = False
    account: str = ""
    label: str = ""


class Amendment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`order` is its name, strategy/number; "" leaves the quantity or the price as it is."""

    order: str
    qty: str = ""
    price: str = ""


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What needs no word more."""


class One(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The name of an order, strategy/number."""

    order: str


class Many(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whose orders: "" are one's own, "*" everybody's; at `venue` and in `symbol`, "" is any."""

    strategy: str = ""
    venue: str = ""
    symbol: str = ""


class Scope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is halted: "firm" without a name, else a venue, account, strategy or symbol."""

    scope: str = "firm"
    name: str = ""


class OneSession(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The name of an order entry session."""

    session: str


class Once:
    """Does each act once, by the token that the browser gave it: a second click has the first one's answer."""

    def __init__(self) -> None:
        """Nothing was done yet."""
        self._done: OrderedDict[tuple[str, str], asyncio.Task[dict[str, Any]]] = OrderedDict()

    async def do(self, user: str, token: str, work: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """The answer of `work`, or that of the act which had this token before. What has begun is finished, though
        nobody waits any more. Raises what `work` raises.
        """
        task = self._done.get((user, token))
        if task is None:
            task = asyncio.ensure_future(_as_coroutine(work))
            self._done[user, token] = task
            if len(self._done) > MOST_REMEMBERED:
                self._done.popitem(last=False)
        return await asyncio.shield(task)


async def _as_coroutine(work: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    return await work()


class Acts:
    """Carries them out; each call blocks, and is for a thread. All raise ActRefused."""

    def __init__(self, config: Config) -> None:
        """Nothing is connected yet."""
        self._config = config

    # ---- orders ----

    def new(self, login: Login, ticket: Ticket) -> dict[str, Any]:
        """Send an order in the user's own name."""

        def send(client: Client) -> int:
            return client.new(
                ticket.venue, ticket.symbol, ticket.side, ticket.qty, ticket.price or None, time_in_force=ticket.tif,
                post_only=ticket.post_only, stop_px=ticket.stop or None, reduce_only=ticket.reduce_only,
                label=ticket.label, account=ticket.account,
            )  # fmt: skip

        return self._command(login, send)

    def amend(self, login: Login, wanted: Amendment) -> dict[str, Any]:
        """Change an order's quantity, price, or both."""
        strategy, number = _target(login, wanted.order)
        return self._command(
            login,
            lambda client: client.amend(
                number, wanted.qty or None, wanted.price or None, target_strategy=strategy
            ),
        )

    def cancel(self, login: Login, wanted: One) -> dict[str, Any]:
        """Cancel an order."""
        strategy, number = _target(login, wanted.order)
        return self._command(login, lambda client: client.cancel(number, strategy))

    def cancel_all(self, login: Login, wanted: Many) -> dict[str, Any]:
        """Cancel all that it names."""
        if wanted.strategy not in ("", login.strategy):
            _need_operator(login)
        return self._command(login, lambda client: client.cancel_all(wanted.venue, wanted.symbol, wanted.strategy))

    def _command(self, login: Login, send: Callable[[Client], int]) -> dict[str, Any]:
        try:
            with Client(
                login.strategy, config=self._config, connect_timeout_s=OUTCOME_S, by=login.by, roles=(Kind.DESK,)
            ) as client:
                number = send(client)
                name = f"{login.strategy}/{number}"
                try:
                    outcome = client.wait(number, OUTCOME_S)
                except NoOutcome as error:
                    return {"command": name, "outcome": "pending", "text": str(error)}
        except (NotRunning, UnknownName, OutOfBounds, Superseded, ValueError) as error:
            raise ActRefused(str(error)) from None
        text = outcome.text or ("" if outcome.reason == "none" else outcome.reason.sentence)
        return {"command": name, "outcome": outcome.outcome, "reason": outcome.reason.value, "text": text}

    def check(self, login: Login, ticket: Ticket) -> dict[str, Any]:
        """What risk would say to the order now; nothing is sent, and nothing held back."""
        try:
            terms = terms_in_words(
                ticket.side, ticket.qty, ticket.price or None, time_in_force=ticket.tif, post_only=ticket.post_only,
                stop_px=ticket.stop or None, reduce_only=ticket.reduce_only,
            )  # fmt: skip
        except (TypeError, ValueError) as error:
            raise ActRefused(str(error)) from None
        arguments = {
            "strategy": login.strategy, "venue": ticket.venue, "symbol": ticket.symbol, "account": ticket.account,
            "terms": msgspec.to_builtins(terms),
        }  # fmt: skip
        return self._ask("risk", "check", arguments, login)

    # ---- control ----

    def kill(self, login: Login) -> dict[str, Any]:
        """Latch the kill switch everywhere. What answered is told, and who did not."""
        actors = actors_to_kill(self._config.accounts.values(), with_risk=True)
        return self._all(actors, "kill", {}, login)

    def resume(self, login: Login) -> dict[str, Any]:
        """Take the kill latch off everywhere."""
        actors = actors_to_kill(self._config.accounts.values(), with_risk=True)
        return self._all(actors, "resume", {"confirm": True}, login)

    def halt(self, login: Login, scope: Scope) -> dict[str, Any]:
        """Refuse what adds risk, of the scope."""
        return self._ask("risk", "halt", msgspec.structs.asdict(scope), login)

    def unhalt(self, login: Login, scope: Scope) -> dict[str, Any]:
        """End a halt, named as it was made."""
        return self._ask("risk", "unhalt", msgspec.structs.asdict(scope), login)

    def session(self, login: Login, act: str, session: OneSession) -> dict[str, Any]:
        """Log a session on or out by hand."""
        if session.session not in self._config.sessions:
            raise ActRefused(f"{session.session}: no such session; there is {', '.join(self._config.sessions)}")
        return self._ask(f"session@{session.session}", act, {}, login)

    def _ask(self, actor: str, act: str, arguments: Mapping[str, Any], login: Login) -> dict[str, Any]:
        try:
            return ask(self._config.reach, actor, act, dict(arguments), ANSWER_S, by=login.by, role=Kind.DESK)
        except (ActorNotRunning, NoAnswer, Refused) as error:
            raise ActRefused(str(error)) from None

    def _all(self, actors: list[str], act: str, arguments: dict[str, object], login: Login) -> dict[str, Any]:
        questions = [(name, act, arguments) for name in actors]
        answers = ask_all(self._config.reach, questions, ANSWER_S, by=login.by, role=Kind.DESK)
        if not answers.details:
            silent = "; ".join(str(error) for error in answers.errors.values())
            raise ActRefused(f"nobody answered: {silent}")
        return {
            "done": {name: str(detail.get("text", "")) for name, detail in sorted(answers.details.items())},
            "failed": {name: str(error) for name, error in sorted(answers.errors.items())},
        }


def _target(login: Login, name: str) -> tuple[str, int]:
    """The order that may be touched, as the order manager names it. Raises ActRefused."""
    strategy, _, number = name.rpartition("/")
    if not strategy or not number.isdigit():
        raise ActRefused(f"{name}: an order is named strategy/number")
    if strategy == login.strategy:
        return "", int(number)
    _need_operator(login)
    return strategy, int(number)


def _need_operator(login: Login) -> None:
    if login.role < Role.OPERATOR:
        raise NotYours(f"a {login.role.name.lower()} touches orders of {login.strategy} alone; an operator all")


