"""One run on several devices: the lines that differ by backend.

JAX         one program over all devices (`keras.distribution.DataParallel`); losses, batch
            statistics and draws are those of the whole batch
TensorFlow  `tf.distribute.MirroredStrategy`: each replica has its share of the batch, gradients
            are summed, so every loss is divided by the number of replicas
PyTorch     one process a device, started by `torchrun`; each takes its stripe of the batch,
            gradients are averaged over the processes before the update

Where a loss is a mean over samples, the update is that of one device with the whole batch. What
mixes samples (batch normalisation, minibatch statistics, relativistic averages) sees a replica's
share only, except on JAX.
"""

import contextlib
import hashlib
import os

import keras

from gantools.errors import UserError

BACKEND = keras.backend.backend()
REPLICA_STRIDE = 7919  # between the seeds of replicas: those of a model's samplers are neighbours

if BACKEND == "tensorflow":
    import tensorflow as tf
elif BACKEND == "torch":
    import torch
    import torch.distributed as dist


def spread(devices="all"):
    """Return a context in which a game is built, compiled and trained on several devices.

    Args:
        devices: "all", or a number of devices of one kind. None or 1 changes nothing, except that
            on PyTorch None takes part in what `torchrun` started.

    Raises:
        UserError: fewer devices than asked for, or no number; on PyTorch, a number of processes
            that differs from the one that `torchrun` started.
    """
    if devices not in (None, "all") and not str(devices).isdecimal():
        raise UserError(f"Expected a number of devices, or 'all'. Received: devices={devices!r}.")
    if BACKEND != "torch" and devices is None:
        return contextlib.nullcontext()
    if BACKEND == "torch":
        return _torch_processes(devices)
    if BACKEND == "jax":
        found = keras.distribution.list_devices()
        chosen = found[: _count(devices, len(found))]
        return _jax_scope(chosen) if len(chosen) > 1 else contextlib.nullcontext()
    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    chosen = [device.name for device in found[: _count(devices, len(found))]]
    if len(chosen) == 1:
        return contextlib.nullcontext()
    return tf.distribute.MirroredStrategy(chosen).scope()


def replicas():
    """Return into how many shares a batch is split before the step sees it; 1 on JAX."""
    if BACKEND == "tensorflow":
        return tf.distribute.get_strategy().num_replicas_in_sync
    return dist.get_world_size() if _joined() else 1


def check_batch(batch):
    """Refuse a batch of which some device would get more than others.

    Losses would no longer be those of the whole batch, and JAX splits no such batch at all.

    Args:
        batch: Samples in a minibatch, of all devices together.

    Raises:
        UserError: the number of devices does not divide it.
    """
    shared = keras.distribution.distribution() if BACKEND == "jax" else None
    count = shared.device_mesh.shape[0] if shared else replicas()
    if batch % count:
        raise UserError(
            f"{count} devices share each batch. Expected a multiple of {count}. Received: "
            f"batch={batch}. Take another batch size, or another number of devices."
        )


def loss_share():
    """Return the factor of every loss: TensorFlow sums the replicas' gradients of mean losses."""
    return 1.0 / replicas() if BACKEND == "tensorflow" else 1.0


def is_main():
    """Return whether this process writes the run's files: the first of PyTorch's, any other."""
    return not _joined() or dist.get_rank() == 0


def wait():
    """Wait until every process of the run is here."""
    if _joined():
        dist.barrier()


def any_of(*flags):
    """Return each flag as it is in any of PyTorch's processes: what one decides, all must do.

    A process that saves, or stops, waits for the others; these must not go on without it.
    """
    if not _joined():
        return flags
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    raised = torch.tensor([float(bool(flag)) for flag in flags], device=device)
    dist.all_reduce(raised, dist.ReduceOp.MAX)
    return tuple(bool(flag) for flag in raised.tolist())


def averaged(tensors):
    """Return tensors averaged over PyTorch's processes by one flat all-reduce.

    On the other backends the optimizer or the compiler has done it: they are returned unchanged.
    """
    if not _joined() or not tensors:
        return tensors
    flat = torch.cat([t.detach().reshape(-1).float() for t in tensors])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    parts = flat.split([t.numel() for t in tensors])
    return [part.view_as(t).to(t.dtype) for part, t in zip(parts, tensors, strict=True)]


