"""`make attack`: everything that an attacker has, against the gate as it ships. Every number is counted by the run."""
