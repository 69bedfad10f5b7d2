"""Definition of the gateway's messages, and its compiled form with the comments."""

from pathlib import Path

DESCRIPTORS = Path(__file__).parent / "descriptors.binpb"
