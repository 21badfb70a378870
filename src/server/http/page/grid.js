// A table of any length: rows of one height, of which only those in sight, and a screen above and below,
// are in the document. Arrow keys move the row that is chosen, Enter opens it.

import { html, useEffect, useLayoutEffect, useRef, useState } from './vendor/preact-htm.js';

export const ROW = 28;

// columns: [{name, title, cell(row), align, width, sort}], rows by `row(index)`.
export function Grid({ columns, count, row, order, onOrder, opened, onOpen, label }) {
  const body = useRef();
  const [view, setView] = useState({ top: 0, height: 600 });
  const [active, setActive] = useState(0);
  useLayoutEffect(() => {
    const element = body.current;
    const measured = new ResizeObserver(() => setView((before) => ({ ...before, height: element.clientHeight })));
    measured.observe(element);
    return () => measured.disconnect();
  }, []);
  useEffect(() => {
    body.current.scrollTop = 0;
    setActive(0);
  }, [order]);
  const screen = Math.ceil(view.height / ROW);
  const first = Math.max(0, Math.floor(view.top / ROW) - screen);
  const last = Math.min(count, Math.floor(view.top / ROW) + 2 * screen + 1);
  const shown = [];
  for (let index = first; index < last; index++) shown.push(index);

  const reach = (index) => {
    const to = Math.max(0, Math.min(count - 1, index));
    setActive(to);
    const element = body.current;
    const head = ROW;
    if (to * ROW < element.scrollTop) element.scrollTop = to * ROW;
    else if ((to + 1) * ROW + head > element.scrollTop + element.clientHeight) element.scrollTop = (to + 1) * ROW + head - element.clientHeight;
  };
  const key = (event) => {
    if (event.target !== body.current) return;
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: screen - 2, PageUp: 2 - screen, Home: -count, End: count }[event.key];
    if (by !== undefined) {
      event.preventDefault();
      reach(active + by);
    } else if (event.key === 'Enter' && count) {
      event.preventDefault();
      onOpen?.(active);
    }
  };
  const template = columns.map((column) => column.width ?? 'minmax(90px, 1fr)').join(' ');
  const style = { gridTemplateColumns: template };
  const sorted = (column) => (order?.name === column.name ? (order.down ? 'descending' : 'ascending') : 'none');
  return html`<div ref=${body} class="grid" role="grid" tabindex="0" aria-label=${label} aria-rowcount=${count + 1} aria-colcount=${columns.length}
      aria-activedescendant=${count && active >= first && active < last ? `row-${active}` : undefined}
      onScroll=${(event) => setView({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight })} onKeyDown=${key}>
    <div class="head" role="row" aria-rowindex="1" style=${style}>
      ${columns.map((column) => html`<div role="columnheader" class=${column.align ?? ''} aria-sort=${column.sort === false ? undefined : sorted(column)}>
        ${column.sort === false ? column.title : html`<button class=${sorted(column)} onClick=${() => onOrder({ name: column.name, down: order?.name === column.name ? !order.down : column.align === 'right' })}>${column.title}</button>`}
      </div>`)}
    </div>
    <div class="rows" role="presentation" style=${{ height: `${count * ROW}px` }}>
      ${shown.map((index) => {
        const each = row(index);
        return html`<div key=${index} id=${`row-${index}`} role="row" aria-rowindex=${index + 2} aria-selected=${opened === index} class=${`row ${index === active ? 'active' : ''} ${opened === index ? 'opened' : ''}`}
          style=${{ ...style, top: `${index * ROW}px` }} onClick=${() => (setActive(index), onOpen?.(index))}>
          ${columns.map((column) => html`<div role="gridcell" class=${column.align ?? ''}>${column.cell(each)}</div>`)}
        </div>`;
      })}
    </div>
  </div>`;
}
