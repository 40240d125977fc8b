"""The architectures of Tables 2-6 and of section 4.2.1, composed of the operations of `derivs` alone.

Each file has `vjp(x, y, *parameters) -> (loss, pullback)`, one pass forward whose `pullback(j_bar)`
returns the gradient of every parameter and of the input x; `forward` and `backward` are the two halves of
it. In training x is the data, and `pullback(j_bar, x_is_data=True)` leaves its gradient out: of a
convolution that is half of the work. The loss is the mean over the batch.
"""
