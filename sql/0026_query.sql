-- The text of `titan10 query` runs with whatever login the program has, which may be a superuser. From now on it runs inside
-- functions that have the rights of their owner, not of the login: in there PostgreSQL itself refuses to change the role
-- or the session's user. Their owner is pg_database_owner, a role of every server since 14: nobody can log in as it, it is
-- a member of nothing, and here it is let read the archive. No role is made: a dump that names this one can be restored
-- on any server.

-- Every table and view of the archive. A migration that makes another one replaces this function.
create function titan10_relations() returns setof text language sql stable as $$
  select unnest(array[
    'alerts', 'all_gaps', 'archive', 'candle_revisions', 'capabilities', 'checkpoints', 'copied_series', 'exchanges',
    'gaps', 'import_conflicts', 'imports', 'jobs', 'listings', 'ohlcv', 'policy_runs', 'recent_pages',
    'rejected_candles', 'rollups', 'timeframes', 'titan10_bound_gaps', 'titan10_migrations'
  ])
  union all select table_name from timeframes
  union all select unnest(array[view_name, held_name]) from rollups
$$;

-- Begins a query, whose rows are then fetched by the next function. The cursor is planned and its rights are checked here,
-- but none of it runs.
create function titan10_query_open(query text) returns void language plpgsql security definer as $$
declare
  probe refcursor;
begin
  -- Refuses several statements, and what has no rows.
  open probe no scroll for execute query;
  close probe;
  -- Refuses all but SELECT, VALUES, TABLE and WITH that change nothing.
  execute 'declare titan10_query no scroll cursor for ' || query;
end
$$;

-- The next rows of the query, each as the text of a row. The query's own functions run in here.
create function titan10_query_fetch(rows_max int) returns setof text language plpgsql security definer as $$
declare
  portal constant refcursor := 'titan10_query';
  -- What the query sets must not lift the timeout of the next page.
  given_timeout constant text := pg_catalog.current_setting('statement_timeout');
  fetched record;
begin
  for fetched_count in 1 .. rows_max loop
    fetch portal into fetched;
    exit when not found;
    return next fetched::pg_catalog.text;
  end loop;
  perform pg_catalog.set_config('statement_timeout', given_timeout, true);
end
$$;

revoke execute on function titan10_query_open(text), titan10_query_fetch(int) from public;

-- Gives the functions to pg_database_owner where that may be: by a superuser, or by the owner of the database. Elsewhere
-- they stay with their owner. Then lets their owner read what it may not read yet, and nothing else. Is called again
-- whenever the program starts: a dump may have been restored without its owners, or the database may have got another
-- owner.
create function titan10_guard_query() returns void language plpgsql as $$
declare
  functions constant regprocedure[] := array['titan10_query_open(text)', 'titan10_query_fetch(int)']::regprocedure[];
  archive_owner constant regrole := (select relowner from pg_class where oid = 'checkpoints'::regclass);
  -- The owner of the schema may create in it, and keeps that.
  may_create constant boolean := has_schema_privilege('pg_database_owner', current_schema()::text, 'create');
  reader regrole;
  found_schema text;
  found_relation text;
begin
  perform pg_advisory_xact_lock(hashtextextended('titan10_guard_query', 0));
  if exists (select from pg_proc where oid = any (functions) and proowner <> 'pg_database_owner'::regrole) then
    begin
      if not may_create then
        execute format('grant create on schema %I to pg_database_owner', current_schema());
      end if;
      alter function titan10_query_open(text) owner to pg_database_owner;
      alter function titan10_query_fetch(int) owner to pg_database_owner;
      if not may_create then
        execute format('revoke create on schema %I from pg_database_owner', current_schema());
      end if;
      execute format('grant execute on function titan10_query_open(text), titan10_query_fetch(int) to %s', archive_owner);
    exception when insufficient_privilege then
      -- As it was.
    end;
  end if;

  select proowner into reader from pg_proc where oid = functions[2];
  for found_schema in
    select nspname from pg_namespace
    where (nspname = current_schema() or quote_ident(nspname) = titan10_timescale())
      and pg_has_role(nspowner, 'usage') and not has_schema_privilege(reader::oid, oid, 'usage')
  loop
    execute format('grant usage on schema %I to %s', found_schema, reader);
  end loop;
  for found_relation in
    select relname from pg_class
    where relnamespace = (select oid from pg_namespace where nspname = current_schema())
      and relkind in ('r', 'p', 'v', 'm') and relname in (select titan10_relations())
      and pg_has_role(relowner, 'usage') and not has_table_privilege(reader::oid, oid, 'select')
  loop
    execute format('grant select on %I to %s', found_relation, reader);
  end loop;
end
$$;

-- Tables of timeframes and views of rollups are made later, and `ohlcv` after the row of its first timeframe: so this
-- waits for the end of the transaction.
create function titan10_guard_query_of_new() returns trigger language plpgsql as $$
begin
  perform titan10_guard_query();
  return null;
end
$$;

create constraint trigger guard_query after insert on timeframes deferrable initially deferred
  for each row execute function titan10_guard_query_of_new();
create constraint trigger guard_query after insert on rollups deferrable initially deferred
  for each row execute function titan10_guard_query_of_new();

select titan10_guard_query();
