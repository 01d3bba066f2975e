"""`python -P -m services.relay --host NAME`: answers the other hosts' questions to this host's processes."""

import sys
from functools import partial

from common.actor.shell import Shell, role_of
from common.actor.start import name_argument, run_actor, shell_for
from common.config import Config, ConfigError
from common.messages import MAX_REQUEST_BYTES, ControlAnswer, ControlRequest
from services.relay.core import LINK, RelayCore


def build(name: str, config: Config) -> Shell:
    """The core with its link to the other hosts, and one to each process of this host, made when it is asked.

    Raises ConfigError.
    """
    if name != config.host:
        raise ConfigError(f"this host is {config.host or 'the only one'}, not {name}; see `host` of [stack]")
    shell = shell_for(RelayCore(name, role_of, config.fingerprint), config)
    shell.bind_router(LINK, config.endpoint(f"{LINK}.{name}"), ControlRequest, MAX_REQUEST_BYTES, with_roles=True)

    def connect(actor: str) -> None:
        endpoint = f"ipc://{config.paths.run}/control.{actor}"
        shell.connect_dealer(actor, endpoint, ControlAnswer, f"{LINK}@{name}", only_to_living=True)

    shell.connects_on_demand(connect)
    return shell


if __name__ == "__main__":
    sys.exit(run_actor(partial(build, name_argument("host", __doc__))))
