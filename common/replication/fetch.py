"""From a stream to a journal in a folder: with nothing left but the copy off the machine, all of the story is here."""

from collections.abc import Callable

from common.journal.files import Files, Folder
from common.journal.imported import Imported
from common.journal.log import SEGMENT_BYTES
from common.replication.chain import Chain
from common.replication.errors import Away, StreamBroken
from common.replication.port import ReplicatedLog

Progress = Callable[[int, int], None]
"""(messages read, messages in all)"""


def fetch(
    stream: ReplicatedLog,
    journal_id: str,
    to: Folder,
    files: Files,
    *,
    segment_bytes: int = SEGMENT_BYTES,
    progress: Progress | None = None,
) -> Chain:
    """Write all that the stream holds to the folder `to`, as the journal `journal_id`; where the stream ends.

    A stream with a hole or a broken chain is refused, and what was written is no journal then. Raises Away,
    StreamBroken, FileExistsError (`to` holds a journal), JournalError.
    """
    last = stream.last_sequence()
    if not last:
        raise StreamBroken(1, f"{stream.name} holds nothing")
    chain, made = Chain(), Imported(to, files, bytes.fromhex(journal_id), segment_bytes)
    for found in stream.messages(1, last):
        if chain.take(found):
            made.take(found.batch.block)
        if progress is not None:
            progress(found.sequence, last)
    if chain.sequence < last:
        raise Away(f"{stream.name}: message {chain.sequence + 1} of {last} was not sent")
    made.finish()
    return chain
