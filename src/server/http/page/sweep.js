// A grid of settings: how many there are before it starts, the best so far while it runs, and then a map
// of two parameters, with what such a search is worth.

import { html, useRef, useState } from './vendor/preact-htm.js';
import { Problem, ndjson, objects, table } from './api.js';
import { kind, same, wrong } from './config.js';
import { Combinations, Heat, Worth } from './heat.js';
import { counted, duration, plain, shown } from './numbers.js';
import { Empty, Progress, Trouble, useTask } from './parts.js';
import { mayRun, now, useShared } from './store.js';
import { label, ofPeriod, unit } from './words.js';
import { configOf, looked, setAll, steps } from './work.js';

const parse = (text) => text.split(/[,\s]+/).filter(Boolean);

function Axis({ axis, parameters, update, drop }) {
  const parameter = parameters.find((each) => each.name === axis.name);
  const id = `axis-${axis.name}`;
  const problem = parse(axis.text).map((text) => wrong(parameter, text)).find(Boolean);
  return html`<div class="axis">
    <select aria-label="Parameter to sweep" value=${axis.name} onChange=${(event) => update({ name: event.target.value, text: first(parameters.find((each) => each.name === event.target.value)) })}>
      ${parameters.map((each) => html`<option value=${each.name} selected=${each.name === axis.name}>${label(each.name)}${unit(each.unit) ? `, ${unit(each.unit)}` : ''}</option>`)}
    </select>
    <input class="text" id=${id} aria-label=${`Steps of ${label(axis.name)}`} value=${axis.text} autocomplete="off" spellcheck="false" aria-invalid=${problem ? 'true' : undefined} onInput=${(event) => update({ ...axis, text: event.target.value })} />
    <button class="quiet" aria-label=${`Remove ${label(axis.name)}`} disabled=${!drop} onClick=${drop}>Remove</button>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
  </div>`;
}

const first = (parameter) => (kind(parameter) === 'choice' ? parameter.choices.join(', ') : steps(parameter, 7).join(', '));

// What was swept stays when the view is left.
let keptAxes = null;
let keptResult = null;

// The grid that these settings were chosen from, where it is the one that was swept last: all that was not
// swept is the same in them.
export function gridOf(values) {
  if (!keptResult?.rows.length) return null;
  const { axes, others } = keptResult;
  const swept = (name) => axes.find((axis) => axis.name === name);
  const is = now().parameters.every(({ name }) => (swept(name) ? swept(name).values.some((each) => same(each, values[name])) : same(others[name], values[name])));
  return is ? Object.fromEntries(axes.map((axis) => [axis.name, axis.values])) : null;
}

