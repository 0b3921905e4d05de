"""What a preference row is: its fields, its invariants, how it is saved, and the views of it."""
