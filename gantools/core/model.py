"""`AdversarialModel`: a `keras.Model` that plays a `Game` in its `train_step`.

One cycle is `_cycle`, the same for TensorFlow, JAX and PyTorch. Read it first; everything else
prepares for it. The original paper's Algorithm 1 is the model case: k discriminator updates on
fresh minibatches, then one generator update.
"""

import contextlib
import functools

import keras
import numpy as np
from keras import ops

from gantools.core import ema, gradients, parallel
from gantools.core.batch import Draws, given_draw, in_turn, nth_minibatch, unpack
from gantools.core.checks import (
    check_alone,
    check_gradients,
    check_labels,
    check_players,
    check_scalars,
    check_weights,
)
from gantools.core.evaluation import SAMPLES, Means
from gantools.core.optimizers import PlayerOptimizers
from gantools.core.schedules import value_at
from gantools.core.state import load_state, save_state
from gantools.core.stream import Stream
from gantools.errors import UserError


@keras.saving.register_keras_serializable("gantools")
class AdversarialModel(keras.Model):
    """Train the players of a game with `fit`, like any Keras model.

    Args:
        game: A `Game`.
        seed: Seed of every random draw of the model. Initial weights are the players' own affair.

    Attributes:
        cycle: int32 variable, cycles played.
        images: int32 variable, real images seen: those of one minibatch a cycle, batch size times
            cycles, also where the turns of a cycle read several minibatches.
        averaged: Player -> its averaged copy.
        as_trained: False: `Game.sample` gives what is to be looked at, see there.

    Example:

        model = AdversarialModel(duel(generator, discriminator, penalties=[R1(0.1)]))
        model.compile({"discriminator": Adam(2e-4, 0.5), "generator": Adam(2e-4, 0.5)})
        model.fit(Stream(pictures, batch=64), steps_per_epoch=1000, epochs=10)
        model.sample(16)  # (16, height, width, channels) float32 in [-1, 1]
    """

    as_trained = False

    def __init__(self, game, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.game, self.seed, self.optimizer = game, seed, None
        self.after_fit = contextlib.ExitStack()  # what callbacks want undone, however `fit` ends
        self._players = dict(game.players)
        self._memory = dict(game.memory)
        self.averaged = {name: ema.averaged_copy(game.players[name]) for name in game.ema}
        self._seeds = self._generators(seed)
        self._evaluation_seeds = self._generators(seed)  # `evaluate` leaves the others alone
        self.cycle, self.images = parallel.Counter("cycle"), parallel.Counter("images")
        self._training, self._turn, self._means = True, None, Means()
        self.built = True

    def compile(self, optimizers, *, run_eagerly=False, steps_per_execution=1, jit_compile="auto"):
        """Give every turn its optimizer and create all slots.

        Args:
            optimizers: Dict of turn name -> Keras optimizer; a learning rate may be a schedule of
                `gantools.core` that counts images.
            run_eagerly, steps_per_execution, jit_compile: As in Keras.

        Raises:
            UserError: missing optimizers, or what `checks.check_players` and `PlayerOptimizers`
                refuse; `steps_per_execution` above 1 on PyTorch or several TensorFlow devices.
        """
        if steps_per_execution > 1 and (gradients.BACKEND == "torch" or parallel.replicas() > 1):
            where = "PyTorch" if gradients.BACKEND == "torch" else "several devices by TensorFlow"
            raise UserError(f"steps_per_execution must be 1 on {where}: Keras has no loop there.")
        check_players(self.game)
        optimizer = PlayerOptimizers(optimizers, self.game.turns, self.images)
        optimizer.build_players({t.name: self._moving(t) for t in self.game.turns})
        super().compile(
            optimizer=optimizer,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
            auto_scale_loss=False,
        )

    # What terms may use.

    def player(self, name):
        """Return a player as a callable; `training` is set for it unless given."""
        return functools.partial(self._players[name], training=self._training)

    def memory(self, name):
        """Return a layer of the game's memory; what it writes into its variables persists."""
        return self._memory[name]

    @property
    def learning(self):
        """Return whether a training step runs; else nothing must be written into memory."""
        return self._training

    def input_gradient(self, critic, x):
        """Return `(scores, gradient by x)`, differentiable once more; see `gradients`."""
        return gradients.input_gradient(critic, x, self.state_variables)

    def lazily(self, every, terms, names):
        """Return `every * terms()` in each `every`-th update of a turn, zeros in the others.

        The others do not compute it, and the mean over updates is that of `terms()`. `evaluate`
        has `terms()` each time. What `terms` writes into variables is dropped for `every` > 1.

        Args:
            every: Updates of the turn that is being played from one to the next.
            terms: Callable without arguments -> dict of scalars that hold input gradients.
            names: Keys of that dict.
        """
        if every == 1 or not self._training:
            return terms()
        moving = self._moving(self._turn)
        due = self.optimizer.parts[self._turn.name].iterations.value % every == 0
        found = gradients.where_due(due, terms, names, self.state_variables, moving)
        return {name: every * value for name, value in found.items()}

    # One cycle.

    def _cycle(self, batch):
        logs, used = {}, 0
        batch, size = unpack(batch)
        seen = size * parallel.replicas()
        self.images.assign_add(ops.cast(seen, "int32"))
        made = self._make(nth_minibatch(batch, 0), size, self._seeds)
        for turn in self.game.turns:
            for _ in range(turn.repeats):
                minibatch = nth_minibatch(batch, used)
                draw = self._draw(minibatch, size, self._seeds)
                logs |= self._play(turn, minibatch, draw, made, logs)
                used += 1
        self._average(seen)
        self.cycle.assign_add(1)
        return dict(zip(logs, parallel.averaged(list(logs.values())), strict=True))

    def _make(self, batch, size, seeds):
        """Return what the turns of a cycle share: `gradients.Recorded` tensors, none by default."""
        shared = self.game.shared
        if shared is None:
            return gradients.Recorded({}, [], None)
        make = functools.partial(shared.make, self, batch, self._draw(batch, size, seeds))
        return gradients.recorded(make, self._weights(shared.players), self.state_variables)

    def _play(self, turn, batch, draw, made, logs=None):
        """Update the players of one turn once; return its logs. `logs` are the cycle's so far."""
        moving = self._moving(turn)
        before = self._remember(turn, moving) if turn.pauses else []
        loss = lambda tensors: self._loss(turn, {**batch, **tensors}, draw)  # noqa: E731
        penalties = [f"{turn.name}/{name}" for name in turn.penalties]
        (_, terms), grads = gradients.value_and_grad_through(
            made, loss, moving, self.state_variables, penalties
        )
        check_gradients(turn, moving, grads)
        grads = parallel.averaged(grads)
        gradients.apply(self.optimizer.parts[turn.name], grads, moving)
        if turn.clip is not None:
            for v in moving:
                v.assign(ops.clip(v.value, -turn.clip, turn.clip))
        if turn.pauses:
            due = self._due(turn, {**(logs or {}), **terms})
            for v, value in before:
                v.assign(ops.where(due, v.value, value))
            terms = {**terms, f"{turn.name}/played": ops.cast(due, "float32")}
        return terms

    def _due(self, turn, logs):
        """Return whether the update of a turn that pauses stays, a bool scalar."""
        due = self.cycle.value % turn.every == 0
        if turn.when is None:
            return due
        logs = dict(zip(logs, parallel.agreed(list(logs.values())), strict=True))
        return ops.logical_and(due, turn.when(logs))

    def _loss(self, turn, batch, draw):
        """Return the weighted sum of a turn's terms, and the terms by their logged names."""
        self._turn = turn
        terms = turn.terms(self, batch, draw)
        terms, shown = terms if isinstance(terms, tuple) else (terms, {})
        terms, shown = (_tensors(values) for values in (terms, shown))
        check_weights(turn, terms)
        check_scalars(turn, terms)
        images = ops.cast(self.images, "float32")
        total = 0.0
        for name, value in terms.items():
            weight = value_at(turn.weights.get(name, 1.0), images)
            total = total + weight * ops.cast(value, "float32")
        logged = {f"{turn.name}/{name}": value for name, value in {**terms, **shown}.items()}
        return total * parallel.loss_share(), logged

    def _draw(self, batch, size, seeds):
        """Draw a turn's random numbers: the only randomness of a step besides dropout."""
        return {
            name: batch[name] if name in batch else sampler(size, seeds[name], batch)
            for name, sampler in self.game.samplers.items()
        }

    def _average(self, size):
        images = ops.cast(self.images, "float32")
        for name, rule in self.game.ema.items():
            ema.update(self.averaged[name], self._players[name], rule.decay(size, images))

    # How Keras calls it.

    def train_step(self, *args):
        """Play one cycle. `(data)` on TensorFlow and PyTorch, `(state, data)` on JAX."""
        if gradients.BACKEND != "jax":
            return self._cycle(args[0])
        return self._stateless(self._cycle, *args, optimizer=True)

    def test_step(self, *args):
        """Return the terms of a batch, in inference mode and without any update, and "samples"."""
        if gradients.BACKEND != "jax":
            return self._evaluate(args[0])
        return self._stateless(self._evaluate, *args, optimizer=False)

    def _stateless(self, fn, state, data, *, optimizer):
        groups = [self.trainable_variables, self.non_trainable_variables]
        groups += [self.optimizer.variables] if optimizer else []
        groups += [self.metrics_variables]
        return gradients.stateless(lambda: fn(data), groups, state)

    def _evaluate(self, batch):
        batch, size = unpack(batch)
        logs = {SAMPLES: ops.cast(size, "float32")}
        with self._inference():
            minibatch = nth_minibatch(batch, 0)
            made = self._make(minibatch, size, self._evaluation_seeds)
            for turn in self.game.turns:
                draw = self._draw(minibatch, size, self._evaluation_seeds)
                logs |= self._loss(turn, {**minibatch, **made.tensors}, draw)[1]
        return logs

    @contextlib.contextmanager
    def _inference(self):
        self._training = False
        try:
            yield
        finally:
            self._training = True

    def make_test_function(self, force=False):
        """Let Keras make its function of batches; it then returns the means of all so far."""
        if self.test_function is None or force:
            super().make_test_function(force)
            self.test_function = self._means.over(self.test_function, self.steps_per_execution)

    def reset_metrics(self):
        """Begin an epoch or an evaluation."""
        super().reset_metrics()
        self._means.reset()

    def fit(self, x=None, *args, **kwargs):
        """Train as in Keras; a `Stream` starts at the cycle where the model stands.

        Logged are the terms of an epoch's last cycle, and means over all `validation_data`.
        A stream that was given no number of minibatches has one a cycle, and one for every update
        where a turn repeats its own.

        Raises:
            UserError: targets or weights beside the data, labels that the game does not know, in a
                stream or a dict of arrays, or a stream's batch that the devices of
                `parallel.spread` cannot share evenly.
        """
        check_alone(kwargs.get(name) for name in ("sample_weight", "class_weight"))
        if isinstance(x, Stream):
            parallel.check_batch(x.batch)
            check_labels(self.game.samplers, x.arrays, x.only)
            x = parallel.stripe(x.batches(int(self.cycle), self.game.fresh))
            kwargs.setdefault("shuffle", False)
        elif isinstance(x, dict):
            check_labels(self.game.samplers, x)
        parallel.agree(v for player in self._players.values() for v in player.variables)
        with contextlib.ExitStack() as self.after_fit:
            return super().fit(x, *args, **kwargs)

    def evaluate(self, x=None, *args, **kwargs):
        """Return as Keras does the terms of every turn, means over all samples."""
        check_alone([kwargs.get("sample_weight")])  # Keras drops them where there are no targets
        return super().evaluate(x, *args, **kwargs)

    def _maybe_symbolic_build(self, *args, **kwargs):
        """Do nothing: under a strategy Keras would read batches for it and throw them away."""

    def call(self, inputs, training=False):
        """Return the generator's output, of the averaged copy if there is one."""
        return self.best("generator")(inputs, training=training)

    def best(self, name):
        """Return the averaged copy of a player if there is one, else the player itself."""
        return self.averaged.get(name) or self._players[name]

    def sample(self, n, seed=0, batch=64, **given):
        """Return `n` samples: NumPy array `(n, ...)` float32, the same for the same seed.

        Args:
            n: Number of samples.
            seed: Seed of the latents; the model's own draws are not touched.
            batch: Samples computed at once; draws do not depend on it.
            **given: Draws by name in place of random ones: an array `(n, ...)`, or one value for
                all samples, as in `sample(16, y=7)` of a conditional game.

        Raises:
            UserError: the game has no draw of that name, `n` differs from the array's length, or
                there are not so many classes.
        """
        given = {name: make(n) for name, make in self.game.arranged.items()} | given
        given = {name: given_draw(self.game, name, v, n) for name, v in given.items()}
        seeds = self._generators(seed)
        samplers = {name: in_turn(make, n) for name, make in self.game.samplers.items()}
        make = self.game.sample or (lambda model, draw: model(draw["z"]))
        parts = []
        with self._inference(), gradients.no_gradient():
            for start in range(0, n, batch):
                size = min(batch, n - start)
                draw = Draws(samplers, size, seeds)
                for name, values in given.items():
                    draw[name] = ops.convert_to_tensor(values[start : start + size])
                parts.append(ops.convert_to_numpy(make(self, draw)).astype(np.float32))
        return np.concatenate(parts)

    # State.

    @property
    def state_variables(self):
        """Return every variable of the run, in an order that depends on the game alone."""
        own = list(self.variables) + list(self.optimizer.variables if self.optimizer else [])
        return list({id(v): v for v in own + list(self.metrics_variables)}.values())

    def state_groups(self):
        """Return name -> variables, the names built from the game's own words."""
        groups = {f"player/{n}": p.variables for n, p in self._players.items()}
        groups |= {f"averaged/{n}": p.variables for n, p in self.averaged.items()}
        groups |= {f"memory/{n}": p.variables for n, p in self._memory.items()}
        groups |= {f"seed/{n}": [s.state] for n, s in self._seeds.items()}
        groups |= {f"evaluation_seed/{n}": [s.state] for n, s in self._evaluation_seeds.items()}
        groups["counter"] = [self.cycle, self.images]
        if self.optimizer:
            groups["optimizer"] = self.optimizer.own_variables
            groups |= {f"optimizer/{n}": p.variables for n, p in self.optimizer.parts.items()}
        return groups

    def save(self, filepath, *args, **kwargs):
        """Save the run into a folder, for exact resume; see `state.save_state`.

        Raises:
            UserError: the path is that of a Keras file, which cannot hold a game: functions.
        """
        if str(filepath).endswith((".keras", ".h5")):
            raise UserError(
                f"A game is saved into a folder. Received: {filepath}. For a Keras file of one "
                'network: model.best("generator").save(...).'
            )
        return save_state(self, filepath, *args, **kwargs)

    def restore(self, folder):
        """Load the newest complete state under `folder`; return its meta data, None if none.

        A model that is not compiled takes what samples need, and no optimizer's state.
        """
        return load_state(self, folder)

    def _generators(self, seed):
        """Return a seed generator for each sampler, all different."""
        return {n: parallel.SeedGenerator(seed + i) for i, n in enumerate(self.game.samplers)}

    def _moving(self, turn):
        return self._weights(turn.players)

    def _weights(self, players):
        """Return the trainable weights of players, those of layers that they share once."""
        found = [v for name in players for v in self._players[name].trainable_variables]
        return list({id(v): v for v in found}.values())

    def _remember(self, turn, moving):
        slots = self.optimizer.parts[turn.name].variables
        return [(v, ops.copy(v.value)) for v in [*moving, *slots]]


def _tensors(values):
    return {name: ops.convert_to_tensor(value) for name, value in values.items()}
