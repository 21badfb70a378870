// How far to believe it: the simulation against what really happened, the difference against chance, the
// settings against days they were not chosen on, and the data itself.

import { html, useMemo, useRef, useState } from './vendor/preact-htm.js';
import * as api from './api.js';
import { counted, day, days, plain, shown, sign } from './numbers.js';
import { Difference, Empty, Trouble, useLoaded, useTask } from './parts.js';
import { mayRun, now, useShared } from './store.js';
import { label, words } from './words.js';
import { configOf, steps } from './work.js';

const S = 300;

// Actual against simulated: on the diagonal where the simulation tells what happened.
function Scatter({ rows }) {
  const points = rows.map((row) => [Number(row.actual_pnl_sol), Number(row.simulated_pnl_sol)]).filter(([a, b]) => Number.isFinite(a) && Number.isFinite(b));
  if (!points.length) return null;
  const sorted = points.flat().map(Math.abs).sort((a, b) => a - b);
  const reach = sorted[Math.floor(sorted.length * 0.985)] || 0.01;
  const at = (value) => S / 2 + (Math.max(-1, Math.min(1, value / reach)) * S) / 2;
  // Marks that would lie on each other are one: many thousands of trades stay quick to draw.
  const cells = new Map();
  for (const [actual, simulated] of points) {
    const key = `${Math.round(at(actual))},${Math.round(at(simulated))}`;
    cells.set(key, (cells.get(key) ?? 0) + 1);
  }
  const layers = [[1, 1, '.35'], [2, 4, '.6'], [5, Infinity, '.95']].map(([from, to, opacity]) => [[...cells].filter(([, count]) => count >= from && count <= to).map(([key]) => key.split(',')), opacity]);
  return html`<figure class="scatter"><svg viewBox="-1 -1 ${S + 2} ${S + 2}" role="img" aria-label=${`Actual against simulated PnL of ${points.length} trades, up to ${shown(reach.toFixed(3))} SOL`}>
      <line class="zero" x1="0" x2=${S} y1=${S / 2} y2=${S / 2} /><line class="zero" y1="0" y2=${S} x1=${S / 2} x2=${S / 2} />
      <line class="same" x1="0" y1=${S} x2=${S} y2="0" />
      ${layers.map(([keys, opacity]) => html`<path class="dots" style=${{ opacity }} d=${keys.map(([x, y]) => `M${x - 0.9},${S - y}h1.8`).join('')} />`)}
      <text x="4" y="12">simulated, SOL</text><text x=${S - 2} y=${S / 2 - 5} class="end">actual, SOL</text><text x=${S - 2} y=${S / 2 + 13} class="end">${shown(reach.toFixed(2), { signed: true })}</text>
    </svg></figure>`;
}

const PARTS = ['decision_error_sol', 'entry_error_sol', 'exit_error_sol', 'size_and_cost_error_sol', 'unexplained_error_sol'];
const sum = (rows, name) => rows.reduce((total, row) => total + Number(row[name] ?? 0), 0);

const SAYS = {
  bias_sol: 'mean error',
  bias_lower_sol: 'mean error, 95 % from',
  bias_upper_sol: 'mean error, 95 % to',
  mean_absolute_error_sol: 'mean size of the error',
  median_absolute_error_sol: 'median size of the error',
  p90_absolute_error_sol: 'nine of ten err by at most',
  share_same_sign: 'agree in gain or loss',
  share_close: 'within 10 % of the actual',
};
const of = (name, value) => {
  if (typeof value === 'string' && !/^-?[\d.]+(e-?\d+)?$/i.test(value)) return value;
  if (/^share_/.test(name)) return `${(Number(value) * 100).toFixed(1)} %`;
  if (Number.isInteger(Number(value)) && !/_sol$/.test(name)) return shown(String(value));
  return shown(Number(value).toFixed(4), { least: 4, signed: /^bias_/.test(name) });
};

