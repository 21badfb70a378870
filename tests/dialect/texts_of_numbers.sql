-- Numbers within texts, JSON and arrays, each with its own places.
select json_build_object('avg', avg(amount), 'sum', sum(amount), 'share', count(*) / 7.0), jsonb_build_object('q', 10.0 / 4, 'e', 1e3, 'f', 0.1::float8) from fills
select to_json(10.0 / 4), json_agg(amount / 7 order by id) from fills
select row_to_json(t) from (select 1 / 3.0 as x, avg(amount) from fills) t
select format('%s|%s', avg(amount), sum(amount) / 10), concat(1.0 / 3, '/', 2::float8), concat_ws(' ', 10.0 / 4, 1.5::real) from fills
select array[1.5, 2], array[1, 2.25, null, 3], array[1.50, 2.5], array[0.1, 100], array[amount, pnl, 1] from fills order by id
select array[1.5, 2]::text, array[amount, 1]::text, array[1.5, 2.25]::text[], array[10.0 / 4, 1] from fills order by id
select (case when pnl > 0 then pnl else 0 end)::text, (case id when 1 then 0.5 when 2 then 1 else amount end) || '', coalesce(pnl, 0)::text from fills order by id
select array[1.7, 2.2, 2.5, -2.5]::int[], array[2.5::float8, 3.5]::int[], array['1', '2']::bigint[], '{1.5,2}'::numeric[]
select string_agg(amount::text, ' ' order by id), array_agg(score::text order by id) from fills
select to_hex(255), to_hex(-1), to_hex(-1::bigint)
select -2 ^ 2, -(2 ^ 2), - 2 ^ 2 ^ 0.5, 2 - 2 ^ 2
select b'101', x'1F'
select array_to_string(array[1.5, 2.25, 3], ' '), array_to_string(array[amount, 1], '/') from fills order by id
-- Numerics beside doubles are doubles.
select case when id = 1 then 0.0 else score end, coalesce(score, 0.5), array[score, 1.25], case when id > 1 then 1.5 else 2 end from fills order by id
select (case when true then 1.5 else 1e-20::float8 end), greatest(score, 0.25), least(2.5, score) from fills order by id
