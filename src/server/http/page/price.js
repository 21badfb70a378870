// One trade's price path, with where it was entered and left, the levels that were watched, and what was
// really done: why this trade ended as it did.

import { html } from './vendor/preact-htm.js';
import * as api from './api.js';
import { moment, plain, shortened, shown, sign } from './numbers.js';
import { Difference, Empty, Trouble, path, useLoaded } from './parts.js';
import { words } from './words.js';

const W = 640;
const H = 210;
const minutes = (count) => count * 60e3;

async function load(row, config, signal) {
  const hold = Number(config.exit_strategy?.max_hold_minutes ?? 60);
  const start = Date.parse(row.timestamp);
  const actual = row.actual_traded ? api.objects(await api.get(`outcomes?${new URLSearchParams({ signal: row.signal_id })}`, { signal })) : [];
  const ends = [...row.sales, ...actual].map((sale) => Date.parse(sale.exit_timestamp ?? '') + minutes(2)).filter(Number.isFinite);
  const end = Math.max(start + minutes(hold * 1.15 + 2), ...ends);
  const from = new Date(start - minutes(Math.max(3, hold * 0.08))).toISOString();
  const prices = await api.get(`prices?${new URLSearchParams({ token: row.token_address, from, to: new Date(end).toISOString() })}`, { signal });
  return { prices: api.objects(prices).map((each) => [Date.parse(each.timestamp), Number(each.price)]), actual };
}

// The levels that the settings watch, from the entry price.
function levels(config, entry) {
  const { strategy, stop_loss_percent: stop, take_profit_percent: target } = config.exit_strategy ?? {};
  const found = [];
  if (stop) found.push({ name: 'stop loss', price: entry * (1 - Number(stop) / 100) });
  if (target && /targets|hybrid/.test(strategy) && !config.exit_rules?.take_profit_ladder) found.push({ name: 'target', price: entry * (1 + Number(target) / 100) });
  return found;
}

const sameEntry = (sale, before) => before && sale.entry_timestamp === before.entry_timestamp && sale.entry_price === before.entry_price;

function Picture({ data, row, config }) {
  const entry = row.sales[0] && { time: Date.parse(row.sales[0].entry_timestamp), price: Number(row.sales[0].entry_price) };
  const marks = [
    ...(entry ? [{ ...entry, kind: 'entry', text: 'in' }] : []),
    ...row.sales.map((sale) => ({ time: Date.parse(sale.exit_timestamp), price: Number(sale.exit_price), kind: 'exit', text: words(sale.exit_reason) })),
    ...data.actual.flatMap((each) => [
      each.entry_price && { time: Date.parse(each.entry_timestamp), price: Number(each.entry_price), kind: 'really', text: 'really in' },
      each.exit_price && { time: Date.parse(each.exit_timestamp), price: Number(each.exit_price), kind: 'really', text: 'really out' },
    ]).filter(Boolean),
  ];
  const [from, to] = [data.prices[0][0], data.prices[data.prices.length - 1][0]];
  // Sales of one entry have it in common.
  const alike = (a, b) => a.kind === b.kind && a.time === b.time && a.price === b.price;
  const inside = marks.filter((mark, index) => mark.time >= from && mark.time <= to && marks.findIndex((other) => alike(mark, other)) === index);
  const prices = [...data.prices.map(([, price]) => price), ...inside.map((mark) => mark.price)];
  let [low, high] = [Math.min(...prices), Math.max(...prices)];
  const watched = entry ? levels(config, entry.price).filter((level) => level.price > low - (high - low) * 0.6 && level.price < high + (high - low) * 0.6) : [];
  for (const level of watched) [low, high] = [Math.min(low, level.price), Math.max(high, level.price)];
  const x = (time) => 4 + ((time - from) / (to - from || 1)) * (W - 8);
  const y = (price) => 16 + ((high - price) / (high - low || 1)) * (H - 40);
  // What lies on another's name goes without: its mark is there, and the facts below name it.
  const named = [];
  const label = (mark) => {
    const end = x(mark.time) > W - 90;
    const at = { x: x(mark.time) + (end ? -8 : 8), y: y(mark.price) + (mark.kind === 'really' ? 14 : -6) };
    if (named.some((other) => Math.abs(other.x - at.x) < 76 && Math.abs(other.y - at.y) < 15)) return null;
    named.push(at);
    return html`<text class=${end ? 'end' : ''} x=${at.x} y=${at.y}>${mark.text}</text>`;
  };
  return html`<svg class="price" viewBox="0 0 ${W} ${H}" role="img" aria-label=${`Price of ${row.token_address} from ${moment(from)} to ${moment(to)}`}>
    ${watched.map((level) => html`<g><line class="level" x1="0" x2=${W} y1=${y(level.price)} y2=${y(level.price)} /><text x=${W - 2} y=${y(level.price) - 4} class="end">${level.name}</text></g>`)}
    <path class="line" d=${path(data.prices, x, y)} />
    ${inside.map((mark) => html`<g class=${mark.kind}>${mark.kind === 'really' ? html`<rect x=${x(mark.time) - 3.5} y=${y(mark.price) - 3.5} width="7" height="7" />` : html`<circle cx=${x(mark.time)} cy=${y(mark.price)} r="4" />`}${label(mark)}</g>`)}
    <text x="4" y=${H - 3}>${moment(from)}</text><text x=${W - 4} y=${H - 3} class="end">${moment(to)}</text>
  </svg>`;
}

