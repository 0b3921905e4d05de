"""Image sources, fetching, decoding and near-duplicates."""
