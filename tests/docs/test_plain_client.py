"""Invariant: a client that is written from docs/protocol.md alone trades against the real stack and knows its books."""

import ast
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

import orjson

from common.strategy.client import Client
from scripts.stack import PrivateStack

PLAIN_CLIENT = Path(__file__).with_name("plain_client.py")


def test_it_imports_nothing_of_the_project() -> None:
    nodes = list(ast.walk(ast.parse(PLAIN_CLIENT.read_text("utf-8"))))
    names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    names += [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
    assert set(names) == {"json", "msgspec.msgpack", "sys", "time", "typing", "uuid", "zmq"}


def test_it_trades_over_the_death_of_the_order_manager_and_knows_the_books() -> None:
    quiet = {f"FIXRING__STRATEGIES__{name}__ENABLED": "false" for name in ("MAKER", "SIGNALS")}
    with tempfile.TemporaryDirectory(prefix="fxr") as folder, PrivateStack(Path(folder), quiet) as stack:
        endpoint = stack.config.endpoint("entry")
        command = [sys.executable, "-I", str(PLAIN_CLIENT), endpoint]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
            assert client.stdout is not None
            said = client.stdout.readline()
            assert b"kill the order manager" in said, client.communicate()[1]
            stack.kill("orders")
            out, err = client.communicate(b"\n", timeout=60)
        assert client.returncode == 0, err
        told = orjson.loads(out)
        with Client("reader", entry_endpoint=endpoint) as reader:
            held = {f"{p.venue} {p.symbol}": p.quantity for p in reader.query("positions").positions}
    assert told["orders"] == [] and told["outcomes"][2] == "accepted" and told["told"] > 10
    assert {place: Decimal(quantity) for place, quantity in told["positions"].items()} == held
