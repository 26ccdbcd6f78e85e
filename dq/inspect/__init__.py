"""Looking at what was done to documents."""
