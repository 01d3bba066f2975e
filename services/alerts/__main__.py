"""`python -P -m services.alerts`: metrics, and what is told to people who do not look."""

import os
import platform
import sys
from collections.abc import Callable
from functools import partial

import msgspec

from common.actor.shell import Shell
from common.actor.start import run_actor, shell_for
from common.config import Config, MetricsConfig
from common.config import Kind as ActorKind
from common.instant import NS_PER_S
from common.messages import ControlAnswer
from common.orders.facts import facts_of
from services.alerts.book import Pauses
from services.alerts.core import AlertsCore, AlertsSettings, Kept
from services.alerts.page import PATH
from services.alerts.picture import SUPERVISOR
from services.alerts.readings import Money
from services.alerts.sinks import Postman, send_heartbeat, senders

ALERTS = "alerts"
LISTENER = "metrics"
SLACK_S = 2.0
"""A sending's own limit is that much below the worker's."""


def settings(config: Config, kept: Kept) -> AlertsSettings:
    """The configuration as the core needs it."""
    alerts, money = config.stack.alerts, config.stack.money
    metrics = alerts.metrics
    host = f"[{metrics.host}]" if ":" in metrics.host else metrics.host
    return AlertsSettings(
        names=tuple(asked(config)),
        owners={actor.name: f"{SUPERVISOR}{actor.kind.value}" for actor in config.actors() if actor.name != ALERTS},
        rules=alerts.all_rules(),
        pauses=Pauses(alerts.group_s * NS_PER_S, alerts.repeat_s * NS_PER_S, alerts.repeat_max_s * NS_PER_S),
        money=Money(
            money.currency,
            money.fixed_rates,
            {name: facts_of(account.venue, 0) for name, account in config.accounts.items()},
        ),
        environment=config.environment.value,
        host=platform.node(),
        sinks={name: kind for name, (kind, _) in senders(config).items()},
        poll_ns=alerts.poll_s * NS_PER_S,
        beat_ns=alerts.heartbeat.every_s * NS_PER_S if alerts.heartbeat.url_file else 0,
        kept=kept,
        metrics_host=metrics.host,
        metrics=f"http://{host}:{metrics.port}{PATH}" if metrics.port else "",
    )


def asked(config: Config) -> list[str]:
    """Every process but this one: the actors, and the supervisors that have some."""
    actors = [actor for actor in config.actors() if actor.name != ALERTS]
    kinds = {actor.kind for actor in config.actors()}
    return [*(actor.name for actor in actors), *(f"{SUPERVISOR}{kind.value}" for kind in ActorKind if kind in kinds)]


def load_kept(config: Config) -> Kept:
    """What the former life has written down; nothing where that cannot be read: then it is told again."""
    try:
        return msgspec.json.decode(config.paths.alerts.read_bytes(), type=Kept)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Kept()


def serve_metrics(
    core: AlertsCore, metrics: MetricsConfig, listen: Callable[[str, str, int, None], object]
) -> None:
    """Listen at the port of the metrics, where there is to be one; that it is not to be had ends nothing."""
    if not metrics.port:
        return
    try:
        listen(LISTENER, metrics.host, metrics.port, None)
    except OSError as error:
        core.cannot_serve(f"{metrics.host}:{metrics.port}: {os.strerror(error.errno or 0)}")


def build(config: Config) -> Shell:
    """The core with its links, the port and the worker."""
    kept, alerts = load_kept(config), config.stack.alerts
    core = AlertsCore(settings(config, kept))
    shell = shell_for(core, config)

    def ask_over(name: str) -> None:
        """A link to one that is asked: of the configuration, or come to its supervisor since."""
        # One relay answers for many, and knows a peer by his name alone.
        own = f"{ALERTS}/{os.getpid()}/{name}"
        shell.connect_dealer(name, config.control_endpoint(name), ControlAnswer, own, only_to_living=True)

    shell.connects_on_demand(ask_over)
    serve_metrics(core, alerts.metrics, shell.listen)
    beat = partial(send_heartbeat, alerts.heartbeat, config, alerts.timeout_s)
    sends = {name: send for name, (_, send) in senders(config).items()}
    shell.worker(Postman(sends, beat, config.paths.alerts, alerts.timeout_s + SLACK_S).post)
    return shell


if __name__ == "__main__":
    # What it does may wait; an order may not.
    os.nice(5)
    sys.exit(run_actor(build))
