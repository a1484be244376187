"""Time of a training cycle against the same networks in a hand-written TensorFlow loop.

    KERAS_BACKEND=tensorflow python -m benchmarks.speed.step_time [--rounds 5]

The rival is written as the examples of Keras do it: `tf.function`, one GradientTape an update, bare
optimizers. Both sides take turns in one process, so that a slow moment of the machine hits both.
Prints the median ratio core / hand-written, which holds on other machines better than seconds do.
Memory is the peak of a process that plays one side alone for three cycles (Linux).
"""

import multiprocessing
import statistics
import time
from pathlib import Path

import click
import numpy as np

from benchmarks.rows import append


def dcgan64():
    """Return `(networks, objective, critic turns, gradient penalty, batch)` of DCGAN at 64x64."""
    from gantools.nets import dcgan

    shape = (64, 64, 3)
    return (dcgan.generator(shape), dcgan.discriminator(shape)), "nonsaturating", 1, None, 64


def wgan_gp32():
    """Return the same of the ResNet WGAN-GP at 32x32."""
    from gantools.nets import resnet

    shape = (32, 32, 3)
    return (resnet.generator(shape), resnet.critic(shape)), "wasserstein", 5, 10.0, 64


CASES = {"dcgan-64": dcgan64, "wgan-gp-32": wgan_gp32}


def core_cycle(case):
    """Return a callable that plays one cycle with the core."""
    import keras

    from gantools.core import AdversarialModel, GradientPenalty, duel

    (generator, critic), objective, repeats, penalty, batch = CASES[case]()
    penalties = [GradientPenalty(penalty)] if penalty else []
    model = AdversarialModel(
        duel(generator, critic, objective=objective, penalties=penalties, repeats=repeats)
    )
    model.compile(
        {t: keras.optimizers.Adam(2e-4, 0.5) for t in ("discriminator", "generator")},
    )
    x = pictures(batch, repeats + 1, generator.output_shape[1:])
    data = {"minibatches": {"x": x}}
    step = model.make_train_function() or model.train_function
    batches = iter(lambda: (data,), None)
    return lambda: step(batches)


def hand_cycle(case):
    """Return a callable that plays one cycle of a loop written by hand in TensorFlow."""
    import keras
    import tensorflow as tf

    (generator, critic), objective, repeats, penalty, batch = CASES[case]()
    optimizers = [keras.optimizers.Adam(2e-4, 0.5) for _ in range(2)]
    latent = generator.input_shape[1]
    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    def critic_loss(real, fake):
        r, f = critic(real, training=True), critic(fake, training=True)
        if objective == "nonsaturating":
            return cross_entropy(tf.ones_like(r), r) + cross_entropy(tf.zeros_like(f), f)
        u = tf.random.uniform((batch, 1, 1, 1))
        between = real + u * (fake - real)
        with tf.GradientTape() as inner:
            inner.watch(between)
            score = critic(between, training=True)
        gradient = inner.gradient(score, between)
        norm = tf.sqrt(tf.reduce_sum(tf.square(gradient), axis=[1, 2, 3]) + 1e-12)
        gap = tf.reduce_mean(f) - tf.reduce_mean(r)
        return gap + penalty * tf.reduce_mean(tf.square(norm - 1.0))

    def update(optimizer, network, loss):
        with tf.GradientTape() as tape:
            value = loss()
        variables = network.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(value, variables), variables, strict=True))

    @tf.function
    def cycle(x):
        for i in range(repeats):
            fake = generator(tf.random.normal((batch, latent)), training=True)
            real = tf.cast(x[:, i], tf.float32) / 127.5 - 1.0
            update(optimizers[0], critic, lambda real=real, fake=fake: critic_loss(real, fake))

        def generator_loss():
            score = critic(
                generator(tf.random.normal((batch, latent)), training=True), training=True
            )
            if objective == "nonsaturating":
                return cross_entropy(tf.ones_like(score), score)
            return -tf.reduce_mean(score)

        update(optimizers[1], generator, generator_loss)

    for optimizer, network in zip(optimizers, (critic, generator), strict=True):
        optimizer.build(network.trainable_variables)
    x = tf.constant(pictures(batch, repeats + 1, generator.output_shape[1:]))
    return lambda: cycle(x)


def pictures(batch, n, shape):
    """Return random pictures `(batch, n, *shape)` uint8."""
    return np.random.default_rng(0).integers(0, 256, (batch, n, *shape), dtype=np.uint8)


def interleaved(first, second, rounds):
    """Return the seconds of each callable, `rounds` of each in turn, after one warm-up of both."""
    seconds = ([], [])
    for i in range(rounds + 1):
        for place, play in enumerate((first, second)):
            start = time.perf_counter()
            play()
            if i:
                seconds[place].append(time.perf_counter() - start)
    return seconds


def peak_memory(make, case):
    """Return the peak resident memory, in MB, of a fresh process that plays three cycles."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (make, case))


def _peak(make, case):
    play = make(case)
    for _ in range(3):
        play()
    # not getrusage: its figure starts at the peak of the process that spawned this one
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


@click.command()
@click.option("--rounds", default=5, show_default=True)
@click.option("--case", type=click.Choice(list(CASES)), multiple=True, default=list(CASES))
def main(rounds, case):
    """Print the seconds of a cycle on both sides and the median of their ratios."""
    click.echo(f"{'case':12} {'core s':>8} {'by hand s':>10} {'ratio':>6} {'memory ratio':>13}")
    for name in case:
        core, hand = interleaved(core_cycle(name), hand_cycle(name), rounds)
        ratio = statistics.median(a / b for a, b in zip(core, hand, strict=True))
        row = {"core_s": statistics.median(core), "hand_s": statistics.median(hand)}
        row |= {"core_mb": peak_memory(core_cycle, name), "hand_mb": peak_memory(hand_cycle, name)}
        row |= {"ratio": ratio, "memory_ratio": row["core_mb"] / row["hand_mb"]}
        click.echo(
            f"{name:12} {row['core_s']:8.3f} {row['hand_s']:10.3f} {ratio:6.3f} "
            f"{row['memory_ratio']:13.3f}"
        )
        command = f"python -m benchmarks.speed.step_time --rounds {rounds}"
        row = {key: round(value, 4) for key, value in row.items()}
        append("step_time", command, case=name, rounds=rounds, **row)


if __name__ == "__main__":
    main()
