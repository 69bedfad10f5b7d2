"""Definitions of the messages on the wire, and their compiled form."""

from pathlib import Path

DESCRIPTORS = Path(__file__).parent / "descriptors.binpb"
