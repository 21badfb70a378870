-- Objects of texts.
select json_object('{a,1,b,2}'), json_object('{a,b}', '{1,null}'), jsonb_object('{{a,1},{b,2}}'), json_object(array['x', 'y'], array['1', null]), jsonb_object(array[['a', 'b'], ['c', 'd']])
select json_object('{a,1,b}')
select json_object('{a,b}', '{1}')
select json_object('{null,1}')
-- The order of jsonb.
select '{"a":1}'::jsonb < '{"a":2}'::jsonb, '1'::jsonb > '"a"'::jsonb, '[1]'::jsonb < '[1,2]'::jsonb, 'null'::jsonb < '1'::jsonb, '{"a":1}'::jsonb = '{"a":1.0}', '[2]'::jsonb > '[1,2]'::jsonb, 'true'::jsonb > 'false'::jsonb
select jsonb_build_object('a', lots) = '{"a": 7}', jsonb_build_object('a', lots) <> '{"a": 7.0}' from fills order by id
select json_strip_nulls('{"a":null,"b":{"c":null,"d":[1,null]}}'), jsonb_strip_nulls('{"a":null,"b":{"c":null,"d":[1,null]}}')
select coalesce(json_agg(id) filter (where id > 9), '[]'), coalesce(jsonb_agg(id) filter (where id > 9), '[]'::jsonb), coalesce(json_agg(id) filter (where id = 1), '[]'::json) from fills
select json_build_array(), jsonb_build_array(), jsonb_build_object()
select jsonb_build_object('b', 1, 'a', 2, 'b', 3)
