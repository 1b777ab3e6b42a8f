"""`python -m llmbench` is the same as `llmbench`."""

from llmbench.cli import main

main()
