"""Long jobs: how they run, are killed and resume, and which files they leave."""
