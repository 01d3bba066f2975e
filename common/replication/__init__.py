"""The copy of the journal off the machine: what its stream holds, when a publication is a yes, how it is checked."""
