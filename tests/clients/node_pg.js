// node pg: types of literals, named statements, cursors, COPY, errors with their place.
'use strict';
const assert = require('node:assert/strict');
const { Client, Pool } = require('pg');
const Cursor = require('pg-cursor');
const copy = require('pg-copy-streams');

async function main() {
  const client = new Client();
  await client.connect();
  const types = await client.query("select 1 as a, 'x' as b, true as c, count(*) as d from (values (1)) v");
  assert.deepEqual(types.fields.map((field) => field.dataTypeID), [23, 25, 16, 20]);
  assert.deepEqual(types.rows, [{ a: 1, b: 'x', c: true, d: '1' }]);
  for (const stop of ['8', '12.5']) {
    const named = { name: 'one', text: 'select stop_loss_percent from backtest(stop_loss_percent => $1)', values: [stop] };
    assert.equal(Number((await client.query(named)).rows[0].stop_loss_percent), Number(stop));
  }
  const ids = (await client.query('select id from signals order by id limit 2')).rows.map((row) => row.id);
  assert.equal((await client.query('select id from signals where id = any($1)', [ids])).rowCount, 2);
  const cursor = client.query(new Cursor('select id from signals order by id'));
  assert.deepEqual((await cursor.read(2)).map((row) => row.id), ids);
  await cursor.close();
  let copied = '';
  for await (const chunk of client.query(copy.to('copy (select 1, null) to stdout with csv'))) copied += chunk;
  assert.equal(copied, '1,\n');
  await assert.rejects(client.query('select no_such_column'), { code: '42703', position: '8' });
  await client.end();
  const pool = new Pool({ max: 5 });
  const sums = await Promise.all([...Array(50).keys()].map((number) => pool.query('select $1::int as n', [number])));
  assert.equal(sums.reduce((sum, result) => sum + result.rows[0].n, 0), 1225);
  await pool.end();
}
main().catch((error) => { console.error(error); process.exit(1); });
