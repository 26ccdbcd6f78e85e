"""Scorers: signals that one of the compiled kernels does not compute. Yours fit in beside dq's own, see `Scorer`."""
