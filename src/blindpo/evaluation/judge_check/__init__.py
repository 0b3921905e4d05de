"""How far can a judge be trusted? Its verdicts against human labels, with what its errors do to a model's rate."""
