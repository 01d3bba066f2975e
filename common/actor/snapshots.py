"""Snapshots of what actors fold: made by programs of their own that fold the same state, used at the actors' start.

Every actor that folds the log has such a program (`services.X.make_snapshot`), which is `run_snapshot_program` with the
actor's own fold. It begins with the newest snapshot itself, folds what the log has gained, compares itself with the
last state hash that the actor wrote into the log, writes, loads what it reads back, and removes what is not kept.
It says which of those load: only on these may anybody rely who drops the log before them. The process `snapshots` runs
the programs one after the other; the live actors have no part in it.
"""

import sys
from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec

from common.actor.process import begin_collecting, read_clocks
from common.actor.state_hashes import StateHashes, is_hashed, read_state_hash
from common.config import Config, ConfigError, load
from common.exit_status import ExitStatus
from common.instant import NS_PER_S
from common.journal import JournalError, NotThere, OsFiles, Reader
from common.journal.errors import NoneLoads, ReadFailed
from common.journal.frames import Record
from common.journal.snapshots import (
    FOR_A_START,
    KEPT,
    Keeping,
    Snapshot,
    newest_fold_version,
    newest_snapshot,
    prune_snapshots,
    read_snapshot,
    snapshot_folder,
    trusted_lsn,
    write_snapshot,
)
from common.messages import Kind, StateHash

FOLDS_ALL = "orders"
"""The actor that folds the whole log: what its snapshots stand on was read and verified by whoever made them."""

FAR_APART = 10
"""Of old snapshots for the past those stay that are so many rounds apart: what is far back is folded from one of them.
"""

LONGEST_FOLD_NS = 300 * NS_PER_S
"""So long a program folds at most before it writes what it has come to: well within `run_program.LONGEST_S`, so that
one after another gets along a log of any length, however busy the machine is.
"""


class StateDiffers(Exception):
    """The fold came to another state than the actor that wrote the log: no snapshot is made of it."""


class DoesNotLoad(Exception):
    """What was written does not load as the state that it was made of: nobody could start from it."""


class Made(msgspec.Struct, frozen=True):
    """What a snapshot program prints: where its snapshot stands (0: the log is empty), and where those of the kept ones
    stand that load, newest first."""

    lsn: int
    loads: list[int]


class Foldable(Protocol):
    """What a snapshot is made of."""

    fold_version: int
    """It is raised by one with every change after which a log may fold to another state, or
    the same state have another digest: what another version has hashed is not compared.
    """

    @property
    def lsn(self) -> int:
        """The last record folded; 0 for none."""

    def apply(self, record: Record) -> object:
        """Fold the next record."""

    def digest(self) -> bytes:
        """The state's own hash."""

    def dump(self) -> bytes:
        """The state in a form that the actor can load."""


F = TypeVar("F", bound=Foldable)


def load_newest(
    config: Config, name: str, load: Callable[[bytes], F], reader: Reader | None = None, upto_lsn: int | None = None
) -> F | None:
    """The state from the newest snapshot of `name` (at `upto_lsn` at most) that verifies and whose digest is the loaded
    state's own. None where there is none, as there is not in a log that is damaged or not there, which is the journal's
    to say.

    What an older version of the fold came to is left for the log, folded anew; where the log's beginning is gone it is
    all there is, and is gone on from. `reader` names the journal where it is not the configured one, and is left where
    the snapshot stands, so that whoever reads on with it need not look for the place. Raises ReadFailed where nobody
    could look: to begin without would be to take "not seen" for "not there"; and NoneLoads.
    """
    files = OsFiles()
    reader = reader or Reader(config.journal_folder, files)
    folder = snapshot_folder(reader.folder)
    older: F | None = None
    unread: Snapshot | None = None
    below = upto_lsn
    try:
        while (snapshot := newest_snapshot(folder, files, name, reader, below)) is not None:
            state = _loaded(snapshot, load)
            if state is not None and state.fold_version == snapshot.fold_version:
                return state
            older, unread, below = older or state, unread or snapshot, snapshot.at.lsn - 1
        if unread is None or reader.first_lsn() <= first_needed(reader, name):
            return None
    except ReadFailed:
        raise
    except JournalError:
        # A snapshot is a cache. What is wrong with the log itself is the journal's to say.
        return None
    if older is None and upto_lsn is None:
        raise NoneLoads(folder, name, unread.at.lsn, unread.fold_version, reader.first_lsn())
    return older


def verified_before(config: Config) -> int:
    """Up to which record nobody who opens the configured journal need verify it again: where the newest snapshot of the
    actor stands that folds the whole log. See `trusted_lsn`."""
    return trusted_lsn(config.journal_folder, OsFiles(), FOLDS_ALL)


