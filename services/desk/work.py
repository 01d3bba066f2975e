"""What takes long runs as a program of its own: the same commands as by hand, at the desk's own low priority, ended
when nobody waits.

So a search through a long log, or a replay, never holds up the pages, and no rule of it is written twice.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

MOST_AT_ONCE: Final = 2
MOST_BYTES: Final = 8 << 20
WORK_S: Final = 60.0


class WorkFailed(Exception):
    """The program did not do it; the text is its own word, or why it was ended."""


class Workers:
    """Runs `fixring` commands, `MOST_AT_ONCE` at a time."""

    def __init__(self, checkout: Path) -> None:
        """Nothing runs yet."""
        self._checkout = checkout
        self._free = asyncio.Semaphore(MOST_AT_ONCE)

    async def run(self, arguments: Sequence[str], *, empty_ok: bool = False) -> bytes:
        """What the command printed; `empty_ok` takes exit status 1 for an answer, that there is none. When the caller
        is cancelled, so is the program. Raises WorkFailed.
        """
        async with self._free:
            program = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "scripts.cli.main", *arguments, cwd=self._checkout,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                limit=MOST_BYTES,
            )  # fmt: skip
            try:
                async with asyncio.timeout(WORK_S):
                    told, wrong = await asyncio.gather(_read(program.stdout), _read(program.stderr))
                    status = await program.wait()
            except TimeoutError:
                raise WorkFailed(f"it took longer than {WORK_S:.0f} s, and was ended: ask for less") from None
            finally:
                if program.returncode is None:
                    program.kill()
                    await program.wait()
        if status and not (empty_ok and status == 1 and not wrong):
            raise WorkFailed(wrong.decode("utf-8", "replace").strip() or f"it ended with exit status {status}")
        return told


async def _read(stream: asyncio.StreamReader | None) -> bytes:
    assert stream is not None
    parts, size = [], 0
    while part := await stream.read(1 << 16):
        size += len(part)
        if size > MOST_BYTES:
            raise WorkFailed(f"more than {MOST_BYTES >> 20} MiB were found: ask for less")
        parts.append(part)
    return b"".join(parts)
