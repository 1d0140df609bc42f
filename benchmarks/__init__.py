"""What the framework itself costs, beside a bare loop and other frameworks: `make bench`."""