def older_state(
    config: Config, name: str, fold_version: int, load: Callable[[bytes], F], reader: Reader | None = None
) -> tuple[F, int] | None:
    """The state of the newest snapshot of `name`, with its version of the fold, where that is older than
    `fold_version`: the first start after an upgrade. None otherwise, and where it does not load. Raises ReadFailed.
    """
    files = OsFiles()
    reader = reader or Reader(config.journal_folder, files)
    folder = snapshot_folder(reader.folder)
    if newest_fold_version(folder, files, name) == fold_version:
        # The case of nearly every start: the file is large, and whoever starts has just read it.
        return None
    try:
        snapshot = newest_snapshot(folder, files, name, reader)
    except ReadFailed:
        raise
    except JournalError:
        # As in `load_newest`.
        return None
    if snapshot is None or snapshot.fold_version >= fold_version:
        return None
    state = _loaded(snapshot, load)
    return None if state is None else (state, snapshot.fold_version)


def has_beginning(reader: Reader) -> bool:
    """Whether the log still has its first record, or has none yet."""
    try:
        return reader.first_lsn() == 1
    except NotThere:
        return True


class Beside(Protocol):
    """What an actor keeps on the disk beside its log, and puts anew where a start asks for it."""

    covered_lsn: int
    """Up to this record it has everything, of the version that `begin_fold` named."""

    def begin_fold(self, version: int) -> None:
        """The version of the fold that reads and writes it from here on."""

    def read_on_after(self, lsn: int) -> None:
        """The state stands at this record: what was put later is put anew."""

    def lost_before(self, lsn: int) -> None:
        """What was put before this record is not all there, and cannot be put again."""


class _Standing(Protocol):
    @property
    def lsn(self) -> int: ...


_State = TypeVar("_State", bound=_Standing)


def start_beside(
    beside: Beside, fold_version: int, newest: Callable[[int | None], _State], reader: Reader
) -> _State:
    """The state of the newest snapshot that `beside` covers; where there is none, an empty one as long as the log still
    has everything, else the newest, and `beside` is known to lack what was put before it.

    `newest` gives the state of the newest snapshot that stands at a record at most, None for any, or an empty one.
    Raises what `beside` and `newest` raise.
    """
    beside.begin_fold(fold_version)
    state = newest(beside.covered_lsn)
    if state.lsn or has_beginning(reader):
        beside.read_on_after(state.lsn)
        return state
    state = newest(None)
    beside.lost_before(state.lsn)
    return state


def first_needed(reader: Reader, name: str) -> int:
    """From which record on the actor `name` needs the log where it has no snapshot: a session its own records, others
    all. Raises NotThere, Damage, ReadFailed.
    """
    return reader.begins_before(name) if name.startswith("session@") else 1


def lsn_before(reader: Reader, writer: str) -> int:
    """The record after which `writer` begins where it has no snapshot: all before its first one is nothing to it.

    Raises ReadFailed, Damage.
    """
    try:
        return reader.begins_before(writer) - 1
    except NotThere:
        return 0


def _loaded(snapshot: Snapshot, load: Callable[[bytes], F]) -> F | None:
    try:
        state = load(snapshot.payload)
    except (msgspec.DecodeError, ValueError, KeyError):
        return None
    if state.lsn != snapshot.at.lsn or snapshot.fold_version > state.fold_version:
        return None
    # What an older version has hashed cannot be compared; that it is what was written the file's checksum says.
    return state if snapshot.fold_version < state.fold_version or state.digest() == snapshot.digest else None


def make_snapshot(
    config: Config,
    name: str,
    state: Foldable,
    upto_lsn: int | None = None,
    load: Callable[[bytes], Foldable] | None = None,
    keep: Keeping = FOR_A_START,
) -> int:
    """Fold `state` on to the end of the durable log, or to `upto_lsn` where that comes first, write it down, and return
    the LSN that it stands on. With `load` what was written is loaded before an older one goes; those
    to `keep` stay.

    Raises StateDiffers, DoesNotLoad, and what the log's reader and the snapshot's writer raise.
    """
    files = OsFiles()
    reader = Reader(config.journal_folder, files)
    folder = snapshot_folder(config.journal_folder)
    fold_on(name, state, reader, upto_lsn)
    if state.lsn:
        at = reader.link_at(state.lsn)
        made = Snapshot(name, at, state.digest(), state.dump(), state.fold_version)
        written = write_snapshot(folder, files, made)
        if load is not None and _loaded(read_snapshot(f"{folder}/{written}", files), load) is None:
            # Left there, it would take an older one's place at the next round.
            files.remove(f"{folder}/{written}")
            raise DoesNotLoad(
                f"{folder}/{written}: what was written does not load as the state of {name} after record {state.lsn}. "
                "It was removed and older ones are kept; the program is at fault, use another version of it"
            )
        prune_snapshots(folder, files, name, keep, reader)
    return state.lsn


