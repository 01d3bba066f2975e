"""The actor `snapshots`: sees to it that every folded state has a recent snapshot, and that old segments go."""
