"""Before the first step: memory, a trial step, how off-policy the rows are."""
