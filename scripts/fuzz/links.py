"""What only a process of the stack would say, said wrongly: to every link of every actor, its control link included.

What follows from a lie that decodes is nobody's fault, and so the books are not compared; nor is it that a person has
to settle an order which a lie gave another one's name. But nothing raises; nothing ends, other than the writer that is
told that a later life of its own has taken its place; who was told still answers; and once everything was started
again, from the log that all this has left, it trades.
"""

from random import Random

from common.exit_status import ExitStatus
from common.instant import NS_PER_MS
from scripts.fuzz.target import Broken, Round, Tally
from scripts.fuzz.values import Maker
from scripts.fuzz.worlds import CONTROL, Indulgent, LivelyWorld, give, kinds_of
from scripts.simulation.plan import TRADERS
from scripts.simulation.process import Binding, Process

INPUTS_A_TURN = 3
TURN_NS = 2 * NS_PER_MS
SETTLE_NS = 200 * NS_PER_MS
PEER = b"fuzz"
ACTS = (
    "status", "kill", "resume", "halt", "unhalt", "logon", "logout", "reset", "set_seq", "verdict", "audit", "balances",
    "book", "orders", "positions", "trades", "sessions", "state", "fault", "order", "skip", "x", "",
)  # fmt: skip
JOURNAL_SHARE = 0.25
"""The journal's word comes in the last quarter of a round: it may rightly end whoever hears it."""


class Links:
    """See `Target`."""

    sentence = "Every link of every actor: nothing raises, ends or blocks, and the log that is left starts again."
    size = 120

    def play(self, a_round: Round, tally: Tally) -> None:
        """See `Target`: one actor a round, all its links."""
        maker = Maker(Random(f"links {a_round.seed}"))
        world = LivelyWorld(a_round.seed, maker, Indulgent())
        world.come_alive()
        world.stop_showing()
        # The simulation's own strategies are none of ours to harden; the SDK's is.
        names = [name for name in (*world.names(), *world.plan.roles.exchanges) if name not in TRADERS]
        process = world.processes[names[a_round.seed % len(names)]]
        self._give_all(world, process, a_round, maker, tally)
        world.run_for(SETTLE_NS)
        _check_ended(world, process)
        if process.alive and not process.name.startswith("strategy@"):
            world.must_answer(process.name)
        for name in world.names():
            world.kill(name)
        world.until_open(settles=True)

    def _give_all(self, world: LivelyWorld, process: Process, a_round: Round, maker: Maker, tally: Tally) -> None:
        own = [binding for binding in process.bindings if binding.decoder is not None]
        quiet = [binding for binding in own if binding.link != "journal"]
        if not process.name.startswith("strategy@"):
            quiet.append(CONTROL)
        for number in a_round.numbers():
            random = maker.random = Random(f"links {a_round.seed} {number}")
            is_late = number >= a_round.size * (1 - JOURNAL_SHARE) or process.name == "journal"
            binding = random.choice([*own, CONTROL] if is_late else quiet)
            message = maker.message(kinds_of(binding))
            if binding is CONTROL and random.random() < 0.8:
                message = maker.control(ACTS)
            if process.alive:
                tally.count(_place(process, binding), decoded=give(process, binding, PEER, message))
            if number % INPUTS_A_TURN == 0:
                world.run_for(TURN_NS)


def _check_ended(world: LivelyWorld, process: Process) -> None:
    """A writer ends where the journal says that another life has its name, or that it is not the journal it was."""
    for name, status, text in world.ended:
        if status != ExitStatus.FAILURE or process.name not in (name, "journal"):
            raise Broken(f"{name} ended with exit status {status}: {text}")


def _place(process: Process, binding: Binding) -> str:
    return f"{binding.link} of {process.name.partition('@')[0]}"
