"""The pool of past fakes as a loop written by hand has it: a list."""

import random


class Pool:
    """Keep up to `size` past fakes and mix them into new ones, one picture after the other.

    Source: Zhu et al. 2017, arXiv 1703.10593, section 4.
    """

    def __init__(self, size):
        self.size, self.stored, self.random = size, [], random.Random(0)

    def mixed(self, fakes):
        """Return as many pictures as `fakes` has: each one itself, or one that was stored."""
        found = []
        for fake in fakes:
            if len(self.stored) < self.size:
                self.stored.append(fake)
            elif self.random.random() < 0.5:
                place = self.random.randrange(self.size)
                fake, self.stored[place] = self.stored[place], fake
            found.append(fake)
        return found
