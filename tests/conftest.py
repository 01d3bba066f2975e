"""What every test may use."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Deadlines measure the machine, not the code; the machine is shared.
settings.register_profile("fixring", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fixring")


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A temporary folder with a path short enough for Unix sockets below it, which tmp_path's often is not."""
    folder = Path(tempfile.mkdtemp(prefix="fxr"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--venue desk.acme`: the conformance suite for a venue of your own, by its package; may be repeated."""
    parser.addoption("--venue", action="append", default=[], metavar="PACKAGE", help="Run the suite of venues for it.")
