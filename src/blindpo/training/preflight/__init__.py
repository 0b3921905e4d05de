"""Checks before the first step: is packing exact, does the longest batch fit, how off-policy are the rows."""
