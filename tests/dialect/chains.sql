-- Arithmetic of few and many levels.
select id+1+2+3+4+5+6+7+8+9+10+11+12 from fills order by id
select pnl*1.1*1.1/3*2/7*5-4+3-2*1.5/3+amount/3/3/3 from fills order by id
select ((((((((((amount+1)*2)-3)/4)+5)*6)-7)/8)+9)*10) from fills order by id
select score/2/2/2/2/2/2/2/2/2/2/2 from fills order by id
select 1-(2-(3-(4-(5-(6-(7-(8-(9-(10-(11-(12-id))))))))))) from fills order by id
select 2147483647+1-1+1-1+1-1+1-1+1-1+1
select lots/1/1/1/1/1/1/1/1/1/1/0 from fills
select sum(lots+1+1+1+1+1+1+1+1+1+1+1)/count(*)+1+1+1+1+1+1+1+1+1 from fills
select id/10+1+1+1+1+1+1+1+1+1+1 as x, count(*) from fills group by id/10+1+1+1+1+1+1+1+1+1+1
select '5'+1+1+1+1+1+1+1+1+1+1+'3', null::int+1+1+1+1+1+1+1+1+1+1
select -x from (values (-2147483648)) v(x)
select -x, -(x::bigint), -(x::float8) from (values (5), (-3)) v(x) order by 1
