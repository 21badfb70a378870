"""The ratios of risk of a backtest in numpy, and in ffn where that is there: one JSON case a line in, one
answer a line out. A case has the trades of one side in their order, each [day, PnL], and a number of days.

ffn takes returns of a capital where a backtest has SOL. Its Sharpe and Sortino ratios are the same of
both; its drawdown and with it its Calmar ratio are shares of a peak, here they are amounts.
"""

import json
import math
import sys

import numpy as np

try:
    import ffn
    import pandas
except ImportError:
    ffn = None


def nothing_if_nan(value):
    return float(value) if math.isfinite(value) else None


def answer(case):
    days = np.zeros(case["days"])
    pnl = np.array([amount for _, amount in case["trades"]])
    for day, amount in case["trades"]:
        days[min(max(day, 0), case["days"] - 1)] += amount
    year, found = math.sqrt(365), {}
    found["days"] = days.tolist()
    with np.errstate(all="ignore"):
        is_flat = len(days) < 2 or np.ptp(days) < 1e-12
        found["sharpe_ratio"] = None if is_flat else float(days.mean() / days.std(ddof=1) * year)
        falls = np.minimum(days, 0)
        has_falls = len(days) >= 2 and (falls < 0).any()
        found["sortino_ratio"] = float(days.mean() / np.sqrt((falls**2).mean()) * year) if has_falls else None
        curve = np.concatenate([[0], np.cumsum(pnl)])
        drawdown = float((np.maximum.accumulate(curve) - curve).max())
        found["max_drawdown_sol"] = drawdown
        # Of the drawdown as it is shown.
        shown = case["max_drawdown_sol"]
        found["calmar_ratio"] = days.sum() * 365 / len(days) / shown if shown > 0 else None
        is_flat = len(pnl) < 2 or np.ptp(pnl) < 1e-12
        found["sqn"] = None if is_flat else float(math.sqrt(len(pnl)) * pnl.mean() / pnl.std(ddof=1))
        if ffn is not None:
            series = pandas.Series(days)
            found["ffn_sharpe_ratio"] = nothing_if_nan(ffn.calc_sharpe(series, nperiods=365))
            sortino = ffn.calc_sortino_ratio(series, nperiods=365) if has_falls else math.nan
            found["ffn_sortino_ratio"] = nothing_if_nan(sortino)
    return found


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))))
