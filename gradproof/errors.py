"""What can go wrong outside a verdict: each message is one line that says what, what was expected, and the remedy."""


class GradproofError(Exception):
    """Base of every error that gradproof raises on purpose."""


class InputError(GradproofError, ValueError):
    """The caller's own mistake: a point, a sampler, a forward or a reference that cannot be checked as given."""


class DeclarationError(InputError):
    """A declaration that contradicts itself; raised where the `Equation` is made."""


class MissingFramework(GradproofError):
    """An oracle was asked for whose framework is not installed."""
