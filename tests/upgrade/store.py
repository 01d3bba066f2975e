"""The store of an old stack: where it lies in the tree, how it is packed and unpacked, with which settings it ran."""

import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

HERE = Path(__file__).parent
ARCHIVE = HERE / "store.tar.xz"
EXPECTED = HERE / "expected.json"
CLIENT = HERE / "client.txt"
"""What a client of the old stack said (`>`) and heard (`<`) over its link: a message a line, in hexadecimal digits."""

SETTINGS: Mapping[str, str] = {
    "FIXRING__JOURNAL__SEGMENT_BYTES": str(1 << 19),
    "FIXRING__JOURNAL__SNAPSHOT_RECORDS": "4000",
    "FIXRING__JOURNAL__LOW_DISK_BYTES": str(2 << 20),
    "FIXRING__JOURNAL__RESERVE_BYTES": str(1 << 20),
    "FIXRING__RISK__DEFAULT_STRATEGY__RATE__MESSAGES": "400",
    "FIXRING__GENERIC__SIMULATED__SEGMENT_BYTES": str(1 << 20),
    "FIXRING__BINANCE__SIMULATED__SEGMENT_BYTES": str(1 << 20),
    "FIXRING__GENERIC__SIMULATED__TRADER_ORDERS_PER_S": "2",
    "FIXRING__BINANCE__SIMULATED__TRADER_ORDERS_PER_S": "2",
}
"""Small files, so that the journal has several segments and the archive is small; a rate that a flood passes; a market
that moves slowly.
"""

QUIET: Mapping[str, str] = {
    "FIXRING__STRATEGIES__MAKER__ENABLED": "false",
    "FIXRING__STRATEGIES__SIGNALS__ENABLED": "false",
}
"""No strategy of the stack's own: what the store says is all that moves."""

LEFT_OUT = ("keys", "log", "run")
"""What a start makes anew: keys and certificates of the simulated exchanges, logs for people, sockets and locks."""


def pack_store(var: Path, archive: Path) -> None:
    """Write the state below `var` into an archive, without what a start makes anew."""
    with tarfile.open(archive, "w:xz", preset=9) as packed:
        for path in sorted(var.iterdir()):
            if path.name not in LEFT_OUT:
                packed.add(path, f"var/{path.name}", filter=_without_owner)


def unpack_store(folder: Path) -> None:
    """Lay the store down as `folder`/var, private as a stack wants it."""
    with tarfile.open(ARCHIVE) as packed:
        # The oldest Python that runs this knows no filter, a newer one asks for a word.
        packed.extraction_filter = getattr(tarfile, "data_filter", None)
        packed.extractall(folder)
    (folder / "var").chmod(0o700)


def read_expected() -> dict[str, Any]:
    """What the code that made the store folded out of it."""
    found: dict[str, Any] = msgspec.json.decode(EXPECTED.read_bytes())
    return found


def write_expected(document: Mapping[str, Any]) -> None:
    """Write it so that a difference is a line: each table's rows one a line."""
    parts = []
    for name, value in document.items():
        if isinstance(value, dict):
            rows = (f"{_json(key)}: {_json(row)}" for key, row in value.items())
            parts.append(f"{_json(name)}: {{\n" + ",\n".join(rows) + "\n}")
        else:
            parts.append(f"{_json(name)}: {_json(value)}")
    EXPECTED.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def read_client() -> list[tuple[str, bytes]]:
    """The messages of the old client in order: ">" said or "<" heard, and the bytes."""
    lines = [line.split() for line in CLIENT.read_text().splitlines()]
    return [(direction, bytes.fromhex(digits)) for direction, digits in lines]


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
