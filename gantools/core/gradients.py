"""Value and gradient, input gradient and update: the lines of a step that differ by backend.

Everything else of it is written once with `keras.ops`; `parallel.py` has those of several devices.
All functions work inside a compiled step and eagerly. `state` is the list of every variable that
the function may read or write.
"""

import contextlib
import contextvars
import functools
from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import ops

from gantools.errors import UserError

BACKEND = keras.backend.backend()

if BACKEND == "tensorflow":
    import tensorflow as tf
elif BACKEND == "torch":
    import torch
elif BACKEND == "jax":
    import jax
else:
    raise ImportError(f"gantools.core trains on tensorflow, jax or torch. Received: {BACKEND!r}.")


def _add_in_order():
    """Let TensorFlow's tapes add gradients of one tensor in an order that cannot change.

    A tape adds them by one AddN. It begins with the first addend whose memory is free to be written
    over, and that depends on which operations have run by then: sums of three and more were rounded
    otherwise on a busy machine, and in every run after some 220 updates, when the executor begins
    to run short operations at once. Resumed runs then differed from uninterrupted ones in the last
    bit (`tests/core/test_gradients.py`). A sum of two has no order. `ensure_shape` costs nothing
    and keeps TensorFlow's optimizer from making one AddN of the sums again. Lists of tensors
    (`tf.TensorArray`) have no `+`: they are left to TensorFlow.
    """
    from tensorflow.python import pywrap_tfe
    from tensorflow.python.eager import backprop

    usual = backprop._default_vspace

    def added(gradients):
        if len(gradients) < 3 or not all(map(_is_number, gradients)):
            return usual.aggregate_fn(gradients)
        total = gradients[0]
        for g in gradients[1:]:
            total = tf.ensure_shape(total + g, total.shape)
        return total

    pywrap_tfe.TFE_Py_RegisterVSpace(usual._replace(aggregate_fn=added))


def _is_number(gradient):
    """Return whether a gradient is a dense tensor of real or complex numbers."""
    dense = isinstance(gradient, tf.Tensor)
    return dense and (gradient.dtype.is_floating or gradient.dtype.is_complex)


if BACKEND == "tensorflow":
    with contextlib.suppress(ImportError, AttributeError):  # names that TensorFlow may change
        _add_in_order()


@dataclass(frozen=True)
class Recorded:
    """Tensors that were computed once, to be used and differentiated later.

    Attributes:
        tensors: Name -> tensor.
        variables: The variables that they depend on.
        pull: Callable, gradients by the tensors (a dict like them) -> gradients by the variables.
    """

    tensors: dict
    variables: list
    pull: Callable | None


def recorded(fn, wrt, state):
    """Compute tensors now, so that losses of them can be differentiated by variables later.

    Args:
        fn: Callable without arguments -> dict of float32 tensors. What it writes into variables of
            `state` persists.
        wrt: Variables to differentiate by; they must not be changed before `pull` is called.
        state: Every variable that `fn` reads or writes, `wrt` included.

    Returns:
        A `Recorded`.
    """
    if BACKEND == "tensorflow":
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([v.value for v in wrt])
            made = fn()
        pull = lambda slopes: tape.gradient(made, [v.value for v in wrt], slopes)  # noqa: E731
        return Recorded(made, wrt, pull)
    if BACKEND == "torch":
        made = fn()

        def pull(slopes):
            ends, values = [made[name] for name in slopes], [v.value for v in wrt]
            return torch.autograd.grad(ends, values, list(slopes.values()), allow_unused=True)

        return Recorded({name: x.detach() for name, x in made.items()}, wrt, pull)
    inner = set(map(id, wrt))
    others = [v for v in state if id(v) not in inner]

    def pure(values):
        return _scoped(fn, [*wrt, *others], [*values, *(v.value for v in others)])

    made, pull, written = jax.vjp(pure, [v.value for v in wrt], has_aux=True)
    _write_back(others, written)
    return Recorded(made, wrt, lambda slopes: pull(slopes)[0])