function Calibration({ summary, rows }) {
  const one = summary[0] ?? {};
  const reasons = useMemo(() => {
    const name = rows.length && ['simulated_exit_reason', 'exit_reason'].find((each) => each in rows[0]);
    const found = new Map();
    for (const row of rows) {
      const key = (name && row[name]) || 'not traded';
      found.set(key, [...(found.get(key) ?? []), row]);
    }
    return [...found].sort((a, b) => b[1].length - a[1].length);
  }, [rows]);
  // Its means of parts stand beside it.
  const numbers = Object.entries(one).filter(([name, value]) => value !== null && !Array.isArray(value) && !PARTS.some((part) => name === `mean_${part}`));
  return html`<div class="calibration">
    <${Scatter} rows=${rows} />
    <div>
      <h3>Error by part <span>mean of ${counted(rows.length, 'trade')}, SOL</span></h3>
      <table><tbody>${PARTS.filter((part) => rows.length && part in rows[0]).map((part) => html`<tr><th scope="row">${words(part.replace(/_error_sol$/, ''))}</th><td>${shown((sum(rows, part) / rows.length).toFixed(6), { least: 6, signed: true })}</td></tr>`)}</tbody></table>
      <h3>By how the simulation ended</h3>
      <table><thead><tr><th scope="col">reason</th><th scope="col">trades</th><th scope="col">mean error, SOL</th></tr></thead><tbody>${reasons.map(([reason, each]) => html`<tr><th scope="row">${words(reason)}</th><td>${shown(String(each.length))}</td><td>${shown((sum(each, 'error_sol') / each.length).toFixed(6), { least: 6, signed: true })}</td></tr>`)}</tbody></table>
    </div>
    <div>
      <h3>Of all trades</h3>
      <table><tbody>${numbers.map(([name, value]) => html`<tr data-figure=${name}><th scope="row">${SAYS[name] ?? words(name.replace(/_sol$/, ''))}${/_sol$/.test(name) && html`<span>, SOL</span>`}</th><td>${of(name, value)}</td></tr>`)}</tbody></table>
    </div>
  </div>`;
}

