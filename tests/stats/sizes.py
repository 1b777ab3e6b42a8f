"""Sizes of A/B tests of reply rates, as a plan shows them first."""

from __future__ import annotations

__all__ = ["UNITS_AT_REPLY_RATES"]

UNITS_AT_REPLY_RATES = [
    (0.01, 0.8, 164_166, 62_628),
    (0.01, 0.9, 757_883, 280_201),
    (0.03, 0.8, 53_460, 20_454),
    (0.03, 0.9, 247_203, 91_513),
    (0.05, 0.8, 31_319, 12_020),
    (0.05, 0.9, 145_067, 53_776),
]
"""Reply rate, margin (a ratio), and units of both arms at 90/10 and at 50/50: power 80%, one-sided 2.5%."""
