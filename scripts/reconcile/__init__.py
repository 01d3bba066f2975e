"""What `fixring reconcile` compares: the journal folded, what a venue answers, and what came of each part."""
