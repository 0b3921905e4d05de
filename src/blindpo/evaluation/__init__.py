"""Is a model safe, does it refuse what is harmless, does it look at the image: responses, verdicts, measures."""
