// The report: one file that is sent to others, with its data in it, in the order in which it is doubted.

import { html, render, useMemo, useState } from './vendor/preact-htm.js';
import { counted, day, days, moment, ordered, plain, shortened, shown, sign } from './numbers.js';
import { Combinations, Heat, Worth } from './heat.js';
import { Overlay } from './overlay.js';
import { Difference, Empty, csv, download, objects } from './parts.js';
import { Chosen, Exits, Figures, Verdict, effect } from './results.js';
import { change } from './store.js';
import { group, label, ofPeriod, unit, words } from './words.js';

const value = (text) => (text === null || text === undefined ? 'none' : /^-?[\d.]+$/.test(String(text)) ? shown(plain(String(text))) : words(String(text)));
const colour = (text) => (sign(text) > 0 ? 'gain' : sign(text) < 0 ? 'loss' : '');

const Section = ({ title, note, children }) => html`<section><h2>${title} ${note && html`<span>${note}</span>`}</h2>${children}</section>`;

// A table of few columns, each {title, cell, left}.
function Rows({ columns, rows, first = Infinity }) {
  const [all, setAll] = useState(false);
  const listed = all ? rows : rows.slice(0, first);
  return html`<table><thead><tr>${columns.map((column) => html`<th scope="col" class=${column.left ? 'left' : ''}>${column.title}</th>`)}</tr></thead>
      <tbody>${listed.map((row) => html`<tr>${columns.map((column) => html`<td class=${column.left ? 'left' : ''}>${column.cell(row)}</td>`)}</tr>`)}</tbody></table>
    ${rows.length > first && html`<button class="more" onClick=${() => setAll(!all)}>${all ? 'Fewer' : counted(rows.length - first, 'more row')}</button>`}`;
}

function Question({ data }) {
  const changed = data.parameters.filter((each) => !ofPeriod(each) && String(each.value ?? '') !== String(each.default ?? '') && ordered(each.value, each.default) !== 0);
  const others = data.parameters.filter((each) => !changed.includes(each) && !ofPeriod(each));
  return html`<${Section} title="The question">
    <p>Over the ${counted(data.row.total_signals, 'signal')} of ${days(data.row.start_date, data.row.end_date)}: had the settings been ${changed.length ? 'these, and not the defaults' : 'the defaults'}, what would have been made instead of what was?</p>
    ${changed.length > 0 && html`<${Rows} rows=${changed} columns=${[
      { title: 'setting', left: true, cell: (each) => html`${label(each.name)}${unit(each.unit) && html`<span class="soft">, ${unit(each.unit)}</span>`}` },
      { title: 'default', cell: (each) => value(each.default) },
      { title: 'here', cell: (each) => html`<b class="accent">${value(each.value)}</b>` },
    ]} />`}
    <details><summary>${changed.length ? 'What stayed at its default' : 'Every setting'}</summary><p class="soft">${others.map((each, index) => html`${index ? ', ' : ''}${label(each.name).toLowerCase()} ${value(each.value)}`)}.</p></details>
  <//>`;
}

function Believe({ interval, calibration }) {
  const one = calibration[0];
  return html`<${Section} title="How far to believe it" note="signals drawn again in whole groups">
    ${interval.length > 0 && html`<${Rows} rows=${interval} columns=${[
      { title: 'groups by', left: true, cell: (each) => words(each.method) },
      { title: 'groups', cell: (each) => shown(String(each.groups)) },
      { title: 'difference', cell: (each) => html`<${Difference} value=${each.estimate_sol} round=${2} />` },
      { title: '95 % from', cell: (each) => shown(each.lower_sol, { round: 2, signed: true }) },
      { title: 'to', cell: (each) => shown(each.upper_sol, { round: 2, signed: true }) },
      { title: 'not better in', cell: (each) => `${(Number(each.share_not_better) * 100).toFixed(1)} %` },
    ]} />`}
    ${interval.filter((each) => each.warning).map((each) => html`<p class="soft">${each.warning}</p>`)}
    ${one && html`<p>Calibration: run with the live settings over the ${counted(one.trades, 'trade')} that were really made, the simulation errs by <b>${shown(one.bias_sol, { least: 4, signed: true })} SOL</b> a trade on average${one.bias_lower_sol !== null && one.bias_lower_sol !== undefined ? html` (95 %: ${shown(one.bias_lower_sol, { least: 4, signed: true })} to ${shown(one.bias_upper_sol, { least: 4, signed: true })})` : ''}; its sign is right in <b>${one.share_same_sign === null ? '–' : `${(Number(one.share_same_sign) * 100).toFixed(1)} %`}</b>, its concordance with what happened is <b>${one.concordance === null ? '–' : Number(one.concordance).toFixed(2)}</b>.</p>`}
  <//>`;
}

