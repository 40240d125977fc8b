"""Mutants: realistic faults planted in a hand-written derivative, to see whether the checks notice each.

faults, expressions, calls, statements    the faults: what is changed on the syntax tree of a function
plant         a module with one fault, and the declarations that are built on it
judged        the checks against one mutant: what refuses it, on which sample
equivalent    mutants that are no fault: the same program, or marked so with a reason
session       one process's work: the verdict on a mutant by its number; limits: how long it may run
work          many mutants, in workers
campaign      the mutants of some equations, from their sources to their scores
score, show   what became of them: as JSON, in lines
"""
