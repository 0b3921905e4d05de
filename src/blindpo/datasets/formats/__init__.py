"""Formats of preference data: one file each, listed in `../table.py`."""
