"""The `fixring fix` commands by what they print and how they end."""

import base64
import gzip
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from common.fix.wire import encode
from scripts.cli.errors import CommandError
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


# -- forms


def piped(raw: bytes) -> bytes:
    return raw.replace(b"\x01", b"|")


@pytest.mark.parametrize("name", ["fix.log.gz", "fix.log"])
def test_gzip_is_read_by_its_contents_and_its_parts_as_one(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(ORDER + b"\n") + gzip.compress(HEARTBEAT + b"\n") + bytes(512))
    assert run("validate", str(path)).output == "2 messages, 0 wrong\n"
    assert run("validate", stdin=path.read_bytes()).output == "2 messages, 0 wrong\n"


def test_gzip_that_ends_too_early_or_is_damaged_is_said_behind_what_could_be_read(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(ORDER + b"%d\n" % number for number in range(1500)), 0)
    for name, data in (("cut", whole[:-70000]), ("damaged", whole[:120_000] + b"spoilt" + whole[120_006:])):
        path = tmp_path / name
        path.write_bytes(data)
        result = run("cat", str(path))
        assert result.output.count("NewOrderSingle(D)") > 300
        assert isinstance(result.exception, CommandError)
        assert "gzip" in str(result.exception) and str(path) in str(result.exception)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_other_encodings_are_read_and_their_marks_are_not_printed(encoding: str, line_end: str) -> None:
    text = f"{piped(ORDER).decode()}{line_end}12:00 \u20ac {piped(HEARTBEAT).decode()}{line_end}"
    lines = run("cat", stdin=text.encode(encoding)).output.splitlines()
    assert [line.split(" MsgSeqNum")[0] for line in lines] == ["NewOrderSingle(D)", "12:00 \u20ac Heartbeat(0)"]
    assert run("validate", stdin=text.encode(encoding)).output == "2 messages, 0 wrong\n"


def test_json_lines_with_a_message_in_a_field() -> None:
    rows: list[object] = [
        {"at": "12:00", "level": "info", "raw": ORDER.decode()},
        {"at": "12:01", "text": "no message"},
        {"at": "12:02", "payload": {"raw": piped(REPORT).decode(), "session": "one"}},
        {"messages": [REPLACE.decode(), REPLACED.decode()]},
        {"fix": base64.b64encode(OTHER).decode()},
        "a string, no object",
    ]
    text = "\n".join([*map(json.dumps, rows), "garbled {", "12:03 in " + piped(HEARTBEAT).decode()])
    lines = run("cat", stdin=text.encode()).output.splitlines()
    assert [line.partition(" MsgSeqNum")[0] for line in lines] == [
        '{"at":"12:00","level":"info"} NewOrderSingle(D)',
        '{"at":"12:02","payload":{"session":"one"}} ExecutionReport(8)',
        "OrderCancelReplaceRequest(G)",
        "ExecutionReport(8)",
        "NewOrderSingle(D)",
        "12:03 in Heartbeat(0)",
    ]
    assert run("validate", stdin=text.encode()).output == "6 messages, 0 wrong\n"


@pytest.mark.parametrize("head", [b"{main} started\n", b"{\n", b'["first"]\n', b"\n", b""])
def test_a_log_that_only_looks_like_json_is_text(head: bytes) -> None:
    news = message(f"35=B|34=2|{HEAD}148=one|58=first\n{{}}|")
    result = run("validate", "--lenient", stdin=head + piped(news) + b"\n" + ORDER)
    assert result.output.splitlines()[-1].startswith("2 messages") and "garbled" not in result.output
    assert "cut" not in result.output and "CheckSum" not in result.output


@pytest.mark.parametrize("text", ['{"raw": "%s"}', '{\n  "raw": "%s"\n}', '[\n"%s"]', 'at {"raw":"%s"}\n'])
def test_a_message_in_json_that_is_no_line_of_its_own_is_found(text: str) -> None:
    inside = json.dumps(ORDER.decode())[1:-1]
    assert run("validate", stdin=(text % inside).encode()).output == "1 messages, 0 wrong\n"


@pytest.mark.parametrize("command", ["cat", "validate", "orders", "grep D"])
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "standard input: no FIX message found"),
        (b"started\nstopped\n", "standard input: no FIX message found"),
        (b"BeginString=FIX.4.4 MsgType=D\n", "standard input: no FIX message found"),
        (b"8 = FIX.4.4, 9 = 10, 35 = D\n" * 2, "begins like a FIX message and was not read: 2 places"),
        (piped(ORDER) + b"\n8=FIX.4.4\n9=10\n35=D\n", "begins like a FIX message and was not read: 1 place;"),
    ],
)
def test_what_is_in_an_unknown_form_is_said_and_no_success(command: str, data: bytes, said: str) -> None:
    result = run(*command.split(), stdin=data)
    assert isinstance(result.exception, CommandError)
    assert said in str(result.exception) and "8=FIX" in str(result.exception)
    assert result.exception.status == 1


