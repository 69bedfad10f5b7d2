"""Serving: a client, and an embedded server that speaks TensorFlow Serving's protocol."""
