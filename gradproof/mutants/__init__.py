"""Mutants: realistic faults planted in a hand-written derivative, to see whether the checks notice each.

faults       the faults: what is changed on the syntax tree of one function
plant        a module with one fault, and the declarations that are built on it
judged       the checks against one mutant: what refuses it, on which sample
equivalent   mutants that are no fault: the same program, or marked so with a reason
work         many mutants, in workers with a time limit
score        killed, survived and equivalent, an equation; as JSON
show         a mutant as a diff
"""
