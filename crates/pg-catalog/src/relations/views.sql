-- The views of the catalog over its own tables, answered by its interpreter. A column of the view
-- that its query does not name is null.

-- view pg_catalog.pg_tables
select n.nspname as schemaname, c.relname as tablename, pg_get_userbyid(c.relowner) as tableowner,
  c.relhasindex as hasindexes, c.relhasrules as hasrules, false as hastriggers, false as rowsecurity
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r'

-- view pg_catalog.pg_views
select n.nspname as schemaname, c.relname as viewname, pg_get_userbyid(c.relowner) as viewowner,
  pg_get_viewdef(c.oid) as definition
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'v'

-- view pg_catalog.pg_indexes
select n.nspname as schemaname, c.relname as tablename, i.relname as indexname,
  pg_get_indexdef(i.oid) as indexdef
from pg_index x
join pg_class c on c.oid = x.indrelid
join pg_class i on i.oid = x.indexrelid
join pg_namespace n on n.oid = c.relnamespace

-- view pg_catalog.pg_user
select rolname as usename, oid as usesysid, rolcreatedb as usecreatedb, rolsuper as usesuper,
  rolreplication as userepl, rolbypassrls as usebypassrls, '********' as passwd
from pg_roles
where rolcanlogin

-- view pg_catalog.pg_stat_all_tables
select c.oid as relid, n.nspname as schemaname, c.relname, 0 as seq_scan, 0 as seq_tup_read,
  0 as n_tup_ins, 0 as n_tup_upd, 0 as n_tup_del, 0 as n_tup_hot_upd,
  pg_stat_get_live_tuples(c.oid) as n_live_tup, 0 as n_dead_tup, 0 as n_mod_since_analyze,
  0 as n_ins_since_vacuum, 0 as vacuum_count, 0 as autovacuum_count, 0 as analyze_count,
  0 as autoanalyze_count
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r'

-- view pg_catalog.pg_stat_user_tables
select * from pg_stat_all_tables where schemaname not in ('pg_catalog', 'information_schema')

-- view pg_catalog.pg_stat_all_indexes
select c.oid as relid, i.oid as indexrelid, n.nspname as schemaname, c.relname,
  i.relname as indexrelname, 0 as idx_scan, 0 as idx_tup_read, 0 as idx_tup_fetch
from pg_index x
join pg_class c on c.oid = x.indrelid
join pg_class i on i.oid = x.indexrelid
join pg_namespace n on n.oid = c.relnamespace

-- view pg_catalog.pg_stat_user_indexes
select * from pg_stat_all_indexes

-- view pg_catalog.pg_stat_database
select oid as datid, datname, (select count(*) from pg_stat_activity) as numbackends,
  0 as xact_commit, 0 as xact_rollback, 0 as blks_read, 0 as blks_hit, 0 as tup_returned,
  0 as tup_fetched, 0 as tup_inserted, 0 as tup_updated, 0 as tup_deleted, 0 as conflicts,
  0 as temp_files, 0 as temp_bytes, 0 as deadlocks
from pg_database

-- view information_schema.information_schema_catalog_name
select current_database() as catalog_name

-- view information_schema.schemata
select current_database() as catalog_name, nspname as schema_name,
  pg_get_userbyid(nspowner) as schema_owner
from pg_namespace

-- view information_schema.tables
select current_database() as table_catalog, n.nspname as table_schema, c.relname as table_name,
  case when c.relpersistence = 't' then 'LOCAL TEMPORARY'
    when c.relkind = 'r' then 'BASE TABLE' else 'VIEW' end as table_type,
  case when has_table_privilege(c.oid, 'INSERT') then 'YES' else 'NO' end as is_insertable_into,
  'NO' as is_typed
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'v')

-- view information_schema.views
select current_database() as table_catalog, n.nspname as table_schema, c.relname as table_name,
  pg_get_viewdef(c.oid) as view_definition, 'NONE' as check_option, 'NO' as is_updatable,
  'NO' as is_insertable_into, 'NO' as is_trigger_updatable, 'NO' as is_trigger_deletable,
  'NO' as is_trigger_insertable_into
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'v'