function Interval({ rows }) {
  const all = rows.flatMap((row) => [Number(row.lower_sol), Number(row.upper_sol), 0]);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const at = (value) => `${8 + ((Number(value) - low) / (high - low || 1)) * 86}%`;
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Intervals"><table class="interval">
    <thead><tr><th scope="col">groups by</th><th scope="col">groups</th><th scope="col">estimate</th><th scope="col">95 % from</th><th scope="col">to</th><td></td><th scope="col">not better</th></tr></thead>
    <tbody>${rows.map((row) => html`<tr>
      <th scope="row">${words(row.method)}</th><td>${shown(String(row.groups))}</td><td><${Difference} value=${row.estimate_sol} round=${2} /></td>
      <td>${shown(row.lower_sol, { round: 2, signed: true })}</td><td>${shown(row.upper_sol, { round: 2, signed: true })}</td>
      <td class="whisker" aria-hidden="true"><span class="null" style=${{ left: at(0) }}></span><span class="reach" style=${{ left: at(row.lower_sol), right: `calc(100% - ${at(row.upper_sol)})` }}></span><span class="point" style=${{ left: at(row.estimate_sol) }}></span></td>
      <td>${shown((Number(row.share_not_better) * 100).toFixed(1))} %</td></tr>
      ${row.warning && html`<tr><td colspan="7" class="warning">${row.warning}</td></tr>`}`)}</tbody>
  </table></div>`;
}

function Folds({ rows }) {
  const swept = now().parameters.filter((parameter) => rows.length && parameter.name in rows[0] && new Set(rows.map((row) => plain(String(row[parameter.name])))).size > 1);
  const better = rows.filter((row) => Number(row.test_pnl_sol) > Number(row.test_actual_pnl_sol)).length;
  return html`<p class="ground">In <b>${better} of ${rows.length}</b> folds the settings chosen on the days before did better than what really happened.</p>
    <div class="scroll" tabindex="0" role="group" aria-label="Folds"><table>
      <thead><tr><th scope="col">tested on</th>${swept.map((parameter) => html`<th scope="col">${label(parameter.name)}</th>`)}<th scope="col">trades</th><th scope="col">PnL, SOL</th><th scope="col">actual</th><th scope="col">win rate, %</th><th scope="col">efficiency</th></tr></thead>
      <tbody>${rows.map((row) => html`<tr><th scope="row">${days(row.test_start, row.test_end)}</th>${swept.map((parameter) => html`<td>${words(plain(String(row[parameter.name])))}</td>`)}<td>${shown(String(row.test_trades))}</td><td><${Difference} value=${row.test_pnl_sol} least=${4} /></td><td>${shown(row.test_actual_pnl_sol, { least: 4 })}</td><td>${shown(row.test_win_rate)}</td><td>${row.efficiency === null ? '–' : shown(Number(row.efficiency).toFixed(2))}</td></tr>`)}</tbody>
    </table></div>`;
}

function WalkForward() {
  const parameters = useShared((state) => state.parameters);
  const [answer, setAnswer] = useState(null);
  const [training, setTraining] = useState({ train_days: '60', test_days: '14' });
  const [task, run] = useTask();
  const names = ['score_threshold', 'stop_loss_percent'].filter((name) => parameters.some((each) => each.name === name));
  const grid = Object.fromEntries(names.map((name) => [name, steps(parameters.find((each) => each.name === name), 5)]));
  const start = () => run(async () => setAnswer(api.objects(await api.table('walk_forward', { config: configOf(now().values), grid, arguments: { train_days: Number(training.train_days), test_days: Number(training.test_days) } }))));
  return html`<section aria-label="Walk-forward">
    <h2>Chosen on some days, tested on the next</h2>
    <div class="filters">
      ${[['train_days', 'Train on'], ['test_days', 'test on']].map(([name, text]) => html`<label>${text} <input class="text short" inputmode="numeric" value=${training[name]} onChange=${(event) => setTraining({ ...training, [name]: event.target.value })} /> days</label>`)}
      <button class="quiet" disabled=${task.busy} onClick=${start}>${task.busy ? 'Walking…' : 'Walk forward'}</button>
      <p>over ${names.map((name) => `${label(name).toLowerCase()} ${grid[name].join(', ')}`).join(' and ')}</p>
    </div>
    <${Trouble} problem=${task.problem} />
    ${answer && (answer.length ? html`<${Folds} rows=${answer} />` : html`<${Empty}>The period is too short for one fold.<//>`)}
  </section>`;
}

function Quality({ rows }) {
  if (!rows.length) return html`<${Empty}>The last load found nothing odd.<//>`;
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Findings"><table class="quality">
    <thead><tr><th scope="col">table</th><th scope="col">finding</th><th scope="col">weight</th><th scope="col">rows</th><th scope="col">example</th></tr></thead>
    <tbody>${rows.map((row) => html`<tr><th scope="row">${words(row.table_name)}</th><td>${words(row.check_name)}</td><td>${words(row.severity)}</td><td>${shown(String(row.row_count))}</td><td><code>${row.example ?? '–'}</code></td></tr>`)}</tbody>
  </table></div>`;
}

// A part that loads by itself, so that one that fails takes nothing else with it.
function Part({ title, note, load, show, id, wait }) {
  const loaded = useLoaded(load, id);
  return html`<section aria-label=${title}><h2>${title} ${note && html`<span>${note}</span>`}</h2>
    <${Trouble} problem=${loaded.problem} again=${loaded.again} />
    ${loaded.value ? show(loaded.value) : !loaded.problem && html`<${Empty}>${wait}<//>`}</section>`;
}

export function Trust() {
  const status = useShared((state) => state.status);
  const tried = useShared((state) => state.tried.size);
  const live = useRef(configOf(now().live)).current;
  const set = useRef(configOf(now().values)).current;
  const may = mayRun(status);
  const rows = (name, config) => (signal) => api.table(name, { config }, { signal }).then(api.objects);
  return html`<main class="wide trust">
    <h1 class="sentence">How far to believe it</h1>
    <p class="ground"><b>${tried}</b> ${tried === 1 ? 'setting was' : 'settings were'} tried on this page since it was opened. A slider is a machine for overfitting: the best of many tries looks better than it is.</p>
    ${may && html`
      <${Part} title="The simulation against what really happened" note="with the live settings" id="calibration" wait="The really made trades are being simulated…"
        load=${async (signal) => ({ summary: await rows('calibration', live)(signal), rows: api.objects(await api.wholeTable('calibrate_trades', { config: live }, { signal })) })}
        show=${(value) => html`<${Calibration} ...${value} />`} />
      <${Part} title="The difference against chance" note="with the settings of the what-if; signals drawn again in whole groups" id="interval" wait="The difference is being weighed…"
        load=${rows('pnl_interval', set)} show=${(value) => html`<${Interval} rows=${value} />`} />
      <${WalkForward} />`}
    <${Part} title="The data" note="what the last load found" id="quality" wait="Looking…" load=${(signal) => api.get('quality', { signal }).then((answer) => (answer.columns ? api.objects(answer) : answer))} show=${(value) => html`<${Quality} rows=${value} />`} />
  </main>`;
}
