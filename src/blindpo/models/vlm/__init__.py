"""Hugging Face vision-language models: loading, prompts, generation, log-probabilities."""
