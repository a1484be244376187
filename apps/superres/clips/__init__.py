"""Clips: every frame enlarged at its own time, the rest of the file carried along."""
