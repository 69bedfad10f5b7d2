"""Surfaces of a shop: places that each need a list of their own, and how each list is made."""
