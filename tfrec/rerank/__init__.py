"""Display order: which of the ranked items to show, and where."""
