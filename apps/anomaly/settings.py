"""What a person chose, kept in `plan.json`; two jobs with the same settings give the same model."""

from dataclasses import asdict, dataclass, fields

from gantools.errors import UserError

LITERATURE = ("anogan", "f_anogan", "egbad", "alad", "ganomaly", "skip_ganomaly")
DETECTORS = ("auto", "encoder", "restorer", "references", *LITERATURE)
MOST_TRAINED, MOST_LOOKED = 256, 448  # sides of squares that a network is trained on, or only sees
DECISIVE = (
    "detector", "minutes", "seed", "side", "without", "scans", "faithful", "restoration",
    "groups", "label", "time_col", "drop",
)  # fmt: skip  # of the model
SEVERAL = ("without", "drop")  # options that may be repeated


@dataclass(frozen=True)
class Settings:
    """What decides the result.

    Attributes:
        detector: One of `DETECTORS`.
        minutes: Time for training.
        seed: Of everything random.
        side: Of the detector's square, None to choose.
        fpr: Wanted share of false alarms among normals.
        confidence: Chance that the realised share stays below `fpr`, or None for its mean.
        without: Parts that do not rank.
        scans: Whether pictures are scans; DICOM and NIfTI always are.
        groups, label, time_col: What the options of these names said of the data, or None: they
            divide the normals, and say which items are some.
        drop: Columns of a table that are no features.
        faithful: Whether a detector of the literature is the published one: its losses, norms,
            rates and score, whether or not they suit the minutes that there are.
        restoration: Whether a restorer is trained beside the encoder, for the cards.

    Raises:
        UserError: faithful, and the detector was published nowhere; or a restoration beside
            another detector than the encoder.
    """

    detector: str = "auto"
    minutes: float = 2.0
    seed: int = 0
    side: int | None = None
    fpr: float = 0.05
    confidence: float | None = None
    without: tuple[str, ...] = ()
    scans: bool = False
    groups: str | None = None
    label: str | None = None
    time_col: str | None = None
    drop: tuple[str, ...] = ()
    faithful: bool = False
    restoration: bool = False

    def __post_init__(self):
        if self.faithful and self.detector not in LITERATURE:
            raise UserError(
                f"--faithful: expected --detector {', '.join(LITERATURE)}, which were published. "
                f"Received: {self.detector}."
            )
        if self.restoration and self.detector not in ("auto", "encoder"):
            raise UserError(
                "--restoration is for the encoder, which draws none itself: expected --detector "
                f"encoder or auto. Received: {self.detector}."
            )

    @classmethod
    def of(cls, stored, **changes) -> "Settings":
        """Return settings from JSON values, some of them changed; unknown keys are left out."""
        known = {field.name for field in fields(cls)}
        values = {k: v for k, v in (stored | changes).items() if k in known}
        return cls(**(values | {name: tuple(values.get(name, ())) for name in SEVERAL}))

    def to_dict(self) -> dict:
        """Return JSON values."""
        return asdict(self) | {name: list(getattr(self, name)) for name in SEVERAL}

    def ranked(self, names) -> tuple[str, ...]:
        """Return the parts that rank.

        Raises:
            UserError: a part to leave out is not among them, or none would be left.
        """
        unknown = [name for name in self.without if name not in names]
        left = tuple(name for name in names if name not in self.without)
        if unknown or not left:
            raise UserError(
                f"--without {', '.join(unknown) or 'everything'}: the parts that rank here are "
                f"{', '.join(names)}, and one has to stay."
            )
        return left

    def changed(self, stored) -> list[str]:
        """Return "name old -> new" of what decides the model and differs from JSON values."""
        ours, theirs = asdict(self), asdict(Settings.of(stored))
        return [f"{k} {theirs[k]} -> {ours[k]}" for k in DECISIVE if theirs[k] != ours[k]]
