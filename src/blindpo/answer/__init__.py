"""Turn rows under a view into responses (and likelihoods), shard by shard, with any kind of answerer."""
