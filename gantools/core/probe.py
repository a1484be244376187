"""`python -m gantools.core.probe`: does the backend train here? One line of JSON.

`gantools doctor` runs this in a process of its own, since a backend built for other processors
does not raise: it ends the process.
"""

import json
import sys
import time


def probe() -> dict:
    """Choose and load the backend, play two cycles of a tiny penalised game, and report.

    Returns:
        `backend`, `reason`, `version`, `devices` (list of names), `train_s` (compile and two
        cycles) and `finite` (no NaN in the logs or the samples).

    Raises:
        UserError: no backend can be chosen.
    """
    import keras
    import numpy as np

    from gantools.core import R1, AdversarialModel, Stream, backend, duel
    from gantools.data.synthetic import grid25

    start, chosen = time.perf_counter(), backend.choose_backend()
    activation = {"activation": "silu"}
    generator = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(8, **activation), keras.layers.Dense(2)]
    )
    discriminator = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(8, **activation), keras.layers.Dense(1)]
    )
    model = AdversarialModel(duel(generator, discriminator, penalties=(R1(0.1),)))
    model.compile({t.name: keras.optimizers.Adam(1e-3) for t in model.game.turns})
    history = model.fit(Stream(grid25(64), 16), steps_per_epoch=2, epochs=1, verbose=0).history
    finite = all(np.isfinite(values).all() for values in [*history.values(), model.sample(4)])
    return {
        "backend": chosen.name,
        "reason": chosen.reason,
        "version": sys.modules[chosen.name].__version__,
        "devices": _devices(keras),
        "train_s": round(time.perf_counter() - start, 2),
        "finite": bool(finite),
    }


def _devices(keras) -> list[str]:
    try:
        return [str(name) for name in keras.distribution.list_devices()]
    except AttributeError:  # Keras has no such list on PyTorch: say where a new tensor lies
        return [str(keras.ops.zeros(1).device)]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(probe()) + "\n")
