"""Payer connections: X12 out and in, acknowledgments, remittances, status inquiries."""
