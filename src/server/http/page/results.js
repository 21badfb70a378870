// What a result says, in words, figures and bars: the same on the page and in a report.

import { html, useMemo, useState } from './vendor/preact-htm.js';
import { minus, ordered, places, rounded, shown, sign } from './numbers.js';
import { Difference } from './parts.js';
import { better, digitsOf, label, metrics, says, unitOf, words } from './words.js';

// What the row means, in one sentence, the reason with it.
export function sentence(row) {
  const actual = row.actual_total_pnl_sol;
  const difference = row.pnl_difference_sol ?? minus(row.simulated_total_pnl_sol, actual);
  const worst = minus(row.simulated_pnl_conservative_sol, actual);
  const amount = (value) => shown(rounded(value, 2).replace('-', ''), { least: 2 });
  const colour = (value) => (sign(value) > 0 ? 'gain' : sign(value) < 0 ? 'loss' : '');
  if (Number(row.total_signals) === 0) return html`<span>No signal lies in this period.</span>`;
  if (sign(rounded(difference, 2)) === 0) return html`<span>These settings would have made no difference.</span>`;
  const more = html`<b class=${colour(difference)}>${amount(difference)} SOL ${sign(difference) > 0 ? 'more' : 'less'}</b>`;
  if (Number(row.simulated_total_trades) === 0) return html`<span>These settings would have made ${more}, by not trading at all.</span>`;
  if (sign(difference) < 0) return html`<span>These settings would have made ${more}.</span>`;
  if (sign(worst) < 0) return html`<span>These settings would have made ${more}, but <b class="loss">${amount(worst)} less</b> had every stop filled at its worst.</span>`;
  return html`<span>These settings would have made ${more}, and <b class=${colour(worst)}>${amount(worst)}</b> even had every stop filled at its worst.</span>`;
}

// Why a difference that is there does not count as an improvement.
function reservation(row, interval) {
  const token = interval?.find((each) => each.method === 'token') ?? interval?.[0];
  const chance = token && sign(token.lower_sol) < 0 && sign(token.upper_sol) > 0;
  if (sign(row.pnl_difference_sol) > 0 && ordered(row.win_rate_difference, '-5') <= 0) return `Not an improvement by the rule: the win rate falls by ${shown(row.win_rate_difference.replace('-', ''))} points.`;
  if (chance) return 'Chance alone could have made that difference.';
  return null;
}

export function Verdict({ row, interval, tried }) {
  const token = interval?.find((each) => each.method === 'token') ?? interval?.[0];
  const why = reservation(row, interval);
  const refused = Number(row.limited_signals ?? 0);
  return html`<div class="verdict">
    <h1 class="sentence" aria-live="polite">${sentence(row)}</h1>
    <p class="ground">
      <span key="actual">Really made: <b>${shown(row.actual_total_pnl_sol, { round: 2 })} SOL</b>. </span>
      ${token && html`<span key="interval">By token, the difference lies between <b>${shown(token.lower_sol, { round: 1, signed: true })} and ${shown(token.upper_sol, { round: 1, signed: true })}</b> with 95 % confidence. </span>`}
      ${interval === null && html`<span key="weighing" class="pending">By token, the difference is being weighed… </span>`}
      ${why && html`<b key="why">${why} </b>`}
      ${refused > 0 && html`<span key="refused"><b>${shown(String(refused))}</b> signals refused by the limits. </span>`}
      ${tried !== undefined && html`<span key="tried"><b>${tried}</b> ${tried === 1 ? 'setting' : 'settings'} tried since this page was opened.</span>`}
    </p>
  </div>`;
}

// A likelihood in percent, which is neither 0 nor 100 where it is not.
export const share = (number) => (number > 0 && number < 0.01 ? 'less than 1 %' : number < 1 && number > 0.99 ? 'more than 99 %' : `${(number * 100).toFixed(0)} %`);