export function Sweep() {
  const parameters = useShared((state) => state.parameters);
  const status = useShared((state) => state.status);
  const swept = parameters.filter((each) => !ofPeriod(each) && each.group !== 'scoring_weights' && ['number', 'choice'].includes(kind(each)));
  const initial = () => ['score_threshold', 'stop_loss_percent'].map((name) => swept.find((each) => each.name === name)).filter(Boolean).map((each) => ({ name: each.name, text: first(each) }));
  const [axes, setAxes] = useState(keptAxes ?? initial());
  const [result, setResult] = useState(keptResult);
  const [progress, setProgress] = useState(null);
  const [task, run] = useTask();
  const stop = useRef(null);
  keptAxes = axes;
  keptResult = result;
  const values = axes.map((axis) => parse(axis.text));
  const number = values.reduce((product, list) => product * list.length, 1);
  const invalid = axes.some((axis, index) => values[index].length === 0 || values[index].some((text) => wrong(parameters.find((each) => each.name === axis.name), text)));
  const update = (index) => (axis) => setAxes(axes.map((each, at) => (at === index ? axis : each)));
  const add = () => {
    const free = swept.find((each) => !axes.some((axis) => axis.name === each.name));
    if (free) setAxes([...axes, { name: free.name, text: first(free) }]);
  };
  const start = () => {
    stop.current = new AbortController();
    setProgress({ done: 0, total: number });
    const grid = Object.fromEntries(axes.map((axis, index) => [axis.name, values[index]]));
    const shownAxes = axes.map((axis, index) => ({ name: axis.name, values: values[index] }));
    const found = [];
    const { values: others } = now();
    run(async () => {
      let complete = null;
      let best = null;
      await ndjson('sweep', { config: configOf(others), grid }, (message) => {
        if (message.type === 'error') throw new Problem(message.problem);
        if (message.type === 'rows') {
          const rows = objects(message);
          looked(rows.map((row) => [{ ...others, ...Object.fromEntries(shownAxes.map(({ name }) => [name, row[name]])) }, row]));
          for (const row of rows) {
            found.push(row);
            if (!best || Number(row.simulated_total_pnl_sol) > Number(best.simulated_total_pnl_sol)) best = row;
          }
          setProgress((before) => ({ ...before, done: Math.max(before.done, found.length), best }));
        }
        if (message.type === 'progress') setProgress({ ...message, best });
        if (message.type === 'complete') complete = message;
      }, { signal: stop.current.signal });
      if (!complete) throw new Problem({ detail: 'The server ended before the sweep was complete.' });
      const result = { axes: shownAxes, others, rows: found, ...complete };
      setResult(result);
      setProgress(null);
      // How much of the best is luck takes longer than the sweep, and stands beside it when it comes.
      const [overfitting] = objects(await table('overfitting', { config: configOf(others), grid }, { signal: stop.current.signal }));
      setResult({ ...result, overfitting });
    }).then(() => setProgress(null));
  };
  const choose = (row) => {
    const next = { ...now().values };
    for (const axis of result.axes) next[axis.name] = plain(String(row[axis.name]));
    setAll(next);
    location.hash = '#/what-if';
  };
  // By the signals that there are; those of fewer days take less.
  const signals = now().answer?.backtest.total_signals ?? status?.signals;
  const seconds = number * (status?.seconds_per_combination ?? 0) * (status?.signals ? Number(signals) / status.signals : 1);
  return html`<main class="wide sweep">
    <h1 class="sentence">Which settings would have done best, and is that more than luck?</h1>
    <section class="axes" aria-label="Parameters to sweep">
      ${axes.map((axis, index) => html`<${Axis} key=${axis.name} axis=${axis} parameters=${swept.filter((each) => each.name === axis.name || !axes.some((other) => other.name === each.name))} update=${update(index)} drop=${axes.length > 1 ? () => setAxes(axes.filter((_, at) => at !== index)) : null} />`)}
      <div class="start">
        <button class="quiet" onClick=${add} disabled=${axes.length >= swept.length}>Add a parameter</button>
        <p>${counted(number, 'combination')} in ${seconds < 1 ? 'less than a second' : `about ${duration(seconds)}`}; all else as in the what-if</p>
        ${task.busy ? html`<button class="main" onClick=${() => stop.current.abort()}>Stop</button>` : html`<button class="main" disabled=${invalid || !mayRun(status)} onClick=${start}>Sweep</button>`}
      </div>
    </section>
    ${task.busy && progress && html`<${Progress} done=${progress.done} total=${progress.total} phase="combinations" remaining=${[progress.estimated_remaining_seconds && `about ${duration(progress.estimated_remaining_seconds)} left`, progress.best && `best so far ${shown(progress.best.simulated_total_pnl_sol, { round: 2 })} SOL`].filter(Boolean).join(' · ')} />`}
    <${Trouble} problem=${task.problem} />
    ${!mayRun(status) && html`<${Empty}>A reader cannot sweep; an analyst can.<//>`}
    ${result && result.rows.length > 0 && html`<div class=${task.busy ? 'stale' : ''}>
      <${Worth} overfitting=${result.overfitting} combinations=${result.combinations ?? result.rows.length} />
      <${Heat} rows=${result.rows} axes=${result.axes} choose=${choose} />
      <${Combinations} rows=${result.rows} axes=${result.axes} choose=${choose} />
    </div>`}
  </main>`;
}
