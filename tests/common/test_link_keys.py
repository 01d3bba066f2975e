"""Keys are made once, are their owner's alone, are packed for a host without another's secrets, and are compared."""

import io
import tarfile
from pathlib import Path

import pytest
import zmq

from common.config import Kind
from common.link_keys import BadLinkKeys, LinkKeys, make_link_keys, pack_link_keys, unpack_link_keys, what_differs
from common.link_roles import OPERATOR, PROCFILE, UnknownLink, ends_of, links_of, may_ask

ROLES = ("orders", "strategies", OPERATOR)


def test_a_pair_is_made_once_private_and_never_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    assert make_link_keys(folder, ROLES) == list(ROLES)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert make_link_keys(folder, (*ROLES, "risk")) == ["risk"]
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_kill_between_the_halves_leaves_nothing_that_is_half(tmp_path: Path) -> None:
    make_link_keys(tmp_path, ROLES)
    (tmp_path / "orders.public").unlink()
    assert make_link_keys(tmp_path, ROLES) == ["orders"]
    keys = LinkKeys(tmp_path)
    assert zmq.curve_public(keys.secret("orders")) == keys.public_of("orders")


def test_what_is_wrong_with_a_key_is_said_with_its_file(tmp_path: Path) -> None:
    with pytest.raises(BadLinkKeys, match="fixring keys make"):
        LinkKeys(tmp_path)
    make_link_keys(tmp_path, ROLES)
    (tmp_path / "orders.secret").chmod(0o640)
    with pytest.raises(BadLinkKeys, match=r"orders\.secret: readable by others \(mode 640\); chmod 600"):
        LinkKeys(tmp_path).secret("orders")
    (tmp_path / "strategies.secret").write_bytes((tmp_path / "operator.secret").read_bytes())
    with pytest.raises(BadLinkKeys, match=r"not the other half of strategies\.public"):
        LinkKeys(tmp_path).secret("strategies")
    with pytest.raises(BadLinkKeys, match=r"risk\.secret: no such key"):
        LinkKeys(tmp_path).secret("risk")
    for nonsense in (b"", b"x" * 39, b"~" * 40, bytes(40), b"\xff" * 40):
        (tmp_path / "orders.public").write_bytes(nonsense)
        with pytest.raises(BadLinkKeys, match=r"orders\.public: "):
            LinkKeys(tmp_path)


def test_a_host_gets_every_public_key_and_only_its_own_secrets(tmp_path: Path) -> None:
    make, host = tmp_path / "make", tmp_path / "host"
    make_link_keys(make, (*PROCFILE, OPERATOR))
    pack_link_keys(make, ("strategies", "desk"), tmp_path / "keys.tar")
    assert (tmp_path / "keys.tar").stat().st_mode & 0o777 == 0o600
    unpack_link_keys(tmp_path / "keys.tar", host)
    assert {file.name for file in host.glob("*.secret")} == {"strategies.secret", "desk.secret"}
    assert {file.stat().st_mode & 0o777 for file in host.iterdir()} == {0o600}
    assert LinkKeys(host).public == LinkKeys(make).public
    assert LinkKeys(host).fingerprint == LinkKeys(make).fingerprint
    assert LinkKeys(host).secret("desk") == LinkKeys(make).secret("desk")


@pytest.mark.parametrize("name", ["../orders.secret", "folder/orders.public", "authorized_keys", "/etc/orders.public"])
def test_nothing_but_keys_comes_out_of_a_packed_set(tmp_path: Path, name: str) -> None:
    packed = tmp_path / "keys.tar"
    with tarfile.open(packed, "w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = 3
        tar.addfile(entry, io.BytesIO(b"abc"))
    with pytest.raises(BadLinkKeys, match="is no key"):
        unpack_link_keys(packed, tmp_path / "in" / "keys")
    assert not (tmp_path / "in").exists()
    packed.write_bytes(b"nonsense")
    for wrong in (packed, tmp_path / "nothing.tar"):
        with pytest.raises(BadLinkKeys, match="hand-out"):
            unpack_link_keys(wrong, tmp_path / "keys")


def test_two_sets_that_do_not_fit_say_in_what(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    make_link_keys(ours, ROLES)
    for file in ours.glob("*.public"):
        theirs.mkdir(exist_ok=True)
        (theirs / file.name).write_bytes(file.read_bytes())
    assert what_differs(LinkKeys(ours), LinkKeys(theirs)) == []
    (theirs / "orders.public").unlink()
    make_link_keys(theirs, ("orders", "risk"))
    found = what_differs(LinkKeys(ours), LinkKeys(theirs))
    assert found == [
        f"orders: another public key in {theirs} than in {ours}",
        f"risk: only {theirs} has its public key",
    ]
    assert LinkKeys(ours).fingerprint != LinkKeys(theirs).fingerprint


def test_every_line_of_the_procfile_is_a_role_and_every_end_of_a_link_is_one() -> None:
    assert set(PROCFILE) == {kind.value for kind in Kind}
    for role in PROCFILE:
        serves, joins = links_of(role)
        for link in (*serves, *joins):
            ends = ends_of(link if link != "relay" else "relay.main")
            assert ends.clients <= {*PROCFILE, OPERATOR}
    with pytest.raises(UnknownLink, match="there is no link control"):
        ends_of("control.orders")


def test_commands_come_from_the_station_before_alone() -> None:
    assert ends_of("session.binance").clients == {"risk"}
    assert ends_of("risk").clients == {"orders"}
    assert "strategies" not in ends_of("journal").clients


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        (OPERATOR, ("status", "kill", "resume", "anything"), ()),
        ("desk", ("kill", "resume"), ()),
        ("strategies", ("status",), ("kill", "resume", "verdict", "fill", "baseline")),
        ("alerts", ("status", "money"), ("kill", "resume")),
        ("journal", ("status", "kill"), ("resume", "verdict")),
        ("sessions", ("status",), ("kill", "resume")),
    ],
)
def test_a_role_may_ask_another_host_for_its_own_acts_alone(
    role: str, may: tuple[str, ...], may_not: tuple[str, ...]
) -> None:
    assert all(may_ask(role, act) for act in may)
    assert not any(may_ask(role, act) for act in may_not)
