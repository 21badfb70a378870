"""A plain reading of the definitions in numpy and scipy: one JSON case a line in, one answer a line out.

Which of two Sharpe ratios is higher is decided by fractions, since equals are common among combinations and
floats miss them. Nothing here is taken from the Rust beside it; ChaCha8 and how a seed becomes its key are written from
their descriptions (Bernstein 2008; rand_core's documentation of seed_from_u64).
"""

import itertools
import json
import math
import sys
from fractions import Fraction

import numpy as np
from scipy import stats

try:
    import ffn
    import pandas
except ImportError:
    ffn = None


def nothing_if_nan(value):
    return None if value is None or not math.isfinite(value) else float(value)


def sharpe(days):
    days = np.asarray(days)
    if len(days) < 2 or np.all(days == days[0]):
        return None
    return float(days.mean() / days.std(ddof=1))


def order(days):
    """What orders the ratios of series of one length: the square of the ratio with its sign; days are lamports."""
    whole = [int(day) for day in days]
    total = sum(whole)
    spread = len(whole) * sum(day**2 for day in whole) - total**2
    return -math.inf if spread == 0 else Fraction(total * abs(total), spread)


def expected_best(ratios):
    count = len(ratios)
    if count == 0:
        return None
    if count == 1:
        return 0.0
    quantiles = stats.norm.ppf([1 - 1 / count, 1 - 1 / (count * math.e)])
    return float(np.std(ratios, ddof=1) * ((1 - np.euler_gamma) * quantiles[0] + np.euler_gamma * quantiles[1]))


def deflated(days, benchmark):
    ratio = sharpe(days)
    if len(days) < 3 or ratio is None:
        return None
    skewness, kurtosis = stats.skew(days), stats.kurtosis(days, fisher=False)
    inner = 1 - skewness * ratio + (kurtosis - 1) / 4 * ratio**2
    if not inner > 0:
        return None
    return float(stats.norm.cdf((ratio - benchmark) * math.sqrt(len(days) - 1) / math.sqrt(inner)))


def probability_of_overfitting(series, blocks, ratio):
    count, days = len(series), len(series[0])
    if count < 2 or days < 2 * blocks:
        return None
    each = days // blocks

    def ratios(chosen):
        places = [day for block in chosen for day in range(block * each, (block + 1) * each)]
        return [ratio([days[place] for place in places]) for days in series]

    below = splits = 0
    for chosen in itertools.combinations(range(blocks), blocks // 2):
        rest = [block for block in range(blocks) if block not in chosen]
        inside, outside = ratios(chosen), ratios(rest)
        best = inside.index(max(inside))
        lower = sum(other < outside[best] for other in outside)
        equal = sum(other == outside[best] for other in outside)
        rank = Fraction(2 * lower + equal + 1, 2)
        below += rank / (count + 1) <= Fraction(1, 2)
        splits += 1
    return below / splits


def overfitting(case):
    ratios = [sharpe(days) for days in case["series"]]
    kept = [days for days, ratio in zip(case["series"], ratios) if ratio is not None]
    defined = [ratio for ratio in ratios if ratio is not None]
    if not defined:
        return {"undefined": len(ratios)}
    exact = [order(days) for days in kept]
    best = exact.index(max(exact))
    benchmark = expected_best(defined)
    return {
        "undefined": len(ratios) - len(defined),
        "best": [place for place, ratio in enumerate(ratios) if ratio is not None][best],
        "best_sharpe": defined[best],
        "expected_best_sharpe": benchmark,
        "deflated_sharpe_ratio": deflated(kept[best], benchmark),
        "probability_of_overfitting": probability_of_overfitting(kept, case["blocks"], order),
        "floats_differ": floats_differ(kept, defined, best, case["blocks"]),
        "ffn": None if "tied" in case else of_ffn(kept, defined, best, case["blocks"]),
    }


def floats_differ(kept, ratios, best, blocks):
    """Whether ratios in floats would give another best or another probability."""

    def in_floats(days):
        ratio = sharpe(days)
        return -math.inf if ratio is None else ratio

    exact = probability_of_overfitting(kept, blocks, order)
    return int(np.argmax(ratios)) != best or probability_of_overfitting(kept, blocks, in_floats) != exact


def of_ffn(kept, ratios, best, blocks):
    """The same by ffn. Its deflated ratio is of unbiased moments, so that it is another; halves that stand
    still leave its probability undefined, and blocks of one day are enough for it."""
    if ffn is None:
        return None
    series = pandas.DataFrame(np.array(kept).T)
    count, days = len(ratios), len(series)
    found = {
        "best_sharpe": float(ffn.calc_sharpe(series[best], nperiods=365, annualize=False)),
        "expected_best_sharpe": float(ffn.core.calc_expected_max_sharpe(count, np.std(ratios, ddof=1)))
        if count > 1
        else None,
    }
    if count > 1 and days >= 2 * blocks:
        found["probability_of_overfitting"] = nothing_if_nan(ffn.calc_prob_backtest_overfitting(series, blocks))
    return found


def concordance(case):
    x, y = np.array(case["pairs"]).T
    covariance = np.cov(x, y, ddof=0)[0, 1]
    return nothing_if_nan(2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2))


WORD = 0xFFFFFFFF


def key_of(seed):
    """seed_from_u64: eight outputs of PCG32."""
    state, words = seed, []
    for _ in range(8):
        state = (state * 6364136223846793005 + 11634580027462260723) & 0xFFFFFFFFFFFFFFFF
        shifted = (((state >> 18) ^ state) >> 27) & WORD
        turn = state >> 59
        words.append(((shifted >> turn) | (shifted << (32 - turn))) & WORD if turn else shifted)
    return words


def chacha8(key, stream):
    """The words of one stream: counter in words 12 and 13, stream in 14 and 15."""

    def quarter(x, a, b, c, d):
        for to, other, turned, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[to] = (x[to] + x[other]) & WORD
            mixed = x[turned] ^ x[to]
            x[turned] = ((mixed << by) | (mixed >> (32 - by))) & WORD

    for counter in itertools.count():
        start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *key]
        start += [counter & WORD, counter >> 32, stream & WORD, stream >> 32]
        x = list(start)
        for _ in range(4):
            for column in range(4):
                quarter(x, column, column + 4, column + 8, column + 12)
            for a, b, c, d in ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
                quarter(x, a, b, c, d)
        yield from ((a + b) & WORD for a, b in zip(x, start))


def interval(case):
    groups, count = case["groups"], len(case["groups"])
    # Words whose products with count would favour some groups.
    refused = 2**32 % count
    sums = []
    for resample in range(case["resamples"]):
        words = chacha8(key_of(case["seed"]), resample)
        drawn = []
        while len(drawn) < count:
            product = next(words) * count
            if product & WORD >= refused:
                drawn.append(groups[product >> 32])
        sums.append(sum(drawn))
    outside = (1 - case["confidence"]) / 2
    return {
        "lower": float(np.quantile(sums, outside)),
        "upper": float(np.quantile(sums, 1 - outside)),
        "standard_error": float(np.std(sums, ddof=1)),
        "share_not_better": float(np.mean(np.array(sums) <= 0)),
    }


def normal(case):
    return {"cdf": float(stats.norm.cdf(case["x"])), "quantile": float(stats.norm.ppf(case["p"]))}


ANSWERS = {"overfitting": overfitting, "concordance": concordance, "interval": interval, "normal": normal}

for line in sys.stdin:
    case = json.loads(line)
    print(json.dumps(ANSWERS[case["of"]](case)))
