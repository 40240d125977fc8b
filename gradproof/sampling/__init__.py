"""Where points come from: shapes, domains, hard values, and the samples of a declaration or a stranger's point."""
