"""The embedded model server: TensorFlow Serving's contract where its binary is missing."""
