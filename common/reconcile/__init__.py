"""What `fixring reconcile` compares and how: the journal folded, what a venue answers, and what came of each part."""
