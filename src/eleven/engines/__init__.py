"""Engines: a mix and shots in, pictures out; every engine keeps the one protocol of engine.py."""
