"""The door of one host for the questions of the other hosts' processes and people."""
