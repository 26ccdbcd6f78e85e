"""Files to files: score, filter, deduplicate, and what that would cost."""
