"""The venue's REST side: what FIX cannot tell, asked through CCXT, one blocking call at a time."""