def test_a_cut_message_is_shown_as_cut() -> None:
    side = ORDER.index(b"54=")
    for cut in (ORDER[:side], ORDER[: side + 1]):
        text = b"at " + piped(cut) + b"\n" + piped(HEARTBEAT)
        lines = run("cat", stdin=text).output.splitlines()
        assert lines[0].startswith("at NewOrderSingle(D)")
        assert lines[0].endswith("Symbol(55)=BTC [cut: no CheckSum(10) at its end]")
        assert lines[1].startswith("Heartbeat(0)") and "cut" not in lines[1]
        assert run("cat", "-l", stdin=text).output.splitlines()[0].endswith("(D) [cut: no CheckSum(10) at its end]")
        rows = [json.loads(line) for line in run("cat", "--json", stdin=text).output.splitlines()]
        assert [row["cut"] for row in rows] == ["cut: no CheckSum(10) at its end", ""]
        assert "[cut: no CheckSum(10) at its end]" in run("orders", stdin=text).output
        assert run("validate", stdin=text).output.startswith("1: cut: no CheckSum(10) at its end: NewOrderSingle(D)")
    short = ORDER.replace(b"44=9\x01", b"")
    assert "[cut: 5 bytes fewer than BodyLength(9)=" in run("cat", stdin=short).output


# -- versions


def version(begin_string: str, text: str) -> bytes:
    return encode(begin_string.encode(), text.replace("|", "\x01").encode())


def test_validate_says_whose_dictionary_judges_a_version_that_has_none() -> None:
    beat = f"35=0|34=5|{HEAD}"
    text = b"\n".join(
        piped(version(f"FIX.{each}", beat)) for each in ("4.0", "4.1", "4.2", "4.3", "4.4", "5.0", "5.0SP2")
    )
    result = run("validate", "--lenient", stdin=text)
    assert result.output.splitlines() == [
        "7 messages, 0 wrong",
        "FIX.4.0 is judged by the dictionary of FIX.4.2",
        "FIX.4.1 is judged by the dictionary of FIX.4.2",
        "FIX.4.3 is judged by the dictionary of FIX.4.4",
        "FIX.5.0 is judged by the dictionary of FIX.5.0SP2",
    ]
    assert result.return_value == 0
    assert run("validate", "--dictionary", "FIX42", stdin=ORDER).output.splitlines()[-1] == (
        "FIX.4.4 is judged by the dictionary of FIX.4.2"
    )
    other = version("FIXT.1.1", f"35=0|34=5|1128=7|{HEAD}") + version("FIXT.1.1", f"35=0|34=5|1128=9|{HEAD}")
    assert run("validate", stdin=other).output.splitlines()[-1] == (
        "FIXT.1.1 with ApplVerID(1128)=7 is judged by the dictionary of FIX.5.0SP2"
    )


def test_a_version_for_begin_string_that_the_wire_does_not_have_is_said_and_hides_no_other_fault() -> None:
    beat = version("FIX.5.0SP2", f"35=0|34=5|{HEAD}")
    assert run("validate", stdin=beat).output.startswith("1: BeginString(8) of FIX 5.0 is FIXT.1.1: Heartbeat(0)")
    assert run("validate", "--lenient", stdin=beat).output == "1 messages, 0 wrong\n"
    odd = version("FIX.5.0SP2", f"35=1|34=5|{HEAD}")
    for options in ([], ["--lenient"]):
        assert "Required tag missing, TestReqID(112)" in run("validate", *options, stdin=odd).output


def test_lenient_validation_takes_fields_without_a_value() -> None:
    odd = message(f"35=0|34=5|{HEAD}112=|")
    assert "Tag specified without a value, TestReqID(112)" in run("validate", stdin=odd).output
    assert run("validate", "--lenient", stdin=odd).return_value == 0


# -- whose a message is


def chains(*texts: str) -> list[str]:
    """What `orders` says: the ids of each order, with the number of its messages."""
    raws = [text if isinstance(text, bytes) else message(text) for text in texts]
    told = run("orders", stdin=b"".join(raw + b"\n" for raw in raws)).output.splitlines()
    told = [re.split("  (?=Symbol|Side)", line)[0] for line in told]
    heads = [number for number, line in enumerate(told) if line.startswith("ClOrdID(11)")]
    spans = zip(heads, [*heads[1:], len(told)], strict=True)
    return [f"{' '.join(told[head].split()[1:])}: {end - head - 1}" for head, end in spans]


def new(number: int, cl_ord_id: str, more: str = "") -> str:
    return f"35=D|34={number}|{HEAD}{more}11={cl_ord_id}|55=BTC|54=1|38=1|40=1|60=20260101-00:00:01|"


def report(number: int, cl_ord_id: str, order_id: str, words: str, symbol: str = "BTC") -> str:
    ids = f"37={order_id}|" + (f"11={cl_ord_id}|" if cl_ord_id else "")
    return f"35=8|34={number}|{BACK}{ids}17=e{number}|{words}|55={symbol}|54=1|151=1|14=0|6=0|"


