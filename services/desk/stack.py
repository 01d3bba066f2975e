"""What the actors answer when they are asked: each answer with its time, and who does not answer is said so."""

import time
from collections.abc import Mapping
from typing import Any, Final

from common.actor.control import Answers, NotRunning, Question, ask, ask_all
from common.config import Config, Kind
from common.restrictions import not_to_run, restrictions

ANSWER_S: Final = 2.0
"""Who says nothing for so long does not answer, and is shown so."""


class Stack:
    """The last answers of everybody. `ask` blocks: it is for a thread of its own."""

    def __init__(self, config: Config) -> None:
        """Nobody was asked yet."""
        self._config = config
        self.asked_s = 0.0
        """Monotonic; 0 is never."""
        self.details: Mapping[str, Mapping[str, Any]] = {}
        self.states: Mapping[str, str] = {}
        """By actor: its own word, or that it does not answer or does not run."""
        self.children: Mapping[str, Mapping[str, Any]] = {}

    def ask(self) -> None:
        """Ask every actor and every supervisor, at most `ANSWER_S` together."""
        configured = [actor.name for actor in self._config.actors()]
        names = [*configured, *(name for name in self.children if name not in configured)]
        supervisors = [f"supervisor-{kind.value}" for kind in Kind]
        questions: list[Question] = [(name, "status", {}) for name in (*names, *supervisors)]
        answers = ask_all(self._config.reach, questions, ANSWER_S, role=Kind.DESK)
        children: dict[str, Mapping[str, Any]] = {}
        for name in supervisors:
            told = answers.details.get(name, {}).get("actors", {})
            children.update(told if isinstance(told, dict) else {})
        if f"supervisor-{Kind.STRATEGIES.value}" in answers.details:
            answers.details = {**not_to_run(names, children), **answers.details}
        self.children = children
        self.states = {name: _state(name, answers) for name in names}
        self.details = {name: answers.details[name] for name in names if name in answers.details}
        self.asked_s = time.monotonic()

    def ask_one(self, name: str) -> None:
        """Ask one actor alone: what the others said stays. Raises NotRunning, NoAnswer, Refused."""
        self.details = {**self.details, name: ask(self._config.reach, name, "status", {}, ANSWER_S, role=Kind.DESK)}

    def detail(self, name: str) -> Mapping[str, Any]:
        """What the actor said last; nothing where it did not answer."""
        return self.details.get(name, {})

    @property
    def restricted(self) -> list[Mapping[str, str]]:
        """What keeps the stack from doing all that is configured."""
        return [found._asdict() for found in restrictions(self.details)]


def _state(name: str, answers: Answers) -> str:
    if name in answers.details:
        return str(answers.details[name].get("state", "live"))
    return "not running" if isinstance(answers.errors[name], NotRunning) else "not answering"
