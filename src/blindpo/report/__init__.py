"""One page that a person understands at a glance."""