// How the settings of a stored run were chosen, as whoever stored it has said.
export function Chosen({ run }) {
  const percent = (name) => (run[name] === null || run[name] === undefined ? null : html`<b>${share(Number(run[name]))}</b>`);
  const [deflated, overfitted, kept] = ['deflated_sharpe_ratio', 'probability_of_overfitting', 'walk_forward_efficiency'].map(percent);
  return html`<span>Chosen after <b>${shown(String(run.combinations_tried))}</b> settings were tried, the best of which look better than they are.${deflated && html` That its gain is more than the luck of so many tries is ${deflated} likely (deflated Sharpe ratio).`}${overfitted && html` The probability of overfitting is ${overfitted}.`}${kept && html` Chosen on some days and tested on the next, they kept ${kept} of their gain.`}</span>`;
}

// Actual beside simulated beside difference, for every metric that the result has.
export function Figures({ row, whole = false }) {
  const [all, setAll] = useState(whole);
  const names = useMemo(() => metrics(row), [Object.keys(row).join()]);
  const few = 14;
  const listed = all || names.length <= few ? names : names.slice(0, few);
  return html`<div class="figures">
    <table>
      <caption class="aside">Actual beside simulated</caption>
      <thead><tr><td></td><th scope="col">actual</th><th scope="col">simulated</th><th scope="col">difference</th></tr></thead>
      <tbody>
        ${listed.map((metric, index) => {
          const [a, s] = [row[`actual_${metric}`], row[`simulated_${metric}`]];
          const least = Math.max(digitsOf(metric), ...[a, s].map((side) => (side === null ? 0 : places(side))));
          const unit = unitOf(metric);
          return html`<tr key=${metric} class=${index === 0 ? 'key' : ''} data-metric=${metric}>
            <th scope="row" title=${says(metric)}>${label(metric)}${unit && html`<span>, ${unit}</span>`}</th>
            <td>${shown(a, { least })}</td>
            <td class="simulated">${shown(s, { least })}</td>
            <td><${Difference} value=${minus(s, a)} good=${better(metric)} least=${least} /></td>
          </tr>`;
        })}
      </tbody>
    </table>
    ${names.length > few && !whole && html`<button class="more" aria-expanded=${all} onClick=${() => setAll(!all)}>${all ? 'Fewer figures' : `${names.length - few} more figures`}</button>`}
  </div>`;
}

export function Exits({ exits }) {
  const most = Math.max(...exits.map((exit) => Math.abs(Number(exit.net_pnl_sol))), 1e-9);
  const sorted = [...exits].sort((a, b) => Number(b.trades) - Number(a.trades));
  return html`<section class="exits" aria-label="How trades ended">
    <h2>How trades ended</h2>
    <table>
      <thead><tr><th scope="col">reason</th><th scope="col">trades</th><td></td><th scope="col">SOL</th></tr></thead>
      <tbody>
        ${sorted.map((exit) => {
          const share = (Number(exit.net_pnl_sol) / most) * 50;
          return html`<tr key=${exit.exit_reason} data-exit=${exit.exit_reason}>
            <th scope="row">${words(exit.exit_reason)}</th>
            <td>${shown(String(exit.trades))}</td>
            <td class="bar" aria-hidden="true"><span class=${share < 0 ? 'loss' : 'gain'} style=${{ left: `${share < 0 ? 50 + share : 50}%`, width: `${Math.max(Math.abs(share), 0.6)}%` }}></span></td>
            <td>${shown(exit.net_pnl_sol, { round: 2, signed: true })}</td>
          </tr>`;
        })}
      </tbody>
    </table>
  </section>`;
}

export const effect = (row) => {
  const actual = row.actual_pnl_sol;
  const simulated = row.simulated_pnl_sol;
  if (row.change === 'new_trade') return `new trade: would have ${sign(simulated) >= 0 ? 'gained' : 'lost'}`;
  if (row.change === 'skipped') return actual === null ? 'skipped' : `skipped: would have ${sign(actual) < 0 ? 'avoided a loss' : 'missed a gain'}`;
  if (row.change === 'pnl_changed') return ordered(simulated, actual) > 0 ? 'would have earned more' : 'would have earned less';
  return 'no change';
};

export const size = (row) => Math.abs(Number(row.simulated_pnl_sol ?? 0) - Number(row.actual_pnl_sol ?? 0));
