"""The laws, one a file; see `dq.scaling.law`."""
