"""Whether this machine and this project are ready: what `llmbench doctor` finds.

Nothing is paid for, nothing is changed, and no key is ever shown.
"""

from llmbench.doctor.diagnosis import Check, Diagnosis
from llmbench.doctor.examination import examine

__all__ = ["Check", "Diagnosis", "examine"]
