"""What the markets of KuCoin have in common."""
