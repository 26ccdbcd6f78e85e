"""What kinds of files dq reads, one module a format."""
