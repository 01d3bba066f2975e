"""The copy of the journal off the machine."""
