"""One file an algorithm; they import the contract and kernels only, never each other."""
