"""Names that a person types: each is one that there is, or wrong usage, which says what there is."""

from collections.abc import Iterable

from common.exit_status import ExitStatus
from scripts.cli.errors import CommandError


def known_name(kind: str, name: str, known: Iterable[str]) -> None:
    """See that the `kind` (venue, symbol, ...) called `name` is one of `known`; "" names none and passes.

    Raises CommandError with the usage status.
    """
    names = sorted(set(known))
    if name and name not in names:
        raise CommandError(f"{name}: no such {kind}; there is {', '.join(names) or 'none'}", ExitStatus.USAGE)
