"""Who a request is from, and whether it may: hosts, origins, the one-time token, cookies, names and their throttle.

Pure but for the two files that it keeps: time and randomness are passed in. A cookie is kept as its hash alone, so that
a desk that starts again knows whom it let in, and whoever reads the file cannot use it.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from common.config import DeskConfig
from services.desk.users import NOBODY, ROLES, BadUsers, Role, User, is_password, read_users, write_secret

COOKIE_S: Final = 12 * 3600
"""How long a sign-in lasts."""

FAILURES_FREE: Final = 5
SLOWEST_S: Final = 300.0
MOST_THROTTLED: Final = 10_000
LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
TOKEN_FILE: Final = "desk.token"
COOKIES_FILE: Final = "desk.cookies"


class Login(NamedTuple):
    """Somebody who has signed in."""

    user: str
    role: Role

    @property
    def by(self) -> str:
        """The name that stands in the journal with what he does."""
        return f"{self.user}/desk"

    @property
    def strategy(self) -> str:
        """The name under which he trades."""
        return f"desk-{self.user}"


class Cookie(msgspec.Struct, frozen=True):
    """What is known of a cookie. `scrypt` is the user's when he signed in: by another one it is worth nothing."""

    user: str
    until_s: float
    scrypt: str = ""


class SignInRefused(Exception):
    """Why somebody is not let in; the text says no more than he may know."""


class Access:
    """See the module."""

    def __init__(
        self, own: DeskConfig, users: Path | None, run_folder: Path, owner: str, make: Callable[[], str]
    ) -> None:
        """`users` is the file of named users; without it whoever has the token is `owner`, an operator. `make` gives a
        secret that nobody can guess."""
        self._own = own
        self._users_path = users
        self._owner = owner
        self._make = make
        self._token_path, self._cookies_path = run_folder / TOKEN_FILE, run_folder / COOKIES_FILE
        self._cookies = _read_cookies(self._cookies_path)
        self._failures: dict[str, tuple[int, float]] = {}
        self.token = ""
        hosts = {own.host, *own.names, *(LOCAL_NAMES if own.is_local else ())}
        self.scheme = "https" if own.certificate else "http"
        self._hosts = frozenset(f"{host}:{own.port}" for host in hosts)

    # ---- where it comes from ----

    def is_host(self, host: str) -> bool:
        """Whether a browser asked for one of our names: a stranger's name that leads here is another site's."""
        return host.lower() in self._hosts

    def is_own_origin(self, origin: str) -> bool:
        """Whether the page that asks is one of ours."""
        scheme, _, host = origin.partition("://")
        return scheme == self.scheme and self.is_host(host)

    # ---- the one-time token ----

    def renew_token(self) -> None:
        """Make a new one-time token, and write it down for its owner. Raises OSError."""
        self.token = "" if self._users_path else self._make()
        if self.token:
            write_secret(self._token_path, self.token.encode())
        else:
            self._token_path.unlink(missing_ok=True)

    def drop_token(self) -> None:
        """The desk ends: what it has written down lets nobody in any more."""
        self.token = ""
        self._token_path.unlink(missing_ok=True)

    @property
    def address(self) -> str:
        """What its owner opens in a browser; the token is behind the #, so that no log of a server has it."""
        return _address(self._own, self.token)

    def take_token(self, token: str, now_s: float) -> str:
        """A cookie for the one-time token, which is over by that. Raises SignInRefused, OSError."""
        self._refuse_throttled("token", now_s)
        if not self.token or not hmac.compare_digest(token.encode(), self.token.encode()):
            self._note_failure("token", now_s)
            raise SignInRefused("that address was used before, or is of a former start: see `fixring desk address`")
        self.renew_token()
        return self._let_in(Cookie(self._owner, now_s + COOKIE_S), now_s)

    # ---- by name ----

    @property
    def takes_names(self) -> bool:
        """Whether named users sign in, with a password."""
        return self._users_path is not None

    def take_password(self, name: str, password: str, peer: str, now_s: float) -> str:
        """A cookie for a user's password. Takes a tenth of a second. Raises SignInRefused, BadUsers, OSError."""
        places = (f"user {name}", f"peer {peer}")
        for place in places:
            self._refuse_throttled(place, now_s)
        user = self._users().get(name)
        is_right = is_password(password, NOBODY if user is None else user.scrypt)
        if user is None or not is_right:
            for place in places:
                self._note_failure(place, now_s)
            raise SignInRefused("no such name and password")
        self._failures.pop(places[0], None)
        return self._let_in(Cookie(name, now_s + COOKIE_S, user.scrypt), now_s)

    def _refuse_throttled(self, place: str, now_s: float) -> None:
        failures, until_s = self._failures.get(place, (0, 0.0))
        if now_s < until_s:
            raise SignInRefused(f"too many failed sign-ins: try again in {until_s - now_s:.0f} s")

    def _note_failure(self, place: str, now_s: float) -> None:
        failures = self._failures.pop(place, (0, 0.0))[0] + 1
        wait_s = 0.0 if failures < FAILURES_FREE else min(SLOWEST_S, 2.0 ** min(failures - FAILURES_FREE, 20))
        self._failures[place] = (failures, now_s + wait_s)
        if len(self._failures) > MOST_THROTTLED:
            del self._failures[next(iter(self._failures))]

    def _users(self) -> Mapping[str, User]:
        return {} if self._users_path is None else read_users(self._users_path)

    # ---- cookies ----

    @property
    def cookie_name(self) -> str:
        """The cookie's name. Cookies of a host are those of all its ports, so the port is in it."""
        return f"fixring_desk_{self._own.port}"

    def _let_in(self, cookie: Cookie, now_s: float) -> str:
        secret = self._make()
        self._cookies = {name: each for name, each in self._cookies.items() if each.until_s > now_s}
        self._cookies[_digest(secret)] = cookie
        self._write_cookies()
        return secret

    def sign_out(self, secret: str) -> None:
        """The cookie is worth nothing from here on. Raises OSError."""
        if self._cookies.pop(_digest(secret), None) is not None:
            self._write_cookies()

    def find(self, secret: str, now_s: float) -> Login | None:
        """Who has this cookie, as things stand now; None for nobody."""
        cookie = self._cookies.get(_digest(secret)) if secret else None
        if cookie is None or cookie.until_s <= now_s:
            return None
        if self._users_path is None:
            return Login(cookie.user, Role.OPERATOR) if cookie.user == self._owner and not cookie.scrypt else None
        try:
            user = self._users().get(cookie.user)
        except BadUsers:
            return None
        if user is None or not cookie.scrypt or user.scrypt != cookie.scrypt:
            return None
        return Login(cookie.user, ROLES[user.role])

    def _write_cookies(self) -> None:
        write_secret(self._cookies_path, msgspec.json.encode(self._cookies))


def address_of(own: DeskConfig, run_folder: Path) -> str:
    """The same for another process of the owner, who may read the token's file."""
    try:
        token = (run_folder / TOKEN_FILE).read_text("ascii").strip()
    except FileNotFoundError:
        token = ""
    return _address(own, token)


def _address(own: DeskConfig, token: str) -> str:
    base = f"{'https' if own.certificate else 'http'}://{own.host}:{own.port}/sign-in"
    return f"{base}#{token}" if token else base


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _read_cookies(path: Path) -> dict[str, Cookie]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Cookie])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}
