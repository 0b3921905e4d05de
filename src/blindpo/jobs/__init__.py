"""How a long job runs, is killed and goes on, and what it leaves behind."""
