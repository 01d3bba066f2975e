"""CURVE for links that leave the host: every peer proves its key, and the traffic is encrypted.

The folder holds `stack.key_secret` (the stack's own pair, the same on each of its hosts, mode 0600) and
`authorized/`, one `*.key` file for each public key that may connect; the stack's own is always among them. Source:
RFC 26/CurveZMQ, RFC 27/ZAP.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import zmq
import zmq.auth

from common.config import ConfigError

if TYPE_CHECKING:
    from zmq.auth.thread import ThreadAuthenticator

SECRET_FILE = "stack.key_secret"
AUTHORIZED_FOLDER = "authorized"
OTHERS = 0o077


def make_keys(folder: Path) -> None:
    """Make the stack's pair and authorize it. Raises FileExistsError rather than replace one."""
    if (folder / SECRET_FILE).exists():
        raise FileExistsError(folder / SECRET_FILE)
    authorized = folder / AUTHORIZED_FOLDER
    authorized.mkdir(mode=0o700, parents=True, exist_ok=True)
    public, secret = zmq.auth.create_certificates(folder, "stack")
    Path(secret).chmod(0o600)
    Path(public).rename(authorized / "stack.key")


class Curve:
    """The keys of one process, put on its sockets before they bind or connect."""

    def __init__(self, folder: Path) -> None:
        """Read the keys. Raises ConfigError where they are missing or readable by others."""
        path = folder / SECRET_FILE
        try:
            self._public, self._secret = zmq.auth.load_certificate(path)
            mode = path.stat().st_mode
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: {error}; `fixring doctor --make-curve-keys` makes a pair") from error
        if self._secret is None:
            raise ConfigError(f"{path}: holds no secret key")
        if mode & OTHERS:
            raise ConfigError(f"{path}: readable by others; chmod 600 it")
        self._authorized = folder / AUTHORIZED_FOLDER
        self._authenticator: ThreadAuthenticator | None = None

    def serve(self, sock: "zmq.Socket[bytes]") -> None:
        """The socket will bind: only authorized keys are let in."""
        if self._authenticator is None:
            # It brings asyncio along, a seventh of what an actor takes to start: only where there are keys.
            from zmq.auth.thread import ThreadAuthenticator

            self._authenticator = ThreadAuthenticator(sock.context)
            self._authenticator.start()
            self._authenticator.configure_curve(domain="*", location=self._authorized)
        self._identify(sock)
        sock.curve_server = True

    def join(self, sock: "zmq.Socket[Any]") -> None:
        """The socket will connect to another process of the stack."""
        self._identify(sock)
        sock.curve_serverkey = self._public

    def _identify(self, sock: "zmq.Socket[Any]") -> None:
        sock.curve_publickey = self._public
        sock.curve_secretkey = self._secret

    def close(self) -> None:
        """Stop the thread that answers ZAP."""
        if self._authenticator is not None:
            self._authenticator.stop()
