// Stored runs: found by their label, laid over each other, opened, deleted.

import { html, useMemo, useState } from './vendor/preact-htm.js';
import * as api from './api.js';
import { flat, same } from './config.js';
import { counted, days, minus, moment, places, shown } from './numbers.js';
import { Difference, Empty, Modal, Trouble, download, useLoaded, useTask } from './parts.js';
import { mayApply, mayRun, now, useShared } from './store.js';
import { TradeTable, join } from './trades.js';
import { Chosen, Exits, Figures, Verdict } from './results.js';
import { digitsOf, label, metrics, ofPeriod, shortId, titled, unitOf, words } from './words.js';
import { Overlay } from './overlay.js';
import { gridOf } from './sweep.js';
import { setAll } from './work.js';

// Stored runs, newest first, each with the days that it is over beside its results.
export async function history(signal) {
  const all = [];
  for (let next = null; ; ) {
    const page = await api.get(`backtest/history?${new URLSearchParams({ limit: 500, ...(next && { before: next }) })}`, { signal });
    all.push(...page.backtests);
    next = page.next;
    if (!next) break;
  }
  return all.map((run) => ({ ...run, start_date: run.config.start_date, end_date: run.config.end_date }));
}

export const valuesOf = (run) => {
  const { parameters } = now();
  return flat(run.config ?? run, parameters);
};

