"""One side of the step-time benchmark in a process of its own, which plays when it is told to.

Two frameworks in one process fight for the processor with more threads than it has cores; two
processes that take turns do not.
"""

import multiprocessing
import os
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.step_cases import CASES


@dataclass(frozen=True)
class Side:
    """One way to play a case.

    Attributes:
        maker: "core", "tensorflow" or "torch".
        precision: "float32" or "bfloat16".
        backend: Of Keras.
        up: How DCGAN's generator doubles its maps.
        reuse: Whether its fakes serve both turns.
    """

    maker: str
    precision: str = "float32"
    backend: str = "tensorflow"
    up: str = "transpose"
    reuse: bool = False

    def __str__(self):
        """Return what tells this side from others, for result rows."""
        parts = (self.maker, self.backend if self.backend == "jax" else "", self.precision)
        changes = (self.up if self.up != "transpose" else "", "reuse" if self.reuse else "")
        return " ".join(filter(None, (*parts, *changes)))


class Seat:
    """A started process of one side, warmed up.

    Args:
        side: A `Side`.
        case: Name of a `Case`.
        threads: Cores that the process may use.

    Attributes:
        parameters: Network -> number of trainable weights.
        seconds: What each cycle after the warm-up took.
        processor: The same as seconds of the processor, all threads together.
        memory: After `close`: the peak of its resident memory in MB (Linux).
    """

    def __init__(self, side, case, threads):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(
            target=serve, args=(theirs, side, case, threads), daemon=True
        )
        self.process.start()
        theirs.close()
        self.parameters, self.seconds, self.processor = self.pipe.recv(), [], []

    def play(self):
        """Let the side play one cycle, and note what it took."""
        self.pipe.send("go")
        seconds, processor = self.pipe.recv()
        self.seconds.append(seconds)
        self.processor.append(processor)

    def close(self):
        """End the process, and note its memory."""
        self.pipe.send("end")
        self.memory = self.pipe.recv()
        self.process.join()


def serve(pipe, side, case, threads, warm=2):
    """Play cycles of a case as messages come: the other end of a `Seat`."""
    limit(threads)
    os.environ["KERAS_BACKEND"] = side.backend
    play, parameters = prepared(side, CASES[case], threads)
    for _ in range(warm):
        play()
    pipe.send(parameters)
    while pipe.recv() == "go":
        start = time.perf_counter(), time.process_time()
        play()
        pipe.send((time.perf_counter() - start[0], time.process_time() - start[1]))
    # not getrusage: its figure starts at the peak of the process that spawned this one
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    pipe.send(int(status.split("VmHWM:")[1].split()[0]) / 1024)


def limit(threads):
    """Allow this process `threads` cores and as many threads, before any framework is loaded."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = str(threads)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def prepared(side, case, threads):
    """Return the callable that plays one cycle, and network -> number of trainable weights."""
    if side.maker == "torch":
        import torch

        from benchmarks.speed import step_torch

        torch.set_num_threads(threads)
        return step_torch.cycle(case, side.precision)
    import keras

    keras.config.set_dtype_policy(
        "mixed_bfloat16" if side.precision == "bfloat16" else side.precision
    )
    if side.maker == "core":
        from benchmarks.speed import step_core

        return step_core.cycle(case, up=side.up, reuse=side.reuse)
    from benchmarks.speed import step_tensorflow

    return step_tensorflow.cycle(case)
