"""What a venue's limit counts, and for how long."""

from common.exchange.limits import Window
from tests.common.exchange.harness import SECOND


def test_a_window_forgets_each_event_one_length_after_it_came() -> None:
    window = Window(10)
    assert (window.count(0), window.count(4 * SECOND, 20), window.used(10 * SECOND - 1)) == (1, 21, 21)
    assert (window.used(10 * SECOND), window.count(13 * SECOND), window.used(14 * SECOND)) == (20, 21, 1)
    assert window.used(23 * SECOND) == 0