function List({ runs, ids, chosen, toggle, remove, may }) {
  const [many, setMany] = useState(100);
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Runs"><table class="runs-table">
    <thead><tr><td></td><th scope="col">label</th><th scope="col">run</th><th scope="col">started</th><th scope="col">period</th><th scope="col">trades</th><th scope="col">win rate, %</th><th scope="col">PnL, SOL</th><th scope="col">difference</th><td></td></tr></thead>
    <tbody>${runs.slice(0, many).map((run) => html`<tr key=${run.id} data-run=${run.id}>
      <td><input type="checkbox" aria-label=${`Lay ${titled(run)} over others`} checked=${chosen.includes(run.id)} disabled=${run.status !== 'completed'} onChange=${() => toggle(run.id)} /></td>
      <td class="label"><a href=${`#/runs/${run.id}`}>${run.label || run.scenario || html`<span class="pending">no label</span>`}</a></td>
      <td><code>${shortId(run.id, ids)}</code></td>
      <td>${moment(run.started_at, { year: true })}</td>
      <td>${days(run.start_date, run.end_date)}</td>
      ${run.status === 'completed'
        ? html`<td>${shown(String(run.simulated_total_trades))}</td><td>${shown(run.simulated_win_rate, { least: 2 })}</td><td>${shown(run.simulated_total_pnl_sol, { least: 4 })}</td><td><${Difference} value=${run.pnl_difference_sol} least=${4} /></td>`
        : html`<td colspan="4" class="failed">${run.status}${run.error_message ? `: ${run.error_message}` : ''}</td>`}
      <td>${may && html`<button class="more" aria-label=${`Delete ${titled(run)}`} onClick=${() => remove(run)}>Delete</button>`}</td>
    </tr>`)}</tbody>
  </table></div>
  ${runs.length > many && html`<button class="more" onClick=${() => setMany(many + 500)}>${counted(runs.length - many, 'older run')}</button>`}`;
}

// Two or more runs side by side: curves, the settings that differ, all metrics.
function Compared({ runs }) {
  const { parameters } = now();
  const key = runs.map((run) => run.id).join();
  const loaded = useLoaded((signal) => Promise.all(runs.map((run) => api.wholeResult(run.id, 'equity', { signal }).then(api.objects))), key);
  const values = runs.map(valuesOf);
  const differing = parameters.filter((parameter) => values.some((each) => !same(each[parameter.name], values[0][parameter.name])));
  const names = metrics(runs[0]);
  return html`<section class="compared" aria-label="Runs laid over each other">
    <h2>${runs.length} runs laid over each other</h2>
    <${Trouble} problem=${loaded.problem} />
    ${loaded.value && !loaded.stale && html`<${Overlay} runs=${runs} curves=${loaded.value} />`}
    <div class="scroll" tabindex="0" role="group" aria-label="Comparison"><table>
      <thead><tr><td></td>${runs.map((run) => html`<th scope="col">${titled(run)}</th>`)}${runs.length === 2 && html`<th scope="col">difference</th>`}</tr></thead>
      <tbody>
        ${differing.map((parameter) => html`<tr class="setting"><th scope="row">${label(parameter.name)}</th>${values.map((each) => html`<td>${show(each[parameter.name])}</td>`)}${runs.length === 2 && html`<td></td>`}</tr>`)}
        ${differing.length === 0 && html`<tr><th scope="row">Settings</th><td colspan=${runs.length}>all the same</td></tr>`}
        ${names.map((metric) => {
          const each = runs.map((run) => run[`simulated_${metric}`] ?? null);
          const least = Math.max(digitsOf(metric), ...each.map((value) => (value === null ? 0 : places(value))));
          const unit = unitOf(metric);
          return html`<tr><th scope="row">${label(metric)}${unit && html`<span>, ${unit}</span>`}</th>${each.map((value) => html`<td>${shown(value, { least })}</td>`)}${runs.length === 2 && html`<td>${shown(minus(each[1], each[0]), { least, signed: true })}</td>`}</tr>`;
        })}
      </tbody>
    </table></div>
  </section>`;
}

const show = (value) => (value === null || value === undefined ? 'none' : /^-?[\d.]+$/.test(value) ? shown(value) : words(value));

function Delete({ run, close, gone }) {
  const [task, doing] = useTask();
  const go = () => doing(async () => {
    await api.remove(`backtest/result/${run.id}`);
    gone();
  });
  return html`<${Modal} title=${`Delete ${titled(run)}?`} close=${close}>
    <p>Its trades and comparisons go with it. The history of the live settings stays.</p>
    <${Trouble} problem=${task.problem} />
    <div class="actions"><button class="quiet" onClick=${close}>Keep it</button><button class="main" disabled=${task.busy} onClick=${go}>Delete</button></div>
  <//>`;
}

function One({ id }) {
  const status = useShared((state) => state.status);
  const [reporting, report] = useTask();
  const loaded = useLoaded(async (signal) => {
    const runs = await history(signal);
    const run = runs.find((each) => each.id === id) ?? runs.find((each) => each.id.startsWith(id));
    if (!run) throw Object.assign(new Error(`No run has the id ${id}.`), { hint: 'It may have been deleted.' });
    const short = shortId(run.id, runs.map((each) => each.id));
    if (run.status !== 'completed') return { run, short, rows: [], exits: [] };
    const [compared, simulated] = await Promise.all(['comparisons', 'trades'].map((part) => api.wholeResult(run.id, part, { signal }).then(api.objects)));
    const exits = new Map();
    for (const trade of simulated) {
      const known = exits.get(trade.exit_reason) ?? { exit_reason: trade.exit_reason, trades: 0, net_pnl_sol: '0' };
      exits.set(trade.exit_reason, { ...known, trades: known.trades + 1, net_pnl_sol: minus(known.net_pnl_sol, minus('0', trade.net_pnl_sol)) });
    }
    return { run, short, rows: join(compared, simulated), exits: [...exits.values()] };
  }, id);
  if (!loaded.value || loaded.stale) return html`<main class="wide"><${Trouble} problem=${loaded.problem} again=${loaded.again} />${!loaded.problem && html`<${Empty}>The run is on its way…<//>`}</main>`;
  const { run, short, rows, exits } = loaded.value;
  const values = valuesOf(run);
  const grid = gridOf(values);
  const file = `backtest/result/${run.id}/report${grid ? `?${new URLSearchParams({ grid: JSON.stringify(grid) })}` : ''}`;
  const changed = now().parameters.filter((parameter) => !ofPeriod(parameter) && !same(values[parameter.name], parameter.default));
  return html`<main class="wide run">
    <div class="run-head"><p><a href="#/runs">Runs</a> / <b>${titled(run)}</b> <code>${short}</code> · ${moment(run.started_at, { year: true })} · ${days(run.start_date, run.end_date)} · ${run.status}</p>
      <div class="actions"><button class="quiet" onClick=${() => (setAll({ ...now().values, ...values }), (location.hash = '#/what-if'))}>Open in the what-if</button>
      ${run.status === 'completed' && html`<button class="quiet" title=${`One file to send, which needs no server${grid ? '; with the sweep that these settings came from' : ''}`} disabled=${reporting.busy} onClick=${() => report(async () => download(`hindsight-${short}.html`, await api.file(file), 'text/html'))}>${reporting.busy ? 'Writing the report…' : 'Report'}</button>`}
      ${run.status === 'completed' && html`<a class="button main" href=${`#/apply/${run.id}`}>${mayApply(status) ? 'Apply these settings…' : 'What applying would change'}</a>`}</div></div>
    <${Trouble} problem=${reporting.problem} />
    ${run.status !== 'completed' ? html`<${Empty}>${run.error_message ?? `This run is ${run.status}.`}<//>` : html`
      <${Verdict} row=${run} />
      <p class="ground">${changed.length ? html`Other than the defaults: ${changed.map((parameter, index) => html`${index ? ', ' : ''}${label(parameter.name).toLowerCase()} <b>${show(values[parameter.name])}</b>`)}.` : 'Every setting is at its default.'}</p>
      ${Number(run.combinations_tried) > 1 && html`<p class="ground"><${Chosen} run=${run} /></p>`}
      <div class="pair even"><${Figures} row=${run} /><${Exits} exits=${exits} /></div>
      <div class="trades"><${TradeTable} rows=${rows} config=${run.config ?? {}} name=${`run-${short}`} /></div>`}
  </main>`;
}

export function Runs({ rest }) {
  const [find, setFind] = useState('');
  const [chosen, setChosen] = useState([]);
  const [removing, setRemoving] = useState(null);
  const status = useShared((state) => state.status);
  const loaded = useLoaded(history, 'history');
  const runs = loaded.value ?? [];
  const found = useMemo(() => {
    const text = find.trim().toLowerCase();
    return runs.filter((run) => !text || [run.id, run.label, run.scenario, run.status].some((each) => String(each ?? '').toLowerCase().includes(text)));
  }, [runs, find]);
  if (rest[0]) return html`<${One} key=${rest[0]} id=${rest[0]} />`;
  const toggle = (id) => setChosen(chosen.includes(id) ? chosen.filter((each) => each !== id) : [...chosen, id].slice(-6));
  const laid = chosen.map((id) => runs.find((run) => run.id === id)).filter(Boolean);
  return html`<main class="wide runs">
    <h1 class="sentence">What has been tried, and kept</h1>
    <div class="filters" role="search"><input type="search" aria-label="Find a run" placeholder="label, scenario, id" value=${find} onInput=${(event) => setFind(event.target.value)} />
      <p role="status">${shown(String(found.length))} of ${shown(String(runs.length))}${chosen.length === 1 ? ' · choose one more to lay over it' : ''}</p></div>
    <${Trouble} problem=${loaded.problem} again=${loaded.again} />
    ${laid.length > 1 && html`<${Compared} runs=${laid} />`}
    ${loaded.value && (runs.length ? html`<${List} runs=${found} ids=${runs.map((run) => run.id)} chosen=${chosen} toggle=${toggle} remove=${setRemoving} may=${mayRun(status)} />` : html`<${Empty}>No run is stored yet. <a href="#/what-if">In the what-if</a>, <i>Store this run</i> keeps one.<//>`)}
    ${removing && html`<${Delete} run=${removing} close=${() => setRemoving(null)} gone=${() => (setRemoving(null), setChosen(chosen.filter((id) => id !== removing.id)), loaded.again())} />`}
  </main>`;
}
