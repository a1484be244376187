"""Scoring pictures in several processes, here or, through joblib, on a cluster.

    with joblib.parallel_config(backend="dask"):  # or "ray", after ray.util.joblib.register_ray()
        detector.score(x, jobs=-1)

Every process opens the model from its folder. A score depends on its picture alone and pictures are
dealt in the same chunks, so the files have the bytes that one process gives them. A cluster's
machines have to see the folders of model and data under the same names.
"""

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from gantools.data.workers import opened, results


def chunks(model, reader, pieces, with_maps, jobs):
    """Yield the `fitted.Chunk` of each list of items, in order.

    Args:
        model: `fitted.Fitted`.
        reader: `loading.Reader`; every process gets its `part`.
        pieces: Lists of items.
        with_maps: Whether heat-maps are wanted.
        jobs: Processes, as joblib counts them.

    Raises:
        UserError: a process died.
    """
    with _folder(model) as (folder, threads):
        tasks = ((str(folder), threads, reader.part(piece), piece, with_maps) for piece in pieces)
        yield from results(_scored, tasks, jobs)


def _scored(folder, threads, reader, items, with_maps):
    """Return the chunk of some items, in whatever process this is."""
    from .fitted import Fitted

    key = folder, threads, (Path(folder) / "plan.json").stat().st_mtime_ns
    return opened(key, lambda: Fitted.load(folder, threads)).chunk(reader, items, with_maps)


@contextmanager
def _folder(model):
    """Give the folder that a model was loaded from, else one for the time being."""
    if model.place is not None and (model.place[0] / "plan.json").exists():
        yield model.place[0].resolve(), model.place[1] or 1
        return
    with TemporaryDirectory() as folder:
        model.save(Path(folder) / "model")
        yield Path(folder) / "model", 1
