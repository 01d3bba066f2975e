"""The order manager: order states, ClOrdIDs, fills and positions, as a fold over the journal, and the strategies'
link."""
