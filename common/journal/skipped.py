"""Which records a person has had skipped: a file for each beside the log, written once, before any reader folds."""

from common.journal.errors import ReadFailed
from common.journal.files import Files, Folder, replace_file

FOLDER = "skipped"
SUFFIX = ".skipped"


def skipped_folder(journal_folder: Folder) -> str:
    """Where they stand."""
    return f"{journal_folder}/{FOLDER}"


def skipped_records(journal_folder: Folder, files: Files) -> frozenset[int]:
    """The LSN of each. Raises ReadFailed where nobody could look."""
    folder = skipped_folder(journal_folder)
    try:
        names = files.list(folder)
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise ReadFailed(folder, str(error)) from error
    stems = [name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)]
    return frozenset(int(stem) for stem in stems if stem.isdecimal())


def skip_record(journal_folder: Folder, files: Files, lsn: int, why: str) -> None:
    """Have the record skipped by every reader that starts from now on; `why` stands in the file. Raises OSError."""
    folder = skipped_folder(journal_folder)
    files.make_folder(folder)
    replace_file(files, folder, f"{lsn:020d}{SUFFIX}", why.encode())
