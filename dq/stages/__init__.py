"""What a job makes, a stage a file: its inputs, its output, how it is opened."""
