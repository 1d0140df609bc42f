"""Vendor adapters: one file for each wire protocol."""
