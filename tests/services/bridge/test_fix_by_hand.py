"""A FIX client that is not ours: it logs on, trades, is cut, comes back, and gets by resend what it missed."""

from pathlib import Path

import pytest

from tests.services.bridge.fix_by_hand import RawClient
from tests.services.bridge.rig import SYMBOL, Rig

LIMIT = f"55={SYMBOL}|40=2|59=1|"


class Plug:
    """The client in the rig: what the rig asks of an initiator, without a session of ours."""

    def __init__(self, rig: Rig, client: RawClient, more: str = "") -> None:
        self._rig = rig
        self._client = client
        rig.accepted += 1
        self.number = rig.accepted
        self.session = self
        rig.clients.append(self)  # type: ignore[arg-type]
        rig.core.accepted(self.number, "fix", rig.now)
        client.connected(self.write, more)
        rig.pump()

    def write(self, data: bytes) -> None:
        self._rig.core.data(self.number, data, self._rig.now)

    def flush(self) -> bool:
        return False

    def timer(self, now: object) -> None:
        """It has none."""

    def arrived(self, data: bytes) -> None:
        self._client.received(data)

    def lost(self) -> None:
        if self in self._rig.clients:  # type: ignore[comparison-overlap]
            self._rig.clients.remove(self)  # type: ignore[arg-type]

    def cut(self) -> None:
        self.lost()
        self._rig.core.closed(self.number, "cut", self._rig.now)
        self._rig.pump()


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path).live()


@pytest.fixture
def client(rig: Rig) -> RawClient:
    def clock() -> str:
        seconds, ns = divmod(rig.now.wall_ns, 10**9)
        day, of_day = divmod(seconds - 1_767_225_600, 86_400)
        assert day == 0
        return f"20260101-{of_day // 3600:02d}:{of_day // 60 % 60:02d}:{of_day % 60:02d}.{ns // 10**6:03d}"

    return RawClient("DESK", "OKX", clock)


def told(client: RawClient) -> list[tuple[str, str, str, str]]:
    """ClOrdID(11), ExecType(150), OrdStatus(39) and CumQty(14) of each report."""
    return [(each[11], each[150], each[39], each[14]) for each in client.got if each[35] == "8"]


def test_it_trades_is_cut_and_gets_what_it_missed_by_resend(rig: Rig, client: RawClient) -> None:
    plug = Plug(rig, client)
    assert [each[35] for each in client.got] == ["A"] and client.got[0][96].startswith("log ")
    client.send("D", f"11=r1|{LIMIT}54=1|38=0.1|44=60000|")
    client.send("D", f"11=r2|{LIMIT}54=2|38=0.2|44=61000|")
    rig.pump()
    assert sorted(told(client)) == [(name, word, word, "0") for name in ("r1", "r2") for word in "0A"]
    client.got.clear()
    plug.cut()
    rig.stranger("2", "0.04", "60000")
    rig.kill()
    rig.stranger("2", "0.06", "60000")
    rig.live()
    Plug(rig, client)
    rig.pump()
    assert told(client) == [("r1", "F", "1", "0.04"), ("r1", "F", "2", "0.1")]
    assert all(each[43] == "Y" for each in client.got if each[35] == "8")
    client.got.clear()
    client.send("G", f"11=r3|41=r2|{LIMIT}54=2|38=0.3|44=62000|")
    rig.pump()
    client.send("F", f"11=r4|41=r3|55={SYMBOL}|54=2|")
    client.send("H", f"11=r1|55={SYMBOL}|54=1|")
    rig.pump()
    rig.pass_time(2)
    assert ("r3", "5", "0", "0") in told(client) and ("r1", "I", "2", "0.1") in told(client)


def test_it_asks_to_go_with_its_connection_and_its_orders_do(rig: Rig, client: RawClient) -> None:
    plug = Plug(rig, client, "9001=Y|")
    client.send("D", f"11=r1|{LIMIT}54=1|38=0.1|44=60000|")
    rig.pump()
    plug.cut()
    rig.pass_time(1)
    Plug(rig, client, "9001=Y|")
    rig.pump()
    assert told(client)[-1] == ("r1", "4", "4", "0")
    client.send("q", "11=q1|530=7|60=20260101-00:00:00|")
    rig.pump()
    assert [(each[11], each[531]) for each in client.got if each[35] == "r"] == [("q1", "7")]
