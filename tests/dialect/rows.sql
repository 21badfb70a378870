-- Rows of a subquery in its order, for what takes them as they come.
select array(select distinct token from fills order by token desc)
select array(select id from fills order by pnl desc nulls last, id)
select string_agg(token, ',') from (select distinct token from fills order by token desc) t
select array_agg(id) from (select id from fills order by price desc) t
select json_agg(t) from (select id, token from fills order by id desc) t
select json_object_agg(token, n) from (select token, count(*) n from fills group by 1 order by 1) t
select token, array_agg(id) from (select token, id from fills order by id desc) t group by token order by token
select string_agg(x, '-') from (select unnest(array['b', 'a', 'c']) x order by x) t
-- Rows that are written out, united.
select 2 as k union select 1
select 3 union select 1 union select 2
select true union select false
select null union select 1
select 'x' as k, 2 as n union select 'a', 1
-- Functions that return rows.
select id, generate_series(1, 2) from fills order by pnl desc nulls last, id limit 3
select token, unnest(array[pnl, amount]) as x from fills order by price limit 4
select n, n * 2 as d from generate_series(1, 3) n
select sum(n), avg(n), count(*) from generate_series(1, 10) n
select * from generate_series(3, 1, -1)
select * from generate_series(4000000000, 4000000002) n
select generate_subscripts(array['a', 'b'], 1)
select f.id, x.i, x.v from fills f cross join lateral unnest(array[f.pnl, f.amount]) with ordinality x(v, i) order by f.id, x.i limit 3
select unnest(array[[1, 2], [3, 4]])
select regexp_matches('foobarbequebaz', 'ba.', 'g')
select regexp_matches(token, '([A-Z])(O)') from fills order by id
select m[1] from regexp_matches('a1b2', '([a-z])[0-9]', 'g') m
select value from jsonb_array_elements('[{"a":1},{"a":2}]') order by value->>'a' desc
select * from jsonb_array_elements_text('["x", null]'::jsonb) with ordinality
select * from json_each('{"a":1,"b":{"c":2}}')
select key, value::int from jsonb_each_text('{"b":2,"a":1}') order by key
select jsonb_object_keys('{"a":1,"b":2}'::jsonb)
select e->>'a' from jsonb_array_elements('[{"a":1},{"a":2}]'::jsonb) e
-- Frames whose begin moves.
select id, bool_or(pnl > 0) over (order by id rows 1 preceding), bool_and(pnl > 0) over (order by id rows between 1 preceding and 1 following), string_agg(token, '/') over (order by id rows 1 preceding) from fills order by id
select ntile(2) over (order by id) from fills order by id
-- Clauses and forms.
select distinct on (2, 1) token, id % 2 as odd, pnl from fills order by 2, 1, 3 nulls last
select count(*), sum(lots) from fills group by ()
select substr('hello', 2), ~5, ~(5::bigint), 'x' collate "C", U&'d\0061ta'
select trim(leading from '  x '), trim(both from ' y '), trim(trailing from 'z ')
select 'a_b' like 'a!_b' escape '!', 'axb' like 'a!_b' escape '!', 'A%' ilike 'a#%' escape '#'
select length('abc'), length('日本'), length('\x0102'::bytea), length(string_agg(token, '')) from fills
select gcd(12, 18), lcm(4, 6), gcd(12::bigint, 18), factorial(5), array_positions(array[1, 2, 1], 1)
select '{8C2A5D3E-1111-4222-8333-444455556666}'::uuid
select 'nope'::uuid
select coalesce(pnl, '0'), coalesce(token, '-') from fills order by id
explain select 1
select string_agg(distinct token, ','), array_agg(distinct token), array_agg(distinct won) from fills
select not exists (select 1), exists (select 1)
select won, min(pnl order by id), sum(lots order by pnl), count(*) from fills group by won order by won
-- UNION ALL in its order.
select 2 as x union all select 1 union all select 3
select array_agg(x) from (select null::int as x union all select 1) t
select 'b' as k, count(*) as n from fills union all select 'a', sum(id) from fills
-- JSON made of other JSON.
select '{"a":1,"c":3}'::jsonb || '{"b":2,"a":4}', '[1]'::jsonb || '[2,{"a":1}]'::jsonb, '{"a":1}'::jsonb || '[2]'::jsonb
select '{"a":1,"b":2}'::jsonb - 'a', '["a","b"]'::jsonb - 'a', '[1,2,3]'::jsonb - 1, '[1,2,3]'::jsonb - -1
select jsonb_set('{"a":{"b":1}}'::jsonb, '{a,b}', '[2]'), jsonb_set('{"a":1}'::jsonb, '{b}', '2'), jsonb_set('{"a":1}'::jsonb, '{b}', '2', false)
select jsonb_strip_nulls('{"a":null,"b":[null,{"c":null}]}'::jsonb), jsonb_pretty('{"a":[1,2]}'::jsonb)
-- Every column of one relation.
select * from fills order by id
select * from fills where pnl > 0 order by token desc, id limit 2
select * from fills order by pnl nulls first, id offset 1 limit 2
select * from fills t(a, b) order by b, a desc limit 3
select * from fills f where f.id > 2 order by id, id desc
select * from fills order by ID desc limit 1
select * from fills order by "lots" nulls last limit 2
select * from fills order by price fetch first 2 rows only
select * from fills order by 2, 1 limit 2
select * from fills order by fills.id limit 1
select * from fills order by nosuch
select * from fills order by lots + id nulls last limit 2
select * from fills where false order by id
select * from nosuch order by id
with f as (select id, token from fills) select * from f order by token, id
select * from generate_series(1, 3) n where n > 1 order by n desc
