"""What is not to be had, a port or what a former life has written, keeps nobody from being told."""

import socket
from pathlib import Path

import pytest

from common.actor.tcp import listen
from common.config import Config, load
from common.instant import Instant
from services.alerts.__main__ import asked, load_kept, serve_metrics, settings
from services.alerts.core import AlertsCore, Kept


def configured(folder: Path, port: int) -> Config:
    (folder / "run").mkdir(exist_ok=True)
    return load(environ={"FIXRING_VAR": str(folder), "FIXRING__ALERTS__METRICS__PORT": str(port)})


def test_a_port_that_another_program_has_is_said_and_alerts_go_on(short_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = configured(short_folder, port)
        core = AlertsCore(settings(config, Kept()))
        serve_metrics(core, config.stack.alerts.metrics, listen)
    standing = core.standing(Instant(0, 0))
    assert standing.metrics == "" and standing.metrics_failure == f"127.0.0.1:{port}: Address already in use"


def test_everybody_else_is_asked(short_folder: Path) -> None:
    config = configured(short_folder, 0)
    names = asked(config)
    assert {actor.name for actor in config.actors()} - set(names) == {"alerts"}
    assert {"supervisor-journal", "supervisor-alerts"} <= set(names)


@pytest.mark.parametrize("written", [None, b"", b"\xff\xfe", b'{"notices": "x"}', b'{"alerts": [{"rule": 1}]}'])
def test_what_a_former_life_has_written_and_cannot_be_read_is_nothing(
    short_folder: Path, written: bytes | None
) -> None:
    config = configured(short_folder, 0)
    if written is not None:
        config.paths.alerts.parent.mkdir()
        config.paths.alerts.write_bytes(written)
    assert load_kept(config) == Kept()
