"""One check of a model: from its networks, samples and optimizers to a row of numbers."""

import math
from dataclasses import dataclass

import numpy as np
from keras import ops

from gantools.core import opponents, parallel, witnesses
from gantools.core.objectives import LOG2

SCORED = 1000  # samples of each kind that the discriminator scores
COMPARED = 500  # samples of each kind that are compared pair by pair
PLACES = SCORED * 64 * 64  # pixels of them: of larger pictures fewer, but those to be compared
FEWEST = 200  # held-out samples, below which overfitting is not judged
ENOUGH = 50  # reals, below which nothing is compared; with fewer unseen ones the seen ones serve
STEP = 0.1  # of the way to another latent


@dataclass(frozen=True)
class Rows:
    """Some samples of an array that are read when they are asked for: no copy of all of them.

    Attributes:
        array: `(n, ...)`.
        indices: `(m,)` int, which of them.
    """

    array: np.ndarray
    indices: np.ndarray

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, chosen):
        """Return a copy of the samples of some numbers from 0 to m - 1."""
        return self.array[self.indices[chosen]]

    @property
    def shape(self):
        """Return `(m, ...)`."""
        return len(self.indices), *self.array.shape[1:]


def observe(model, held_out=None, train=None, seed=0) -> dict:
    """Return the witnesses of a model now; the model is not changed.

    Args:
        model: A compiled `AdversarialModel`.
        held_out: Reals that no turn learns from: array or `Rows` `(n, ...)`, or dict with "x" and
            conditions; with integer labels "y" the classes of fakes are counted. uint8 is scaled to
            [-1, 1]. None: overfitting is not judged. Of a game whose samples are made of reals one
            half is used for that, and the other is compared. 1000 samples are looked at, of
            pictures above 64 x 64 pixels fewer, but 500.
        train: The reals of the training set, likewise, all of them; some take the held-out ones'
            place where these are fewer than 50.
        seed: Of the latents and of the choice of samples.

    Returns:
        Name -> number, or "not_finite" -> what is not finite. Witnesses that cannot be measured are
        absent or None, and "unseen" says why where the players could not be compared. "waiting"
        names a player that no turn has moved yet: nothing is measured of it.
    """
    game = model.game
    broken = next((f"a weight of the {n}" for n, p in game.players.items() if not _finite(p)), None)
    if broken:
        return {"not_finite": broken}
    ratio = rate_ratio(model)
    row = gradient_norms(model) | ({} if ratio is None else {"rate_ratio": ratio})
    still = waiting_players(model)
    row |= {"waiting": " and the ".join(still)} if still else {}
    held, trained = _pick(held_out, seed), _pick(train, seed)
    real = held if trained is None or _count(held) >= ENOUGH else trained
    reason = "there are no reals" if real is None else opponents.blocked(game, real)
    if not reason and _count(real) < ENOUGH:
        reason = f"there are only {_count(real)} reals, {ENOUGH} are needed"
    if not reason and "generator" in still:
        reason = "its generator waits, and has not moved yet"
    if reason:
        return row | {"unseen": reason}
    # What is made of one half is compared with the other: its original would be its twin.
    source, real = _halves(real) if opponents.made_of_reals(model, real) else (real, real)
    drawn = opponents.draws(model, len(source["x"]), seed, source)
    shape = real["x"].shape[1:]
    one = {name: values[:1] for name, values in drawn.items()}
    made = opponents.fakes(model, one, shape, lambda x, part: {"x": x})["x"].shape[1:]
    if made != shape:
        return row | {"unseen": f"its samples have shape {made}"}
    fake = opponents.fakes(model, drawn, shape, _looks(model, source))
    if not fake["finite"].all():
        return {"not_finite": "a sample of the generator"}
    row |= _without_discriminator(real, fake["features"])
    row |= _of_latents(model, drawn, real, fake["features"])
    if "discriminator" in still:
        return row
    scored = {"real": opponents.scores(model, real), "fake": fake["scores"]}
    row["auc"] = witnesses.auc(scored["real"], scored["fake"])
    row["blindness"] = row["neighbours"] - row["auc"]
    row |= probabilities(scored["real"], scored["fake"], game.equilibrium)
    judged = trained is not None and _count(held) >= ENOUGH and len(real["x"]) >= FEWEST
    if judged:  # `real` are samples that were held back
        total = len(train["x"] if isinstance(train, dict) else train)
        unseen = scored["real"]
        row |= _remembered(opponents.scores(model, trained), unseen, scored["fake"], total)
    return row


