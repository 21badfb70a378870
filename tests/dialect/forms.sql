-- Columns beside a star that has them too.
select id, * from fills order by id limit 2
select f.token, f.* from fills f order by f.id limit 2
-- The place of a row that is not there.
select rank(3) within group (order by id), dense_rank(3) within group (order by id), percent_rank(3) within group (order by id), cume_dist(3) within group (order by id) from fills
select token, rank(0.5) within group (order by pnl desc) from fills group by token order by token
select rank(0) within group (order by pnl), rank(0) within group (order by pnl desc), dense_rank(0) within group (order by pnl nulls first) from fills
select rank('SOL', 2) within group (order by token, id), rank(5) within group (order by id) filter (where id > 2) from fills
select rank(1, 2) within group (order by id) from fills
-- Records of JSON.
select * from json_to_record('{"a":1,"b":"x","c":[1,2],"d":{"e":1.50}}') as t(a int, b text, c int[], d json)
select a, b * 2 from jsonb_to_recordset('[{"a":1,"b":1.5},{"a":2,"b":2.25},{"b":3}]') as t(a int, b numeric) order by a
select f.id, t.x from fills f cross join lateral jsonb_to_record(jsonb_build_object('x', f.lots)) as t(x bigint) order by f.id
select * from json_to_record('{"a":1}')
select row_to_json(row(1, 'a')), row_to_json(t) from (select 1 as a, 'b' as b) t
select '{"a":1,"b":2}'::jsonb ?| array['b', 'c'], '{"a":1}'::jsonb ?& array['a', 'b'], '{"a":{"b":1,"c":2}}'::jsonb #- '{a,b}', '[1,2,3]'::jsonb #- '{1}'
-- Rows as often as they are there.
select token from fills intersect all select token from fills where id > 2 order by token
select token from fills except all select token from fills where id = 1 order by token
select token as t, id % 2 from fills except all (select 'SOL', 1 intersect all select 'SOL', 1) order by 1, 2
-- Subqueries.
select id, (select g.pnl from fills g where g.token = f.token and g.id < f.id limit 1) from fills f order by id
select id from fills where (token, id) = (select token, max(id) from fills where token = 'SOL' group by token)
select id from fills f where (token, id) >= (select 'SOL', 2) order by id
-- Rows before and behind.
select id, lag(pnl, 1, amount) over (order by id), lead(lots, 2, id) over (partition by token order by id), lag(id, 1, -1) over (order by id) from fills order by id
select id, lag(id, 1, lots) over w from fills window w as (order by id) order by id
-- Arrays.
select array_length(array[]::int[], 1), array_length(array[1, 2], 1), null = any(array[1]), 2 = any(array[1, null]), 1 = any(array[1, null]), 3 <> all(array[1, null])
select (array[1, 2, 3, 4])[:2], (array[1, 2, 3, 4])[3:], (array[1, 2, 3, 4])[2:3]
-- Times in fewer places, and spans.
select timestamp '2025-01-01 10:00:00.567'::timestamp(1), timestamptz '2025-01-01 10:00:00.567+00'::timestamptz(0), timestamp '1999-12-31 23:59:59.25'::timestamp(1), time '10:00:00.567'::time(1)
select (date '2025-01-01', date '2025-02-01') overlaps (date '2025-01-15', interval '1 month'), localtime = localtimestamp::time
-- Texts filled up with blanks.
select 'a'::char(3) = 'a', 'a' = 'a '::char(5), token::char(6) = token from fills order by id
explain (costs off) select 1
select top.id from fills top order by top.id
create temp table made as select id from fills with data
drop table made
-- Each aggregate in its own order.
select array_agg(distinct token order by token desc), array_agg(distinct token order by token), string_agg(distinct token, '' order by token desc), string_agg(distinct token, ',' order by token) from fills
select string_agg(token, ',' order by id desc), string_agg(token, ';' order by token, id), array_agg(id order by token desc, id), string_agg(token, null order by id) filter (where id > 1) from fills
select json_agg(distinct token order by token desc), jsonb_agg(distinct id % 3 order by id % 3), json_agg(distinct won) from fills
-- Series joined in every way, and values as a set.
select a.n, b.n from generate_series(1, 3) a(n) right join generate_series(2, 4) b(n) on a.n = b.n order by 2
select n from unnest(array[1, 2]) a(n) full join generate_series(2, 4) b(n) using (n) order by n
select id from fills where token in (values ('SOL'), ('WIF')) order by id
select id from fills where (token, id) in (values ('SOL', 1), ('WIF', 1)) order by id
-- What a predicate adds to a value of the row outside.
select id, (select count(*) from fills g where g.id between f.id - 1 and f.id + 1), (select max(g.id) from fills g where g.id < f.id + 2 and g.id > f.id) from fills f order by id
select pg_typeof('a'), pg_typeof('a' || 'b'), pg_typeof(null), current_timestamp(0) <= now() + interval '1 second'
select max(sum(id)) from fills
select id from fills where sum(id) > 1
select nr, kind, pnl from fills as t(nr, kind) order by nr
select * from (select 1 as a, 2 as b, 3 as c) as t(x)
select x, b from (values (1, 2, 3)) as t(x, b) where b > x
select count(*), min(t.nr) from fills t(nr) join fills o on t.nr = o.id
select t.* from fills t(nr, kind) where exists (select 1 from fills o(other) where other = t.nr + 1) order by nr
select id from fills as t(nr, kind)
select * from (select 1 as a) as t(x, y)
