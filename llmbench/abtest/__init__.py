"""Experiments on real recipients: what was replied to, by arm, and what that says."""
