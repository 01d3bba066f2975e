"""What the markets of Gate.io have in common."""
