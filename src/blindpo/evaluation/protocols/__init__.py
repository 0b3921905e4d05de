"""Protocols as data: exactly how an answer becomes a decision, and decisions a number. No number without its id."""
