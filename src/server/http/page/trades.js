// What would have changed, trade by trade: sorted and filtered by an index, so that any number scrolls.

import { html, useEffect, useMemo, useRef, useState } from './vendor/preact-htm.js';
import * as api from './api.js';
import { Grid } from './grid.js';
import { counted, minus, moment, shortened, shown, sign } from './numbers.js';
import { Empty, Trouble, csv, download, useLoaded, useNarrow } from './parts.js';
import { PricePath } from './price.js';
import { mayRun, useShared } from './store.js';
import { words } from './words.js';
import { effect, size } from './results.js';
import { configOf } from './work.js';

const colour = (value) => (sign(value) > 0 ? 'gain' : sign(value) < 0 ? 'loss' : '');

// Four digits, so that a column can be read down; the whole is in the trade that is opened, and under the pointer.
const sol = (value, signed = false) => html`<span title=${shown(value)}>${shown(value, { round: 4, signed })}</span>`;

// Comparisons with how each simulated trade ended beside them; the sales of one signal are one row.
export function join(compared, simulated) {
  const ends = new Map();
  for (const trade of simulated) {
    const known = ends.get(trade.signal_id);
    if (known) known.push(trade);
    else ends.set(trade.signal_id, [trade]);
  }
  return compared.map((row) => {
    const sales = ends.get(row.signal_id) ?? [];
    const reasons = [...new Set(sales.map((sale) => sale.exit_reason))].join(', ');
    return { ...row, sales, exit_reason: reasons, size: size(row) };
  });
}

async function load(config, signal) {
  const [compared, simulated] = await Promise.all([
    api.wholeTable('compare_trades', { config }, { signal }),
    api.wholeTable('simulate_trades', { config }, { signal }),
  ]);
  return join(api.objects(compared), api.objects(simulated));
}

const COLUMNS = [
  { name: 'timestamp', title: 'signal', width: '96px', cell: (row) => moment(row.timestamp), value: (row) => row.timestamp },
  { name: 'token_address', title: 'token', width: '100px', cell: (row) => html`<code title=${row.token_address}>${shortened(row.token_address)}</code>`, value: (row) => row.token_address },
  { name: 'source_wallet', title: 'wallet', width: '100px', cell: (row) => html`<code title=${row.source_wallet}>${shortened(row.source_wallet)}</code>`, value: (row) => row.source_wallet },
  { name: 'score', title: 'score', width: '64px', align: 'right', cell: (row) => shown(row.score, { least: 2 }), value: (row) => Number(row.score) },
  { name: 'actual_pnl_sol', title: 'actual', width: '104px', align: 'right', cell: (row) => (row.actual_traded && row.actual_pnl_sol === null ? 'open' : sol(row.actual_pnl_sol)), value: (row) => (row.actual_pnl_sol === null ? -Infinity : Number(row.actual_pnl_sol)) },
  { name: 'simulated_pnl_sol', title: 'simulated', width: '88px', align: 'right', cell: (row) => html`<span class=${colour(row.simulated_pnl_sol)}>${sol(row.simulated_pnl_sol)}</span>`, value: (row) => (row.simulated_pnl_sol === null ? -Infinity : Number(row.simulated_pnl_sol)) },
  { name: 'size', title: 'difference', width: '112px', align: 'right', cell: (row) => (row.change === 'unchanged' ? '–' : sol(minus(row.simulated_pnl_sol ?? '0', row.actual_pnl_sol ?? '0'), true)), value: (row) => row.size },
  { name: 'exit_reason', title: 'ended by', width: '130px', align: 'apart', cell: (row) => words(row.exit_reason) || '–', value: (row) => row.exit_reason },
  { name: 'skip_reason', title: 'not traded for', width: '132px', cell: (row) => words(row.skip_reason) || '–', value: (row) => row.skip_reason ?? '' },
  { name: 'effect', title: 'effect', width: 'minmax(190px, 1fr)', align: 'soft', cell: (row) => effect(row), value: (row) => effect(row) },
];

const CHANGES = [['', 'every change'], ['changed', 'changed at all'], ['new_trade', 'new trade'], ['skipped', 'skipped'], ['pnl_changed', 'PnL changed'], ['unchanged', 'unchanged']];

function matches(row, filter) {
  if (filter.change === 'changed' ? row.change === 'unchanged' : filter.change && row.change !== filter.change) return false;
  if (filter.exit && !row.exit_reason.split(', ').includes(filter.exit)) return false;
  if (filter.skip && row.skip_reason !== filter.skip) return false;
  if (!filter.text) return true;
  const text = filter.text.toLowerCase();
  return [row.signal_id, row.token_address, row.source_wallet, row.change_description].some((each) => String(each ?? '').toLowerCase().includes(text));
}

