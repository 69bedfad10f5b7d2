"""Reasons: the items of a history and the words of a text that move a score most."""
