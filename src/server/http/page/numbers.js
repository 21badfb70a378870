// Exact decimals, as text: what SQL writes is what is shown. Nothing here rounds unless told to, and then
// half to even; only pictures (`Number`) go through floating point.

const PATTERN = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;

// The units and the scale of a decimal, or null where the text is none.
export function decimal(text) {
  const match = PATTERN.exec(String(text ?? '').trim().replace('−', '-'));
  if (!match || !(match[2] || match[3])) return null;
  let digits = match[2] + (match[3] ?? '');
  let scale = (match[3] ?? '').length - Number(match[4] ?? 0);
  if (scale > 60 || scale < -60) return null;
  if (scale < 0) {
    digits += '0'.repeat(-scale);
    scale = 0;
  }
  const units = BigInt(digits);
  return { units: match[1] === '-' ? -units : units, scale };
}

const written = ({ units, scale }) => {
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  return (units < 0n ? '-' : '') + whole + (scale ? `.${digits.slice(-scale)}` : '');
};

const atScale = (number, scale) => number.units * 10n ** BigInt(scale - number.scale);

// Rounded half to even, with exactly `places` digits.
export function rounded(text, places) {
  const number = decimal(text);
  if (!number) return null;
  if (number.scale <= places) return written({ units: atScale(number, places), scale: places });
  const divisor = 10n ** BigInt(number.scale - places);
  const positive = number.units < 0n ? -number.units : number.units;
  const rest = positive % divisor;
  let units = positive / divisor;
  if (rest * 2n > divisor || (rest * 2n === divisor && units % 2n === 1n)) units += 1n;
  return written({ units: number.units < 0n ? -units : units, scale: places });
}

export function minus(left, right) {
  const [a, b] = [decimal(left), decimal(right)];
  if (!a || !b) return null;
  const scale = Math.max(a.scale, b.scale);
  return written({ units: atScale(a, scale) - atScale(b, scale), scale });
}

export function plus(left, right) {
  const b = decimal(right);
  return b && minus(left, written({ units: -b.units, scale: b.scale }));
}

// Less than, equal or more: -1, 0, 1. What is no number comes first.
export function ordered(left, right) {
  const [a, b] = [decimal(left), decimal(right)];
  if (!a || !b) return a ? 1 : b ? -1 : 0;
  const scale = Math.max(a.scale, b.scale);
  const difference = atScale(a, scale) - atScale(b, scale);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

// -1, 0 or 1; what is no number has none.
export const sign = (text) => (decimal(text) ? ordered(text, '0') : 0);

// Without zeros at the end that say nothing: 15.0000 is 15.
export function plain(text) {
  const number = decimal(text);
  if (!number) return text;
  const full = written(number);
  return full.includes('.') ? full.replace(/0+$/, '').replace(/\.$/, '') : full;
}

export const places = (text) => {
  const [, fraction = ''] = String(plain(text) ?? '').split('.');
  return fraction.length;
};

// For people: grouped thousands and a true minus sign. All digits, at least `least` of them, or rounded
// to `round`.
export function shown(text, { least = 0, round = null, signed = false } = {}) {
  const number = decimal(text);
  if (!number) return text === null || text === undefined || text === '' ? '–' : String(text);
  let full = round === null ? plain(text) : rounded(text, round);
  if (round === null) full = rounded(full, Math.max(least, places(full)));
  const negative = full.startsWith('-');
  const [whole, fraction] = full.replace('-', '').split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',') + (fraction ? `.${fraction}` : '');
  const zero = !/[1-9]/.test(full);
  if (zero) return signed ? `±${grouped}` : grouped;
  return (negative ? '−' : signed ? '+' : '') + grouped;
}

export const signedSol = (text, round = null) => shown(text, { least: 2, round, signed: true });

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (number) => String(number).padStart(2, '0');

// Timestamps are UTC, as they are everywhere else in the product.
export function moment(time, { seconds = false, year = false } = {}) {
  const date = new Date(time);
  if (time === null || time === undefined || Number.isNaN(date.getTime())) return '–';
  const day = `${two(date.getUTCDate())} ${MONTHS[date.getUTCMonth()]}${year ? ` ${date.getUTCFullYear()}` : ''}`;
  return `${day}, ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}${seconds ? `:${two(date.getUTCSeconds())}` : ''}`;
}

export function day(text, { year = true } = {}) {
  const date = new Date(`${String(text).slice(0, 10)}T00:00:00Z`);
  if (Number.isNaN(date.getTime())) return '–';
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}${year ? ` ${date.getUTCFullYear()}` : ''}`;
}

export function days(first, last) {
  if (!first || !last) return '';
  const same = String(first).slice(0, 4) === String(last).slice(0, 4);
  return `${day(first, { year: !same })} – ${day(last)}`;
}

export function duration(seconds) {
  const number = Number(seconds);
  if (seconds === null || seconds === undefined || !Number.isFinite(number)) return '';
  if (number < 1) return 'under a second';
  if (number < 90) return `${Math.round(number)} s`;
  return number < 5400 ? `${Math.round(number / 60)} min` : `${(number / 3600).toFixed(1)} h`;
}

export const shortened = (text) => (text && text.length > 12 ? `${text.slice(0, 4)}…${text.slice(-4)}` : text ?? '–');
export const counted = (number, one, many = `${one}s`) => `${shown(String(number))} ${Number(number) === 1 ? one : many}`;
