-- A query's rows are fetched by bytes, not only by number: one huge text in each of a thousand rows made the program as
-- large. And what a query's error repeats of a value is cut before it is sent.
--
-- And what the views and `ohlcv_explained` call is found wherever the archive is, whatever the session's search_path: a
-- program that reads `archive.all_gaps` need not have the schema of the archive on it.

-- Who was let run queries still may.
select set_config('titan10.granted', coalesce(string_agg(distinct
         'grant execute on function titan10_query_open(text), titan10_query_fetch(int, int) to '
         || case grantee when 0 then 'public' else grantee::regrole::text end, '; '), ''), true)
from pg_proc cross join lateral aclexplode(proacl)
where oid = 'titan10_query_fetch(int)'::regprocedure and grantee <> proowner;

-- Not replaced, which only their owner may: the owner of the schema may drop them.
drop function titan10_query_open(text);
drop function titan10_query_fetch(int);

-- Begins a query, whose rows are then fetched by the next function. The cursor is planned and its rights are checked here,
-- but none of it runs, except what the planner works out.
create function titan10_query_open(query text) returns void language plpgsql security definer as $$
declare
  probe refcursor;
begin
  -- Refuses several statements, and what has no rows.
  open probe no scroll for execute query;
  close probe;
  -- Refuses all but SELECT, VALUES, TABLE and WITH that change nothing.
  execute 'declare titan10_query no scroll cursor for ' || query;
exception when others then
  raise exception using errcode = sqlstate, message = pg_catalog.left(sqlerrm, 10000);
end
$$;

-- The next rows of the query, each as the text of a row, until they are `rows_max` or have `bytes_max` together; after the
-- last one of all a null. A row that is longer is refused, so an answer is shorter than twice `bytes_max`. The query's own
-- functions run in here.
create function titan10_query_fetch(rows_max int, bytes_max int) returns setof text language plpgsql security definer as $$
declare
  portal constant refcursor := 'titan10_query';
  -- What the query sets must not lift the timeout of the next page.
  given_timeout constant text := pg_catalog.current_setting('statement_timeout');
  fetched record;
  row_text text;
  row_bytes int;
  bytes_left int := bytes_max;
begin
  for fetched_count in 1 .. rows_max loop
    fetch portal into fetched;
    if not found then
      return next null;
      exit;
    end if;
    row_text := fetched::pg_catalog.text;
    row_bytes := pg_catalog.octet_length(row_text);
    if row_bytes > bytes_max then
      raise exception using errcode = 'program_limit_exceeded', message = pg_catalog.format(
        'a row of it has %s bytes, and at most %s are read. Ask for parts of long texts, such as left(…, 1000) or '
        'substring(…), or for candles by titan10 export', row_bytes, bytes_max);
    end if;
    return next row_text;
    bytes_left := bytes_left - row_bytes;
    exit when bytes_left <= 0;
  end loop;
  perform pg_catalog.set_config('statement_timeout', given_timeout, true);
exception when others then
  raise exception using errcode = sqlstate, message = pg_catalog.left(sqlerrm, 10000);
end
$$;

revoke execute on function titan10_query_open(text), titan10_query_fetch(int, int) from public;

do $$
begin
  execute current_setting('titan10.granted');
end
$$;

-- As before, of the functions above; and those that look for tables or functions by name look in this schema.
create or replace function titan10_guard_query() returns void language plpgsql as $$
declare
  functions constant regprocedure[] := array['titan10_query_open(text)', 'titan10_query_fetch(int, int)']::regprocedure[];
  archive_owner constant regrole := (select relowner from pg_class where oid = 'checkpoints'::regclass);
  -- The owner of the schema may create in it, and keeps that.
  may_create constant boolean := has_schema_privilege('pg_database_owner', current_schema()::text, 'create');
  reader regrole;
  found_schema text;
  found_relation text;
begin
  perform pg_advisory_xact_lock(hashtextextended('titan10_guard_query', 0));
  perform titan10_keep_to_schema();
  if exists (select from pg_proc where oid = any (functions) and proowner <> 'pg_database_owner'::regrole) then
    begin
      if not may_create then
        execute format('grant create on schema %I to pg_database_owner', current_schema());
      end if;
      alter function titan10_query_open(text) owner to pg_database_owner;
      alter function titan10_query_fetch(int, int) owner to pg_database_owner;
      if not may_create then
        execute format('revoke create on schema %I from pg_database_owner', current_schema());
      end if;
      execute format('grant execute on function titan10_query_open(text), titan10_query_fetch(int, int) to %s',
                     archive_owner);
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

-- Of the functions that any session may call, those in PL/pgSQL find names when they run: they get the schema of the
-- archive to look in. Is called whenever the program starts: the schema may have been renamed.
create function titan10_keep_to_schema() returns void language plpgsql as $$
declare
  found_function regprocedure;
begin
  for found_function in
    select oid from pg_proc
    where oid = any (array[
        'titan10_bounds(checkpoints, timestamptz, timestamptz, timestamptz)',
        'ohlcv_explained(text, text, text, timestamptz, timestamptz)'
      ]::regprocedure[])
      and proconfig is distinct from array['search_path=' || quote_ident(current_schema())]
      and pg_has_role(proowner, 'usage')
  loop
    execute format('alter function %s set search_path = %I', found_function, current_schema());
  end loop;
end
$$;

-- Those in SQL are bound to what they call when they are made. As before otherwise.

create or replace function titan10_open_times(timeframe text, since timestamptz, until timestamptz)
returns setof timestamptz language sql stable begin atomic
  with first as (
    select case
      when right(timeframe, 1) in ('M', 'y') then
        (select date_trunc('month', since at time zone 'UTC')
                - make_interval(months => (12 * (extract(year from since at time zone 'UTC') - 1970)
                                           + extract(month from since at time zone 'UTC') - 1)::int
                                          % (12 * extract(year from titan10_step(timeframe))
                                             + extract(month from titan10_step(timeframe)))::int))
      else date_bin(titan10_step(timeframe), since at time zone 'UTC',
                    case right(timeframe, 1) when 'w' then timestamp '1970-01-05' else timestamp '1970-01-01' end)
    end as open_time
  )
  select slot.open_time at time zone 'UTC'
  from first,
       generate_series(first.open_time, until at time zone 'UTC', titan10_step(timeframe)) as slot (open_time)
  where slot.open_time >= since at time zone 'UTC' and slot.open_time < until at time zone 'UTC';
end;

create or replace function titan10_candles(timeframe text, since timestamptz, until timestamptz)
returns bigint language sql immutable
return case
  when right(timeframe, 1) in ('M', 'y') then
    (select max(month) - min(month)
     from (select ceil((12 * extract(year from month_start) + extract(month from month_start) - 1 - 12 * 1970
                        + case when month_start < utc then 1 else 0 end)
                       / (12 * extract(year from titan10_step(timeframe))
                          + extract(month from titan10_step(timeframe)))) as month
           from (select time at time zone 'UTC' as utc, date_trunc('month', time at time zone 'UTC') as month_start
                 from unnest(array[since, until]) as time) as bound) as months)
  else
    (select max(candle) - min(candle)
     from (select ceil((extract(epoch from time) - case right(timeframe, 1) when 'w' then 4 * 86400 else 0 end)
                       / extract(epoch from titan10_step(timeframe))) as candle
           from unnest(array[since, until]) as time) as bounds)
end::bigint;

select titan10_guard_query();
