"""From samples to figures: medians, ratios within a round, bars, the table. Pure.

`results` is {case: {cell: [sample or None, one for each round]}}; a sample is {measure: number}. None: it failed."""
import statistics


def values(results, case, cell, measure):
    """One for each round; None where it was not measured."""
    samples = results.get(case, {}).get(cell, [])
    return [sample.get(measure) if sample else None for sample in samples]


def ratios(ours, theirs):
    """Round by round, where both were measured and there is something to divide by."""
    return [a / b for a, b in zip(ours, theirs) if a is not None and b]


def spread(figures):
    """{median, least, most}; None of nothing."""
    if not figures:
        return None
    return {"median": statistics.median(figures), "least": min(figures), "most": max(figures), "rounds": len(figures)}


def known(figures):
    return [f for f in figures if f is not None]


def bar_figures(results, bar):
    own = values(results, bar.case, bar.of, bar.measure)
    return ratios(own, values(results, bar.case, bar.to, bar.measure)) if bar.to else known(own)


def holds(figure, bar):
    return figure <= bar.most if bar.least is None else figure >= bar.least


def judge(bar, figures):
    """The median decides. "~" says that rounds lie on both sides of the bar, so that another run may say otherwise."""
    if not figures:
        return "not measured"
    verdict = "pass" if holds(statistics.median(figures), bar) else "FAIL"
    return verdict + ("~" if len({holds(f, bar) for f in figures}) == 2 else "")


def judged(results, bars):
    """Of the cases that were run: one dict for each bar."""
    found = []
    for bar in bars:
        if bar.case in results:
            figures = bar_figures(results, bar)
            found.append({"case": bar.case, "measure": bar.measure, "of": bar.of, "to": bar.to, "most": bar.most,
                          "least": bar.least, "unit": bar.unit, "figure": spread(figures),
                          "verdict": judge(bar, figures)})
    return found


def is_missed(bars):
    return any(bar["verdict"].startswith("FAIL") for bar in bars)


def number(value, digits=3):
    """With so many digits that count, never in the form 1e+05."""
    if value is None:
        return "-"
    if abs(value) >= 10 ** (digits - 1) or value == 0:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}" if abs(value) >= 0.001 else f"{value:.4f}"


def range_of(figure, form=number):
    """median [least-most]; the brackets only where there is more than one round."""
    if figure is None:
        return "-"
    text = form(figure["median"])
    return text if figure["rounds"] < 2 else f"{text} [{form(figure['least'])}-{form(figure['most'])}]"


def two_places(value):
    return f"{value:.2f}"


def columns(rows):
    """Lines with the columns aligned: the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:]))]).rstrip()
            for row in rows]


LOAD_HEAD = ("case", "who", "tps", "p50 us", "p99 us", "CPU us/tx", "user", "CPU: x PgBouncer", "tps: x PgBouncer")


def load_row(results, case, cell, base):
    def median_of(measure):
        return number((spread(known(values(results, case, cell, measure))) or {}).get("median"))
    compared = ["-", "-"]
    if cell != base:
        compared = [range_of(spread(ratios(values(results, case, cell, m), values(results, case, base, m))), two_places)
                    for m in ("cpu_us", "tps")]
    user = spread(known(values(results, case, cell, "user_share")))
    return [case, cell, median_of("tps"), median_of("p50_us"), median_of("p99_us"), median_of("cpu_us"),
            f"{user['median']:.0%}" if user else "-", *compared]


def trial_rows(results, case):
    for cell, samples in results[case].items():
        for measure in dict.fromkeys(m for sample in samples if sample for m in sample):
            yield [case, cell, measure, range_of(spread(known(values(results, case, cell, measure))))]


def bar_row(bar):
    form = two_places if bar["to"] else number
    limit = f"at most {bar['most']:g}" if bar["least"] is None else f"at least {bar['least']:g}"
    what = f"{bar['measure']} of {bar['of']}" + (f" / {bar['to']}" if bar["to"] else "")
    return [bar["case"], what, f"{limit} {bar['unit']}", range_of(bar["figure"], form), bar["verdict"]]


def disturbance(results):
    """What others took of the machine during the samples; None when no sample tells."""
    return spread([sample["others"] for cells in results.values() for samples in cells.values()
                   for sample in samples if sample and "others" in sample])


def disturbance_line(results):
    others = disturbance(results)
    if others is None:
        return []
    return [f"other processes took {others['median']:.0%} of the machine during a run (median; at most "
            f"{others['most']:.0%})", ""]


def table(results, load_cases, base, bars, failures):
    """The whole report as lines."""
    lines, loads = [], [c for c in results if c in load_cases]
    if loads:
        lines += columns([LOAD_HEAD, *(load_row(results, c, cell, base) for c in loads for cell in results[c])]) + [""]
    others = [row for case in results if case not in load_cases for row in trial_rows(results, case)]
    if others:
        lines += columns([("case", "who", "measure", "figure"), *others]) + [""]
    if bars:
        lines += columns([("bar", "what", "limit", "median [range]", "verdict"), *map(bar_row, bars)]) + [""]
    return lines + disturbance_line(results) + [f"failed: {failure}" for failure in failures]
