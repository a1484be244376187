"""`Health`: a callback that says by itself whether a run is alive.

`witnesses.py` measures, `observe.py` looks at a model, `verdicts.py` judges; this file decides when
to look and what to do about it.

When to look is a number of cycles that is settled once, at the first check, and then stands in the
rows: the clock of a busy machine decides nothing later, and a run that goes on has its checks, and
what follows from them, in the cycles of one that was never interrupted.
"""

import json
import math
import statistics
import time
from pathlib import Path

from gantools.core import bands, observe, verdicts
from gantools.core.callbacks import Counting, read_log
from gantools.core.state import load_state, newest_state, read_meta, save_state
from gantools.data.files import atomic
from gantools.errors import UserError

ACTIONS = ("warn", "stop", "rollback")
TIMED = 0.1  # cycles that tell how fast a run is, of those between two checks


class Health(Counting):
    """Check the run every so often, write the numbers, and act on an alarm.

    Losses are looked at in every cycle. A check changes nothing in the model: a run with checks
    equals one without. Games without the players "generator" and "discriminator" are watched for
    values that are not finite and for gradients only.

    Args:
        held_out: Reals that the run does not learn from: array `(n, ...)` or dict with "x" and the
            discriminator's conditions; with integer labels "y" classes are counted. None: the
            training samples are used, and overfitting is not judged; it needs at least 200.
        train: The training set, likewise; `observe.Rows` in place of an array spares a copy. Its
            size tells how exactly the scores of some samples give those of all.
        every: Cycles between two checks, at least; the first check comes after as many.
        budget: Largest share of the run's time for checks from the second on. The first one is
            timed, and `interval` is so many times `every` that the share is kept. None: `every`.
        path: JSON-lines file for a row a check; rows of cycles after the state that a run resumes
            from are dropped, and the others count on. None keeps them in memory.
        on_alarm: "warn" says it; "stop" also ends training; "rollback" also brings back the last
            healthy state. No setting of the run is ever changed.
        states: Folder for the healthy state to go back to; needed for "rollback".
        say: Called with each line that a person should read.
        seed: Of the latents and of the choice of samples.

    Attributes:
        rows: The rows so far, oldest first.
        interval: Cycles between two checks, None before the first: the second check comes after
            two intervals, the third after three. Rows in `path` bring back that of the run.
        alarms: Every alarm that this object raised: dicts of its cycle and its `Verdict`'s fields.
        before: Likewise those that were raised in the rows that this `fit` took up.
        spent: Seconds of checks in this `fit`.
        restored: Cycle that this `fit` brought back, or None.

    Raises:
        UserError: unknown action, or "rollback" without a folder.
    """

    def __init__(
        self,
        held_out=None,
        train=None,
        *,
        every=1000,
        budget=0.02,
        path=None,
        on_alarm="warn",
        states=None,
        say=lambda line: None,
        seed=0,
    ):
        super().__init__()
        if on_alarm not in ACTIONS:
            expected = ", ".join(ACTIONS)
            raise UserError(f"on_alarm must be one of {expected}. Received: {on_alarm!r}.")
        if on_alarm == "rollback" and states is None:
            raise UserError('on_alarm="rollback" needs a folder for states. Give states=FOLDER.')
        self.held_out, self.train, self.seed = held_out, train, seed
        self.every, self.budget, self.on_alarm, self.say = every, budget, on_alarm, say
        self.path = Path(path) if path else None
        self.states = Path(states) if states else None
        self.rows, self.alarms, self.spent, self.restored = [], [], 0.0, None
        self.before, self.interval = [], None

    def on_train_begin(self, logs=None):
        """Take up the rows of the run so far, and say which alarms still stand."""
        super().on_train_begin()
        self.spent, self.restored = 0.0, None
        self._sums, self._count, self._broken = {}, 0, False
        written = self.path and self.path.exists()
        rows = read_log(self.path) if written else self.rows
        self.rows = [row for row in rows if row["cycle"] <= self.cycle]
        self.interval = self._settled(rows)
        self._due, self._timed = self._next(), None
        self._waiting = observe.out_of_balance(self.model)
        if written:
            with atomic(self.path) as part:
                Path(part).write_text("".join(json.dumps(row) + "\n" for row in self.rows))
        self.before = raised(self.rows)  # not as was written: a start that is killed writes nothing
        known = [v for v in self.verdicts() if v.state == "alarm" and v.finding != "divergence"]
        self._active = {verdict.finding for verdict in known}  # divergence is acted upon again
        for verdict in known:
            self.say(f"From before: {verdict.line()}")
        self._unseen = None

    def on_train_batch_end(self, batch, logs=None):
        """Look at the losses, and check when due."""
        self.counted(batch)
        self._timed = self._timed or (time.monotonic(), self.cycle)  # the first cycle compiles
        for name, value in (logs or {}).items():
            value = float(value)
            if not math.isfinite(value) and not self._broken:
                self._add({"cycle": self.cycle, "not_finite": name})
            if not self._waiting:
                self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += not self._waiting
        self._waiting = [name for name in self._waiting if not (logs or {}).get(f"{name}/played")]
        if self.cycle >= self._due and not self._broken:
            self._check()

    def verdicts(self) -> list[verdicts.Verdict]:
        """Return the verdicts of the newest row, alarms first; none before the first check."""
        return verdicts.judge(self.rows) if self.rows else []

    def _check(self):
        start = time.monotonic()
        model = self.model
        row = {"cycle": self.cycle, "images": int(model.images)}
        row |= observe.observe(model, self.held_out, self.train, self.seed + self.cycle)
        row |= gradient_changes(row, self.rows)
        for name, balanced in model.game.equilibrium.items():
            if name in self._sums:
                row[f"distance/{name}"] = self._sums[name] / self._count - balanced
        self._sums, self._count = {}, 0
        self._waiting = observe.out_of_balance(model)
        if row.get("unseen") != self._unseen and "not_finite" not in row:
            self._unseen = row.get("unseen")
            self.say(f"Health sees only losses, weights and gradients: {self._unseen}.")
        row["seconds"] = time.monotonic() - start
        row = {name: None if _unwritable(value) else value for name, value in row.items()}
        self._add(row, start)
        self.spent += time.monotonic() - start
        self._due = self._next()

    def _add(self, row, start=None):
        """Keep a row, and act on the alarms that it begins.

        Args:
            row: The row.
            start: When its check began; None for one that is no check.
        """
        self.rows.append(row)
        self._broken = "not_finite" in row
        found = self.verdicts()
        alarms = [verdict for verdict in found if verdict.state == "alarm"]
        new = [verdict for verdict in alarms if verdict.finding not in self._active]
        self._active = {verdict.finding for verdict in alarms}
        for verdict in new:
            self.alarms.append({"cycle": row["cycle"], **vars(verdict)})
            self.say(f"Cycle {row['cycle']}: {verdict.line()}")
        if self.on_alarm == "rollback" and not new and not self._broken:
            self._keep(all(verdict.state in ("ok", "note") for verdict in found))
        if start is not None:
            self.interval = self.interval or self._spaced(start)
            row["interval"] = self.interval
        if self.path:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        if new and self.on_alarm != "warn":
            self._end(new[0])

    def _keep(self, healthy):
        """Save the state to go back to: a healthy one, and until there is one any finite one."""
        newest = newest_state(self.states)
        meta = read_meta(newest) if newest else None
        if healthy or not (meta and meta["notes"].get("healthy")):
            notes = {"healthy": healthy}
            save_state(self.model, self.states, keep=1, notes=notes, alone=True)

    def _end(self, verdict):
        """Stop the run; for "rollback", where the last good state was."""
        model = self.model
        model.stop_training = True
        if self.on_alarm == "stop":
            self.say(f"Stopped in cycle {self.cycle} because of {verdict.finding}.")
            return
        newest = newest_state(self.states)
        meta = read_meta(newest) if newest else None
        good = meta and (meta["notes"].get("healthy") or verdict.witness == "not_finite")
        if not good:
            self.say(f"Stopped because of {verdict.finding}: there was no healthy state before.")
            return
        if load_state(model, self.states) is None:
            self.say(f"Stopped because of {verdict.finding}: the state to go back to is damaged.")
            return
        self.restored = meta["cycle"]
        self.say(
            f"Stopped because of {verdict.finding}; the model is that of cycle {self.restored} "
            "again, its settings are unchanged."
        )

    def _settled(self, rows):
        """Return the interval of a run, None before its first check."""
        if not self.budget:
            return self.every
        known = [self.interval, *(row.get("interval") for row in rows)]
        known = [interval for interval in known if interval and interval % self.every == 0]
        return known[-1] if known else None

    def _spaced(self, start):
        """Return the interval that keeps the budget if checks take as long as the one that ends.

        Args:
            start: When it began.
        """
        began, first = self._timed
        if self.cycle - first < max(1, TIMED * self.every):
            return None  # this start has only begun: its next check tells
        pace = (self.cycle - first) / max(start - began, 1e-9)  # cycles a second
        wait = (time.monotonic() - start) / self.budget * pace
        return self.every * max(1, math.ceil(wait / self.every))

    def _next(self):
        """Return the cycle of the next check: it follows from the cycle and the interval alone."""
        if self.cycle < self.every or self.interval is None:
            return (self.cycle // self.every + 1) * self.every
        return max(2, self.cycle // self.interval + 1) * self.interval


def _unwritable(value) -> bool:
    """Return whether JSON has no such number."""
    return isinstance(value, float) and not math.isfinite(value)


def raised(rows) -> list[dict]:
    """Return the alarms that a run of these rows has raised: each in the row that it begins in.

    Args:
        rows: Rows of a run, oldest first.

    Returns:
        Dicts as in `Health.alarms`.
    """
    found, active = [], set()
    for n, row in enumerate(rows, 1):
        alarms = [verdict for verdict in verdicts.judge(rows[:n]) if verdict.state == "alarm"]
        found += [{"cycle": row["cycle"], **vars(v)} for v in alarms if v.finding not in active]
        active = {verdict.finding for verdict in alarms}
    return found


def gradient_changes(row, rows) -> dict:
    """Return each gradient norm of a row over its median in the rows before, at least three."""
    found = {}
    for name in [key for key in row if key.startswith("gradient/")]:
        before = [old[name] for old in rows if old.get(name)]
        if row[name] is not None and len(before) >= bands.TIMES:
            turn = name.removeprefix("gradient/")
            found[f"gradient_change/{turn}"] = row[name] / statistics.median(before)
    return found
