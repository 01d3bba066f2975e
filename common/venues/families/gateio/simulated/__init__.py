"""What the simulated markets of Gate.io have in common."""
