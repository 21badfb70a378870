-- Columns that may not be null, keys and counts.
create temp table kept (id serial primary key, name text not null, share numeric(5,2) default 1.5)
insert into kept (name) values ('a'), ('b') returning id, name, share
insert into kept (name, share) values (null, 2)
insert into kept (share) values (2)
insert into kept (name, share) select token, id from fills where id < 3 order by id
select id, name, share from kept order by id
update kept set name = null where id = 1
update kept set name = upper(name), share = null where id = 1
select id, name, share from kept order by id
-- Of a query, columns may be null.
create temp table copied as select id, token from fills
insert into copied (id) values (null)
select count(*), count(id), count(token) from copied
-- Writes that read other tables.
update kept set share = f.lots, name = kept.name || '!' from fills f where f.id = kept.id and f.lots is not null and f.lots < 100
select id, name, share from kept order by id
update kept k set name = m.best from (select token, max(amount)::text as best from fills group by token) m where lower(m.token) = lower(k.name)
select id, name, share from kept order by id
update kept set name = null from fills f where f.id = kept.id
update kept set nope = 1 from fills f where f.id = kept.id
delete from kept using fills f where f.id = kept.id and f.won
select id, name from kept order by id
delete from kept k using (values (3)) v(n) where k.id = v.n
select id, name from kept order by id
drop table kept
drop table copied
-- JSON in columns.
create temp table notes (id int, doc jsonb, raw json)
insert into notes values (1, '{"b": 1, "a": [1,2]}', '{"b": 1, "a":2}'), (2, null, null), (3, '{"a":{"c":"x"}}', '[1,  2]')
insert into notes (doc) values ('{')
select id, doc, raw, doc -> 'a', doc ->> 'b', doc #>> '{a,c}' from notes order by id
select id from notes where doc @> '{"b": 1}' or doc ? 'x'
update notes set doc = jsonb_set(doc, '{b}', '5') where id = 1
select doc, jsonb_typeof(doc -> 'a') from notes order by id
drop table notes
-- Numbers of other types.
create temp table rounded (a int, b numeric(5,1), c bigint)
insert into rounded values (2.5, 2.75, 1.5), (-2.5, 0.05, 3.5::float8)
insert into rounded select id + 0.5, id, score from fills where id < 3
update rounded set a = 4.6, c = b * 1.0 where a = 3
insert into rounded (a) values (3000000000)
select * from rounded order by a, b
drop table rounded
