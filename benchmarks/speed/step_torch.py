"""The step-time benchmark's second rival: loops written by hand in plain PyTorch.

Channels last, bfloat16 by autocast, and no gradient by the weights of networks that stand still.
"""

from functools import partial

import torch
from torch.nn import functional as F

from benchmarks.speed import step_torch_modern as modern
from benchmarks.speed import step_torch_nets as nets
from benchmarks.speed.step_cases import ADAM, CYCLE, IDENTITY, POOL
from benchmarks.speed.step_pool import Pool

MAKERS = {
    "dcgan": (nets.DcganGenerator, nets.DcganDiscriminator),
    "resnet": (nets.ResnetGenerator, nets.ResnetCritic),
    "r3gan": (modern.R3ganGenerator, modern.R3ganCritic),
}


def cycle(case, precision):
    """Return `(play, parameters)`: a callable that plays one cycle, and network -> its weights."""
    modules = networks(case)
    make = translation if case.family == "translation" else two_players
    forward = partial(torch.autocast, "cpu", torch.bfloat16, enabled=precision == "bfloat16")
    weights = lambda net: sum(p.numel() for p in net.parameters())  # noqa: E731
    counts = {name: weights(net) for name, net in modules.items()}
    return make(case, modules, forward), counts


def networks(case):
    """Return name -> module of the networks of a case, channels last."""
    if case.family == "translation":
        channels = case.shape[-1]
        made = [modern.Translator(channels, **case.generator) for _ in range(2)]
        made += [modern.PatchCritic(channels, **case.critic) for _ in range(2)]
    else:
        settings = (case.generator, case.critic)
        made = [f(case.shape, **s) for f, s in zip(MAKERS[case.family], settings, strict=True)]
    made = [net.to(memory_format=torch.channels_last) for net in made]
    return dict(zip(case.names, made, strict=True))


def adam(*modules):
    """Return the optimizer of all weights of some modules."""
    betas = (ADAM["beta_1"], ADAM["beta_2"])
    weights = [p for net in modules for p in net.parameters()]
    return torch.optim.Adam(weights, ADAM["learning_rate"], betas, ADAM["epsilon"], fused=True)


def floats(x):
    """Return uint8 `(batch, height, width, c)` as float32 `(batch, c, height, width)`."""
    return x.permute(0, 3, 1, 2).float() / 127.5 - 1.0  # channels last, as the bytes are


def descend(optimizer, forward, loss, still=()):
    """Move weights by one step.

    Args:
        optimizer: Of the weights that move.
        forward: Context in which the loss is computed: it keeps casts of weights, so it ends there.
        loss: Callable without arguments.
        still: Modules whose weights need no gradient.
    """
    for net in still:
        net.requires_grad_(False)
    with forward():
        value = loss()
    optimizer.zero_grad(set_to_none=True)
    value.backward()
    optimizer.step()
    for net in still:
        net.requires_grad_(True)


def two_players(case, modules, forward):
    """Return the cycle of a generator against a critic."""
    generator, critic = modules.values()
    critic_step, generator_step = adam(critic), adam(generator)
    latent = generator.layers["dense"].in_features
    x = torch.from_numpy(case.pictures()["x"])

    def noise():
        return torch.randn(case.batch, latent)

    def generator_loss(real):
        score = critic(generator(noise())).float()
        if case.objective == "nonsaturating":
            return F.binary_cross_entropy_with_logits(score, torch.ones_like(score))
        if case.objective == "wasserstein":
            return -score.mean()
        return F.softplus(critic(real).float() - score).mean()

    def play():
        for i in range(case.repeats):
            with torch.no_grad(), forward():
                fake = generator(noise()).float()
            loss = partial(critic_loss, case, critic, floats(x[:, i]), fake)
            descend(critic_step, forward, loss)
        loss = partial(generator_loss, floats(x[:, -1]))
        descend(generator_step, forward, loss, still=[critic])

    return play


def critic_loss(case, critic, real, fake):
    """Return the critic's loss with its penalties."""
    if case.penalty == "r1r2":
        (r, r1), (f, r2) = (score_and_gradient(critic, x) for x in (real, fake))
        return F.softplus(f - r).mean() + 0.5 * r1.mean() + 0.5 * r2.mean()
    r, f = critic(real).float(), critic(fake).float()
    if case.objective == "nonsaturating":
        right = F.binary_cross_entropy_with_logits
        return right(r, torch.ones_like(r)) + right(f, torch.zeros_like(f))
    u = torch.rand(case.batch, 1, 1, 1)
    _, squared = score_and_gradient(critic, real + u * (fake - real))
    norm = torch.sqrt(squared + 1e-12)
    return f.mean() - r.mean() + 10.0 * (norm - 1.0).square().mean()


def score_and_gradient(critic, x):
    """Return the scores and the squared norms `(batch,)` of their gradients by the pictures."""
    x = x.detach().requires_grad_(True)
    score = critic(x).float()
    (gradient,) = torch.autograd.grad(score.sum(), x, create_graph=True)
    return score, gradient.float().square().sum((1, 2, 3))


def translation(case, modules, forward):
    """Return CycleGAN's cycle: both generators, then both critics on fakes out of a pool."""
    to_b, to_a, critic_b, critic_a = modules.values()
    generator_step, critic_step = adam(to_b, to_a), adam(critic_b, critic_a)
    near = lambda x, y: (x.float() - y).abs().mean()  # noqa: E731
    far = lambda score, wanted: (score.float() - wanted).square().mean()  # noqa: E731
    pools = Pool(POOL), Pool(POOL)
    pictures = [torch.from_numpy(x)[:, 0] for x in case.pictures().values()]

    def play():
        a, b = (floats(x) for x in pictures)
        fakes = []

        def generators_loss():
            fake_b, fake_a = to_b(a), to_a(b)
            fakes[:] = fake_b.detach(), fake_a.detach()
            cycled = near(to_a(fake_b), a) + near(to_b(fake_a), b)
            same = near(to_b(b), b) + near(to_a(a), a)
            fooled = far(critic_b(fake_b), 1.0) + far(critic_a(fake_a), 1.0)
            return fooled + CYCLE * cycled + IDENTITY * same

        descend(generator_step, forward, generators_loss, still=[critic_b, critic_a])
        seen = [torch.stack(pool.mixed(f.unbind())) for pool, f in zip(pools, fakes, strict=True)]
        rounds = [(critic_b, b, seen[0]), (critic_a, a, seen[1])]
        loss = lambda: sum(far(d(x), 1.0) + far(d(f), 0.0) for d, x, f in rounds) / 2  # noqa: E731
        descend(critic_step, forward, loss)

    return play
