"""The index of orders on its real file, with any byte of it changed, cut or doubled while nobody has it open.

It opens, or says `IndexFailed`; whatever is looked up is what was put, or is not found, or says `IndexFailed`: never
another row, never another error. And what is put afterwards is found.
"""

import tempfile
from decimal import Decimal
from pathlib import Path
from random import Random

from common.messages import OrderEvent, OrderStatus, Reason, Terms
from common.orders.fills import Fill
from common.orders.forgotten import ForgottenOrder, TradeId
from common.orders.index_file import IndexFailed, IndexFile
from common.orders.names import Remembered
from scripts.fuzz.target import Broken, Round, Tally
from scripts.fuzz.values import cut_about

ROWS = 40


class Index:
    """See `Target`."""

    sentence = "Any byte of the index's file changed: what is looked up is right, or not found, or fails by its name."
    size = 25

    def play(self, a_round: Round, tally: Tally) -> None:
        """See `Target`: each input is a file that was changed once."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "orders.sqlite"
            _fill(path)
            whole = {name: name.read_bytes() for name in sorted(Path(folder).iterdir())}
            for number in a_round.numbers():
                random = Random(f"index {a_round.seed} {number}")
                name = random.choice(list(whole))
                for each in Path(folder).iterdir():
                    each.unlink()
                for each, data in whole.items():
                    each.write_bytes(cut_about(data, random) if each == name else data)
                tally.count("index", decoded=_check(path))


def _order(number: int) -> OrderEvent:
    quantity = Decimal(number) / 8
    return OrderEvent(
        number, 0, "maker", number, "trade", OrderStatus.FILLED, "generic", "BTCUSDT",
        Terms("1", "2", quantity, Decimal(64_900)), quantity, Decimal(0), Decimal(64_900), f"c-{number}", str(number),
    )  # fmt: skip


def _ended(number: int) -> ForgottenOrder:
    return ForgottenOrder("maker", number, "generic", "BTCUSDT", "1")


def _trade(number: int) -> TradeId:
    return "generic", "BTCUSDT", f"3/{number}"


def _fill_of(number: int) -> Fill:
    return Fill(f"c-{number}", "1", Decimal(number), Decimal(64_900), Decimal(0), "", True)


def _command(number: int) -> Remembered:
    return Remembered(b"identity", (1, number), "sent", Reason.NONE, f"text {number}", number)


def _fill(path: Path) -> None:
    index = IndexFile(path)
    for number in range(1, ROWS + 1):
        index.put_command("maker", number, _command(number))
        index.put_order(_order(number), [f"c-{number}"])
        index.put_names([f"c-{number}"], _ended(number), number)
        index.put_fills(_trade(number), number, [_fill_of(number)])
    index.write(ROWS)
    index.close()


def _check(path: Path) -> bool:
    """Whether the file opens, as it is or made anew. Raises Broken where what is found in it was not put."""
    try:
        index = IndexFile(path)
    except IndexFailed:
        return False
    try:
        for number in range(1, ROWS + 1):
            _check_row(index, number)
        _put_more(index)
    except IndexFailed:
        return False
    finally:
        index.close()
    return True


def _check_row(index: IndexFile, number: int) -> None:
    fill = next(iter(index.fills(_trade(number), number)), None)
    told = (index.command("maker", number), index.order("maker", number), index.order_of(f"c-{number}"), fill)
    wanted = (_command(number), _order(number), _ended(number), _fill_of(number))
    for ours, put in zip(told, wanted, strict=True):
        if ours is not None and ours != put:
            raise Broken(f"{ours} is found, {put} was put")


def _put_more(index: IndexFile) -> None:
    index.put_command("maker", ROWS + 1, _command(ROWS + 1))
    index.write(ROWS + 1)
    if index.command("maker", ROWS + 1) not in (None, _command(ROWS + 1)):
        raise Broken("what was put afterwards is found otherwise")
