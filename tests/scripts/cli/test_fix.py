"""The `fixring fix` commands by what they print and how they end."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from common.fix.wire import encode
from scripts.cli.fix import fix


def message(text: str) -> bytes:
    return encode(b"FIX.4.4", text.replace("|", "\x01").encode())


HEAD = "49=ME|52=20260101-00:00:01.000|56=VENUE|"
BACK = "49=VENUE|52=20260101-00:00:02.000|56=ME|"
ORDER = message(f"35=D|34=2|{HEAD}11=a1|55=BTC|54=1|38=1|44=9|40=2|60=20260101-00:00:01|")
REPORT = message(f"35=8|34=2|{BACK}37=v7|11=a1|17=e1|150=0|39=0|55=BTC|54=1|151=1|14=0|6=0|")
REPLACE = message(f"35=G|34=3|{HEAD}11=a2|41=a1|55=BTC|54=1|38=2|44=9|40=2|60=20260101-00:00:01|")
REPLACED = message(f"35=8|34=3|{BACK}37=v7|11=a2|41=a1|17=e2|150=5|39=0|55=BTC|54=1|151=2|14=0|6=0|")
OTHER = message(f"35=D|34=4|{HEAD}11=b1|55=ETH|54=2|38=1|40=1|60=20260101-00:00:01|")
HEARTBEAT = message(f"35=0|34=5|{HEAD}")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log with every separator, other lines, and a prefix."""
    path = tmp_path / "fix.log"
    path.write_bytes(
        b"started\n"
        + b"12:00:01 out "
        + ORDER.replace(b"\x01", b"|")
        + b"\n"
        + REPORT.replace(b"\x01", b"^A")
        + b"\n"
        + REPLACE
        + b"\n"
        + REPLACED
        + OTHER
        + HEARTBEAT
        + b"\nstopped\n"
    )
    return path


def run(*arguments: str, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(fix, arguments, input=stdin, standalone_mode=False)


def test_cat_names_everything(log: Path) -> None:
    lines = run("cat", str(log)).output.splitlines()
    assert len(lines) == 6
    assert lines[0].startswith("12:00:01 out NewOrderSingle(D) MsgSeqNum(34)=2")
    assert "Side(54)=1 (Buy)" in lines[0]
    assert lines[1].startswith("ExecutionReport(8)")


def test_cat_reads_standard_input_and_hides_heartbeats() -> None:
    assert run("cat", "--no-heartbeats", stdin=ORDER + HEARTBEAT).output.count("\n") == 1
    assert run("cat", "-", stdin=ORDER + HEARTBEAT).output.count("\n") == 2


def test_cat_by_lines_and_as_json() -> None:
    assert "\n  Side(54)          1 (Buy)\n" in run("cat", "-l", stdin=ORDER).output
    told = json.loads(run("cat", "--json", stdin=ORDER).output)
    assert told["message"] == "NewOrderSingle(D)"
    assert {"tag": 54, "name": "Side", "value": "1", "meaning": "Buy", "depth": 0} in told["fields"]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("NewOrderSingle", 2),
        ("D Side=Buy", 1),
        ("ClOrdID=a?", 4),
        ("11=a1 !D", 1),
        ("Symbol=eth", 1),
        ("*Replace*", 1),
    ],
)
def test_grep_by_message_and_decoded_value(log: Path, expression: str, found: int) -> None:
    result = run("grep", expression, str(log))
    assert result.output.count("\n") == found
    assert result.return_value == 0


def test_grep_that_finds_nothing_says_so_by_its_status(log: Path) -> None:
    result = run("grep", "35=nothing", str(log))
    assert (result.output, result.return_value) == ("", 1)


def test_orders_follows_the_chain_of_ids(log: Path) -> None:
    result = run("orders", str(log))
    lines = result.output.splitlines()
    assert lines[0] == "ClOrdID(11) a1 -> a2  OrderID(37) v7  Symbol BTC  Side Buy  OrdType Limit"
    assert [line.split()[2] for line in lines[1:5]] == [
        "NewOrderSingle",
        "ExecutionReport",
        "OrderCancelReplaceRequest",
        "ExecutionReport",
    ]
    assert "ExecType Replaced" in lines[4]
    assert lines[5].startswith("ClOrdID(11) b1")
    assert run("orders", "--id", "v7", str(log)).output.splitlines() == lines[:5]
    assert run("orders", "--id", "nothing", str(log)).return_value == 1


def test_validate_tells_what_is_wrong(log: Path) -> None:
    assert run("validate", str(log)).output == "6 messages, 0 wrong\n"
    result = run("validate", stdin=ORDER[:-4] + b"999\x01" + message(f"35=D|34=2|{HEAD}11=a|5001=x|"))
    lines = result.output.splitlines()
    assert lines[0].startswith("1: BodyLength(9) or CheckSum(10) is wrong")
    assert lines[1].startswith("2: Required tag missing, Side(54), SessionRejectReason(373)=1")
    assert lines[2] == "2 messages, 2 wrong"
    assert result.return_value == 1


def test_lenient_validation_and_a_venues_additions(tmp_path: Path) -> None:
    odd = ORDER[:-7].replace(b"40=2\x01", b"40=2\x015001=x\x01").partition(b"35=")[2]
    odd = encode(b"FIX.4.4", b"35=" + odd)
    assert run("validate", stdin=odd).return_value == 1
    assert run("validate", "--lenient", stdin=odd).return_value == 0
    venue = tmp_path / "venue.toml"
    venue.write_text(
        '[dictionary.fields.5001]\nname = "Desk"\ntype = "STRING"\n[dictionary.messages.D]\nadds = "5001"\n'
    )
    assert run("validate", "--additions", str(venue), stdin=odd).return_value == 0
    assert "Desk(5001)=x" in run("cat", "--additions", str(venue), stdin=odd).output


def test_sources_exclude_each_other(log: Path) -> None:
    assert run("cat", "--journal", str(log)).exit_code != 0
    assert run("cat", "--session", "binance", str(log)).exit_code != 0
