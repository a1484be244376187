"""Numbers that change with the images seen: learning rates, penalty weights, half-lives.

Keras' own schedules count an optimizer's updates, so that a critic with five updates a cycle decays
five times too early. These count real images (batch size times cycles) for every player alike. They
work as `learning_rate=` of any Keras optimizer, as weight of a term and as half-life of an `Ema`.
"""

import math

import keras
from keras import ops


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """Base: `at(images)` gives the value after that many images.

    `AdversarialModel.compile` binds a copy of the schedule to the model's image counter; the update
    count that Keras passes in is not used.
    """

    images_seen = None

    def at(self, images):
        """Return the value, a float32 scalar, after `images` (float32 scalar) images."""
        raise NotImplementedError

    def __call__(self, step):
        """Return the value now; Keras calls this with its own update count."""
        if self.images_seen is None:
            raise ValueError("This schedule counts images and must be used in an AdversarialModel.")
        return self.at(ops.cast(self.images_seen.value, "float32"))


class Linear(Schedule):
    """From `start` to `end` in a straight line between `begin` and `images`, constant outside."""

    def __init__(self, start, end, images, begin=0):
        self.start, self.end, self.images, self.begin = start, end, images, begin

    def at(self, images):
        """Return the value after `images` images."""
        done = ops.clip((images - self.begin) / (self.images - self.begin), 0.0, 1.0)
        return self.start + (self.end - self.start) * done

    def get_config(self):
        """Return the arguments."""
        return {"start": self.start, "end": self.end, "images": self.images, "begin": self.begin}


class Cosine(Schedule):
    """From `start` to `end` along half a cosine over `images`, constant afterwards.

    v(n) = end + (start - end) * (1 + cos(pi n / N)) / 2.

    Source: Huang et al. 2025 (R3GAN), arXiv 2501.05441, used for all its hyper-parameters.
    """

    def __init__(self, start, end, images):
        self.start, self.end, self.images = start, end, images

    def at(self, images):
        """Return the value after `images` images."""
        done = ops.clip(images / self.images, 0.0, 1.0)
        return self.end + (self.start - self.end) * 0.5 * (1.0 + ops.cos(math.pi * done))

    def get_config(self):
        """Return the arguments."""
        return {"start": self.start, "end": self.end, "images": self.images}


class Trapezoid(Schedule):
    """Warm-up from 0 to `peak`, constant, then linear to 0 over the last `decay` share.

    Args:
        peak: The constant value.
        images: Length of the whole run.
        warmup: Images of the linear warm-up.
        decay: Share of the run, in [0, 1], that the final descent takes.
    """

    def __init__(self, peak, images, warmup=0, decay=0.2):
        self.peak, self.images, self.warmup, self.decay = peak, images, warmup, decay

    def at(self, images):
        """Return the value after `images` images."""
        rising = images / self.warmup if self.warmup else ops.ones_like(images)
        falling = (self.images - images) / max(self.decay * self.images, 1.0)
        return self.peak * ops.clip(ops.minimum(rising, falling), 0.0, 1.0)

    def get_config(self):
        """Return the arguments."""
        names = ("peak", "images", "warmup", "decay")
        return {name: getattr(self, name) for name in names}


def value_at(number, images):
    """Return a number or, for a `Schedule`, its value after `images` images."""
    return number.at(ops.cast(images, "float32")) if isinstance(number, Schedule) else number
