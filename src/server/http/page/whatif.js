// The first view: the settings on the left, what they would have made on the right.

import { html, useEffect, useMemo, useState } from './vendor/preact-htm.js';
import { objects } from './api.js';
import { Equity } from './chart.js';
import { differing, kind, same } from './config.js';
import { counted, minus, moment, ordered, places, plain, rounded, shortened, shown, sign } from './numbers.js';
import { Difference, Empty, Trouble } from './parts.js';
import { Parameter } from './slider.js';
import { StoreRun } from './storing.js';
import { mayRun, useShared } from './store.js';
import { better, group, label, metrics, unitOf, words } from './words.js';
import { backToLive } from './work.js';

const FOLDED = new Set(['exit_rules', 'costs', 'limits', 'simulation']);
const ORDER = ['date_range', 'score_threshold', 'exit_strategy', 'position_sizing', 'scoring_weights', 'exit_rules', 'costs', 'limits', 'simulation'];

export function groups(parameters) {
  const found = new Map();
  for (const parameter of parameters) found.set(parameter.group, [...(found.get(parameter.group) ?? []), parameter]);
  const place = (name) => (ORDER.indexOf(name) + 1 || ORDER.length + 1);
  return [...found].sort(([a], [b]) => place(a) - place(b));
}

function Group({ name, parameters }) {
  const values = useShared((state) => state.values);
  const live = useShared((state) => state.live);
  const moved = differing(values, live, parameters).length;
  const [open, setOpen] = useState(!FOLDED.has(name) || moved > 0);
  if (!FOLDED.has(name)) return html`<section class=${`group ${name}`}>
    <h2>${group(name)}</h2>
    ${parameters.map((parameter) => html`<${Parameter} key=${parameter.name} parameter=${parameter} />`)}
  </section>`;
  return html`<section class="group folded">
    <h2><button aria-expanded=${open} onClick=${() => setOpen(!open)}>${group(name)}<span>${moved ? `${moved} changed` : parameters.length}</span></button></h2>
    ${open && parameters.map((parameter) => html`<${Parameter} key=${parameter.name} parameter=${parameter} />`)}
  </section>`;
}

export function Settings() {
  const parameters = useShared((state) => state.parameters);
  return html`<section class="settings" aria-label="Settings">
    ${groups(parameters).map(([name, rows]) => html`<${Group} key=${name} name=${name} parameters=${rows} />`)}
  </section>`;
}

