"""What the simulated markets of KuCoin have in common."""
