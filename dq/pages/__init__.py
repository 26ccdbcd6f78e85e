"""HTML pages as text, each parsed within limits of time and memory, in a process beside the one that reads."""
