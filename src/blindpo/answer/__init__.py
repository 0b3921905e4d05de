"""Rows under a view become responses (and likelihoods), shard by shard, whoever answers."""
