"""What encoding and decoding must cost, in closed form: to lay over what is measured."""
