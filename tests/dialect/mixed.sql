-- Numerics beside doubles are doubles.
select x from (values (1::float8), (2.5), (-3)) v(x) order by x
select 1e-30::float8 as x union all select 2.5 union all select 1 order by x
select score as x from fills where id < 4 union all select amount from fills where id < 3 order by x
select 1.25::float4 as x union all select 2.5 order by x
select x / 2, x + 1 from (select 1e300::float8 as x union all select 2.5) t order by 1
-- A text in quotes beside what says its type.
select 1 as a union select '2' order by a
select interval '1 day' as x union all select '2 hours' order by x
select date '2025-01-02' as x union all select '2025-01-01' order by x
select true as x union all select 'f' order by x
select amount as x from fills where id = 1 union all select '1.5' order by x
select 1 as x union all select 'a'
select x from (values ('2025-01-03'), (date '2025-01-02'), (null)) v(x) order by x
select x from (values (true), ('f'), (null)) v(x) order by x
select j ->> 'k' as k, sum((j ->> 'v')::int) from (values ('{"k":"a","v":1}'::jsonb), ('{"k":"b","v":2}'), (null), ('{"k":"a","v":3}')) v(j) group by 1 order by 1
select array[1,2] = '{1,2}', '{1,2}' = array[1,2], array['a'] <> '{a}', array[1,2] @> '{1}', '{3}' && array[2,3], '{1}' <@ array[1]
select null || array[1], array[2] || null, array[1] || '{2,3}', '{1}' || array[2]
select 1 && 2
-- Arrays of arrays, and of numerics.
select '{{1,2},{3,4}}'::int[], '{{"a b",NULL},{"}",","}}'::text[], array_ndims('{{1},{2}}'::int[]), ('{{1,2},{3,4}}'::int[])[2][1]
select '{{1,2},{3,4}}'::int[][], '{1,2}'::int[][]
select unnest('{{1,2},{3,4}}'::int[])
select '{{1},{2,3}}'::int[]
select '{1,{2}}'::int[]
select array[1, 2]::numeric[], array[1.50, 2]::text[]
select trim_array(array[1, 2, 3], 1), trim_array(array['a'], 1), trim_array(null::int[], 1)
select trim_array(array[1], 2)
prepare chosen(int[]) as select id from fills where id = any($1) order by id
execute chosen('{2,4}')
execute chosen(array[1, 5])
deallocate chosen
select array_remove(array[1, null, 2], null), array_remove(array_agg(pnl order by id), null), array_remove(array[]::int[], null), array_remove(null::int[], null) from fills
prepare moments(timestamptz, date, interval) as select $1, $2::timestamp, $1 + $3
execute moments('2025-01-01 10:00', '2025-01-02', '1 day')
execute moments('2025-01-01 10:00+02', date '2025-01-02', interval '1 hour')
deallocate moments
-- Texts that are filled up, patterns, letters by their numbers.
select 'a'::char(3) = 'a  ', 'a'::char(3) = 'a ', 'a' = 'a'::char(2)
select 'foo bar' ~ '\mbar\M', 'foobar' !~ '\mbar', E'a\nb' ~ 'a.b', 'ABC' ~* '^a', 'abc' !~* 'B$', 'a' ~ null, token ~ ('^' || left(token, 1)) from fills order by id limit 1
select 'abc' ~ '['
select unistr('d\u0061t\+000061'), unistr('\0041\\'), N'x' || 'y'
select unistr('\00g1')
select chr(0)
select 0x1F
select date '2025-01-01' + 1.5
select date '2025-01-01' + id from fills order by id limit 1
-- Styles of intervals.
set intervalstyle = 'postgres_verbose'
select interval '1 year -2 days 03:04:05', interval '0', interval '-1 day', interval '1 day -1 second', interval '1.5 seconds', interval '-1 year 2 months'
set intervalstyle = 'sql_standard'
select interval '1 year 2 months', interval '1 day 02:00', interval '-1 day -02:00', interval '1 month -1 day', interval '03:04:05.6', interval '0', interval '-3 hours'
reset intervalstyle
begin
declare c scroll cursor for select id from fills order by id
fetch 2 from c
fetch 0 from c
commit
