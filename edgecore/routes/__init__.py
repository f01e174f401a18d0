"""What commands can ask a running node, and what it does then: one file for each kind of question."""
