"""What changed between a recording and its replay, by meaning: rules, known differences, and the judge (pure)."""
