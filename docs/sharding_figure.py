#!/usr/bin/env python3
"""Draws docs/sharding.svg: how even a ring is, by its points a shard.  The figures are shard_router's.

usage: sharding_figure.py SHARD_ROUTER > docs/sharding.svg
"""
import json, math, subprocess, sys

VNODES = [1, 4, 16, 64, 160, 256, 1024, 4096]
SHARDS = {4: "#1b6ca8", 16: "#c8553d", 64: "#3a7d44"}
LEFT, TOP, WIDTH, HEIGHT, TOP_SKEW = 64, 56, 560, 300, 6


def skew(shards, vnodes):
    """The largest shard's part of the circle over the mean."""
    words = [sys.argv[1], "--scheme", "ring", "--shards", str(shards), "--vnodes", str(vnodes), "--keys", "1",
             "--stats", "--json"]
    report = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    return max(shard["true_share"] for shard in report["shards"]) * shards


def x(vnodes):
    return LEFT + WIDTH * math.log(vnodes) / math.log(VNODES[-1])


def y(ratio):
    return TOP + HEIGHT * (1 - math.log(ratio) / math.log(TOP_SKEW))


def text(at_x, at_y, words, anchor="middle", extra=""):
    return f'<text x="{at_x:.1f}" y="{at_y:.1f}" text-anchor="{anchor}"{extra}>{words}</text>'


def main():
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 96} {TOP + HEIGHT + 64}" '
           'font-family="DejaVu Sans, sans-serif" font-size="12" fill="#222">',
           '<rect width="100%" height="100%" fill="#fff"/>',
           text(LEFT, 24, "A ring evens out with its points: fullest shard over the mean", "start",
                ' font-size="15" font-weight="bold"'),
           text(LEFT, 42, "solid: the arcs of this ring; dashed: 1 + √(2 ln N / V)", "start", ' fill="#555"')]
    for ratio in (1, 1.1, 1.5, 2, 3, 4, 6):
        out += [f'<path d="M{LEFT} {y(ratio):.1f}h{WIDTH}" stroke="#ddd"/>', text(LEFT - 8, y(ratio) + 4, ratio, "end")]
    for vnodes in VNODES:
        if vnodes != 256:  # its label would touch that of 160
            out.append(text(x(vnodes), TOP + HEIGHT + 20, f"{vnodes:,}"))
    out.append(text(LEFT + WIDTH / 2, TOP + HEIGHT + 44, "virtual nodes a shard (V)"))
    for place, (shards, color) in enumerate(SHARDS.items()):
        points = [(x(v), y(skew(shards, v))) for v in VNODES]
        expected = [(x(v), y(1 + math.sqrt(2 * math.log(shards) / v))) for v in VNODES]
        for line, dash in ((points, ""), (expected, ' stroke-dasharray="3 4" opacity="0.6"')):
            joined = " ".join(f"{a:.1f},{b:.1f}" for a, b in line)
            out.append(f'<polyline points="{joined}" fill="none" stroke="{color}" stroke-width="2"{dash}/>')
        out += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{color}"/>' for a, b in points]
        out += [f'<path d="M{LEFT + WIDTH - 110} {TOP + 14 + 20 * place}h24" stroke="{color}" stroke-width="2"/>',
                text(LEFT + WIDTH - 80, TOP + 18 + 20 * place, f"{shards} shards", "start")]
    print("\n".join([*out, "</svg>"]))


if __name__ == "__main__":
    main()
