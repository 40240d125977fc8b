"""What a run came to, in words and in every format."""
