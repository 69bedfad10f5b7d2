"""Pictures of products: found, decoded and encoded as vectors."""
