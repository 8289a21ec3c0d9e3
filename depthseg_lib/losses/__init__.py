"""Geometry, losses and metrics, written from the equations."""
