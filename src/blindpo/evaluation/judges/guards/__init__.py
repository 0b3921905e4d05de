"""Local guard models: one file a family, with what it is shown and how its verdict is read."""
