"""What every process shares, in floors from the ground up: instants, FIX, the journal, messages, actors, venues."""
