"""A journal made anew of its frames, as a copy off the machine holds them: the same records under the same identity.

Blocks come in the order of the log, from record 1 on. Each is verified as it comes, and each segment as it stands in
the folder, before it has its name. The mark is written last: what was broken off is a journal without a mark, which
nobody reads. As with every copy, nothing goes on with it as it is.
"""

from common.journal.errors import BadFrame, Damage, copying_to
from common.journal.files import Files, Folder, replace_file
from common.journal.frames import Link, Stop, walk
from common.journal.log import SEGMENT_BYTES
from common.journal.marks import MARK, SLOT_SPACING, Mark
from common.journal.segments import SegmentHeader, first_lsns, segment_name
from common.journal.verify import verify
from common.journal.writers import Writers


class Imported:
    """The journal in the making. Its folder must hold none."""

    def __init__(self, folder: Folder, files: Files, identity: bytes, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Raises FileExistsError, CopyFailed."""
        self.end = Link(0, 0)
        self.stamp_ns = 0
        self._folder = str(folder)
        self._files = files
        self._identity = identity
        self._segment_bytes = segment_bytes
        self._epoch = 0
        self._writers = Writers()
        self._frames: list[bytes] = []
        self._size = 0
        with copying_to(self._folder):
            files.make_folder(self._folder)
            taken = first_lsns(files, self._folder) or MARK in files.list(self._folder)
        if taken:
            raise FileExistsError(f"{self._folder} holds a journal already: name an empty folder")
        self._header = self._next_header()

    def take(self, block: bytes) -> None:
        """Add whole frames that follow. Raises BadFrame, and it cannot be gone on with; CopyFailed."""
        if self._size and self._size + len(block) > self._segment_bytes:
            self._write_segment()
        walked = walk(block, self.end, stamp_ns=self.stamp_ns, each=self._writers)
        if walked.stop is not Stop.MORE or walked.position != len(block):
            raise BadFrame(walked.position, walked.why or "cut short")
        self.end, self.stamp_ns = walked.end, walked.stamp_ns
        self._epoch = max(self._epoch, walked.journal_epoch)
        self._frames.append(block)
        self._size += len(block)

    def finish(self) -> None:
        """Write what is left, and the mark; the whole is verified. Raises Damage, ReadFailed, CopyFailed."""
        self._write_segment()
        slots = bytearray(SLOT_SPACING * 2)
        mark = Mark(0, self.end, self._epoch, 1).encode()
        slots[: len(mark)] = mark
        with copying_to(self._folder):
            replace_file(self._files, self._folder, MARK, bytes(slots))
        if verify(self._folder, self._files).last_lsn != self.end.lsn:
            raise Damage(f"{self._folder}/{MARK}", 0, self.end.lsn, "what was written reads back as something else")

    def _next_header(self) -> SegmentHeader:
        return SegmentHeader(
            0, self._identity, self.end.lsn + 1, self._epoch, self.stamp_ns, self.end.crc, self._writers.table()
        )

    def _write_segment(self) -> None:
        data = self._header.encode() + b"".join(self._frames)
        with copying_to(self._folder):
            replace_file(self._files, self._folder, segment_name(self._header.first_lsn), data)
        self._header, self._frames, self._size = self._next_header(), [], 0
