"""What stands readable behind a journal's damage, given back to the sessions as evidence.

Each session gets a file of the kind that it writes itself when the journal is away, and hands over as it does those:
what its venue told it, and the numbers that both sides have used. Commands are not given back. Whether one was sent by
its deadline is told by its record's place and stamp, which the log has lost: written again it would be stamped later,
and a void order is one that never left. What became of it the venue tells.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec
from crc32c import crc32c

from common.journal import Entry, OsFiles, Record, iterate, parse
from common.journal.emergency import EmergencyFile
from common.journal.files import read_whole
from common.journal.frames import frame_bytes
from common.journal.salvage import BEHIND
from common.messages import Inbound, Kind, Outbound, SessionChanged, SessionState, encode
from common.past.words import payload_of

TEXT = "taken back from behind the damage"
ROOM_BYTES = 1 << 16
BATCH_RECORDS = 256


class TakenBack(NamedTuple):
    """One session's file: its name, how many messages of the venue are in it, and the outbound number behind it."""

    session: str
    file: str
    messages: int
    generation: int
    next_outbound: int
    is_new: bool


def take_back(folder: str, emergency_folder: str) -> list[TakenBack]:
    """Write each session's file from `behind-damage` in `folder`, a salvaged journal; none twice.

    Raises NotThere, Damage, LogFailed, OSError (FileNotFoundError where nothing stands behind the damage).
    """
    files = OsFiles()
    records = parse(read_whole(files, f"{folder}/{BEHIND}"))
    told = {session: payloads for session in _sessions(records) if (payloads := _own(records, session))}
    log = _next_inbound(folder, set(told))
    return [
        _write(files, emergency_folder, session, list(_evidence(session, payloads, log.get(session, (0, 1)))))
        for session, payloads in told.items()
    ]


def _sessions(records: Iterable[Record]) -> list[str]:
    return sorted({record.writer.partition("@")[2] for record in records if record.writer.startswith("session@")})


def _own(records: Iterable[Record], session: str) -> list[Outbound | Inbound | SessionChanged]:
    writer = f"session@{session}"
    payloads = [payload_of(record) for record in records if record.writer == writer]
    return [payload for payload in payloads if isinstance(payload, Outbound | Inbound | SessionChanged)]


def _next_inbound(folder: str, sessions: set[str]) -> dict[str, tuple[int, int]]:
    """Of each session the generation and the next inbound number at the end of the log."""
    numbers: dict[str, tuple[int, int]] = {}
    for record in iterate(folder, OsFiles()):
        session = record.writer.partition("@")[2]
        payload = payload_of(record) if session in sessions else None
        if isinstance(payload, Inbound):
            numbers[session] = payload.generation, payload.msg_seq_num + 1
        elif isinstance(payload, SessionChanged):
            numbers[session] = payload.generation, payload.next_inbound
    return numbers


def _evidence(
    session: str, payloads: Sequence[Outbound | Inbound | SessionChanged], log: tuple[int, int]
) -> Iterator[SessionChanged | Inbound]:
    """Generation by generation: the numbers that were used, then what the venue told."""
    for generation in sorted({payload.generation for payload in payloads}):
        own = [payload for payload in payloads if payload.generation == generation]
        inbound = [payload for payload in own if isinstance(payload, Inbound)]
        steps = [payload for payload in own if isinstance(payload, SessionChanged)]
        sent = [payload.msg_seq_num + 1 for payload in own if isinstance(payload, Outbound)]
        begins = min((payload.msg_seq_num for payload in inbound), default=0)
        if not begins:
            begins = log[1] if log[0] == generation else 1
        yield SessionChanged(
            session,
            generation,
            max(payload.connection for payload in own),
            SessionState.NUMBERS_SET,
            max([*sent, *(step.next_outbound for step in steps), 1]),
            begins,
            next((step.sender_comp_id for step in reversed(steps) if step.sender_comp_id), ""),
            TEXT,
        )
        for payload in inbound:
            yield msgspec.structs.replace(payload, emergency=True)


def _write(files: OsFiles, folder: str, session: str, evidence: Sequence[SessionChanged | Inbound]) -> TakenBack:
    writer = f"session@{session}"
    entries = [
        Entry(Kind.INBOUND if isinstance(payload, Inbound) else Kind.SESSION, writer, 1, number, encode(payload))
        for number, payload in enumerate(evidence, 1)
    ]
    checksum = crc32c(b"".join(entry.payload for entry in entries))
    # Without an epoch in its name it comes before every file that a life of the session has begun.
    name = f"{session}-behind-{checksum:08x}.emergency"
    last = next(payload for payload in reversed(evidence) if isinstance(payload, SessionChanged))
    size = ROOM_BYTES + sum(frame_bytes(len(entry.payload)) for entry in entries)
    is_new = True
    try:
        file = EmergencyFile.create(f"{folder}/{name}", files, epoch=1, size_bytes=size)
    except FileExistsError:
        is_new = False
    else:
        for at in range(0, len(entries), BATCH_RECORDS):
            file.append(entries[at : at + BATCH_RECORDS], 0)
        file.close()
    messages = sum(isinstance(payload, Inbound) for payload in evidence)
    return TakenBack(session, name, messages, last.generation, last.next_outbound, is_new)
