"""A small real actor for the tests of the shell: a ROUTER that answers, a stream, a TCP echo, a worker, an act."""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from common.actor.core import Call, Close, Core, Exit, Note, ReadLog, Send, Write
from common.actor.logs import ActorLog
from common.actor.process import AlreadyRunning
from common.actor.shell import Shell
from common.instant import Instant
from common.journal.errors import Gone
from common.journal.frames import Record, parse
from common.messages import Command, ControlAnswer, ControlRequest, FeedMessage, StatusChanged


class EchoCore(Core):
    """Answers a StatusChanged with its number plus one; echoes TCP; "work" runs in the worker."""

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        match message:
            case StatusChanged():
                self.effects.append(Send(link, StatusChanged(message.state, message.number + 1), peer))
            case ControlRequest(act="work"):
                self.peer = peer
                self.effects.append(Call(1, StatusChanged("work", 20)))
            case ControlRequest(act="fail"):
                self.effects.append(Call(2, StatusChanged("fail", 0)))
            case ControlRequest(act="read"):
                self.effects.append(ReadLog(1, 2))
            case ControlRequest(act="crash"):
                raise ValueError("asked to")

    def followed(self, block: bytes, now: Instant) -> None:
        parse(block)

    def call_finished(self, number: int, result: msgspec.Struct, now: Instant) -> None:
        assert isinstance(result, StatusChanged)
        self.effects.append(Send("control", ControlAnswer(0, True, f"{number}:{result.number}"), self.peer))

    def data(self, connection: int, data: bytes, now: Instant) -> None:
        if data.endswith(b"too late"):
            self.effects += [Write(connection, data, 1), Write(connection, b"and what came behind it")]
            return
        self.effects.append(Write(connection, data))
        if data.endswith(b"bye"):
            self.effects.append(Close(connection))

    def unwritten(self, connection: int, writes: Sequence[Write], now: Instant) -> None:
        self.effects.append(Write(connection, b"unwritten: " + b", ".join(write.data for write in writes)))

    def stop(self, now: Instant) -> None:
        self.effects += [Note("info", "stopping", {"order": "s-1"}), Exit(6, "as asked")]


def work(argument: msgspec.Struct) -> msgspec.Struct:
    assert isinstance(argument, StatusChanged)
    if argument.state == "fail":
        raise OSError("asked to")
    return StatusChanged(argument.state, argument.number * 2)


def read_log(from_lsn: int, upto_lsn: int, max_bytes: int) -> list[Record]:
    raise Gone(from_lsn, 5)


def main(folder: str, port: str) -> int:
    try:
        shell = Shell(EchoCore("echo"), Path(folder) / "run", ActorLog(Path(folder) / "log", "echo"))
    except AlreadyRunning as error:
        print(error, file=sys.stderr)
        return 1
    shell.bind_router("entry", f"ipc://{folder}/run/entry", StatusChanged)
    shell.bind_pull("commands", f"ipc://{folder}/run/commands", Command)
    shell.subscribe("feed", [f"ipc://{folder}/run/feed"], FeedMessage)
    shell.bind_subscriber("stream", f"ipc://{folder}/run/stream", None)
    shell.listen("tcp", "127.0.0.1", int(port), None)
    shell.worker(work)
    shell.log_reader(read_log)
    print("up", flush=True)
    return shell.run()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
