"""What the step-time benchmark plays: four published games, the same for every side.

A cycle stays under 4 s on one core, WGAN-GP aside: that one has the paper's width. DCGAN has the
paper's depth at half its width, R3GAN an eighth of its width and half of its blocks on cells of 2x2
pixels, CycleGAN half the paper's width and the six blocks of its smaller pictures.
"""

from dataclasses import dataclass, field

import numpy as np

ADAM = {"learning_rate": 2e-4, "beta_1": 0.5, "beta_2": 0.999, "epsilon": 1e-7}
CYCLE, IDENTITY, POOL = 10.0, 5.0, 50


@dataclass(frozen=True)
class Case:
    """One game.

    Attributes:
        family: "dcgan", "resnet", "r3gan" or "translation".
        shape: Of one picture.
        batch: Pictures of a minibatch, of each kind where there are two.
        generator, critic: Settings of the networks in `gantools.nets`.
        objective: Name in `gantools.core.OBJECTIVES`.
        repeats: Updates of the critic in a cycle.
        penalty: "gp" (weight 10), "r1r2" (gamma 1) or None.
    """

    family: str
    shape: tuple[int, ...]
    batch: int
    generator: dict = field(default_factory=dict)
    critic: dict = field(default_factory=dict)
    objective: str = "nonsaturating"
    repeats: int = 1
    penalty: str | None = None

    @property
    def names(self):
        """Return the names of the networks, generators first."""
        if self.family == "translation":
            return ("to_b", "to_a", "critic_b", "critic_a")
        return ("generator", "discriminator")

    def networks(self, up="transpose"):
        """Return name -> Keras model, with the dtype policy that is set.

        Args:
            up: How DCGAN's generator doubles its maps.
        """
        from gantools.nets import dcgan, patch, r3gan, resnet, unet

        shape, channels = self.shape, self.shape[-1]
        if self.family == "translation":
            made = [unet.resnet(channels, seed=i, **self.generator) for i in (0, 1)]
            made += [patch.critic(channels, seed=i, **self.critic) for i in (2, 3)]
        elif self.family == "dcgan":
            made = [dcgan.generator(shape, up=up, **self.generator)]
            made += [dcgan.discriminator(shape, **self.critic)]
        else:
            module = {"resnet": resnet, "r3gan": r3gan}[self.family]
            made = [module.generator(shape, **self.generator), module.critic(shape, **self.critic)]
        return dict(zip(self.names, made, strict=True))

    def pictures(self):
        """Return the minibatches of a cycle: name -> random uint8 `(batch, n, *shape)`."""
        sides = ("a", "b") if self.family == "translation" else ("x",)
        shape = (self.batch, self.repeats + 1, *self.shape)
        random = np.random.default_rng(0)
        return {side: random.integers(0, 256, shape, dtype=np.uint8) for side in sides}


R3GAN = {"widths": (96, 64, 48), "blocks": 1, "patch": 2}
CASES = {
    "dcgan-64": Case("dcgan", (64, 64, 3), 64),
    "wgan-gp-32": Case("resnet", (32, 32, 3), 64, objective="wasserstein", repeats=5, penalty="gp"),
    "r3gan-32": Case(
        "r3gan", (32, 32, 3), 64, R3GAN, R3GAN, objective="relativistic", penalty="r1r2"
    ),
    "cyclegan-64": Case(
        "translation",
        (64, 64, 3),
        8,
        {"width": 32, "halvings": 2, "blocks": 6},
        {"widths": (32, 64, 128), "halvings": 1},
        objective="least_squares",
    ),
}
