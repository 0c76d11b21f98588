"""Patients, coverage, encounters and their documentation."""