const W = 900;
// Days as bars: positions and SOL at once.
function Bars({ rows, name, title }) {
  const greatest = rows.map((row) => String(row[name])).reduce((a, b) => (ordered(b, a) > 0 ? b : a));
  const most = Math.max(Number(greatest), 1e-9);
  const width = W / rows.length;
  return html`<figure><figcaption>${title}, at most <b>${shown(greatest)}</b></figcaption><svg viewBox="0 0 ${W} 70" preserveAspectRatio="none" role="img" aria-label=${`${title}, by day, at most ${greatest}`}>
    <path class="bars" d=${rows.map((row, index) => `M${(index * width).toFixed(1)},70V${(70 - (Number(row[name]) / most) * 68).toFixed(1)}h${Math.max(0.5, width * 0.8).toFixed(1)}V70Z`).join('')} /></svg></figure>`;
}

const By = ({ rows, name, title, show, first = 10 }) => html`<div><h3>${title}</h3><${Rows} rows=${rows} first=${first} columns=${[
  { title: words(name), left: true, cell: (row) => show(row[name]) },
  { title: 'trades', cell: (row) => shown(String(row.trades)) },
  { title: 'actual', cell: (row) => shown(row.actual_pnl_sol, { round: 4 }) },
  { title: 'simulated', cell: (row) => shown(row.simulated_pnl_sol, { round: 4 }) },
  { title: 'difference', cell: (row) => html`<${Difference} value=${row.difference_sol} round=${4} />` },
]} /></div>`;

const address = (text) => html`<code title=${text}>${shortened(text)}</code>`;

function Changes({ rows }) {
  const save = () => download('what-would-have-changed.csv', csv(Object.keys(rows[0]), rows.map((row) => Object.values(row))));
  return html`<${Section} title="What would have changed" note=${`${counted(rows.length, 'signal')}, largest first`}>
    <${Rows} rows=${rows} first=${25} columns=${[
      { title: 'signal', left: true, cell: (row) => moment(row.timestamp) },
      { title: 'token', left: true, cell: (row) => address(row.token_address) },
      { title: 'actual', cell: (row) => html`<span title=${shown(row.actual_pnl_sol)}>${shown(row.actual_pnl_sol, { round: 4 })}</span>` },
      { title: 'simulated', cell: (row) => html`<span class=${colour(row.simulated_pnl_sol)} title=${shown(row.simulated_pnl_sol)}>${shown(row.simulated_pnl_sol, { round: 4 })}</span>` },
      { title: 'effect', left: true, cell: (row) => effect(row) },
    ]} />
    ${rows.length > 0 && html`<button class="more" onClick=${save}>All of them as CSV</button>`}
  <//>`;
}

function Gaps({ data }) {
  return html`<${Section} title="Gaps" note="what level and conservative fills differ in">
    <p>Had every stop, trail and target filled at the worse of its level and the price that crossed it, the total would be <b>${shown(data.row.simulated_pnl_conservative_sol, { least: 4 })} SOL</b> and not ${shown(data.row.simulated_total_pnl_sol, { least: 4 })}.</p>
    <div class="two"><div><h3>By how trades ended</h3><${Rows} rows=${data.gaps} columns=${[
      { title: 'reason', left: true, cell: (row) => words(row.exit_reason) },
      { title: 'trades that differ', cell: (row) => shown(String(row.trades)) },
      { title: 'SOL', cell: (row) => html`<${Difference} value=${row.difference_sol} least=${4} />` },
    ]} /></div>
    <div><h3>The ten trades that make most of it</h3><${Rows} rows=${data.gap_trades} columns=${[
      { title: 'signal', left: true, cell: (row) => moment(row.signal_timestamp) },
      { title: 'token', left: true, cell: (row) => address(row.token_address) },
      { title: 'ended by', left: true, cell: (row) => words(row.exit_reason) },
      { title: 'level', cell: (row) => shown(row.level_sol, { round: 4 }) },
      { title: 'conservative', cell: (row) => shown(row.conservative_sol, { round: 4 }) },
    ]} /></div></div>
  <//>`;
}

// The grid that the settings were chosen from, and where in it they are.
function CameFrom({ sweep, overfitting, choice, row }) {
  const rows = useMemo(() => (sweep ? objects(sweep) : []), [sweep]);
  const chosen = choice && Number(choice.combinations_tried) > 1 && html`<p><${Chosen} run=${choice} /></p>`;
  if (!rows.length) return html`<${Section} title="The sweep it came from">${chosen || html`<p class="soft">None that is known: nobody has said that other settings were tried before these.</p>`}<//>`;
  const names = sweep.columns.slice(0, sweep.columns.indexOf('simulated_total_trades'));
  const axes = names.map((name) => ({ name, values: [...new Set(rows.map((each) => plain(String(each[name]))))] }));
  return html`<${Section} title="The sweep it came from" note="all else as here">
    ${Number(choice?.combinations_tried) !== rows.length && chosen}
    <${Worth} overfitting=${overfitting ? objects(overfitting)[0] : {}} combinations=${rows.length} />
    <${Heat} rows=${rows} axes=${axes} here=${row} />
    <${Combinations} rows=${rows} axes=${axes} />
  <//>`;
}

