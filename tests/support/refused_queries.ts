/** Queries that would change something or see what is none of their business, each with how it is refused. @module */

type Attack = readonly [text: string, refusal: RegExp];

/** Whoever logs in. */
export const FORBIDDEN: readonly Attack[] = [
  ["insert into exchanges (exchange) values ('x')", /cannot open INSERT query/],
  ["insert into exchanges (exchange) values ('x') returning 1", /syntax error/],
  ["with x as (insert into exchanges values ('x') returning 1) select * from x", /data-modifying/],
  ["select 1; drop table gaps", /multi-query/],
  ["select 1; select 2", /multi-query/],
  ["", /multi-query|syntax error/],
  ["select 1 into stolen", /cannot open SELECT INTO|cannot open CREATE TABLE AS/],
  ["set transaction_read_only = off", /cannot open SET query/],
  [
    "select set_config('transaction_read_only', 'off', true), nextval('alerts_id_seq')",
    /before any|inside a read-only/,
  ],
  ["select nextval('alerts_id_seq')", /permission denied|read-only/],
  ["select titan10_drop_rollup('1h')", /read-only transaction/],
  // Until PostgreSQL 16 such objects may be made, and are gone with the rollback.
  ["select lowrite(lo_open(lo_create(77), 131072), 'x')", /read-only transaction|answered/],
  ["copy (select 1) to program 'touch /tmp/titan10-was-here'", /cannot open COPY query/],
  ["do $$ begin commit; end $$", /cannot open DO query/],
  ["commit", /cannot open COMMIT query/],
  ["rollback", /cannot open ROLLBACK query/],
  ["explain analyze delete from exchanges", /syntax error/],
  ["explain analyze select titan10_test_delete()", /syntax error/],
  ["show all", /syntax error/],
  ["select 1) ; delete from exchanges; --", /syntax error/],
  ["select 1 as a -- '; drop table gaps; --' \\'; drop table gaps", /answered \[\["1"\]\]/],
  [String.raw`select '\''; drop table gaps; --'`, /answered \[\["\\\\'; drop table gaps; --"\]\]/],
  ["table exchanges for update", /read-only transaction|permission denied/],
  ["select titan10_test_delete()", /read-only transaction/],
  ["select titan10_test_commit()", /invalid transaction termination/],
  ["select titan10_test_lift()", /before any|inside a read-only/],
  [
    "select set_config('default_transaction_read_only', 'off', false), titan10_test_delete()",
    /read-only/,
  ],
  // Back to the login.
  ["select set_config('role', 'none', true)", /within security-definer function/],
  ["select set_config('role', session_user, false)", /within security-definer function/],
  ["select set_config('session_authorization', session_user, true)", /within security-definer/],
  ["select titan10_test_role()", /within security-definer function/],
  ["select titan10_test_reset()", /within security-definer function/],
  ["select titan10_query_open('select 1')", /already exists/],
  [
    "select query_to_xml('delete from exchanges returning 1', true, true, '')",
    /not allowed|read-only/,
  ],
];

/** Unless the login may do so itself, and is not the owner of the database, who could have it prevented. */
export const NONE_OF_ITS_BUSINESS: readonly Attack[] = [
  ["select * from titan10_test_other", /permission denied for table .*pg_database_owner.*Grant/],
  // The embedded server has no such rows.
  [
    "select query from pg_stat_activity where usename = session_user",
    /insufficient privilege|answered \[\]/,
  ],
  ["select pg_terminate_backend(pg_backend_pid())", /permission denied|must be|"f"/i],
  ["select pg_cancel_backend(pg_backend_pid())", /permission denied|must be|"f"/i],
];

/** What a superuser may do, and others may not. */
export const OF_SUPERUSERS: readonly Attack[] = [
  ["select pg_read_file('/etc/passwd')", /permission denied/],
  ["select pg_read_binary_file('/etc/passwd')", /permission denied/],
  ["select * from pg_ls_dir('.')", /permission denied/],
  ["select pg_stat_file('.')", /permission denied/],
  ["select lo_import('/etc/passwd')", /permission denied/],
  ["select lo_export(1, '/tmp/titan10-was-here')", /permission denied/],
  ["select rolpassword from pg_authid", /permission denied/],
  ["select passwd from pg_shadow", /permission denied/],
  ["table pg_hba_file_rules", /permission denied/],
  ["table pg_file_settings", /permission denied/],
  ["table pg_user_mapping", /permission denied/],
  ["select subconninfo from pg_subscription", /permission denied/],
  // The embedded server lets everybody look, and has none.
  ["table pg_largeobject", /permission denied|answered \[\]/],
  ["select query_to_xml('table pg_authid', true, true, '')", /permission denied/],
  ["select current_setting('primary_conninfo')", /must be|permission denied/],
  ["select setting from pg_settings where name = 'primary_conninfo'", /answered \[\]/],
  ["select set_config('session_replication_role', 'replica', true)", /permission denied/],
  ["select pg_reload_conf()", /permission denied/],
  ["select pg_switch_wal()", /permission denied/],
  ["select pg_create_physical_replication_slot('x')", /permission denied|must be/],
  ["select pg_stat_reset()", /permission denied/],
];

/** What somebody may have made before. */
export const FUNCTIONS = `
create table titan10_test_other (secret text);
create function titan10_test_delete() returns int language plpgsql as
  $$ begin delete from checkpoints; return 1; end $$;
create function titan10_test_commit() returns int language plpgsql as
  $$ begin commit; delete from checkpoints; return 1; end $$;
create function titan10_test_lift() returns int language plpgsql as
  $$ begin set transaction read write; delete from checkpoints; return 1; end $$;
create function titan10_test_role() returns int language plpgsql as
  $$ begin execute format('set local role %I', session_user); return 1; end $$;
create function titan10_test_reset() returns int language plpgsql as
  $$ begin reset role; return 1; end $$;`;
