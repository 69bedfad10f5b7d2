"""Portraits of shoppers: taste, price band, activity, segment, next purchase."""
