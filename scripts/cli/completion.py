"""`fixring completion`, and what completes the names of venues, accounts, strategies, symbols, sessions and rules."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import click
from click.shell_completion import CompletionItem, get_completion_class

from common.config import Config, ConfigError, load

SHELLS: Final = ("bash", "zsh", "fish")
PROGRAM: Final = "fixring"
Names = Callable[[Config], Iterable[str]]

NAMES: Final[Mapping[str, Names]] = {
    "venue": lambda config: config.venues,
    "account": lambda config: config.accounts,
    "session": lambda config: config.sessions,
    "section": lambda config: (*config.stack.__struct_fields__, *config.venues),
    "rule": lambda config: (rule.name for rule in config.stack.alerts.all_rules()),
    "strategy": lambda config: config.stack.strategies,
    "symbol": lambda config: (symbol for venue in config.venues.values() for symbol in venue.instruments),
}
"""What a parameter of that name takes, in whatever command."""


class ConfiguredName(click.types.StringParamType):
    """A text that is mostly a name of the configuration: that is what it completes."""

    def __init__(self, names: Names) -> None:
        """`names` are those that there are."""
        self._names = names

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The names that begin so; none where the configuration cannot be loaded."""
        try:
            known = sorted(set(self._names(load())))
        except ConfigError:
            return []
        return [CompletionItem(name) for name in known if name.startswith(incomplete)]


def complete_names(command: click.Command) -> click.Command:
    """The command, in which every parameter that takes a configured name completes it, and so in all below it."""
    for parameter in command.params:
        names = NAMES.get(parameter.name or "")
        if names is not None and type(parameter.type) is click.types.StringParamType:
            parameter.type = ConfiguredName(names)
    if isinstance(command, click.Group):
        for below in command.commands.values():
            complete_names(below)
    return command


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what completes commands, options and names in SHELL: in bash, eval "$(scripts/fixring completion bash)"."""
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(click.Command(PROGRAM), {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE").source())
