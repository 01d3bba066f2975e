"""The actors `strategy@NAME`: a process for each strategy of the configuration, and the two that come with fixring."""
