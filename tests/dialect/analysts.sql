-- Recursive queries: of numerics, and round by round.
with recursive r as (select 1::numeric as x union all select x / 3 from r where x > 0.001) select * from r
with recursive r(n, x) as (select 1, 100.00 union all select n + 1, x * 1.015 from r where n < 6) select n, round(x, 4) from r
with recursive r(n, x) as (values (1, 1.0) union all select n + 1, x * 1.1 from r where n < 12) select n, x from r
with recursive t(n) as (select 1 union all select n + 1 from t where n < 40) select n, repeat('x', n % 3), n * 2 from t
with recursive d(day) as (select date '2025-01-30' union all select day + 1 from d where day < date '2025-02-02') select day, (select count(*) from fills f where f.id = extract(day from d.day)::int) from d order by day
select n, (select count(*) from fills where id + 0 = n), (select max(pnl) from fills where lower(token) = 'sol' and id % 10 = n) from generate_series(1, 3) n order by n
-- Buckets.
select id, width_bucket(score, -1, 3, 4), width_bucket(amount, 0.001, 1500.25, 3), width_bucket(lots, 100, -20, 4) from fills order by id
select width_bucket(5.35, 0.024, 10.06, 5), width_bucket(10, 0, 10, 5), width_bucket(0, 10, 0, 5), width_bucket(10, 10, 0, 5), width_bucket(0.3, 0, 0.9, 3)
select id, width_bucket(id, array[2, 4]), width_bucket(amount, array[1, 50, 100]::numeric[]), width_bucket(token, array['C', 'T']) from fills order by id
select width_bucket(1, 2, 2, 3)
select width_bucket(1, 2, 3, 0)
-- Degrees, dimensions and places of arrays.
select sind(30), cosd(60), tand(45), asind(0.5), acosd(0.5), atand(1), cotd(45), atan2d(1, 1), sind(-390), cosd(90), tand(135)
select acosd(2)
select array_dims(array[1, 2, 3]), array_dims(array[[1, 2], [3, 4]]), array_dims('{}'::int[]), array_fill(7, array[3]), array_fill(0, array[2, 2]), array_fill('x'::text, array[2])
select a[1], a[0], a[-1], a[4], a[-1:2], a[2:], a[id] from (select array[5, 6, 7] as a, id from fills) x order by id
select id from fills where id = any(array(select id from fills where won)) or id <> all(array(select id from fills where id < 5)) order by id
-- What is compared with what, and in which order.
select 1 is distinct from 2 and (true) is true, 1 is not distinct from 1 or false is true, 1 is distinct from null and (null::bool) is not true
select id from fills where score is distinct from 0.1 and (lots > 0) is true order by id
select lower(1)
select 1 + 'a'::text
select amount || 1 from fills
select not 1
select count(*) from fills where amount
select upper(amount) from fills
-- Times without an end, before our age, and of other clocks.
select 'infinity'::timestamp, '-infinity'::timestamptz, 'infinity'::date, '-infinity'::date::timestamp, 'infinity'::timestamp > now(), isfinite('infinity'::timestamptz)
select timestamp '1500-06-01 12:00', date '0044-03-15 BC', timestamp '4000-01-01', '0001-01-01'::timestamptz
set timezone = 'America/New_York'
select timestamp 'epoch' + 1735689600 * interval '1 second', timestamptz 'epoch' + 1735689600 * interval '1 second', 'epoch'::date
select timestamp 'epoch' + n * interval '1 second' from generate_series(1735689600, 1735689602) n
select generate_series(date '2025-03-08', date '2025-03-10', interval '1 day')
reset timezone
select generate_series(date '2025-01-01', date '2025-01-03', interval '1 day')
select generate_series(timestamp '2025-01-01', timestamp '2025-01-02', interval '12 hours')
select pg_typeof(d), d from generate_series(date '2025-01-01', date '2025-01-02', interval '1 day') d
-- Paths through JSON, and what is put into it.
select jsonb_insert('{"a": [0,1,2]}', '{a, 1}', '"new"'), jsonb_insert('{"a": [0,1,2]}', '{a, 1}', '"new"', true), jsonb_insert('{"a": 1}', '{b}', '2')
select jsonb_insert('{"a": 1}', '{a}', '2')
select jsonb_path_query('{"a": [1,2,3,4,5]}', '$.a[*] ? (@ > 2)')
select id, x from fills, jsonb_path_query(jsonb_build_object('a', jsonb_build_array(id, lots)), '$.a[*] ? (@ > 4)') x order by id, x::text
select jsonb_path_exists('{"a": [1,2,3]}', '$.a[*] ? (@ == 2)'), jsonb_path_query_first('{"a": {"b": 7}}', '$.a.b'), jsonb_path_query_array('{"a": [1,2]}', '$.a[*]'), jsonb_path_match('{"a": 1}', '$.a == 1')
select '{"a": [1,2,3]}'::jsonb @? '$.a[*] ? (@ > 2)', '{"a": [1,2,3]}'::jsonb @@ '$.a[0] == 1', '{"a": [1,{"b":"xy"}]}'::jsonb @? '$.a.b ? (@ starts with "x")'
select jsonb_path_query('{}', '$.')
-- Long values.
select array_length(string_to_array(repeat('a,', 5000000), ','), 1)
select length(repeat('a,', 5000000)), md5(repeat('a', 1000000)), right(upper(repeat('a,', 1000000)), 3)
-- Doubles beside numerics.
select id, score between 0.1 and amount, score in (0.1, 2.5), score is not distinct from amount, case score when 0.1 then 'a' end, nullif(score, 0.1), ratio in (0.5, 3) from fills order by id
