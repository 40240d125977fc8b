"""The derivatives of a paper, by hand: Rasheed & Zarkoosh (2024), "Unveiling Derivatives in Deep and
Convolutional Neural Networks".

One operation a file, in NumPy: words, the map, its derivatives, `forward`, `backward`, and the record
that declares them. `networks` holds the architectures of Tables 2-6, composed of these operations. The
mathematics here is the correct one, also where the paper prints something else.

In every file `v_bar` is the cotangent of `v`: dJ/dv, of v's shape and dtype. `backward` receives the
cotangent of the output, the output, and the inputs, and returns a dict from input name to gradient; every
array in it is fresh memory.
"""