export function PricePath({ row, config, close }) {
  const loaded = useLoaded((signal) => load(row, config, signal), row.signal_id);
  const data = loaded.value;
  const cost = (sale, name) => (sign(sale[name]) !== 0 && sale[name] !== undefined && sale[name] !== null ? html`<dt>${words(name.replace(/_sol$|_cost_sol$/, ''))}</dt><dd>${shown(sale[name])}</dd>` : '');
  return html`<aside class="detail" aria-label="The trade">
    <div class="detail-head"><h2>${row.change_description ?? ''}</h2><button class="quiet" onClick=${close}>Close</button></div>
    <${Trouble} problem=${loaded.problem} again=${loaded.again} />
    ${data ? (data.prices.length > 1 ? html`<${Picture} data=${data} row=${row} config=${config} />` : html`<${Empty}>This token has no prices here.<//>`) : !loaded.problem && html`<${Empty}>The price path is on its way…<//>`}
    <div class="facts">
      ${row.sales.length === 0 && html`<p>Not traded: ${words(row.skip_reason ?? 'below the threshold')}. Its score is ${shown(row.score)}.</p>`}
      ${row.sales.map((sale) => html`<dl>
        <dt>ended by</dt><dd>${words(sale.exit_reason)}${sale.share_percent && sale.share_percent !== '100' && sign(sale.share_percent) && Number(sale.share_percent) !== 100 ? `, ${plain(sale.share_percent)} % of the position` : ''}</dd>
        <dt>in</dt><dd>${moment(sale.entry_timestamp, { seconds: true })} at ${plain(sale.entry_price)}</dd>
        <dt>out</dt><dd>${moment(sale.exit_timestamp, { seconds: true })} at ${plain(sale.exit_price)}</dd>
        <dt>position</dt><dd>${shown(sale.position_size_sol)} SOL</dd>
        <dt>gross</dt><dd>${shown(sale.gross_pnl_sol, { signed: true })}</dd>
        ${['slippage_cost_sol', 'gas_cost_sol', 'fees_sol', 'impact_cost_sol'].map((name) => cost(sale, name))}
        <dt>net</dt><dd><${Difference} value=${sale.net_pnl_sol} /></dd>
      </dl>`)}
      ${data?.actual.map((each, index) => html`<dl>
        ${!sameEntry(each, data.actual[index - 1]) && html`<dt>really in</dt><dd>${moment(each.entry_timestamp, { seconds: true })} at ${plain(each.entry_price) ?? '–'}</dd>`}
        <dt>really out</dt><dd>${moment(each.exit_timestamp, { seconds: true })} at ${plain(each.exit_price) ?? '–'}</dd>
        <dt>made</dt><dd><${Difference} value=${each.realized_pnl_sol} /></dd>
      </dl>`)}
      <p class="ids">signal <code>${row.signal_id}</code><br />token <code>${row.token_address}</code><br />wallet <code>${row.source_wallet}</code></p>
    </div>
  </aside>`;
}
