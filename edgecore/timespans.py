"""How long something lasts, in words."""

_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def duration(seconds: float) -> str:
    """Return ``seconds`` in its two largest units: ``2 h 5 min``."""
    left = int(seconds)
    words: list[str] = []
    for unit, size in _UNITS:
        number, left = divmod(left, size)
        if words or number:
            words.append(f"{number} {unit}")
        if len(words) == 2:
            break
    return " ".join(word for word in words if not word.startswith("0 ")) or "0 s"
