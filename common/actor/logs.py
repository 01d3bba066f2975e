"""An actor's own log: JSON lines, rotated, for the person who reads them at 3 a.m. and for the tools that search
them.
"""

import logging
import logging.handlers
from collections.abc import Mapping
from pathlib import Path

import orjson

from common.fix.wire import utc_timestamp
from common.instant import Instant

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class ActorLog:
    """Writes one JSON object a line: `time` (UTC), `level`, `actor`, `event`, then what the event concerns."""

    def __init__(
        self, folder: Path, actor: str, level: str = "info", max_bytes: int = 16 << 20, files: int = 5
    ) -> None:
        """`folder` is made when missing. Full files of `max_bytes` are set aside, and `files` of them kept."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / f"{actor}.jsonl"
        self._actor = actor
        self._handler = logging.handlers.RotatingFileHandler(
            self.path, maxBytes=max_bytes, backupCount=files, encoding="utf-8"
        )
        self._logger = logging.Logger(f"fixring.{actor}", LEVELS[level])
        self._logger.addHandler(self._handler)

    @property
    def level(self) -> str:
        """The lowest level that is written."""
        return next(name for name, number in LEVELS.items() if number == self._logger.level)

    def set_level(self, level: str) -> None:
        """Write from this level ("debug", "info", "warning", "error") upwards. Raises KeyError for another word."""
        self._logger.setLevel(LEVELS[level])

    def write(self, level: str, event: str, fields: Mapping[str, object], now: Instant) -> None:
        """One line."""
        number = LEVELS.get(level, logging.INFO)
        if not self._logger.isEnabledFor(number):
            return
        line = {"time": utc_timestamp(now.wall_ns, 6).decode(), "level": level, "actor": self._actor, "event": event}
        self._logger.log(number, orjson.dumps({**line, **fields}, default=str).decode())

    def close(self) -> None:
        """Flush and close the file."""
        self._handler.close()
