"""Programs that an actor has run beside it: what its core says and hears of them; `run_program` is the worker."""

import msgspec


class RunProgram(msgspec.Struct, frozen=True):
    """The argument of a `Call`: the program to run, as `python -P -m module` with its arguments."""

    module: str
    arguments: tuple[str, ...] = ()


class ProgramEnded(msgspec.Struct, frozen=True):
    """Its result: whether its exit status was 0, and what it printed; what it complained of where it was not."""

    ok: bool
    text: str
