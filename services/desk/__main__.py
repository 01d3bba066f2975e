"""`python -P -m services.desk`: the web page."""

import asyncio
import contextlib
import os
import pwd
import signal
import ssl
import sys
import time

import orjson
import zmq
import zmq.asyncio
from aiohttp import web

from common.actor.acts import do_act
from common.actor.logs import ActorLog
from common.actor.process import AlreadyRunning, begin_collecting, read_clocks, show_name, take_lock
from common.config import Config, ConfigError, load
from common.exit_status import ExitStatus
from common.journal import JournalError
from common.messages import MAX_REQUEST_BYTES, UNDECODABLE, ControlAnswer, ControlRequest, Door, cut, encode
from services.desk.access import Access
from services.desk.pages import Pages
from services.desk.server import Server, make_secret
from services.desk.users import BadUsers, read_users

NAME = "desk"
NICE = 5
AGAIN_S = 3.0
OWNER = "operator"
"""Whom the one-time token lets in where the system has no fitting name for who runs this."""


def main() -> int:
    """Serve until SIGTERM; returns the exit status."""
    show_name(NAME)
    try:
        config = load()
        lock = take_lock(config.paths.run, NAME)
        if config.stack.desk.users:
            read_users(config.paths.resolve(config.stack.desk.users))
    except (ConfigError, BadUsers) as error:
        print(error, file=sys.stderr)
        return ExitStatus.CONFIGURATION
    except (AlreadyRunning, OSError) as error:
        print(error, file=sys.stderr)
        return ExitStatus.FAILURE
    # It may lag; what trades may not.
    os.nice(NICE)
    begin_collecting()
    try:
        return asyncio.run(Desk(config).run())
    finally:
        os.close(lock)


class Desk:
    """The pages, the web server over them, and the control link on which a supervisor asks whether it lives."""

    def __init__(self, config: Config) -> None:
        """Binds nothing until `run`."""
        log, own = config.stack.log, config.stack.desk
        self._config = config
        self._log = ActorLog(config.paths.log, NAME, log.level.value, log.max_bytes, log.files)
        users = config.paths.resolve(own.users) if own.users else None
        self._access = Access(own, users, config.paths.run, owner_name(), make_secret)
        self._pages = Pages(config)
        self._began_s = time.monotonic()
        self._state = "starting"
        self._why = ""
        self._door = Door(ControlRequest, MAX_REQUEST_BYTES)
        self._garbage = 0

    async def run(self) -> int:
        """Until SIGTERM or SIGINT; returns the exit status."""
        ended = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(work()) for work in (self._answer, self._pages.run, self._serve)]
                await ended.wait()
                for task in running:
                    task.cancel()
        except* (OSError, JournalError) as errors:
            for error in errors.exceptions:
                self._log.write("error", "ended", {"why": str(error)}, read_clocks())
                print(f"{NAME}: {error}", file=sys.stderr)
        return ExitStatus.OK if ended.is_set() else ExitStatus.FAILURE

    async def _serve(self) -> None:
        """The web server; where another program has the port it is waited for, and said so."""
        server = Server(self._config, self._access, self._pages, self._log)
        runner = web.AppRunner(server.application(), access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
        await runner.setup()
        try:
            await self._begin_listening(runner)
            self._access.renew_token()
            self._state, self._why = "live", ""
            print(f"{NAME}: {self._access.address}", flush=True)
            await asyncio.Event().wait()
        finally:
            self._access.drop_token()
            await runner.cleanup()

    async def _begin_listening(self, runner: web.AppRunner) -> None:
        own = self._config.stack.desk
        while True:
            try:
                await web.TCPSite(runner, own.host, own.port, ssl_context=self._tls()).start()
            except OSError as error:
                if self._state != "no port":
                    print(f"{NAME}: {own.host}:{own.port} cannot be listened on, tried again: {error}", flush=True)
                    self._log.write("warning", "no port", {"why": str(error)}, read_clocks())
                self._state, self._why = "no port", str(error)
                await asyncio.sleep(AGAIN_S)
            else:
                return

    def _tls(self) -> ssl.SSLContext | None:
        own, paths = self._config.stack.desk, self._config.paths
        if not own.certificate:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(paths.resolve(own.certificate), paths.resolve(own.key))
        return context

    # ---- the control link ----

    async def _answer(self) -> None:
        context = zmq.asyncio.Context()
        sock = context.socket(zmq.ROUTER)
        try:
            sock.bind(f"ipc://{self._config.paths.run}/control.{NAME}")
            while True:
                peer, *parts = await sock.recv_multipart()
                answer = self.act(parts[0] if len(parts) == 1 else b"")
                with contextlib.suppress(zmq.Again, zmq.ZMQError):
                    await sock.send_multipart([peer, encode(answer)], zmq.NOBLOCK)
        finally:
            context.destroy(linger=0)

    def act(self, data: bytes) -> ControlAnswer:
        """The answer to one message, whatever it is: an error that somebody may wait for is answered."""
        try:
            request = self._door.decode(data)
            arguments = orjson.loads(request.arguments)
        except (*UNDECODABLE, orjson.JSONDecodeError) as error:
            self._garbage += 1
            return ControlAnswer(0, False, f"the request is not read: {cut(str(error))}")
        if not isinstance(arguments, dict):
            self._garbage += 1
            return ControlAnswer(request.token, False, "the arguments are no JSON object")
        if request.act != "status":
            return do_act(NAME, {}, request, read_clocks())
        return ControlAnswer(request.token, True, detail=orjson.dumps(self._status()))

    def _status(self) -> dict[str, object]:
        tail, now = self._pages.tail, read_clocks()
        return {
            "pid": os.getpid(), "state": self._state, "why": self._why,
            "uptime_s": round(time.monotonic() - self._began_s, 1), "memory_bytes": _resident_bytes(),
            "lsn": 0 if tail.view is None else tail.view.books.lsn, "lag_s": tail.lag_s(now.wall_ns),
            "garbage": {"control": self._garbage} if self._garbage else {},
            "behind": tail.behind, "trouble": tail.trouble, "streams": self._pages.hub.count,
        }  # fmt: skip


def owner_name() -> str:
    """Whose the desk is: the user that runs it, in the letters that a strategy's name takes."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name.lower()
    except KeyError:
        return OWNER
    kept = "".join(c for c in name if c.isascii() and (c.isalnum() or c in "_-"))[:15]
    return kept if kept and kept[0].isalpha() else OWNER


def _resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    sys.exit(main())
