"""Commands that only read a data folder: check, stats, export."""