def value_and_grad(fn, wrt, state, second_order=(), inputs=None):
    """Differentiate a loss with respect to some variables and no others.

    Args:
        fn: Callable without arguments -> `(loss, terms)`: a scalar and a dict of scalars. What it
            writes into variables of `state` (batch statistics, seeds) persists.
        wrt: Variables to differentiate by. Writing to one of them inside `fn` is an error.
        state: Every variable that `fn` reads or writes, `wrt` included.
        second_order: Names of terms that hold input gradients; see `_check_second_order`.
        inputs: Dict of tensors, which `fn` then takes as its only argument, to differentiate by
            as well.

    Returns:
        `((loss, terms), gradients)`, those by `inputs` last; a gradient is None where the loss does
        not depend on the variable (zeros on JAX, which knows no missing gradients).
    """
    args = (inputs,) if inputs else ()
    if BACKEND == "tensorflow":
        checked = bool(second_order) and not tf.executing_eagerly()
        sources = [v.value for v in wrt] + list((inputs or {}).values())
        with tf.GradientTape(persistent=checked, watch_accessed_variables=False) as tape:
            tape.watch(sources)
            with _noting(tape if checked else None) as critics:
                loss, terms = fn(*args)
        grads = tape.gradient(loss, sources)
        if checked:  # while tracing: the extra nodes lead nowhere and are pruned
            _check_second_order(tape, terms, second_order, wrt, critics)
        return (loss, terms), grads
    if BACKEND == "torch":
        args = tuple({k: x.detach().requires_grad_(True) for k, x in d.items()} for d in args)
        sources = [v.value for v in wrt] + [x for d in args for x in d.values()]
        loss, terms = fn(*args)
        grads = torch.autograd.grad(loss, sources, allow_unused=True)
        return (loss.detach(), {k: v.detach() for k, v in terms.items()}), list(grads)
    inner = set(map(id, wrt))
    others = [v for v in state if id(v) not in inner]

    def pure(sources, rest):
        values, args = sources
        called = functools.partial(fn, *args)
        (loss, terms), written = _scoped(called, [*wrt, *others], [*values, *rest])
        if inner & set(written):
            raise ValueError("A variable was assigned while the same turn differentiates by it.")
        return loss, (terms, written)

    differentiate = jax.value_and_grad(pure, has_aux=True)
    (loss, (terms, written)), (grads, slopes) = differentiate(
        ([v.value for v in wrt], args), [v.value for v in others]
    )
    _write_back(others, written)
    return (loss, terms), grads + [x for d in slopes for x in (d[name] for name in inputs)]


def value_and_grad_through(made, fn, wrt, state, second_order=()):
    """Differentiate a loss of recorded tensors: as `value_and_grad`, with `fn(made.tensors)`.

    If `wrt` has all variables that the tensors depend on, the gradients are those through the
    tensors too; else these are constants.
    """
    places = {id(v): i for i, v in enumerate(wrt)}
    if not made.tensors or not all(id(v) in places for v in made.variables):
        return value_and_grad(lambda: fn(made.tensors), wrt, state, second_order)
    found, grads = value_and_grad(fn, wrt, state, second_order, made.tensors)
    grads, slopes = list(grads[: len(wrt)]), grads[len(wrt) :]
    pairs = zip(made.tensors.items(), slopes, strict=True)
    slopes = {name: ops.zeros_like(x) if g is None else g for (name, x), g in pairs}
    for v, pulled in zip(made.variables, made.pull(slopes), strict=True):
        own = grads[places[id(v)]]
        grads[places[id(v)]] = (
            own + pulled
            if own is not None and pulled is not None
            else (pulled if own is None else own)
        )
    return found, grads


def input_gradient(fn, x, state):
    """Return the scores of a critic and their gradient by the input, differentiable once more.

    Args:
        fn: Callable, `(batch, ...)` -> scores; each sample's scores depend on that sample only.
        x: Tensor `(batch, ...)` float32.
        state: Every variable that `fn` reads or writes.

    Returns:
        `(fn(x), gradient of sum(fn(x)) by x)`, both still connected to the weights.
    """
    if BACKEND == "tensorflow":
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            scores = fn(x)
            total = ops.sum(ops.cast(scores, "float32"))
        gradient = tape.gradient(total, x)
        _note(total, gradient)
        return scores, gradient
    if BACKEND == "torch":
        with torch.enable_grad():
            x = x if x.grad_fn is not None else x.detach().requires_grad_(True)
            scores = fn(x)
            (gradient,) = torch.autograd.grad(scores.float().sum(), x, create_graph=True)
        return scores, gradient

    def pure(x, values):
        scores, written = _scoped(lambda: fn(x), state, values)
        return ops.sum(ops.cast(scores, "float32")), (scores, written)

    gradient, (scores, written) = jax.grad(pure, has_aux=True)(x, [v.value for v in state])
    _write_back(state, written)
    return scores, gradient


def where_due(due, fn, names, state, wrt):
    """Compute scalars only where a condition holds, differentiable like any others.

    Args:
        due: bool scalar tensor.
        fn: Callable without arguments -> dict of scalars; what it writes into variables is dropped,
            so that every backend may skip it.
        names: Keys of that dict.
        state: Every variable that `fn` reads or writes.
        wrt: Variables whose kernels must have a second-order gradient for all of them, see
            `_check_second_order`.

    Returns:
        The dict, float32; zeros where not due.
    """

    def active():
        with keras.StatelessScope(state_mapping=[(v, v.value) for v in state]):
            if BACKEND != "tensorflow" or tf.executing_eagerly():
                terms = fn()
            else:
                with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
                    tape.watch([v.value for v in wrt])
                    with _noting(tape) as critics:
                        terms = fn()
                _check_second_order(tape, terms, names, wrt, critics)
            return {name: ops.cast(terms[name], "float32") for name in names}

    return ops.cond(due, active, lambda: {name: ops.zeros((), "float32") for name in names})


