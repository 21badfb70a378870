// Names of the engine's columns and parameters as people read them. A name that is not listed is read as
// it is written, so that what the engine gains is shown the day it has it.

import { now } from './store.js';

const WHOLE = {
  score_threshold: 'Score at least',
  exit_strategy: 'Strategy',
  max_hold_minutes: 'Hold at most',
  base_position_sol: 'Base position',
  max_position_sol: 'Largest position',
  start_date: 'From',
  end_date: 'To',
  expectancy: 'Per trade',
  max_drawdown_sol: 'Deepest fall',
  max_consecutive_losses: 'Losses in a row',
  total_trades: 'Trades',
  token_metrics_weight: 'Token metrics',
  holder_distribution_weight: 'Holders',
  include_gas_costs: 'Gas costs',
  scale_with_confidence: 'Scale by score',
  take_profit_ladder: 'Ladder of targets',
  max_entry_delay_minutes: 'Entry delay at most',
  max_open_positions: 'Open at once',
  max_positions_per_token: 'Open per token',
  max_trades_per_day: 'Trades a day',
  token_cooldown_minutes: 'Pause per token',
  pool_sol: 'SOL in the pool',
};

const GROUPS = {
  period: 'Period',
  scoring_weights: 'Weights',
  score_threshold: 'Selection',
  position_sizing: 'Position',
  exit_strategy: 'Exit',
  exit_rules: 'More exit rules',
  costs: 'More costs',
  limits: 'Limits',
  simulation: 'Simulation',
};

const UNITS = { percent: '%', minutes: 'min', fraction: '', points: '', factor: '×', name: '', 'true or false': '', 'date, UTC': '' };
const SPELLED = { pnl: 'PnL', sol: 'SOL', sqn: 'SQN', id: 'id', utc: 'UTC' };
const SUFFIX = /_(sol|percent|minutes|weight)$/;

const sentence = (name) => {
  const words = name.split('_').map((word) => SPELLED[word] ?? word);
  const text = words.join(' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
};

// The days of a backtest are what it is over, not how it trades.
export const ofPeriod = ({ name }) => name === 'start_date' || name === 'end_date';

export const label = (name) => WHOLE[name] ?? sentence(name.replace(SUFFIX, '') || name);
export const group = (name) => GROUPS[name] ?? sentence(name);
export const unit = (text) => UNITS[text] ?? text ?? '';
export const words = (name) => String(name ?? '').replaceAll('_', ' ');

const named = (metric) => now().metrics.find((each) => each.name === metric);

// What a metric is, in the engine's own words.
export const says = (metric) => named(metric)?.description;

// The unit of a metric; ratios have none.
export function unitOf(metric) {
  const known = named(metric);
  if (known) return ['trades', 'ratio'].includes(known.unit) ? '' : unit(known.unit);
  if (/_sol$|^expectancy$/.test(metric)) return 'SOL';
  return /_minutes$/.test(metric) ? 'min' : /_percent$|_rate$/.test(metric) ? '%' : '';
}

// Digits behind the point that a metric has at least, so that a column of it can be read down.
export const digitsOf = (metric) => ({ SOL: 4, '%': 2 })[unitOf(metric)] ?? 0;

// Whether more of a metric is good (1), bad (-1), or neither (0).
export function better(metric) {
  const known = named(metric);
  if (known) return { more: 1, less: -1, neither: 0 }[known.better] ?? 0;
  if (/trades$|hold/.test(metric)) return 0;
  return /gross_loss|average_loss|drawdown|consecutive_losses/.test(metric) ? -1 : 1;
}

// The metrics of a row of backtest(): every M that has both `actual_M` and `simulated_M`, the total first.
export function metrics(row) {
  const names = Object.keys(row)
    .filter((name) => name.startsWith('actual_') && `simulated_${name.slice(7)}` in row)
    .map((name) => name.slice(7));
  // The server's table of metrics says the order; an object of JSON has none.
  const table = now().metrics.map((metric) => metric.name);
  const place = (name) => (table.indexOf(name) + 1 || table.length + 1);
  names.sort((a, b) => place(a) - place(b));
  const first = ['total_pnl_sol', 'total_trades', 'win_rate', 'profit_factor', 'expectancy'];
  return [...first.filter((name) => names.includes(name)), ...names.filter((name) => !first.includes(name))];
}

// The beginning of an id, as long as it takes to tell it from others: those of one minute begin alike.
export function shortId(id, others) {
  const alike = (other) => [...id].findIndex((letter, index) => letter !== other[index]);
  return id.slice(0, Math.max(8, ...others.filter((other) => other !== id).map((other) => alike(other) + 1)));
}

export const titled = (run) => run.label || run.scenario || run.id.slice(0, 8);
