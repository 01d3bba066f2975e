"""What a stranger can say: requests over the order entry link, in a stack that trades.

Nothing raises, nothing ends, and afterwards all is as after a storm of the simulation: every strategy is told the
truth, and the books are the exchanges' own, to the last unit.
"""

from random import Random

from common.instant import NS_PER_MS
from common.messages import Hello
from scripts.fuzz.target import Broken, Round, Tally
from scripts.fuzz.values import Maker
from scripts.fuzz.worlds import LivelyWorld, give, kinds_of
from scripts.simulation import adversary, quiet
from scripts.simulation.plan import DESK, PROBE, TRADERS

STRANGERS = (b"nobody", b"somebody")
INPUTS_A_TURN = 5
SETTLE_NS = 100 * NS_PER_MS
NEVER_TAKEN = frozenset(name.partition("@")[2] for name in (PROBE, DESK))
"""Whose name nobody takes: of the strategy that says in the end whether everything trades, and of the SDK's own."""


class Doors:
    """See `Target`."""

    sentence = "Requests over the order entry link: nothing raises or ends, and every book is right afterwards."
    size = 300

    def play(self, a_round: Round, tally: Tally) -> None:
        """See `Target`."""
        maker = Maker(Random(f"doors {a_round.seed}"))
        world = LivelyWorld(a_round.seed, maker)
        world.come_alive()
        world.stop_showing()
        orders = world.processes["orders"]
        entry = next(binding for binding in orders.bindings if binding.link == "entry")
        for number in a_round.numbers():
            random = maker.random = Random(f"doors {a_round.seed} {number}")
            peer = random.choice((*STRANGERS, *(trader.encode() for trader in TRADERS)))
            message = maker.message(kinds_of(entry))
            if not (isinstance(message, Hello) and (_is_anothers(message) or peer not in STRANGERS)):
                tally.count("entry of orders", decoded=give(orders, entry, peer, message))
            if number % INPUTS_A_TURN == 0:
                world.run_for(NS_PER_MS)
        world.run_for(SETTLE_NS)
        if world.ended:
            raise Broken(f"ended: {world.ended[0]}")
        adversary.make_well(world)
        quiet.come_to_rest(world)


def _is_anothers(hello: Hello) -> bool:
    """Whether it takes a name that nobody takes, or speaks as an instance that runs: who does is told no more."""
    return str(hello.strategy) in NEVER_TAKEN or str(hello.instance).startswith("strategy@")
