"""What is wrong and why: where, what it looks like, and the smallest lines that show it."""
