"""Shares of a collection for several machines that do not know of each other."""

from hashlib import blake2b

from gantools.errors import UserError

BUCKETS = 10_000


def bucket(name: str, seed: int = 0, salt: str = "") -> int:
    """Return a number from 0 to 9 999 that depends only on the arguments."""
    text = f"{name}\0{seed}\0{salt}".encode(errors="surrogateescape")  # names need not be UTF-8
    digest = blake2b(text, digest_size=8).digest()
    return int.from_bytes(digest, "big") % BUCKETS


def parsed(shard: str | None) -> tuple[int, int] | None:
    """Return `(i, n)` of "i/n", counted from 1; None of None.

    Raises:
        UserError: not of that form.
    """
    if shard is None:
        return None
    first, slash, last = shard.partition("/")
    if not (slash and first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last)):
        raise UserError(f"--shard: expected I/N such as 1/4, I from 1 to N. Received: {shard}.")
    return int(first), int(last)


def portion(keys: list[str], part: tuple[int, int] | None) -> list[int]:
    """Return the indices of one share, in order; equal keys are in one share.

    The keys are put in the order of a hash and dealt like cards: shares differ by one key at most,
    and which one a key is in depends on the keys alone, not on their order.

    Args:
        keys: A text for each item.
        part: `(i, n)`, or None for all.
    """
    if part is None:
        return list(range(len(keys)))
    number, count = part
    order = sorted(set(keys), key=lambda key: (bucket(key, 0, "shard"), key))
    place = {key: i for i, key in enumerate(order)}
    return [i for i, key in enumerate(keys) if place[key] % count == number - 1]
