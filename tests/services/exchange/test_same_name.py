"""One client name at two listeners: each of its sessions has a row of its own."""

from pathlib import Path

from tests.common.venues.both_sides import BothSides


def test_a_key_that_is_logged_on_twice_has_two_rows_order_entry_s_under_its_name(tmp_path: Path) -> None:
    sides = BothSides("coinbase", tmp_path)
    desk, watcher = sides.desk(), sides.watcher()
    desk.new()
    name = desk.client.session.settings.sender_comp_id
    rows = sides.world.ask("state")["sessions"]
    assert isinstance(rows, dict) and set(rows) == {name, f"{name}@market_data"}
    assert rows[name]["next_inbound"] == desk.client.session.next_outbound == 3
    assert rows[f"{name}@market_data"]["next_inbound"] == watcher.client.session.next_outbound == 2