-- view information_schema.columns
select current_database() as table_catalog, n.nspname as table_schema, c.relname as table_name,
  a.attname as column_name, a.attnum as ordinal_position,
  case when a.attnotnull then 'NO' else 'YES' end as is_nullable,
  case when b.typcategory = 'A' then 'ARRAY' else format_type(b.oid, null) end as data_type,
  case when b.typname in ('varchar', 'bpchar') and a.atttypmod >= 4 then a.atttypmod - 4
    end as character_maximum_length,
  case when b.typname in ('text', 'varchar', 'bpchar') then 1073741824 end as character_octet_length,
  case b.typname when 'int2' then 16 when 'int4' then 32 when 'int8' then 64 when 'float4' then 24
    when 'float8' then 53
    when 'numeric' then case when a.atttypmod >= 4 then ((a.atttypmod - 4) >> 16) & 65535 end
    end as numeric_precision,
  case when b.typname in ('int2', 'int4', 'int8', 'float4', 'float8') then 2
    when b.typname = 'numeric' then 10 end as numeric_precision_radix,
  case when b.typname in ('int2', 'int4', 'int8') then 0
    when b.typname = 'numeric' and a.atttypmod >= 4 then (a.atttypmod - 4) & 2047
    end as numeric_scale,
  case when b.typname = 'date' then 0
    when b.typname in ('time', 'timestamp', 'timestamptz', 'interval') then 6
    end as datetime_precision,
  case when b.oid <> t.oid then current_database() end as domain_catalog,
  case when b.oid <> t.oid then 'information_schema' end as domain_schema,
  case when b.oid <> t.oid then t.typname end as domain_name,
  current_database() as udt_catalog, 'pg_catalog' as udt_schema, b.typname as udt_name,
  a.attnum::text as dtd_identifier, 'NO' as is_self_referencing, 'NO' as is_identity,
  'NO' as identity_cycle, 'NEVER' as is_generated,
  case when has_table_privilege(c.oid, 'UPDATE') then 'YES' else 'NO' end as is_updatable
from pg_attribute a
join pg_class c on c.oid = a.attrelid
join pg_namespace n on n.oid = c.relnamespace
join pg_type t on t.oid = a.atttypid
join pg_type b on b.oid = case t.typtype when 'd' then t.typbasetype else t.oid end
where c.relkind in ('r', 'v')

-- view information_schema.element_types
select current_database() as object_catalog, n.nspname as object_schema, c.relname as object_name,
  case c.relkind when 'v' then 'VIEW' else 'TABLE' end as object_type,
  a.attnum::text as collection_type_identifier, format_type(t.typelem, null) as data_type,
  current_database() as udt_catalog, 'pg_catalog' as udt_schema, e.typname as udt_name,
  'a' || a.attnum::text as dtd_identifier
from pg_attribute a
join pg_class c on c.oid = a.attrelid
join pg_namespace n on n.oid = c.relnamespace
join pg_type t on t.oid = a.atttypid
join pg_type e on e.oid = t.typelem
where c.relkind in ('r', 'v') and t.typcategory = 'A'

-- view information_schema.table_constraints
select current_database() as constraint_catalog, n.nspname as constraint_schema,
  k.conname as constraint_name, current_database() as table_catalog, n.nspname as table_schema,
  c.relname as table_name, 'PRIMARY KEY' as constraint_type, 'NO' as is_deferrable,
  'NO' as initially_deferred, 'YES' as enforced
from pg_constraint k
join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace

-- view information_schema.key_column_usage
select current_database() as constraint_catalog, n.nspname as constraint_schema,
  k.conname as constraint_name, current_database() as table_catalog, n.nspname as table_schema,
  c.relname as table_name, a.attname as column_name, x.n as ordinal_position
from pg_constraint k
join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
cross join lateral unnest(k.conkey) with ordinality as x (attnum, n)
join pg_attribute a on a.attrelid = c.oid and a.attnum = x.attnum

