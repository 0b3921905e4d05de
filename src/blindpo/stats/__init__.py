"""The statistics behind every reported number: intervals, tests, agreement, corrections, power (numpy, scipy only)."""
