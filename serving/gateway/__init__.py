"""A service that knows shoppers by id, in front of a model server."""
