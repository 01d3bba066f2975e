"""What a person runs: the two start scripts, the `fixring` command line and the simulator."""
