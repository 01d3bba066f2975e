"""The ports that stacks and servers of one's own are put on."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from scripts import ports
from scripts.ports import ENOUGH, LAST, NoPorts, Ports, free_ports, system_range

Make = Callable[[str, int | None], Ports]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Ports of a file of that name, whose search begins with the port."""
    with ExitStack() as ends:

        def made(name: str, first: int | None = None) -> Ports:
            own = Ports(tmp_path / name, first)
            ends.callback(own.end)
            return own

        yield made


def test_nobody_who_only_connects_is_given_such_a_port() -> None:
    first, last = system_range()
    assert not [port for port in free_ports(200) if first <= port <= last]


def test_no_port_is_given_twice(make: Make) -> None:
    own = make("claims", None)
    found = own.take(30) + own.take(30)
    assert len(set(found)) == 60


def test_another_process_is_given_others(make: Make, tmp_path: Path) -> None:
    claims = tmp_path / "claims"
    held = make(claims.name, None).take(5)
    code = (
        "from pathlib import Path; from scripts.ports import Ports; "
        f"print(Ports(Path({str(claims)!r}), {held[0]}).take(5))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], env={"PYTHONPATH": str(Path(__file__).parents[2])},
                          capture_output=True, text=True, check=True)  # fmt: skip
    others = {int(port) for port in done.stdout.strip(" []\n").split(",")}
    assert len(others) == 5 and not others & set(held)


def test_what_somebody_listens_on_is_left_out(make: Make) -> None:
    (port,) = make("claims", None).take(1)
    with socket.create_server(("127.0.0.1", port)):
        (other,) = make("others", port).take(1)
    assert other != port


def test_after_the_last_comes_the_first_again_and_more_than_there_are_is_refused(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = make("claims", None).take(3)
    monkeypatch.setattr(ports, "_outside", lambda first, last: few)
    own = make("claims", few[0])
    assert own.take(2) == few[:2]
    assert own.take(2) == [few[2], few[0]]
    with pytest.raises(NoPorts):
        own.take(4)


def test_where_the_system_gives_nearly_all_they_are_among_its_own() -> None:
    assert len(ports._outside(1_024, LAST - 10)) > ENOUGH
