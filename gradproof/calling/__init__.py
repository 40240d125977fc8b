"""How the code that is judged is called, in each of its forms, and what its caller may get wrong."""
