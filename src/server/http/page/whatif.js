// The first view: the settings on the left, what they would have made on the right.

import { html, useMemo, useState } from './vendor/preact-htm.js';
import { objects } from './api.js';
import { Equity } from './chart.js';
import { differing, kind } from './config.js';
import { counted, moment, plain, shortened, shown, sign } from './numbers.js';
import { Empty, Trouble, useNarrow } from './parts.js';
import { Exits, Figures, Verdict, effect, size } from './results.js';
import { Parameter } from './slider.js';
import { StoreRun } from './storing.js';
import { mayRun, useShared } from './store.js';
import { group, label, ofPeriod, words } from './words.js';
import { backToLive, daysKept, keepBack, reveal } from './work.js';

const FOLDED = new Set(['exit_rules', 'costs', 'limits', 'simulation']);
const ORDER = ['period', 'score_threshold', 'exit_strategy', 'position_sizing', 'scoring_weights', 'exit_rules', 'costs', 'limits', 'simulation'];

export function groups(parameters) {
  const found = new Map();
  for (const parameter of parameters) {
    const name = ofPeriod(parameter) ? 'period' : parameter.group;
    found.set(name, [...(found.get(name) ?? []), parameter]);
  }
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
    ${name === 'period' && html`<${KeepBack} />`}
  </section>`;
  return html`<section class="group folded">
    <h2><button aria-expanded=${open} onClick=${() => setOpen(!open)}>${group(name)}<span>${moved ? `${moved} changed` : parameters.length}</span></button></h2>
    ${open && parameters.map((parameter) => html`<${Parameter} key=${parameter.name} parameter=${parameter} />`)}
  </section>`;
}

// Days that settings were not chosen on tell what they are worth.
const SHARES = [['0', 'nothing'], ['0.1', 'the last tenth'], ['0.2', 'the last fifth'], ['0.3333', 'the last third']];
function KeepBack() {
  const kept = useShared((state) => state.kept);
  const [share, setShare] = useState('0.2');
  const at = kept ? share : '0';
  const keep = (event) => (setShare(event.target.value), keepBack(Number(event.target.value)));
  return html`<div class="parameter keep-back"><div class="top"><label for="keep-back">Keep back</label>
    <select id="keep-back" title="Days that are in no figure until they are revealed: what settings are worth on days they were not chosen on" onChange=${keep}>
      ${SHARES.map(([value, text]) => html`<option value=${value} selected=${value === at}>${text}</option>`)}
    </select></div></div>`;
}

export function Settings() {
  const parameters = useShared((state) => state.parameters);
  return html`<section class="settings" aria-label="Settings">
    ${groups(parameters).map(([name, rows]) => html`<${Group} key=${name} name=${name} parameters=${rows} />`)}
  </section>`;
}

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
    <${Parameter} key=${parameter.name} parameter=${parameter} place="dock-" />
  </div>`;
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
  const back = useShared(daysKept);
  const slim = useNarrow();
  // What is said at its parameter is not said twice.
  const general = problem?.parameter && document.querySelector(`[data-parameter="${CSS.escape(problem.parameter)}"]`) ? null : problem;
  if (status.signals === 0) return html`<div class="answer"><${Empty}>No history is loaded yet. <code>hindsight load</code> brings one, <code>hindsight demo</code> makes one.<//></div>`;
  if (!answer) return html`<div class="answer" aria-busy="true">${problem ? html`<${Trouble} problem=${problem} />` : html`<${Empty}>The first answer is on its way…<//>`}</div>`;
  const row = answer.backtest;
  return html`<div class="answer">
    <${Trouble} problem=${general} />
    <div>
      <${Verdict} row=${row} interval=${interval} tried=${tried} />
      ${back > 0 && html`<p class="ground kept-back">The last <b>${counted(back, 'day')}</b> are kept back, and in no figure. <button class="more" onClick=${reveal}>Reveal</button></p>`}
    </div>
    <div class="pair">
      <div>
        <${Equity} answer=${answer} ghost=${ghost} label=${`Cumulative PnL: simulated ${shown(row.simulated_total_pnl_sol)} SOL, actual ${shown(row.actual_total_pnl_sol)} SOL${ghost ? `, before ${shown(ghost.backtest.simulated_total_pnl_sol)} SOL` : ''}, with how far each lies below its peak. Arrow keys read values.`} />
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
  // Sliders that nothing answers would only puzzle.
  if (!mayRun(status)) return html`<main class="wide"><h1 class="sentence">What other settings would have made</h1><${Empty}>A reader sees stored runs, but asks for none: <a href="#/runs">see the runs</a>, or sign in above as an analyst.<//></main>`;
  return html`<main class="what-if">
      <${Settings} />
      <${Answer} />
    </main>
    <footer>
      <p>${describing ? html`<span key="describing"><b>${label(describing.name)}</b> ${describing.description}${describing.default !== null && describing.default !== undefined ? `; default ${words(plain(String(describing.default)))}` : ''}</span>` : html`<span key="plain">${moved.length ? `${counted(moved.length, 'setting')} moved. Nothing is stored until you say so.` : 'These are the live settings. Nothing is stored until you say so.'}</span>`}</p>
      <button class="quiet" disabled=${moved.length === 0} onClick=${backToLive}>Back to live settings</button>
      <button class="main" disabled=${typed > 0} onClick=${() => setStoring(true)}>Store this run…</button>
    </footer>
    ${storing && html`<${StoreRun} close=${() => setStoring(false)} />`}`;
}
