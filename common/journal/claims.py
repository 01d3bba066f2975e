"""Who may write a journal's folder, where a copy of it is kept off the machine: two files that stand in the way.

`following`: the folder follows another host's journal; nothing of its own is written before a person has taken that
over. `fenced`: another host has taken this journal over; nothing is written to it any more. Each says in a line what to
know, and the log does not open while one is there.
"""

from common.journal.errors import FencedOff, FollowsAnother
from common.journal.files import Files, read_whole, remove_if_there, replace_file

FOLLOWING = "following"
FENCED = "fenced"


def write_claim(folder: str, files: Files, name: str, text: str) -> None:
    """Put the file there, synced. Raises OSError."""
    replace_file(files, folder, name, text.encode())


def remove_claim(folder: str, files: Files, name: str) -> None:
    """Take the file away, synced. Raises OSError."""
    remove_if_there(files, f"{folder}/{name}")
    files.sync_folder(folder)


def claim_text(folder: str, files: Files, name: str) -> str | None:
    """What the file says; None where there is none. Raises OSError."""
    try:
        return read_whole(files, f"{folder}/{name}").decode(errors="replace").strip()
    except FileNotFoundError:
        return None


def refuse_if_claimed(folder: str, files: Files) -> None:
    """Raises FencedOff, FollowsAnother, OSError where the folder is not to be written."""
    fenced = claim_text(folder, files, FENCED)
    if fenced is not None:
        raise FencedOff(folder, fenced)
    if claim_text(folder, files, FOLLOWING) is not None:
        raise FollowsAnother(folder)
