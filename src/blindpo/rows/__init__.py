"""The preference row: its fields, its invariants, its storage, and the views of it."""
