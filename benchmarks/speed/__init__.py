"""Speed: ratios against a rival, interleaved in one run."""
