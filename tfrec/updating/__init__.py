"""Continual update: new events into data, models and a new version, or a reason why not."""
