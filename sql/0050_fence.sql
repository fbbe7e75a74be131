-- Where several nodes share an archive, one of them at a time holds the lease of a symbol. A node may be stopped or cut off for
-- minutes and send a page then that it asked for long ago. No clock tells such a page from others, but the ledger does: each
-- page brings the epoch of its lease, which is higher for each later holder, and is refused whole where a later holder has
-- written. So an answer that is older never takes the place of a newer one.

-- In steps: a column with a default cannot be added where functions have the type of the row in their bodies.
alter table checkpoints add column epoch bigint, add column holder uuid;
alter table checkpoints alter column epoch set default 0;
update checkpoints set epoch = 0;
alter table checkpoints alter column epoch set not null;

comment on column checkpoints.epoch is
  'The newest lease by which a page was stored; 0 while none was. Pages of older leases are refused.';
comment on column checkpoints.holder is 'The node that had this lease.';

alter table funding_checkpoints add column epoch bigint not null default 0, add column holder uuid;

comment on column funding_checkpoints.epoch is
  'The newest lease by which rates were stored; 0 while none were. Answers of older leases are refused.';
comment on column funding_checkpoints.holder is 'The node that had this lease.';

-- Whether a page may be stored in a series whose newest page came by the lease `known_epoch` of `known_holder`. If a later holder
-- has written, the whole statement is refused. An epoch may be given twice: what a server had committed can be lost when
-- another takes its place. Then the first of the two holders to write goes on, until the lease has a higher epoch.
--
-- Call it with the columns of a row that is locked, as `on conflict do update` and `for update` do: that is the newest row, also
-- where the statement began before it was written.
create function titan10_may_write(
  page_exchange text, page_symbol text, known_epoch bigint, known_holder uuid, page_epoch bigint, page_holder uuid
) returns boolean language plpgsql as $$
begin
  if known_epoch > page_epoch or (known_epoch = page_epoch and known_holder <> page_holder) then
    raise exception using
      errcode = 'TT004',
      message = format('the node %s has stored newer pages of %s %s, and this is one of an older lease', known_holder, page_exchange,
                       page_symbol);
  end if;
  return true;
end
$$;

-- The highest epoch by which anything of a symbol was stored; 0 where nothing was.
create function titan10_written_epoch(of_exchange text, of_symbol text) returns bigint language sql stable as $$
  select greatest(
    (select max(epoch) from checkpoints where exchange = of_exchange and symbol = of_symbol),
    (select epoch from funding_checkpoints where exchange = of_exchange and symbol = of_symbol),
    0)
$$;

-- A lease gets an epoch above all that was written: what it had before may be lost with a server.
create function titan10_raise_epoch() returns trigger language plpgsql as $$
begin
  new.epoch := greatest(new.epoch, titan10_written_epoch(new.exchange, new.symbol) + 1);
  return new;
end
$$;

create trigger raise_first_epoch before insert on leases for each row execute function titan10_raise_epoch();

create trigger raise_epoch before update on leases for each row
when (new.epoch > old.epoch) execute function titan10_raise_epoch();

drop function titan10_store_funding(text, text, text, float8[], numeric[], float8, float8, float8);

-- As before, and refused, as a page of candles is, where a later holder of the lease has written. A program that was started before
-- this migration, and runs on, knows of no leases and calls it without them.
create function titan10_store_funding(
  of_exchange text, of_symbol text, of_market text, times_ms float8[], given numeric[],
  answered_since_ms float8, answered_until_ms float8, reach_ms float8,
  of_epoch bigint default null, of_holder uuid default null
) returns table (added bigint, revised bigint) language plpgsql volatile as $$
declare
  answered constant tstzmultirange := case
    when answered_since_ms is null then '{}'
    else tstzmultirange(tstzrange(to_timestamp(answered_since_ms / 1000.0), to_timestamp(answered_until_ms / 1000.0))) end;
  listed_as constant text := titan10_funding_listing(of_exchange, of_symbol);
  newest funding_checkpoints;
begin
  -- Whoever enters another market, or forgets a series, has these rows.
  perform from checkpoints as known where known.exchange = of_exchange and known.symbol = listed_as
  order by known.timeframe for key share;
  select * into newest from funding_checkpoints as known
  where known.exchange = of_exchange and known.symbol = of_symbol for update;
  if not found then
    raise exception using
      errcode = 'TT003', message = format('%s %s was forgotten while it was asked for', of_exchange, of_symbol);
  end if;
  perform titan10_may_write(of_exchange, of_symbol, newest.epoch, newest.holder, of_epoch, of_holder);
  perform titan10_is_market(of_exchange, listed_as, of_market);
  with written as (
    insert into funding_rates as stored (exchange, symbol, time, rate)
    select of_exchange, of_symbol, to_timestamp(ms / 1000.0), rate from unnest(times_ms, given) as row (ms, rate)
    on conflict (exchange, symbol, time) do update set rate = excluded.rate where stored.rate <> excluded.rate
    returning (xmax = 0) as is_new
  )
  select count(*) filter (where is_new), count(*) filter (where not is_new) into added, revised from written;
  update funding_checkpoints as known
  set covered = known.covered + answered,
      rates = known.rates + added,
      first = least(known.first, (select to_timestamp(min(ms) / 1000.0) from unnest(times_ms) as ms)),
      last = greatest(known.last, (select to_timestamp(max(ms) / 1000.0) from unnest(times_ms) as ms)),
      reach_from = coalesce(to_timestamp(reach_ms / 1000.0), known.reach_from),
      is_scanned = known.is_scanned and added = 0 and known.covered @> answered,
      last_error = null,
      epoch = coalesce(of_epoch, known.epoch),
      holder = coalesce(of_holder, known.holder)
  where known.exchange = of_exchange and known.symbol = of_symbol;
  -- One of the newest distances is that of two rates without a hole between them.
  if added > 0 then
    update funding_checkpoints as known
    set interval_seconds = coalesce(
      (select nullif(round(min(extract(epoch from newer - older)))::int, 0)
       from (select time as newer, lead(time) over (order by time desc) as older
             from funding_rates where exchange = of_exchange and symbol = of_symbol
             order by time desc limit 4) as newest
       where older is not null), known.interval_seconds)
    where known.exchange = of_exchange and known.symbol = of_symbol;
  end if;
  return next;
end
$$;