def agreed(scalars):
    """Return logged scalars averaged over all shares of the batch: what every replica sees alike.

    TensorFlow sums gradients by itself, and Keras averages logs after the step; a condition needs
    the averages within.
    """
    if BACKEND == "tensorflow" and replicas() > 1:
        context = tf.distribute.get_replica_context()
        floats = [keras.ops.cast(scalar, "float32") for scalar in scalars]
        return context.all_reduce(tf.distribute.ReduceOp.MEAN, floats)
    return averaged(scalars)


def stripe(batches):
    """Yield batches, in a process of several only its own stripe of every array.

    Args:
        batches: Iterable of nested arrays `(batch, ...)`; the number of processes must divide
            their length, see `check_batch`.
    """
    if not _joined():
        yield from batches
        return
    rank, world = dist.get_rank(), dist.get_world_size()
    for batch in batches:
        yield keras.tree.map_structure(lambda array: array[rank::world], batch)


def value_of(variable):
    """Return a variable's value as one tensor, also of a variable that TensorFlow mirrors."""
    return tf.convert_to_tensor(variable.value) if BACKEND == "tensorflow" else variable.value


class Counter(keras.Variable):
    """An int32 variable that counts from 0 and reads as an int, mirrored or not."""

    def __init__(self, name):
        super().__init__(0, dtype="int32", trainable=False, name=name)

    def __int__(self):
        return int(value_of(self))


def agree(variables):
    """Give every process of PyTorch the first one's weights: random initial ones may differ."""
    for v in variables if _joined() else ():
        value = v.value.detach().clone()
        dist.broadcast(value, 0)
        v.assign(value)


class SeedGenerator(keras.random.SeedGenerator):
    """A seed generator that draws other numbers on each replica from one and the same state.

    The state is `(seed, count)`. TensorFlow and JAX draw from both numbers; Keras on PyTorch draws
    from their sum, so that neighbouring seeds have the same draws one after the other. There both
    and the replica are hashed into one number first.
    """

    def next(self, ordered=True):
        """Return the next seed `(2,)`, which is this replica's alone."""
        seed, replica = super().next(ordered), _replica()
        if BACKEND == "torch":
            return torch.tensor([_hashed(*seed.tolist(), replica), 0])
        if isinstance(replica, int) and replica == 0:
            return seed
        seed = keras.ops.convert_to_tensor(seed)
        # The seed's half of (seed, count): moved counts would meet after so many draws.
        shift = keras.ops.stack([replica * REPLICA_STRIDE, 0])
        return seed + keras.ops.cast(shift, seed.dtype)


def _hashed(*numbers):
    """Return 32 bits: all that Keras hands to PyTorch's generator."""
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little")


def _replica():
    """Return the number of this replica: an int, or a tensor inside a TensorFlow strategy."""
    if BACKEND == "tensorflow" and tf.distribute.has_strategy():
        context = tf.distribute.get_replica_context()
        return 0 if context is None else context.replica_id_in_sync_group
    return dist.get_rank() if _joined() else 0


def _joined():
    return BACKEND == "torch" and dist.is_available() and dist.is_initialized()


def _count(devices, found):
    wanted = found if devices == "all" else int(devices)
    if not 1 <= wanted <= found:
        raise UserError(
            f"{found} devices of {BACKEND} are here. Received: devices={devices}. "
            "Give a number up to that, or 'all'."
        )
    return wanted


@contextlib.contextmanager
def _jax_scope(chosen):
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=chosen))
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


@contextlib.contextmanager
def _torch_processes(devices):
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if devices not in (None, "all") and int(devices) != world:
        raise UserError(
            f"PyTorch takes one process a device, and {world} run. Received: devices={devices}. "
            f"Start it as `torchrun --nproc-per-node {devices} -m gantools ...`."
        )
    if world == 1:
        yield
        return
    if torch.cuda.is_available():
        _take_gpu(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def _take_gpu(place):
    """Let this process use the GPU of its place on this machine: else all would take the first."""
    found = torch.cuda.device_count()
    if place >= found:
        raise UserError(
            f"PyTorch takes one process a GPU, and {found} are here. Received: {place + 1} or more "
            f"processes. Start it with `torchrun --nproc-per-node {found}`."
        )
    torch.cuda.set_device(place)
