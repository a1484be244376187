"""Rows of numbers, words and dates: columns, transforms, a job, and reasons."""
