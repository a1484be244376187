"""The audit: what is wrong with the data before anything is fitted."""
