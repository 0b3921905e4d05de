"""Measure a model while it trains: metrics, health warnings, probes, and the callbacks that write them."""
