"""Load tests of a model server: real requests at a fixed rate, or as fast as it answers."""
