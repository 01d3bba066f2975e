"""A desk without a stack beside it: its own folders, and a browser that is none."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pytest

from common.config import CHECKOUT, Config, load
from services.desk.users import hashed

PORT = 8791
PASSWORD = "correct horse battery"


@cache
def scrypt_of(salt: bytes) -> str:
    """The scrypt of PASSWORD, made once: it is slow on purpose."""
    return hashed(PASSWORD, salt)


@pytest.fixture
def config_with(tmp_path: Path) -> Callable[..., Config]:
    """The checkout's configuration over an empty var folder, with overrides."""

    def make(**overrides: str) -> Config:
        environ: Mapping[str, str] = {
            "FIXRING_VAR": str(tmp_path / "var"), "FIXRING__DESK__PORT": str(PORT),
            **{f"FIXRING__DESK__{name.upper()}": value for name, value in overrides.items()},
        }  # fmt: skip
        config = load(CHECKOUT / "configs", environ)
        config.paths.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        return config

    return make
