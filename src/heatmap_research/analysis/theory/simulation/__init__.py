"""Codecs at work on points that are known, each beside its law: what figures are made of."""
