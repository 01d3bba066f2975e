"""What several venues of one exchange have in common: a folder for each such family, which its venues alone import."""
