"""Certificates: a small authority for DICOM TLS, and what certificates say. The only package that imports cryptography."""
