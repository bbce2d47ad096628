#!/usr/bin/env python3
"""The sharding functions once more, from their definitions, with hashlib: what shard_router is compared with.

Run as a program it prints tests/golden/shard_placement.txt, which is committed so that nobody changes where
keys live without noticing.
"""
import bisect, hashlib, random


def md5(text):
    return hashlib.md5(text.encode()).digest()


class Modulo:
    def __init__(self, count):
        self.names, self.count = [f"s{i}" for i in range(count)], count

    def shard(self, key):
        return self.names[int(hashlib.md5(key.encode()).hexdigest(), 16) % self.count]


class Slots:
    def __init__(self, names):
        self.names = names

    def shard(self, key):
        slot = int.from_bytes(md5(key), "big") & 16383
        bounds = [16384 * (i + 1) // len(self.names) for i in range(len(self.names))]
        return self.names[bisect.bisect_right(bounds, slot)]


class Ring:
    """First point at or after the key's position; 64 bits, big-endian."""

    def __init__(self, weights, vnodes):
        points = [(self.position(f"{name}#{r}"), name) for name, weight in weights.items()
                  for r in range(round(vnodes * weight))]
        points.sort()
        self.positions, self.owners = [p for p, _ in points], [n for _, n in points]

    @staticmethod
    def position(text):
        return int.from_bytes(md5(text)[:8], "big")

    def shard(self, key):
        at = bisect.bisect_left(self.positions, self.position(key))
        return self.owners[at % len(self.owners)]


class Ketama(Ring):
    """libketama's circle: four 32-bit little-endian points from each MD5 of "name-r"."""

    def __init__(self, weights, vnodes):
        total, points = sum(weights.values()), []
        for name, weight in weights.items():
            for r in range(int(vnodes // 4 * len(weights) * weight // total)):
                digest = md5(f"{name}-{r}")
                points += [(int.from_bytes(digest[4 * h:4 * h + 4], "little"), name) for h in range(4)]
        points.sort()
        self.positions, self.owners = [p for p, _ in points], [n for _, n in points]

    @staticmethod
    def position(text):
        return int.from_bytes(md5(text)[:4], "little")


CASES = [
    ("--scheme md5_modulo --shards 4", Modulo(4)),
    ("--scheme md5_modulo --shards 7", Modulo(7)),
    ("--scheme slots --shards a,b,c", Slots(["a", "b", "c"])),
    ("--scheme ring --shards a,b,c", Ring({"a": 1, "b": 1, "c": 1}, 1024)),
    ("--scheme ring --vnodes 1 --shards a,b,c,d", Ring(dict.fromkeys("abcd", 1), 1)),
    ("--scheme ring --vnodes 160 --shards a=2,b=1,c=0.5", Ring({"a": 2, "b": 1, "c": 0.5}, 160)),
    ("--scheme ring --layout ketama --shards h1:11211,h2:11211,h3:11211",
     Ketama(dict.fromkeys(["h1:11211", "h2:11211", "h3:11211"], 1), 160)),
    ("--scheme ring --layout ketama --shards a=2,b=1,c=1", Ketama({"a": 2, "b": 1, "c": 1}, 160)),
]


def keys():
    chance = random.Random(20261124)
    alphabet = "abcxyzABC0189 _-ñ日\t'\"\\"
    return [f"user:{i}" for i in range(60)] + \
        ["".join(chance.choices(alphabet, k=chance.randint(1, 40))) for _ in range(60)]


def placement():
    return [f"{arguments}\t{key}\t{scheme.shard(key)}" for arguments, scheme in CASES for key in keys()]


if __name__ == "__main__":
    print("\n".join(placement()))
