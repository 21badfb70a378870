// The shell: which view, who asks, over what; and what is said while the server is away.

import { html, render, useEffect, useState } from './vendor/preact-htm.js';
import { takeToken } from './api.js';
import { Apply } from './apply.js';
import { days, shown } from './numbers.js';
import { Empty, Modal, Trouble, useTask } from './parts.js';
import { Runs } from './runs.js';
import { change, useShared } from './store.js';
import { Sweep } from './sweep.js';
import { Trades } from './trades.js';
import { Trust } from './trust.js';
import { WhatIf } from './whatif.js';
import { enter, start } from './work.js';

const VIEWS = [
  ['what-if', 'What-if', WhatIf],
  ['trades', 'Trades', Trades],
  ['sweep', 'Sweep', Sweep],
  ['runs', 'Runs', Runs],
  ['trust', 'Trust', Trust],
  ['apply', 'Apply', Apply],
];

// What needs a history says so without one; runs and settings are there all the same.
const NEEDS_HISTORY = new Set(['trades', 'sweep', 'trust']);
const NoHistory = () => html`<main class="wide"><${Empty}>No history is loaded yet. <code>hindsight load</code> brings one, <code>hindsight demo</code> makes one.<//></main>`;

const decoded = (part) => {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // typed by hand
  }
};

const place = () => {
  const [, view = '', ...rest] = location.hash.split('/');
  const found = VIEWS.find(([name]) => name === view) ?? VIEWS[0];
  return { name: found[0], rest: rest.map(decoded) };
};

const same = (left, right) => JSON.stringify(left) === JSON.stringify(right);

function usePlace() {
  const [at, setAt] = useState(place());
  useEffect(() => {
    const listener = () => setAt((before) => (same(before, place()) ? before : place()));
    addEventListener('hashchange', listener);
    // An effect runs after the first frame is drawn: the address may be another by then.
    listener();
    return () => removeEventListener('hashchange', listener);
  }, []);
  return at;
}

const NOT_KNOWN = {
  link: { message: 'This token is not of the server that runs now.', hint: 'The line on its standard error that begins with “listening” has the right link.' },
  user: { message: 'No user has this name and this password.', hint: 'hindsight user list shows the names.' },
};

// The link that a server prints at its start, asked for when its token is not known; or a user's name and
// password. Nothing typed elsewhere is lost by it.
function Enter({ close }) {
  const [link, setLink] = useState('');
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const [task, run] = useTask();
  const known = useShared((state) => state.parameters.length > 0);
  const way = user ? 'user' : 'link';
  const submit = (event) => {
    event.preventDefault();
    run(() => enter({ link, user, password })).then((done) => done !== undefined && close?.());
  };
  const title = close ? 'Sign in' : known ? 'The server was started again.' : 'Which server is this page of?';
  return html`<form class="enter" onSubmit=${submit}>
    ${!close && html`<h1 class="sentence">${title}</h1>`}
    <p>A server prints a link when it starts, with a token that only this tab keeps. Paste it here${known ? '; what you set stays as it is' : ''}.</p>
    <label for="link">Link or token</label>
    <input id="link" class="text" autocomplete="off" spellcheck="false" placeholder="http://127.0.0.1:8433/#token=…" value=${link} onInput=${(event) => setLink(event.target.value)} />
    <p class="or">Or as a user of the server:</p>
    <div class="two"><div><label for="user">User</label><input id="user" class="text" autocomplete="username" spellcheck="false" value=${user} onInput=${(event) => setUser(event.target.value)} /></div>
    <div><label for="password">Password</label><input id="password" type="password" class="text" autocomplete="current-password" value=${password} onInput=${(event) => setPassword(event.target.value)} /></div></div>
    <${Trouble} problem=${task.problem && (task.problem.unknownToken ? NOT_KNOWN[way] : task.problem)} />
    <div class="actions">${close && html`<button type="button" class="quiet" onClick=${close}>Cancel</button>`}<button class="main" disabled=${task.busy || !(link.trim() || user)}>Go on</button></div>
  </form>`;
}

function Header({ at }) {
  const status = useShared((state) => state.status);
  const values = useShared((state) => state.values);
  const [entering, setEntering] = useState(false);
  return html`<header>
    <a class="mark" href="#/what-if">hindsight</a>
    <nav aria-label="Views">
      ${VIEWS.map(([name, title]) => html`<a href=${`#/${name}`} aria-current=${at.name === name ? 'page' : undefined}>${title}</a>`)}
    </nav>
    ${status && html`<p class="where">${days(values.start_date ?? status.first_day, values.end_date ?? status.last_day)} · ${shown(String(status.signals))} signals · <code>${String(status.dataset ?? '').slice(0, 7)}</code></p>
      <button class="who" title="Sign in as somebody else" onClick=${() => setEntering(true)}>${status.user && status.user !== 'page' ? `${status.user}, ` : ''}${status.role}</button>`}
    ${entering && html`<${Modal} title="Sign in" close=${() => setEntering(false)}><${Enter} close=${() => setEntering(false)} /><//>`}
  </header>`;
}

function Page() {
  const at = usePlace();
  const phase = useShared((state) => state.phase);
  const away = useShared((state) => state.away);
  const problem = useShared((state) => state.problem);
  const known = useShared((state) => state.parameters.length > 0);
  const none = useShared((state) => state.status?.signals === 0);
  const View = none && NEEDS_HISTORY.has(at.name) ? NoHistory : VIEWS.find(([name]) => name === at.name)[2];
  useEffect(() => {
    document.title = `${VIEWS.find(([name]) => name === at.name)[1]} · hindsight`;
    change({ describing: null });
  }, [at.name]);
  if (phase === 'token' && !known) return html`<div class="ask"><${Enter} /></div>`;
  if (phase === 'starting') return html`<main class="single">${problem || away ? html`<${Trouble} problem=${problem ?? { message: 'The server does not answer.' }} />` : html`<${Empty}>Opening…<//>`}</main>`;
  return html`
    <${Header} at=${at} />
    ${away && html`<p class="away" role="status">The server does not answer. What you see is its last answer, and what you set stays; the page goes on when it is back.</p>`}
    <${View} key=${at.name} rest=${at.rest} />
    ${phase === 'token' && html`<div class="cover ask"><${Enter} /></div>`}`;
}

// A link with a new token, opened in a tab that is open already.
addEventListener('hashchange', () => {
  if (/[#&]token=/.test(location.hash)) enter({ link: takeToken() ?? '' }).catch(() => {});
});

takeToken();
const root = document.getElementById('page');
root.textContent = '';
render(html`<${Page} />`, root);
start();
