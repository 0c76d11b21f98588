"""What registration decides, without I/O: the encounter-file format, patients, coverages, encounters, completeness."""
