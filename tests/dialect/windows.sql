-- What a frame leaves out.
select id, sum(lots) over (order by id rows between 1 preceding and 1 following exclude current row), count(*) over (order by id rows between unbounded preceding and unbounded following exclude current row) from fills order by id
select id, avg(amount) over (order by id rows between 2 preceding and 2 following exclude current row), min(id) over (order by id rows between 1 preceding and 1 following exclude current row), max(pnl) over (order by id rows between 1 preceding and 1 following exclude current row) from fills order by id
select id, token, count(*) over (order by token groups between 1 preceding and 1 following exclude group), sum(id) over (order by token groups between 1 preceding and 1 following exclude ties), sum(id) over (order by token range between unbounded preceding and current row exclude group) from fills order by id
select id, count(*) over (order by id range between 1 preceding and 1 following exclude current row), sum(id) over (order by id range between 1 preceding and 1 following exclude ties), avg(id) over (order by id range between 2 preceding and 1 following exclude group) from fills order by id
select id, first_value(id) over w, last_value(id) over w, array_agg(id) over w from fills window w as (order by id rows between 1 preceding and 2 following exclude current row) order by id
select id, bool_or(won) over (order by id rows between 1 preceding and 1 following exclude current row), sum(id) over (order by id rows between current row and current row exclude current row), rank() over (order by token rows between 1 preceding and 1 following exclude ties) from fills order by id
select id, sum(id) over (partition by token order by id rows between 1 preceding and unbounded following exclude no others), sum(id) over (order by id rows between 2 preceding and 1 preceding exclude current row) from fills order by id
select id, sum(id) over (order by id rows between 1 preceding and 0 preceding exclude current row), count(*) over (order by id rows between 0 following and 1 following exclude current row), count(*) over (order by token groups between 0 preceding and 0 following exclude ties) from fills order by id
-- Frames that move.
select id, array_agg(pnl) over (order by id rows between 1 preceding and current row), array_agg(token) over (order by id rows between current row and 1 following) from fills order by id
select count(*) from (select array_agg(n) over (order by n rows between 2 preceding and current row) as a from generate_series(1, 3000) n) x where cardinality(a) = 3
-- The first and the last at once.
select (array_agg(token order by pnl, id))[1], (array_agg(token order by id desc))[1], (array_agg(id order by id))[2:3] from fills
select token, (array_agg(id order by pnl desc nulls last, id))[1], (array_agg(id order by id desc))[1] from fills group by token order by token
-- Where they may not stand.
select rank() from fills
select id from fills where row_number() over (order by id) = 1
select ntile(0) over (order by id) from fills
select sum(id) over (order by id rows between unbounded following and current row) from fills
select sum(id) over (order by id, token range between 1 preceding and current row) from fills
