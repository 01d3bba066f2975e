"""One folder per actor of the ring; they meet in `common.messages` and never import one another."""
