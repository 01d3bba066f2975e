"""The command line as a person likes it: what fits, what has colour, what is repeated, what completes."""

from collections.abc import Iterator

import click
import pytest

from common.exit_status import ExitStatus
from scripts.cli.completion import ConfiguredName
from scripts.cli.errors import CommandError
from scripts.cli.main import root, run
from scripts.cli.tables import fitted, table
from scripts.cli.watching import watchable


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("a\nb", 9, "a…"), ("", 3, "")],
)
def test_what_does_not_fit_is_cut_and_says_so(text: str, width: int, shown: str) -> None:
    assert fitted(text, width) == shown


def test_numbers_stand_to_the_right_and_losses_are_red(capsys: pytest.CaptureFixture[str]) -> None:
    with click.Context(click.Command("x"), color=True):
        table(("name", "net"), [("a", "-1.50"), ("bcdef", "10.00"), ("-", "-")])
    plain = click.unstyle(told := capsys.readouterr().out)
    assert plain.splitlines() == ["name     net", "a      -1.50", "bcdef  10.00", "-          -"]
    assert "\x1b[31m-1.50\x1b[0m" in told and told.count("\x1b[31m") == 1


@pytest.mark.parametrize(("value", "colour"), [("1", False), ("", None)])
def test_no_color_is_kept(value: str, colour: bool | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", value)
    seen = []

    def called(**named: object) -> None:
        seen.append(named["color"])

    monkeypatch.setattr(root, "main", called)
    assert run(["status"]) == ExitStatus.OK and seen == [colour]


def test_watch_repeats_the_command_and_says_what_it_could_not_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers: Iterator[str] = iter(["one", "", "three"])

    @click.command()
    @watchable
    def shown() -> None:
        """A list."""
        answer = next(answers)
        if not answer:
            raise CommandError("nobody answers", ExitStatus.NOT_RUNNING)
        click.echo(answer)

    paused = []

    def pause(seconds: float) -> None:
        paused.append(seconds)
        if len(paused) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("scripts.cli.watching.time.sleep", pause)
    with pytest.raises((KeyboardInterrupt, click.Abort)):
        shown.main(args=["--watch", "2"], standalone_mode=False)
    out, err = capsys.readouterr()
    assert out.split() == ["one", "three"] and "nobody answers" in err and paused == [2.0] * 3


@pytest.mark.parametrize(
    ("words", "begun", "names"),
    [
        (["orders", "list"], "gen", ["generic"]),
        (["pnl"], "b", ["binance"]),
    ],
)
def test_a_venue_completes_in_every_command(words: list[str], begun: str, names: list[str]) -> None:
    context = click.Context(root)
    command: click.Command = root
    for word in words:
        assert isinstance(command, click.Group)
        found = command.get_command(context, word)
        assert found is not None
        command = found
    venue = next(parameter for parameter in command.params if parameter.name == "venue")
    assert isinstance(venue.type, ConfiguredName)
    assert [item.value for item in venue.shell_complete(context, begun)] == names


def test_nothing_completes_without_a_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("FIXRING_CONFIG", str(tmp_path))
    assert ConfiguredName(lambda config: config.venues).shell_complete(
        click.Context(root), click.Option(["--venue"]), ""
    ) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_each_shell_names_the_program(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == ExitStatus.OK
    assert "_FIXRING_COMPLETE" in capsys.readouterr().out
