"""The commands, one a file: each has a click command named `command` and imports what is large inside it."""
