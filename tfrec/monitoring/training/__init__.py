"""What a training shows of itself in TensorBoard: one module a view."""