-- view information_schema.constraint_column_usage
select table_catalog, table_schema, table_name, column_name, constraint_catalog, constraint_schema,
  constraint_name
from information_schema.key_column_usage

-- view information_schema.constraint_table_usage
select table_catalog, table_schema, table_name, constraint_catalog, constraint_schema,
  constraint_name
from information_schema.table_constraints

-- view information_schema.table_privileges
select 'hindsight' as grantor, 'PUBLIC' as grantee, t.table_catalog, t.table_schema, t.table_name,
  p.privilege_type, 'NO' as is_grantable,
  case p.privilege_type when 'SELECT' then 'YES' else 'NO' end as with_hierarchy
from information_schema.tables t
cross join (values ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) p (privilege_type)
where p.privilege_type = 'SELECT' or t.is_insertable_into = 'YES'

-- view information_schema.role_table_grants
select * from information_schema.table_privileges

-- view information_schema.column_privileges
select 'hindsight' as grantor, 'PUBLIC' as grantee, table_catalog, table_schema, table_name,
  column_name, 'SELECT' as privilege_type, 'NO' as is_grantable
from information_schema.columns

-- view information_schema.role_column_grants
select * from information_schema.column_privileges

-- view information_schema.enabled_roles
select rolname as role_name from pg_roles where pg_has_role(oid, 'USAGE')

-- view information_schema.applicable_roles
select m.rolname as grantee, g.rolname as role_name, 'NO' as is_grantable
from pg_auth_members a
join pg_roles m on m.oid = a.member
join pg_roles g on g.oid = a.roleid

-- view information_schema.character_sets
select 'UTF8' as character_set_name, 'UCS' as character_repertoire, 'UTF8' as form_of_use,
  current_database() as default_collate_catalog, 'pg_catalog' as default_collate_schema,
  'C.UTF-8' as default_collate_name

-- view information_schema.collations
select current_database() as collation_catalog, n.nspname as collation_schema,
  c.collname as collation_name, 'NO PAD' as pad_attribute
from pg_collation c join pg_namespace n on n.oid = c.collnamespace

-- view information_schema.routines
select current_database() as specific_catalog, n.nspname as specific_schema,
  p.proname || '_' || p.oid as specific_name, current_database() as routine_catalog,
  n.nspname as routine_schema, p.proname as routine_name,
  case p.prokind when 'p' then 'PROCEDURE' else 'FUNCTION' end as routine_type,
  case when p.prokind = 'p' then null
    when t.typcategory = 'A' then 'ARRAY' else format_type(t.oid, null) end as data_type,
  current_database() as type_udt_catalog, 'pg_catalog' as type_udt_schema,
  t.typname as type_udt_name, '0' as dtd_identifier, 'EXTERNAL' as routine_body,
  p.proname as external_name, upper(l.lanname) as external_language,
  'GENERAL' as parameter_style,
  case p.provolatile when 'i' then 'YES' else 'NO' end as is_deterministic,
  'READS' as sql_data_access,
  case when p.proisstrict then 'YES' else 'NO' end as is_null_call,
  'YES' as schema_level_routine, 0 as max_dynamic_result_sets, 'INVOKER' as security_type,
  obj_description(p.oid, 'pg_proc') as description, function_example(p.oid) as syntax_example
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
join pg_language l on l.oid = p.prolang
left join pg_type t on t.oid = p.prorettype

-- view information_schema.parameters
select current_database() as specific_catalog, n.nspname as specific_schema,
  p.proname || '_' || p.oid as specific_name, x.n as ordinal_position, 'IN' as parameter_mode,
  'NO' as is_result, 'NO' as as_locator, nullif(p.proargnames[x.n], '') as parameter_name,
  case when t.typcategory = 'A' then 'ARRAY' else format_type(t.oid, null) end as data_type,
  current_database() as udt_catalog, 'pg_catalog' as udt_schema, t.typname as udt_name,
  x.n::text as dtd_identifier
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
cross join lateral unnest(p.proargtypes) with ordinality as x (type, n)
join pg_type t on t.oid = x.type