def waiting(model) -> list[str]:
    """Return the turns that pause, by `when` or `every`, and have not been played yet."""
    return [
        turn.name
        for turn in model.game.turns
        if turn.pauses
        and not opponents.numpy(parallel.value_of(model.optimizer.parts[turn.name].iterations))
    ]


def waiting_players(model) -> list[str]:
    """Return the players that only such turns move: they are as they were made."""
    still, turns = waiting(model), model.game.turns
    moved = {player for turn in turns if turn.name not in still for player in turn.players}
    held = (player for turn in turns if turn.name in still for player in turn.players)
    return [player for player in dict.fromkeys(held) if player not in moved]


def out_of_balance(model) -> list[str]:
    """Return the turns of `waiting` whose losses the game's balance is about.

    Until these are played the losses of all sides mean nothing: they are zeros, or judged by a
    player that has learned nothing.
    """
    sides = {name.partition("/")[0] for name in model.game.equilibrium}
    return [name for name in waiting(model) if name in sides]


def gradient_norms(model) -> dict:
    """Return turn -> RMS norm of its recent gradients, as "gradient/TURN".

    It is read from the running second moment that Adam and RMSprop keep anyway, so it costs no
    pass; turns with other optimizers, and turns that wait, are left out.
    """
    norms, still = {}, waiting(model)
    parts = ((name, part) for name, part in model.optimizer.parts.items() if name not in still)
    for name, part in parts:
        moments = [v for v in getattr(part, "_velocities", None) or [] if v is not None]
        if moments:
            total = sum(float(np.sum(opponents.numpy(v.value))) for v in moments)
            norms[f"gradient/{name}"] = math.sqrt(max(total, 0.0))
    return norms


def rate_ratio(model) -> float | None:
    """Return the generator's learning rate times updates over the discriminator's.

    None where the game has no such turns or their optimizers are of different kinds.
    """
    turns = {turn.name: turn for turn in model.game.turns}
    if not {"generator", "discriminator"} <= set(turns):
        return None
    parts = [model.optimizer.parts[name] for name in ("generator", "discriminator")]
    if type(parts[0]) is not type(parts[1]):
        return None
    g, d = (
        float(ops.convert_to_numpy(part.learning_rate)) * turns[name].repeats / turns[name].every
        for part, name in zip(parts, ("generator", "discriminator"), strict=True)
    )
    return g / d if d > 0 else None


def probabilities(real, fake, equilibrium) -> dict:
    """Return D(x) and D(G(z)) as the objective means them: both are 1/2 at its equilibrium.

    sigmoid of the scores for the minimax and non-saturating games, sigmoid(r - f) for relativistic
    pairing, nothing where scores are no logits.

    Args:
        real, fake: `(n,)` scores.
        equilibrium: `Game.equilibrium`.

    Returns:
        "p_real" and "p_fake", "p_real" alone, or nothing.

    Source: Goodfellow et al. 2014, arXiv 1406.2661, proposition 1 and theorem 1.
    """
    d, g = (equilibrium.get(f"{side}/adv", math.nan) for side in ("discriminator", "generator"))
    if math.isclose(d, 2 * LOG2) and math.isclose(abs(g), LOG2):
        return {"p_real": _mean_sigmoid(real), "p_fake": _mean_sigmoid(fake)}
    if math.isclose(d, LOG2) and math.isclose(g, LOG2):
        n = min(len(real), len(fake))
        return {"p_real": _mean_sigmoid(real[:n] - fake[:n])}
    return {}


def _mean_sigmoid(scores) -> float:
    return float(np.mean(0.5 * (1.0 + np.tanh(0.5 * scores))))


