-- Dates in sets.
select token, d::date as day, count(*), grouping(token, d::date) from (select token, timestamp '2025-01-01 12:00' + id * interval '9 hours' as d from fills) x group by cube(token, d::date) order by 4, 1, 2
select token, at::date as day, sum(id) from (select token, id, timestamp '2025-01-01' + id * interval '13 hours' as at from fills) x group by token, rollup(day) having token in ('SOL', 'BONK') order by 1, 2 nulls last
select coalesce(to_char(at::date, 'DD.MM.'), 'all') as day, sum(id) from (select id, timestamp '2025-01-01' + id * interval '13 hours' as at from fills) x group by grouping sets ((at::date), ()) order by 1
select count(*) from fills group by () having count(*) > 1
-- Places that are none.
select token from fills group by 2
select id from fills order by 2
select distinct on (token) token from fills order by id
select grouping(id) from fills group by token
select (select id from fills)
select nosuch.id from fills
-- First terms of recursive queries keep the names of their columns.
with recursive tree(id, parent, name) as (values (1, null, 'a'), (2, 1, 'b'), (3, 1, 'c'), (4, 2, 'd')), walk as (select id, name, 0 as depth, name::text as path from tree where parent is null union all select t.id, t.name, w.depth + 1, w.path || '/' || t.name from tree t join walk w on t.parent = w.id) select * from walk order by path
with recursive up as (select f.id, f.lots from fills f where id = 1 union all select u.id + 1, u.lots * 2 from up u where u.id < 4) select id, lots from up order by id
