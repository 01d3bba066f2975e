"""What the tests of a session share."""

from pathlib import Path

import pytest

from common.journal.files import OsFiles
from tests.services.session.harness import World, generic_config


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A session at a venue with persistent numbers."""
    return World(OsFiles(), generic_config(str(tmp_path)))
