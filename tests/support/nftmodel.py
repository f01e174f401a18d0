"""A small model of nftables: what a text of ours makes, and what it may not do, as the kernel sees it."""

import re


class NftModel:
    """A table: chains with their rules, counters, sets, elements of maps. Texts are done whole."""

    def __init__(self) -> None:
        self.chains: dict[str, list[str]] = {}
        self.objects: set[tuple[str, str]] = set()
        self.maps: dict[str, dict[str, str]] = {}

    def run(self, text: str) -> None:
        """Do all commands of a text. What the kernel would refuse raises."""
        block, _, rest = text.partition("\n}\n") if text.startswith("table ") else ("", "", text)
        for name in re.findall(r"\tmap (\S+) \{", block):
            self.maps[name] = {}
        for name, rules in re.findall(r"\tchain (\S+) \{\n(.*?)\n\t\}", block, re.DOTALL):
            self.chains[name] = [line.strip() for line in rules.splitlines()]
        for line in rest.splitlines():
            verb, kind, _, _, name, *words = line.split()
            self._do(verb, kind, name, " ".join(words))
        self._check_references()

    def _do(self, verb: str, kind: str, name: str, words: str) -> None:
        match verb, kind:
            case "add", "chain":
                assert name not in self.chains, f"{name} is there already"
                self.chains[name] = []
            case "flush", "chain":
                self.chains[name].clear()
            case "delete", "chain":
                assert not self.chains.pop(name), f"{name} was not flushed"
                assert not self._uses(f"goto {name}"), f"{name} is in use"
            case "add", "rule":
                self.chains[name].append(words)
            case "add", "element":
                for pair in words.strip("{ }").split(", "):
                    key, there = pair.split(" : ")
                    assert self.maps[name].setdefault(key, there) == there
            case "delete", "element":
                for key in words.strip("{ }").split(", "):
                    del self.maps[name][key]
            case "add", _:
                assert (kind, name) not in self.objects, f"{kind} {name} is there already"
                self.objects.add((kind, name))
            case "delete", _:
                self.objects.remove((kind, name))
                assert not self._uses(f"@{name}" if kind == "set" else f'"{name}"'), f"{name} is in use"

    def _uses(self, what: str) -> bool:
        held = [*self.maps["balanced"].values(), *(rule for rules in self.chains.values() for rule in rules)]
        return any(f"{what} " in f"{text},".replace(",", " ") for text in held)

    def _check_references(self) -> None:
        for text in (*self.maps["balanced"].values(), *(rule for rules in self.chains.values() for rule in rules)):
            for name in re.findall(r"goto ([^ ,]+)", text):
                assert name in self.chains, f"{text}: no chain {name}"
            for name in re.findall(r"@(kept-\d+)", text):
                assert ("set", name) in self.objects, f"{text}: no set {name}"
            for name in re.findall(r'counter name "(.+?)"', text):
                assert ("counter", name) in self.objects, f"{text}: no counter {name}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NftModel) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]
