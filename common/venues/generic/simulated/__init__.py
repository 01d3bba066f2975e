"""The other side of FIX 4.4 as the standard has it."""
