"""The cluster's own names: which there are, and what each question for them gets."""
