"""The actors' own folds over a journal: the past, the shadow beside its hashes, evidence taken back, benchmarks."""
