"""Whether this machine is fit for a node: checks of texts and facts (pure), and the reading of them."""
