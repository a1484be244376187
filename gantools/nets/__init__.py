"""Networks, one family a file. `plans` is plain data; every other module builds Keras models."""
