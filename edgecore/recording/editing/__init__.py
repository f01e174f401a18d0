"""What is done with recordings that are there: parts of them, several as one, the smallest that still fails."""
