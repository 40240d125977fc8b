"""The judge: a rule's gradients at a sample against every oracle, and a word for each."""
