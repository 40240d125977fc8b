"""What the paper prints, claim by claim, evaluated literally, wrong ones included; the list of claims is
`claims.json`.

How its signs are read, before any convention is granted:

    A . B, A B     the matrix product, as (7) uses it; with a scalar, scaling
    dJ/dZ . dZ/dW  the row dJ/dZ times the Jacobian matrix dZ/dW, as (23) lays it out, in the shape of W
    X * K          the convolution of (35), which does not flip the kernel; between scalars, a product
    z_1[i,j]       indices count from zero, as in (35)
    :=  and W = W - ...   the left side is the value after one step

J is the loss of all samples added up, since no 1/n is printed. Every file here has TITLE and CLAIMS;
`settings` and `settings_tables` have the samples, `groups` the names of the errors, `notation` the signs
above.
"""