// What the row means, in one sentence, the reason with it.
export function sentence(row) {
  const actual = row.actual_total_pnl_sol;
  const difference = row.pnl_difference_sol ?? minus(row.simulated_total_pnl_sol, actual);
  const worst = minus(row.simulated_pnl_conservative_sol, actual);
  const amount = (value) => shown(rounded(value, 2).replace('-', ''), { least: 2 });
  const colour = (value) => (sign(value) > 0 ? 'gain' : sign(value) < 0 ? 'loss' : '');
  if (Number(row.total_signals) === 0) return html`No signal lies in this period.`;
  if (sign(rounded(difference, 2)) === 0) return html`These settings would have made <b>no difference</b>.`;
  const more = sign(difference) > 0 ? 'more' : 'less';
  const start = html`These settings would have made <b class=${colour(difference)}>${amount(difference)} SOL ${more}</b>`;
  const verdict = Number(row.simulated_total_trades) === 0 ? html`, by not trading at all.` : null;
  if (verdict) return html`${start}${verdict}`;
  if (sign(difference) < 0) return html`${start}.`;
  if (sign(worst) < 0) return html`${start}, but <b class="loss">${amount(worst)} less</b> had every stop filled at its worst.`;
  return html`${start}, and <b class=${colour(worst)}>${amount(worst)}</b> even had every stop filled at its worst.`;
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
      Really made: <b>${shown(row.actual_total_pnl_sol, { round: 2 })} SOL</b>.${' '}
      ${token
        ? html`By token, the difference lies between <b>${shown(token.lower_sol, { round: 1, signed: true })} and ${shown(token.upper_sol, { round: 1, signed: true })}</b> with 95 % confidence. `
        : interval === undefined || interval?.length === 0
          ? ''
          : html`<span class="pending">By token, the difference is being weighed… </span>`}
      ${why && html`<b>${why}</b> `}
      ${refused > 0 && html`<b>${shown(String(refused))}</b> signals refused by the limits. `}
      ${tried !== undefined && html`<b>${tried}</b> ${tried === 1 ? 'setting' : 'settings'} tried since this page was opened.`}
    </p>
  </div>`;
}

// Actual beside simulated beside difference, for every metric that the result has.
export function Figures({ row }) {
  const [all, setAll] = useState(false);
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
          const least = Math.max(a === null ? 0 : places(a), s === null ? 0 : places(s));
          const unit = unitOf(metric);
          return html`<tr key=${metric} class=${index === 0 ? 'key' : ''} data-metric=${metric}>
            <th scope="row">${label(metric)}${unit && html`<span>, ${unit}</span>`}</th>
            <td>${shown(a, { least })}</td>
            <td class="simulated">${shown(s, { least })}</td>
            <td><${Difference} value=${minus(s, a)} good=${better(metric)} least=${least} /></td>
          </tr>`;
        })}
      </tbody>
    </table>
    ${names.length > few && html`<button class="more" aria-expanded=${all} onClick=${() => setAll(!all)}>${all ? 'Fewer figures' : `${names.length - few} more figures`}</button>`}
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

export function Changed({ row, changes, stale }) {
  const top = useMemo(() => (changes ? objects(changes).filter((each) => each.change !== 'unchanged').sort((a, b) => size(b) - size(a)).slice(0, 8) : []), [changes]);
  return html`<section class=${`changed ${stale ? 'stale' : ''}`} aria-label="What would have changed">
    <h2>What would have changed <span>${shown(String(row.trades_changed))} of ${counted(row.total_signals, 'signal')}, largest first</span></h2>
    ${top.length > 0
      ? html`<table>
            <thead><tr><th scope="col">signal</th><th scope="col">token</th><th scope="col">actual</th><th scope="col">simulated</th><th scope="col">effect</th></tr></thead>
            <tbody>
              ${top.map((each) => html`<tr key=${each.signal_id}>
                <td>${moment(each.timestamp)}</td>
                <td><code title=${each.token_address}>${shortened(each.token_address)}</code></td>
                <td>${shown(each.actual_pnl_sol, { round: 4 })}</td>
                <td class=${sign(each.simulated_pnl_sol) > 0 ? 'gain' : sign(each.simulated_pnl_sol) < 0 ? 'loss' : ''}>${shown(each.simulated_pnl_sol, { round: 4 })}</td>
                <td>${effect(each)}</td>
              </tr>`)}
            </tbody>
          </table>
          <a class="more" href="#/trades">All trades</a>`
      : html`<${Empty}>${changes ? 'Nothing: these settings trade as it really was.' : 'Being compared…'}<//>`}
  </section>`;
}

// On a phone: one slider under the chart, for whichever parameter is chosen.
function Dock({ parameters }) {
  const numbers = parameters.filter((parameter) => kind(parameter) === 'number' && parameter.default !== null && parameter.default !== undefined);
  const [name, setName] = useState('score_threshold');
  const parameter = numbers.find((each) => each.name === name) ?? numbers[0];
  if (!parameter) return null;
  return html`<div class="dock">
    <select aria-label="Parameter under the chart" value=${parameter.name} onChange=${(event) => setName(event.target.value)}>
      ${numbers.map((each) => html`<option value=${each.name} selected=${each.name === parameter.name}>${label(each.name)}</option>`)}
    </select>
    <${Parameter} key=${`dock-${parameter.name}`} parameter=${parameter} />
  </div>`;
}

const narrow = matchMedia('(max-width: 760px)');
export function useNarrow() {
  const [is, setIs] = useState(narrow.matches);
  useEffect(() => {
    const listener = () => setIs(narrow.matches);
    narrow.addEventListener('change', listener);
    return () => narrow.removeEventListener('change', listener);
  }, []);
  return is;
}

function Answer() {
  const answer = useShared((state) => state.answer);
  const asked = useShared((state) => state.asked);
  const ghost = useShared((state) => state.ghost);
  const interval = useShared((state) => state.interval);
  const changes = useShared((state) => state.changes);
  const problem = useShared((state) => state.problem);
  const tried = useShared((state) => state.tried.size);
  const status = useShared((state) => state.status);
  const parameters = useShared((state) => state.parameters);
  const slim = useNarrow();
  if (!mayRun(status)) return html`<div class="answer"><${Empty}>A reader sees stored runs, but asks for none: <a href="#/runs">see the runs</a>.<//></div>`;
  if (status.signals === 0) return html`<div class="answer"><${Empty}>No history is loaded yet. <code>hindsight load</code> brings one, <code>hindsight demo</code> makes one.<//></div>`;
  if (!answer) return html`<div class="answer" aria-busy="true">${problem ? html`<${Trouble} problem=${problem} />` : html`<${Empty}>The first answer is on its way…<//>`}</div>`;
  const row = answer.backtest;
  return html`<div class="answer">
    <${Trouble} problem=${problem} />
    <${Verdict} row=${row} interval=${interval} tried=${tried} />
    <div class="pair">
      <div>
        <${Equity} answer=${answer} ghost=${ghost} label=${`Cumulative PnL: simulated ${shown(row.simulated_total_pnl_sol)} SOL, actual ${shown(row.actual_total_pnl_sol)} SOL, with how far each lies below its peak. Arrow keys read values.`} />
        ${slim && html`<${Dock} parameters=${parameters} />`}
      </div>
      <${Figures} row=${row} />
    </div>
    <div class="pair">
      <${Changed} row=${row} changes=${changes} stale=${changes && changes.values !== asked} />
      <${Exits} exits=${answer.exits} />
    </div>
  </div>`;
}

export function WhatIf() {
  const [storing, setStoring] = useState(false);
  const status = useShared((state) => state.status);
  const values = useShared((state) => state.values);
  const live = useShared((state) => state.live);
  const parameters = useShared((state) => state.parameters);
  const describing = useShared((state) => state.describing);
  const typed = useShared((state) => Object.keys(state.typed).length);
  const moved = differing(values, live, parameters);
  return html`<main class="what-if">
      <${Settings} />
      <${Answer} />
    </main>
    <footer>
      <p>${describing ? html`<b>${label(describing.name)}</b> ${describing.description}${describing.default !== null && describing.default !== undefined ? `; default ${words(plain(String(describing.default)))}` : ''}` : moved.length ? `${counted(moved.length, 'setting')} moved. Nothing is stored until you say so.` : 'These are the live settings. Nothing is stored until you say so.'}</p>
      <button class="quiet" disabled=${moved.length === 0} onClick=${backToLive}>Back to live settings</button>
      <button class="main" disabled=${!mayRun(status) || typed > 0} onClick=${() => setStoring(true)}>Store this run…</button>
    </footer>
    ${storing && html`<${StoreRun} close=${() => setStoring(false)} />`}`;
}
