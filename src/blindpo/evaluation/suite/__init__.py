"""Several models, several sets: one folder that `report` reads."""
