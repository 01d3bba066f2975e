"""The overview in the terminal: what it shows and what its keys do, without a terminal."""
