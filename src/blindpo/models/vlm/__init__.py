"""A vision-language model of Hugging Face: loading, prompts, generation, log-probabilities."""
