"""The journal: the log, our one durable thing. Others append over its link; it acknowledges what is on the disk."""