def no_gradient():
    """Return a context in which torch records nothing; the other backends record by need anyway."""
    return torch.no_grad() if BACKEND == "torch" else contextlib.nullcontext()


def compiled(fn, state):
    """Return `fn` compiled; the values of `state` at each call are used, not those while tracing.

    Args:
        fn: Callable of tensors, or nested structures of them, that assigns to no variable.
        state: Every variable that `fn` reads.
    """
    if BACKEND != "jax":
        return tf.function(fn) if BACKEND == "tensorflow" else fn
    pure = jax.jit(lambda values, args: _scoped(lambda: fn(*args), state, values)[0])
    return lambda *args: pure([v.value for v in state], args)


def apply(optimizer, grads, variables):
    """Update `variables` by one step of `optimizer`."""
    with no_gradient():
        optimizer.apply(grads, variables)


def stateless(fn, groups, values):
    """Run `fn` on given values instead of the variables' own: how a step becomes pure for JAX.

    Args:
        fn: Callable without arguments.
        groups: Lists of variables.
        values: Lists of their values, in the same order.

    Returns:
        `(fn(), new values)`, a tuple of lists like `values`: the structure that Keras shards.
    """
    flat = [v for group in groups for v in group]
    mapping = zip(flat, [x for group in values for x in group], strict=True)
    with keras.StatelessScope(state_mapping=list(mapping)) as scope:
        result = fn()
        updated = tuple([_current(scope, v) for v in group] for group in groups)
    _refuse_strangers(scope, flat)
    return result, updated


def _scoped(fn, variables, values):
    """Run `fn` with `variables` bound to `values`; return its result and what it wrote, by id."""
    bound = list(zip(variables, values, strict=True))
    with keras.StatelessScope(state_mapping=bound) as scope:
        before = dict(scope.state_mapping)
        result = fn()
    _refuse_strangers(scope, variables)
    after = ((id(v), scope.get_current_value(v)) for v in variables)
    return result, {key: value for key, value in after if value is not before[key]}


def _refuse_strangers(scope, variables):
    """Refuse what JAX would drop: a write into a variable that is none of the model's."""
    if set(scope.state_mapping) - set(map(id, variables)):
        raise UserError(
            "A term writes into a network that is no player: its batch statistics, or the seed of "
            "a dropout. Add every network that a term calls to Game.players."
        )


def _write_back(variables, written):
    for v in variables:
        if id(v) in written:
            v.assign(written[id(v)])


def _current(scope, variable):
    value = scope.get_current_value(variable)
    return variable.value if value is None else value


NOTED = contextvars.ContextVar("noted", default=None)  # a tape, and the critics that it has seen


@contextlib.contextmanager
def _noting(tape):
    """Yield the list of `(sum of scores, gradient by the input)` that `input_gradient` makes here.

    Args:
        tape: A persistent one that records what is made here; None: the list stays empty.
    """
    critics = []
    before = NOTED.set((tape, critics) if tape is not None else None)
    try:
        yield critics
    finally:
        NOTED.reset(before)


def _note(total, gradient):
    if NOTED.get() is not None and gradient is not None:
        tape, critics = NOTED.get()
        tape.watch(gradient)  # else one that has lost all weights would not be found in a penalty
        critics.append((total, gradient))


def _check_second_order(tape, terms, names, wrt, critics):
    """Refuse a penalty that trains nothing through part of its critic.

    Some TensorFlow operations (bilinear resizing) have no second-order gradient: the penalty is
    computed and logged, but the weights behind them silently get nothing. Every kernel (rank 2 and
    more) on which the penalised scores depend must be reached, and every one of the turn if a
    penalty differentiates by itself. Scores do not depend on the critic's other outputs.
    """
    kernels = [v for v in wrt if len(v.shape) >= 2]
    values = [v.value for v in kernels]
    behind = [tape.gradient(total, values) for total, _ in critics]
    for name in names:
        try:
            grads = tape.gradient(terms[name], values + [gradient for _, gradient in critics])
        except LookupError as error:
            raise ValueError(f"Penalty {name!r}: {error}. Replace that operation.") from error
        used = zip(behind, grads[len(values) :], strict=True)
        used = [kept for kept, gradient in used if gradient is not None]
        needed = [not used or any(kept[i] is not None for kept in used) for i in range(len(values))]
        found = zip(kernels, needed, grads[: len(values)], strict=True)
        lost = [v.path for v, need, g in found if need and g is None]
        if lost:
            raise ValueError(
                f"Penalty {name!r} has no second-order gradient for {', '.join(lost)}. An "
                "operation of the critic cannot be differentiated twice (bilinear UpSampling2D and "
                "ops.image.resize cannot); use the layers of gantools.nets.resampling instead."
            )