ACCEPTED, FILLED, CANCELED, REJECTED = "150=0|39=0", "150=F|39=2|32=1|31=9", "150=4|39=4", "150=8|39=8"


@pytest.mark.parametrize("end", [FILLED, CANCELED, REJECTED, "150=C|39=C"])
def test_a_cl_ord_id_used_again_after_its_orders_end_is_another_order(end: str) -> None:
    first = [new(1, "a1"), report(1, "a1", "v1", ACCEPTED), report(2, "a1", "v1", end)]
    second = [new(2, "a1"), report(3, "a1", "v2", ACCEPTED), report(4, "a1", "v2", FILLED)]
    late = report(5, "a1", "v1", "150=H|39=1")
    assert chains(*first, *second, late) == ["a1 OrderID(37) v1: 4", "a1 OrderID(37) v2: 3"]
    # Reports alone, as on a drop copy, whether or not the first is the acceptance.
    assert chains(*first[1:], *second[1:]) == ["a1 OrderID(37) v1: 2", "a1 OrderID(37) v2: 2"]
    assert chains(*first[1:], second[2]) == ["a1 OrderID(37) v1: 2", "a1 OrderID(37) v2: 1"]
    # Both names again, as where both are counted by the day.
    again = [new(2, "a1"), report(3, "a1", "v1", ACCEPTED), report(4, "a1", "v1", FILLED)]
    assert chains(*first, *again) == ["a1 OrderID(37) v1: 3", "a1 OrderID(37) v1: 3"]


def test_a_message_that_comes_again_is_no_other_order() -> None:
    life = [new(1, "a1"), report(1, "a1", "v1", ACCEPTED), report(2, "a1", "v1", FILLED)]
    assert chains(*life, *life) == ["a1 OrderID(37) v1: 6"]
    assert chains(*life, new(1, "a1", "43=Y|122=20260101-00:00:01|")) == ["a1 OrderID(37) v1: 4"]
    assert chains(*life, new(9, "a1", "97=Y|")) == ["a1 OrderID(37) v1: 4"]


def test_a_rejected_duplicate_does_not_end_the_order_that_has_the_name() -> None:
    life = [new(1, "a1"), report(1, "a1", "v1", ACCEPTED), new(2, "a1"), report(2, "a1", "0", REJECTED + "|103=6")]
    assert chains(*life, new(3, "a1")) == ["a1 OrderID(37) v1: 5"]


def test_an_order_id_is_one_orders_within_its_symbol() -> None:
    btc, eth = report(1, "a1", "v1", ACCEPTED), report(2, "b1", "v1", ACCEPTED, "ETH")
    fills = [report(3, "", "v1", FILLED), report(4, "", "v1", FILLED, "ETH")]
    assert chains(btc, eth, *fills) == ["a1 OrderID(37) v1: 2", "b1 OrderID(37) v1: 2"]
    # Without a symbol it is nobody's where two have it, and its only owner's else.
    nameless = report(5, "", "v1", FILLED).replace("55=BTC|", "")
    assert chains(btc, eth, nameless) == ["a1 OrderID(37) v1: 1", "b1 OrderID(37) v1: 1", "? OrderID(37) v1: 1"]
    assert chains(btc, nameless) == ["a1 OrderID(37) v1: 2"]
    # Another day's order of the same symbol.
    ended, next_day = report(6, "a1", "v1", CANCELED), report(7, "c1", "v1", ACCEPTED)
    assert chains(btc, ended, next_day) == ["a1 OrderID(37) v1: 2", "c1 OrderID(37) v1: 1"]


@pytest.mark.parametrize("none", ["", "0", "N/A", "n/a", "[N/A]", "NONE", "Unknown"])
def test_what_stands_for_no_order_id_joins_nothing(none: str) -> None:
    rejected = [report(1, "a1", none, REJECTED), report(2, "b1", none, REJECTED)]
    assert chains(*rejected) == ["a1 OrderID(37) ?: 1", "b1 OrderID(37) ?: 1"]


def test_a_chain_is_told_in_order_where_the_log_begins_in_mid_life() -> None:
    replaced = report(1, "a3", "v1", "41=a2|150=5|39=0")
    refused = f"35=9|34=2|{BACK}37=v1|11=a4|41=a3|39=0|434=2|"
    older = report(3, "a2", "v1", "41=a1|43=Y|150=5|39=0")
    assert chains(replaced, refused, older) == ["a1 -> a2 -> a3 -> a4 OrderID(37) v1: 3"]


def test_a_cancel_whose_own_name_was_used_before_is_of_the_order_that_it_names() -> None:
    first = [new(1, "a1"), report(1, "a1", "v1", REJECTED)]
    cancel = f"35=F|34=3|{HEAD}11=a1|41=b1|55=BTC|54=1|60=20260101-00:00:01|"
    assert chains(*first, new(2, "b1"), cancel) == ["a1 OrderID(37) v1: 2", "b1 -> a1 OrderID(37) ?: 2"]