def _looks(model, source):
    """Return what `opponents.fakes` keeps of samples made of `source`: scores and features."""
    known = {name: values for name, values in source.items() if name != "x"}

    def look(x, part):
        told = {name: values[part] for name, values in known.items()}
        return {
            "features": witnesses.features(x),
            "scores": opponents.scores(model, {**told, "x": x}),
            "finite": np.array([np.isfinite(x).all()]),
        }

    return look


def _without_discriminator(real, fake) -> dict:
    """Compare reals and the features of fakes by features alone."""
    count = min(COMPARED, len(fake))
    a, b = opponents.features(real["x"][:count]), fake[:count]
    spread, rank = witnesses.mean_distance(a), witnesses.effective_rank(a)
    row = {
        "neighbours": witnesses.neighbour_accuracy(a, b),
        "diversity": witnesses.mean_distance(b) / spread if spread else None,
    }
    if a.shape[1] > witnesses.FEW_DIRECTIONS:
        row["rank"] = witnesses.effective_rank(b) / rank
    labels = real.get("y")
    if labels is not None and labels.ndim == 1 and np.issubdtype(labels.dtype, np.integer):
        shares = witnesses.class_shares(a, labels[:count], b)
        row["classes"] = witnesses.classes_present(shares, labels[:count])
        row["class_shares"] = [round(float(share), 4) for share in shares]
    return row


def _of_latents(model, drawn, real, fake) -> dict:
    """Return how much near and other latents change a sample; of these are features given."""
    count = min(COMPARED, len(fake))
    latents = {k: v[:count] for k, v in drawn.items() if np.issubdtype(v.dtype, np.floating)}
    fixed = {name: v[:count] for name, v in drawn.items() if name not in latents}
    if not latents:
        return {}
    other = {name: np.roll(v, 1, axis=0) for name, v in latents.items()}
    near = {name: v + STEP * (other[name] - v) for name, v in latents.items()}
    look = lambda x, part: {"x": witnesses.features(x)}  # noqa: E731
    shape = real["x"].shape[1:]
    ways = (opponents.fakes(model, {**fixed, **z}, shape, look)["x"] for z in (other, near))
    far, close = (float(np.mean(np.linalg.norm(way - fake[:count], axis=1))) for way in ways)
    row = {"near": close / far} if far > 0 else {}
    if fixed:
        row["other"] = far / witnesses.mean_distance(opponents.features(real["x"][:count]))
    return row


def _remembered(train, held, fake, total) -> dict:
    """Compare the scores of training samples with those of unseen ones."""
    value, error = witnesses.overfitting(train, held, fake, total)
    gap, gap_error = witnesses.auc_gap(train, held, fake, total)
    row = {"auc_gap": gap, "auc_gap_error": gap_error}
    return row if value is None else {**row, "overfitting": value, "overfitting_error": error}


def _pick(data, seed):
    """Return the samples of a check as a dict of arrays, None for none.

    Pictures stay as they are stored, a quarter of the bytes: floats are made of a chunk at a time.
    """
    data = data if isinstance(data, dict) or data is None else {"x": data}
    if not data or not len(next(iter(data.values()))):
        return None
    data = {k: v if isinstance(v, (np.ndarray, Rows)) else np.asarray(v) for k, v in data.items()}
    n = min(len(values) for values in data.values())
    chosen = np.random.default_rng([seed, n]).permutation(n)[: _most(data)]
    picked = {name: values[chosen] for name, values in data.items()}
    small = {k: opponents.as_in_a_step(v) for k, v in picked.items() if v.ndim < 3}
    return picked | small


def _most(data) -> int:
    """Return how many samples of some arrays a check takes."""
    places = max(math.prod(values.shape[1:-1]) for values in data.values())
    return max(COMPARED, min(SCORED, PLACES // places))


def _halves(data):
    """Return the first and the last half of samples, of equal length."""
    n = _count(data) // 2
    return tuple({k: v[part] for k, v in data.items()} for part in (np.s_[:n], np.s_[-n:]))


def _count(data) -> int:
    return 0 if data is None else len(next(iter(data.values())))


def _finite(player) -> bool:
    return all(np.isfinite(opponents.numpy(v.value)).all() for v in player.weights)
