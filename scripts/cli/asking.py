"""Asking one actor over its control link, with each way that can fail as an exit status."""

from typing import Any

from common.actor.control import NoAnswer, NotRunning, Refused, ask
from common.config import Reach
from common.exit_status import ExitStatus
from scripts.cli.errors import CommandError

ANSWER_S = 2.0


def asked(
    reach: Reach, actor: str, act: str, arguments: dict[str, object], timeout_s: float = ANSWER_S
) -> dict[str, Any]:
    """The detail of the actor's answer, waited for at most `timeout_s` seconds. Raises CommandError."""
    try:
        return ask(reach, actor, act, arguments, timeout_s)
    except NotRunning as error:
        raise CommandError(str(error), ExitStatus.NOT_RUNNING) from None
    except NoAnswer as error:
        raise CommandError(str(error), ExitStatus.TIMEOUT) from None
    except Refused as error:
        raise CommandError(str(error), ExitStatus.REFUSED) from None
