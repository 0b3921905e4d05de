"""Where the plus-minus comes from: intervals, tests, agreement, corrections, power; numpy and scipy alone."""
