"""What a text prints, held against the truth: a record for each printed formula, and a judge that reads
none of them kindly.
"""

from gradproof.claims.record import Claim

__all__ = ["Claim"]
