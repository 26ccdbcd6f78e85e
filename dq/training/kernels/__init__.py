"""What a CPU does between the matrix products of a model: loops over float32, one pass where torch has several."""
