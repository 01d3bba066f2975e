"""A headless Chromium, driven over its own debugging protocol: what a person does on a page, and what he sees."""

import asyncio
import base64
import json
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientSession, ClientWebSocketResponse

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser") or ""
"""Debian's; "" where there is none."""

OPTIONS: Final = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions",
    "--no-first-run", "--remote-debugging-port=0", "about:blank",
)  # fmt: skip
PATIENCE_S: Final = 60.0
LOOK_S: Final = 0.1


class NeverSeen(AssertionError):
    """What was waited for did not come; the text has the page's own."""


class Tab:
    """One page of the browser."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._asked = 0
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.complaints: list[str] = []
        """What the browser wrote to its console, a breach of the content security policy among it."""

    async def listen(self) -> None:
        """Take what the browser says, until it ends."""
        async for message in self._socket:
            told = json.loads(message.data)
            if told.get("id") in self._waiting:
                self._waiting.pop(told["id"]).set_result(told)
            elif told.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(json.dumps(told["params"]))

    async def do(self, method: str, **parameters: object) -> dict[str, Any]:
        """One command of the protocol."""
        self._asked += 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[self._asked] = answer
        await self._socket.send_json({"id": self._asked, "method": method, "params": parameters})
        told = await asyncio.wait_for(answer, PATIENCE_S)
        assert "error" not in told, told
        result: dict[str, Any] = told["result"]
        return result

    async def run(self, script: str) -> Any:
        """What the script gives on the page."""
        told = await self.do("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    async def see(self, condition: str) -> None:
        """Wait until the script's condition holds."""
        until_s = time.monotonic() + PATIENCE_S
        while not await self.run(condition):
            if time.monotonic() > until_s:
                raise NeverSeen(f"{condition}\n{await self.run('document.body.innerText')}\n{self.complaints}")
            await asyncio.sleep(LOOK_S)

    async def see_text(self, text: str, where: str = "body") -> None:
        """Wait until the text stands there."""
        await self.see(f"document.querySelector({where!r})?.innerText.includes({text!r})")

    async def click(self, text: str, where: str = "body") -> None:
        """Press the button with this text, once it can be pressed."""
        buttons = f"[...document.querySelectorAll({where + ' button:enabled'!r})]"
        found = f"{buttons}.find((each) => each.innerText.startsWith({text!r}))"
        await self.see(f"Boolean({found})")
        await self.run(f"{found}.click()")

    async def press(self, key: str, code: int) -> None:
        """Press and let go a key, where the page has its cursor."""
        for kind in ("keyDown", "keyUp"):
            await self.do("Input.dispatchKeyEvent", type=kind, key=key, text="\r", windowsVirtualKeyCode=code)

    @asynccontextmanager
    async def held(self, addresses: str) -> AsyncIterator[None]:
        """As by a slow link: what is asked of these addresses comes only at the end of the context."""
        await self.do("Fetch.enable", patterns=[{"urlPattern": addresses}])
        yield
        await self.do("Fetch.disable")

    async def type_into(self, label: str, text: str) -> None:
        """Put the text into the field of that label."""
        selector = f'[aria-label="{label}"]'
        field = f"document.querySelector({selector!r})"
        await self.run(f"{field}.value = {text!r}; {field}.dispatchEvent(new Event('input'))")

    async def open(self, address: str) -> None:
        """Go there."""
        await self.do("Page.navigate", url=address)

    async def shoot(self, file: Path) -> None:
        """The page as a picture."""
        told = await self.do("Page.captureScreenshot", format="png")
        file.write_bytes(base64.b64decode(told["data"]))


@asynccontextmanager
async def browser() -> AsyncIterator[Tab]:
    """A new one without a past."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [CHROMIUM, *OPTIONS[:-1], f"--user-data-dir={profile}", OPTIONS[-1]]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            async with ClientSession() as session:
                address = await _tab_address(session, Path(profile))
                async with session.ws_connect(address, max_msg_size=0) as socket:
                    tab = Tab(socket)
                    listening = asyncio.create_task(tab.listen())
                    for domain in ("Page", "Runtime", "Log"):
                        await tab.do(f"{domain}.enable")
                    yield tab
                    listening.cancel()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


async def _tab_address(session: ClientSession, profile: Path) -> str:
    """Where the browser's first page is driven: it writes its port down when it listens."""
    until_s = time.monotonic() + PATIENCE_S
    told = profile / "DevToolsActivePort"
    while not (told.exists() and told.read_text().strip()):
        assert time.monotonic() < until_s, "chromium did not come up"
        await asyncio.sleep(LOOK_S)
    port = told.read_text().split()[0]
    async with session.get(f"http://127.0.0.1:{port}/json") as answer:
        tabs = await answer.json(content_type=None)
    return str(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))
