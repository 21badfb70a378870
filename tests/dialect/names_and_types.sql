-- Names of columns without one.
select 1, 'a', null, true, count(*), max(pnl), sum(pnl) + 1, id::text, case when true then 1 end, (select max(id) from fills) from fills group by id order by id limit 1
select max from (select max(pnl) from fills) t
select t.sum / t.count from (select count(*), sum(pnl) from fills) t
with a as (select token, count(*), sum(lots) from fills group by 1) select max(count), max(sum) from a
select id, id, pnl, pnl from fills order by id
select * from (select count(*), count(*), sum(pnl) from fills) t
create temp table made as select token, avg(pnl), sum(pnl) from fills group by token
select token, avg, sum from made order by token
drop table made
create temp view seen as select token, upper(token), count(*) from fills group by token
select upper, count from seen order by upper
drop view seen
-- Order and groups by names that are columns too.
select abs(pnl) as pnl from fills order by pnl
select upper(token) as token, count(*) from fills group by token order by token
select id % 2 as id, count(*) from fills group by 1 order by id
select pnl::int from fills order by pnl
-- Types of literals, and texts in quotes beside numbers.
select 1, 2147483648, 1.5, 1e3, -1, 99999999999999999999, true, 'x'
select 1 as x union all select 2.5 order by x
select id = '3', pnl > '0.1', '2' < id, score > '1', won = 'true' from fills order by id
select count(*) from fills where pnl = 'abc'
select id from fills where id in (1, 3) and pnl between 0 and 1 order by id
select null + 1, id + null, amount * 2, score * 2, ratio * 2, steps + steps, lots + id from fills order by id
-- Texts of values.
select id::text, price::text, score::text, ratio::text, won::text, 1.50::text from fills order by id
select 'n' || id || '/' || amount, pnl || '', won || '!' from fills order by id
select 0.1::float8, 1e15::float8, 1e16::float8, 1e-5::float8, 'NaN'::float8, '-infinity'::float8, 0.1::real, 1e10::real
select 'abcdef'::varchar(3), 'ab'::char(4) || 'c', '\x4142'::bytea, '{1,2,3}'::int[], '{a,"b c",null}'::text[]
