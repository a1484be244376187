"""The step-time benchmark's first rival: loops written by hand in TensorFlow.

They are written as the examples of Keras do it: `tf.function`, one GradientTape an update, bare
optimizers, networks called one picture batch after the other. The networks are those of the core.
"""

import keras
import tensorflow as tf

from benchmarks.speed.step_cases import ADAM, CYCLE, IDENTITY, POOL
from benchmarks.speed.step_core import parameters
from benchmarks.speed.step_pool import Pool

cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)


def cycle(case):
    """Return `(play, parameters)`: a callable that plays one cycle, and network -> its weights."""
    networks = case.networks()
    make = translation if case.family == "translation" else two_players
    return make(case, networks), parameters(networks)


def update(optimizer, networks, loss):
    """Move the weights of networks by one step; `loss` is a callable without arguments."""
    with tf.GradientTape() as tape:
        value = loss()
    variables = [v for network in networks for v in network.trainable_variables]
    optimizer.apply_gradients(zip(tape.gradient(value, variables), variables, strict=True))


def optimizers(*groups):
    """Return an Adam, with its slots, for each list of networks."""
    made = [keras.optimizers.Adam(**ADAM) for _ in groups]
    for optimizer, networks in zip(made, groups, strict=True):
        optimizer.build([v for network in networks for v in network.trainable_variables])
    return made


def floats(x):
    """Return uint8 pictures as float32 in [-1, 1]."""
    return tf.cast(x, tf.float32) / 127.5 - 1.0


def two_players(case, networks):
    """Return the cycle of a generator against a critic."""
    generator, critic = networks.values()
    critic_step, generator_step = optimizers([critic], [generator])
    latent, batch = generator.input_shape[1], case.batch

    def noise():
        return tf.random.normal((batch, latent))

    def generator_loss(fake, real):
        score = critic(fake, training=True)
        if case.objective == "nonsaturating":
            return cross_entropy(tf.ones_like(score), score)
        if case.objective == "wasserstein":
            return -tf.reduce_mean(score)
        return tf.reduce_mean(tf.nn.softplus(critic(real, training=True) - score))

    @tf.function
    def play(x):
        for i in range(case.repeats):
            fake, real = generator(noise(), training=True), floats(x[:, i])
            loss = lambda real=real, fake=fake: critic_loss(case, critic, real, fake)  # noqa: E731
            update(critic_step, [critic], loss)
        real = floats(x[:, -1])
        loss = lambda: generator_loss(generator(noise(), training=True), real)  # noqa: E731
        update(generator_step, [generator], loss)

    x = tf.constant(case.pictures()["x"])
    return lambda: play(x)


def critic_loss(case, critic, real, fake):
    """Return the critic's loss with its penalties."""
    if case.penalty == "r1r2":
        (r, r1), (f, r2) = (score_and_gradient(critic, x) for x in (real, fake))
        penalties = 0.5 * tf.reduce_mean(r1) + 0.5 * tf.reduce_mean(r2)
        return tf.reduce_mean(tf.nn.softplus(f - r)) + penalties
    r, f = critic(real, training=True), critic(fake, training=True)
    if case.objective == "nonsaturating":
        return cross_entropy(tf.ones_like(r), r) + cross_entropy(tf.zeros_like(f), f)
    u = tf.random.uniform((case.batch, 1, 1, 1))
    _, squared = score_and_gradient(critic, real + u * (fake - real))
    norm = tf.sqrt(squared + 1e-12)
    gap = tf.reduce_mean(f) - tf.reduce_mean(r)
    return gap + 10.0 * tf.reduce_mean(tf.square(norm - 1.0))


def score_and_gradient(critic, x):
    """Return the scores and the squared norms `(batch,)` of their gradients by the pictures."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        score = critic(x, training=True)
    return score, tf.reduce_sum(tf.square(tape.gradient(score, x)), axis=[1, 2, 3])


def translation(case, networks):
    """Return CycleGAN's cycle: both generators, then both critics on fakes out of a pool."""
    to_b, to_a, critic_b, critic_a = networks.values()
    generator_step, critic_step = optimizers([to_b, to_a], [critic_b, critic_a])
    near = lambda x, y: tf.reduce_mean(tf.abs(x - y))  # noqa: E731
    far = lambda score, wanted: tf.reduce_mean(tf.square(score - wanted))  # noqa: E731

    @tf.function
    def move_generators(a, b):
        a, b, fakes = floats(a), floats(b), []

        def loss():
            fake_b, fake_a = to_b(a, training=True), to_a(b, training=True)
            fakes[:] = fake_b, fake_a
            cycled = near(to_a(fake_b, training=True), a) + near(to_b(fake_a, training=True), b)
            same = near(to_b(b, training=True), b) + near(to_a(a, training=True), a)
            fooled = far(critic_b(fake_b, training=True), 1.0)
            fooled += far(critic_a(fake_a, training=True), 1.0)
            return fooled + CYCLE * cycled + IDENTITY * same

        update(generator_step, [to_b, to_a], loss)
        return fakes

    @tf.function
    def move_critics(a, b, fake_b, fake_a):
        def loss():
            value = 0.0
            for critic, real, fake in ((critic_b, b, fake_b), (critic_a, a, fake_a)):
                value += far(critic(floats(real), training=True), 1.0)
                value += far(critic(fake, training=True), 0.0)
            return 0.5 * value

        update(critic_step, [critic_b, critic_a], loss)

    pools = Pool(POOL), Pool(POOL)
    a, b = (tf.constant(x[:, 0]) for x in case.pictures().values())

    def play():
        fakes = zip(pools, move_generators(a, b), strict=True)
        move_critics(a, b, *(tf.stack(pool.mixed(tf.unstack(fake))) for pool, fake in fakes))

    return play