def fold_on(
    name: str, state: Foldable, reader: Reader, upto_lsn: int | None = None, longest_ns: int | None = None
) -> None:
    """Fold `state` on to the end of the durable log, or to `upto_lsn` where that comes first, or for `longest_ns`,
    beside the hashes that the actor `name` wrote. Raises StateDiffers, and what the log's reader raises."""
    last = reader.durable_lsn()
    last = last if upto_lsn is None else min(last, upto_lsn)
    until_ns = None if longest_ns is None else read_clocks().boot_ns + longest_ns
    witness = Witness(name, state)
    while state.lsn < last and (until_ns is None or read_clocks().boot_ns < until_ns):
        records = reader.read(state.lsn + 1, last)
        if not records:
            break
        for record in records:
            witness.apply(record)
    witness.check()


def loadable_lsns(config: Config, name: str, load: Callable[[bytes], Foldable], known: frozenset[int]) -> list[int]:
    """Where those of the newest `KEPT` snapshots of `name` stand that load, newest first; `known` ones are not loaded
    again. One of an older version of the fold does not count: the log before it is to be folded anew. Raises
    JournalError."""
    files = OsFiles()
    reader = Reader(config.journal_folder, files)
    folder = snapshot_folder(reader.folder)
    found: list[int] = []
    upto: int | None = None
    for _ in range(KEPT):
        snapshot = newest_snapshot(folder, files, name, reader, upto)
        if snapshot is None:
            break
        state = None if snapshot.at.lsn in known else _loaded(snapshot, load)
        if snapshot.at.lsn in known or (state is not None and state.fold_version == snapshot.fold_version):
            found.append(snapshot.at.lsn)
        upto = snapshot.at.lsn - 1
    return found


class Witness:
    """A fold beside the state hashes that its actor wrote into the log.

    Only the last of them counts, and of another version of the fold none.
    """

    def __init__(self, name: str, state: Foldable) -> None:
        """`name` is the actor that writes the hashes."""
        self._name = name
        self._state = state
        self._hashes = StateHashes(name, state.fold_version, most=1 << 62)
        self._told: StateHash | None = None

    def apply(self, record: Record) -> None:
        """Fold the next record."""
        self._state.apply(record)
        if is_hashed(record.lsn):
            self._hashes.keep(record.lsn, self._state.digest())
        if record.kind == Kind.STATE_HASH and record.writer == self._name:
            self._told = read_state_hash(record) or self._told

    def check(self) -> None:
        """Raises StateDiffers when the last hash in the log is another one."""
        told = self._told
        ours = None if told is None else self._hashes.check(told)
        if told is not None and ours is not None:
            raise StateDiffers(
                f"{self._name}: folded to LSN {told.at_lsn} the state is {ours.hex()}, and the log says "
                f"{told.digest.hex()}: no snapshot of it; `fixring journal replay --shadow` finds the record"
            )


def run_snapshot_program(
    name: str,
    loader: Callable[[Config], Callable[[bytes], Foldable]],
    newest: Callable[[Config], Foldable],
    upto_lsn: Callable[[Config], int] | None = None,
    *,
    for_the_past: bool = False,
) -> int:
    """Make one snapshot of the actor `name`, going on from `newest`, and print what was made; the exit status.

    It folds for `LONGEST_FOLD_NS` at most. `loader` gives what makes a state of a snapshot's bytes.
    `upto_lsn` makes durable what the actor keeps beside its snapshots, and says how far that goes: no snapshot goes
    further. With `for_the_past` as many are kept as the configuration says, and of older ones some, for somebody to
    look at the past; else what a start may need.
    """
    begin_collecting()
    try:
        config = load()
        state = newest(config)
        # It was loaded from a snapshot, where it is no empty one.
        begun = state.lsn
        beside = None if upto_lsn is None else upto_lsn(config)
        fold_on(name, state, Reader(config.journal_folder, OsFiles()), beside, LONGEST_FOLD_NS)
        own = config.stack.journal
        keep = Keeping(own.past_snapshots, FAR_APART * own.snapshot_records) if for_the_past else FOR_A_START
        lsn = make_snapshot(config, name, state, state.lsn, loader(config), keep)
        made = Made(lsn, loadable_lsns(config, name, loader(config), frozenset((begun, lsn))))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return ExitStatus.CONFIGURATION
    except (JournalError, StateDiffers, DoesNotLoad, OSError) as error:
        print(error, file=sys.stderr)
        return ExitStatus.FAILURE
    print(msgspec.json.encode(made).decode())
    return ExitStatus.OK
