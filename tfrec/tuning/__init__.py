"""Tuning: finds settings by training with many, and judging by validation alone."""
