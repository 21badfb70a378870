-- Sums and choices between branches of several types.
select sum(case when pnl > 0 then 0 else pnl end), sum(case when pnl > 0 then pnl else 0 end) from fills
select case when won then 0 else pnl end as x, coalesce(pnl, 0), greatest(pnl, 0.5) from fills order by id
select sum(id), sum(lots), sum(steps), sum(amount), sum(score), avg(id), avg(lots), avg(score) from fills
-- Quotients.
select price / 3, amount / 7, pnl / amount, lots / 7, id / 2, id / 2.0, score / 3 from fills order by id
select 1e6 / 3, 1.0 / 3, 10 / 4, -7 / 2, 7 % 3, -7 % 3, 7.5 % 2, 2 ^ 10, 2.0 ^ 0.5
select avg(price), avg(amount), avg(pnl) * 3, sum(price) / count(*), sum(pnl) / 7 from fills
select token, round(avg(pnl), 4) from fills group by 1 order by 2 desc nulls last, 1
select count(*) * 100.0 / sum(count(*)) over () as share, token from fills group by token order by 2
-- Casts.
select 3.7::int, 2.5::int, -2.5::int, 2.5::float8::int, 3.5::float8::int, '42'::int, ' 7 '::bigint, 1e10::bigint
select amount::int, price::float8, price::numeric, score::numeric, pnl::numeric(10,2), lots::float8 from fills order by id
select '0.000000000000000000123456789'::numeric * 2, '1e3'::numeric, 1.1::real::numeric, 0.1::float, 12345678901234567890.5::numeric
select '1.5'::int
select 'abc'::numeric
select 99999999999::int
select 123456.7::numeric(5,2)
-- Overflow and what is not defined.
select 2147483647 + 1
select 9223372036854775807 + 1
select 2147483647 * 2, 1
select 32767::smallint + 1::smallint
select lots * lots * lots from fills
select id / 0 from fills
select pnl / 0 from fills
select score / 0 from fills
select id % 0 from fills
select sqrt(-1)
select ln(0.0)
select power(0, -1)
select price * 99999999999999999999999999999999 from fills order by id
-- Functions.
select round(2.5), round(-2.5), round(1.005, 2), round(1234.5678, -2), trunc(1.999, 2), ceil(1.2), floor(-1.2), abs(-1.5), sign(-2.0)
select round(score), ceil(score), floor(score), abs(score), round(amount, 1), trunc(amount) from fills order by id
select sqrt(2.0), ln(2.0), log(100.0), log(2.0, 64.0), exp(1.5), power(1.5, 2.5), mod(7, 3), mod(7.5, 2)
select sqrt(2), ln(2), exp(1), power(2, 3), sqrt(price), ln(price), exp(pnl), power(amount, 0.5) from fills where id < 3 order by id
select stddev(price), variance(pnl), stddev_pop(amount), var_pop(lots), stddev(id), var_samp(score) from fills
select avg(distinct steps), sum(distinct id), count(distinct token) from fills
select sum(pnl) over (order by id), avg(pnl) over (order by id rows 1 preceding), stddev(price) over (order by id rows 2 preceding) from fills order by id
select corr(score, pnl), covar_pop(amount, pnl), covar_samp(id, lots), regr_slope(pnl, id), regr_count(pnl, id), regr_r2(pnl, id) from fills where id < 3
