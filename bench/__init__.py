"""Measurements that anybody can repeat: each figure stands beside its baseline from the same run."""
