// All tests of the page, in their order: the story's criteria first.

import { runAll, serve, shots, shut } from './harness.js';
import './pure.js';
import './acceptance.js';
import './hands.js';
import './figures.js';
import './ways.js';
import './safety.js';
import './report.js';
import './looks.js';

await serve();
const failed = await runAll(process.argv.slice(2));
await shut();
console.error(`pictures of every view: ${shots}`);
process.exit(failed ? 1 : 0);