function Report({ data: packed }) {
  const [row] = useMemo(() => objects(packed.row), []);
  const parameters = useMemo(() => objects(packed.parameters).map((each) => ({ ...each, value: row[each.name] ?? null })), []);
  const data = { ...packed, row, parameters };
  const manifest = { ...objects(packed.made)[0], ...packed.manifest };
  const exits = useMemo(() => objects(packed.exits), []);
  const tables = useMemo(() => Object.fromEntries(['interval', 'calibration', 'changes', 'wallets', 'tokens', 'hours', 'gaps', 'gap_trades', 'exposure', 'costs', 'quality', 'equity'].map((name) => [name, packed[name] ? objects(packed[name]) : []])), []);
  const cost = tables.costs[0] ?? {};
  return html`<main class="wide report">
    <p class="soft">hindsight · ${manifest.label || manifest.scenario || (manifest.backtest ? manifest.backtest.slice(0, 8) : 'the defaults')} · made ${moment(manifest.generated_at, { year: true })} UTC</p>
    <${Verdict} row=${row} interval=${tables.interval} />
    <${Question} data=${data} />
    <${Believe} interval=${tables.interval} calibration=${tables.calibration} />
    <${Section} title="Figures"><${Figures} row=${row} whole=${true} /><//>
    <${Section} title="The curves" note="cumulative PnL in SOL, in the order of the signals">
      <${Overlay} runs=${[{ id: 'simulated', label: 'simulated' }]} curves=${[tables.equity]} />
    <//>
    <${Changes} rows=${tables.changes} />
    <section class="two"><${Exits} exits=${exits} /><${By} rows=${tables.hours} name="hour" title="By hour of the signal, UTC" first=${24} show=${(hour) => `${String(hour).padStart(2, '0')}:00`} /></section>
    <section class="two"><${By} rows=${tables.wallets} name="wallet" title="By wallet" show=${address} /><${By} rows=${tables.tokens} name="token" title="By token" show=${address} /></section>
    <${Gaps} data=${{ ...tables, row }} />
    <${Section} title="Exposure" note="at once, the most of each day">
      ${tables.exposure.length ? html`<div class="exposure"><${Bars} rows=${tables.exposure} name="open_positions" title="Open positions" /><${Bars} rows=${tables.exposure} name="capital_sol" title="SOL in them" />
        <p class="soft">${day(tables.exposure[0].day)} to ${day(tables.exposure[tables.exposure.length - 1].day)}</p></div>` : html`<${Empty}>No position was open.<//>`}
    <//>
    <${Section} title="Costs"><${Rows} rows=${Object.entries(cost)} columns=${[
      { title: 'of all simulated trades', left: true, cell: ([name]) => label(name) },
      { title: 'SOL', cell: ([, amount]) => shown(amount, { least: 4 }) },
    ]} /><//>
    <${CameFrom} ...${packed} row=${row} />
    <${Section} title="Assumptions"><ul>${data.assumptions.map((text) => html`<li>${text}</li>`)}</ul><//>
    <${Section} title="The data" note="what the last load found">${tables.quality.length ? html`<div class="quality"><${Rows} rows=${tables.quality} columns=${[
      { title: 'table', left: true, cell: (each) => words(each.table_name) },
      { title: 'finding', left: true, cell: (each) => words(each.check_name) },
      { title: 'weight', left: true, cell: (each) => words(each.severity) },
      { title: 'rows', cell: (each) => shown(String(each.row_count)) },
      { title: 'example', left: true, cell: (each) => html`<code>${each.example ?? '–'}</code>` },
    ]} /></div>` : html`<${Empty}>Nothing odd.<//>`}<//>
    <${Section} title="Manifest"><dl class="manifest">${Object.entries(manifest).filter(([, each]) => each !== null && each !== undefined).map(([name, each]) => html`<dt>${words(name)}</dt><dd><code>${String(each)}</code></dd>`)}</dl>
      <details><summary>Every parameter</summary><${Rows} rows=${data.parameters} columns=${[
        { title: 'parameter', left: true, cell: (each) => html`<code>${each.name}</code>` },
        { title: 'group', left: true, cell: (each) => group(each.group) },
        { title: 'value', cell: (each) => (each.value === null ? 'none' : String(each.value)) },
        { title: 'default', cell: (each) => (each.default === null ? 'none' : String(each.default)) },
      ]} /></details><//>
  </main>`;
}

async function start() {
  const root = document.getElementById('page');
  try {
    const packed = Uint8Array.from(atob(document.getElementById('data').textContent.trim()), (character) => character.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
    const data = JSON.parse(await new Response(stream).text());
    change({ metrics: data.metrics ?? [] });
    root.textContent = '';
    render(html`<${Report} data=${data} />`, root);
    document.body.dataset.drawn = Math.round(performance.now());
  } catch (error) {
    root.textContent = `This report cannot be read: ${error.message}`;
  }
}
start();
