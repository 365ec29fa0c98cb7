"""Measured ratios against what people use today, one module a subject."""
