"""Who says what a response does: one judge per file, all of them listed in `table.py`."""