const distinct = (rows, name) => [...new Set(rows.flatMap((row) => String(row[name] ?? '').split(', ')))].filter(Boolean).sort();

// On a phone: what changed, and by how much; the rest is in the row that is opened.
const FEW = Object.entries({ timestamp: '98px', token_address: '74px', simulated_pnl_sol: '64px', size: '84px' }).map(([name, width]) => ({ ...COLUMNS.find((column) => column.name === name), width }));

// Beside a trade that is opened: as before, without what does not fit.
const BESIDE = COLUMNS.filter((column) => !['skip_reason', 'effect'].includes(column.name));

export function TradeTable({ rows, config, name }) {
  const narrow = useNarrow();
  const [order, setOrder] = useState({ name: 'size', down: true });
  const [filter, setFilter] = useState({ change: '', exit: '', skip: '', text: '' });
  const [opened, setOpened] = useState(null);
  const index = useMemo(() => {
    const { value } = COLUMNS.find((column) => column.name === order.name);
    const found = [];
    rows.forEach((row, at) => matches(row, filter) && found.push(at));
    const keys = rows.map(value);
    const way = order.down ? -1 : 1;
    return found.sort((a, b) => (keys[a] < keys[b] ? -way : keys[a] > keys[b] ? way : a - b));
  }, [rows, order, filter]);
  useEffect(() => setOpened(null), [index]);
  const set = (key) => (event) => setFilter({ ...filter, [key]: event.target.value });
  const open = opened === null ? null : rows[index[opened]];
  const area = useRef();
  const shut = () => {
    setOpened(null);
    area.current.querySelector('.grid').focus();
  };
  const save = () => {
    const names = Object.keys(rows[0] ?? {}).filter((key) => key !== 'sales' && key !== 'size');
    download(`${name}.csv`, csv(names, index.map((at) => names.map((key) => rows[at][key]))));
  };
  const pick = (key, title, choices) => html`<select aria-label=${title} value=${filter[key]} onChange=${set(key)}>
    ${choices.map(([value, text]) => html`<option value=${value} selected=${value === filter[key]}>${text}</option>`)}
  </select>`;
  return html`<div class="filters" role="search">
      ${pick('change', 'Change', CHANGES)}
      ${pick('exit', 'Ended by', [['', 'ended by anything'], ...distinct(rows, 'exit_reason').map((each) => [each, words(each)])])}
      ${pick('skip', 'Not traded for', [['', 'traded or not'], ...distinct(rows, 'skip_reason').map((each) => [each, words(each)])])}
      <input type="search" aria-label="Find wallet, token or signal" placeholder="wallet, token, signal" value=${filter.text} onInput=${set('text')} />
      <p role="status">${shown(String(index.length))} of ${counted(rows.length, 'signal')}</p>
      <button class="quiet" onClick=${save}>Download CSV</button>
    </div>
    <div ref=${area} class=${`with-detail ${open ? 'is-open' : ''}`} onKeyDown=${(event) => open && event.key === 'Escape' && shut()}>
      <${Grid} label="Trades" columns=${narrow ? FEW : open ? BESIDE : COLUMNS} count=${index.length} row=${(at) => rows[index[at]]} order=${order} onOrder=${setOrder} opened=${opened} onOpen=${(at) => setOpened(at === opened ? null : at)} />
      ${open && html`<${PricePath} key=${open.signal_id} row=${open} config=${config} close=${shut} />`}
    </div>`;
}

export function Trades() {
  const values = useShared((state) => state.values);
  const status = useShared((state) => state.status);
  const config = useRef();
  config.current = configOf(values);
  const key = JSON.stringify(config.current);
  const loaded = useLoaded((signal) => (mayRun(status) ? load(config.current, signal) : Promise.resolve(null)), key);
  return html`<main class="wide trades">
    <h1 class="sentence">What would have changed, trade by trade</h1>
    ${!mayRun(status) && html`<${Empty}>A reader sees the trades of stored runs: <a href="#/runs">see the runs</a>.<//>`}
    <${Trouble} problem=${loaded.problem} again=${loaded.again} />
    ${loaded.value ? html`<${TradeTable} rows=${loaded.value} config=${config.current} name="trades" />` : mayRun(status) && !loaded.problem && html`<${Empty}>All trades are being compared…<//>`}
  </main>`;
}
