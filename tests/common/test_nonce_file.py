"""The numbers of Logons(A) outlive their process."""

from pathlib import Path

import pytest

from common.instant import NS_PER_S
from common.journal import OsFiles
from common.nonce_file import NonceFile
from common.venues.nonces import Nonces


def nonce_file(folder: Path) -> NonceFile:
    return NonceFile(str(folder), "marketdata@deribit.nonces", OsFiles())


def test_the_next_life_goes_on_behind_what_was_sent(tmp_path: Path) -> None:
    ahead = nonce_file(tmp_path / "kept").load().sent(5_000 * NS_PER_S)
    nonce_file(tmp_path / "kept").keep(ahead)
    again = nonce_file(tmp_path / "kept").load()
    assert again == ahead
    assert again.sent(1_000 * NS_PER_S).latest_ms == 5_000_001


@pytest.mark.parametrize("content", [b"", b"[1, 2", b'{"a": 1}', b"[1, 2, 3, 4]", bytes(64)])
def test_what_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "marketdata@deribit.nonces").write_bytes(content)
    assert nonce_file(tmp_path).load() == Nonces()
