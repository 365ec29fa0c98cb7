"""The critic service: one process owns the model, and every other process asks it."""
