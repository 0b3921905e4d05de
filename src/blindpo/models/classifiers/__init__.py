"""Models that label: named entities, image-text agreement, guard models."""
