"""Formats in, rows out, and back: import, check, stats, export."""
