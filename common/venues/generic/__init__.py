"""FIX 4.4 as the standard has it: a venue of no name."""
