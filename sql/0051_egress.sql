-- Exchanges count requests, and ban, by the address that they see. Where several nodes share an archive, each may reach an
-- exchange by another address: its egress. So what an exchange says of one is kept by exchange and egress, and does not stop
-- the others.

create table exchange_egress (
  exchange      text not null,
  -- Empty: from before egresses were told apart.
  egress        text not null,
  breaker       text not null default 'closed' check (breaker in ('closed', 'open', 'half_open')),
  banned_until  timestamptz,
  ban_reason    text,
  banned_hosts  jsonb not null default '{}' check (jsonb_typeof(banned_hosts) = 'object'),
  denied_since  timestamptz,
  denied_until  timestamptz,
  denied_host   text,
  denied_why    text,
  last_error    text,
  last_error_at timestamptz,
  primary key (exchange, egress)
);

comment on table exchange_egress is
  'What an exchange said to each egress, the address by which nodes reach it: bans, refusals, the last error. The worst of all is in exchanges.';
comment on column exchange_egress.banned_hosts is
  'The bans by the host that answered with each: {"fapi.binance.com": {"until": milliseconds since 1970, "reason": text}}. The latest is in banned_until.';
comment on column exchange_egress.denied_since is
  'Since when the address, or its country, is refused. Unless it is refused again, that is over at denied_until.';

comment on table exchanges is
  'The worst that is known of each exchange; by the address that it sees in exchange_egress.';

insert into exchange_egress
  (exchange, egress, banned_until, ban_reason, banned_hosts, last_error, last_error_at)
select exchange, '', banned_until, ban_reason, banned_hosts, last_error, last_error_at from exchanges;

-- Whether a live node would ask an exchange by an egress.
create function titan10_is_in_use(of_exchange text, of_egress text) returns boolean language sql stable as $$
  select exists (
    select from node_symbols as wanted join titan10_live_nodes(clock_timestamp()) as live using (node)
    where wanted.exchange = of_exchange and wanted.egress = of_egress
  )
$$;

-- As before, from what is stored now. An exchange that refuses an address gives it no candles either, so that its symbols are
-- better asked for by another one, until it is not known any more whether it still does.
create or replace function titan10_banned_until(of_exchange text, of_egress text) returns timestamptz language sql stable as $$
  select greatest(banned_until, denied_until) from exchange_egress where exchange = of_exchange and egress = of_egress
$$;

-- Keeps `exchanges` in step: what is true of any egress. Of breakers those count that somebody still judges.
create function titan10_keep_exchange() returns trigger language plpgsql as $$
declare
  changed constant text := case tg_op when 'DELETE' then old.exchange else new.exchange end;
  writer constant text := case tg_op when 'DELETE' then null else new.egress end;
begin
  insert into exchanges (exchange) values (changed) on conflict (exchange) do nothing;
  -- Locked by a statement of its own: the next one sees what another egress has written meanwhile.
  perform from exchanges where exchange = changed for update;
  update exchanges as known
  set breaker = worst.breaker, banned_until = worst.banned_until, ban_reason = worst.ban_reason,
      banned_hosts = worst.banned_hosts, last_error = worst.last_error, last_error_at = worst.last_error_at
  from (
    select
      coalesce((array_agg(breaker order by array_position(array['open', 'half_open', 'closed'], breaker))
                filter (where egress = writer or titan10_is_in_use(exchange, egress)))[1], 'closed') as breaker,
      max(banned_until) as banned_until,
      (array_agg(ban_reason order by banned_until desc nulls last))[1] as ban_reason,
      (select coalesce(jsonb_object_agg(host, ban order by (ban ->> 'until')::float8), '{}')
       from exchange_egress as other, jsonb_each(other.banned_hosts) as hosts (host, ban)
       where other.exchange = changed) as banned_hosts,
      (array_agg(last_error order by last_error_at desc nulls last))[1] as last_error,
      max(last_error_at) as last_error_at
    from exchange_egress where exchange = changed
  ) as worst
  where known.exchange = changed;
  return null;
end
$$;

create trigger keep_exchange after insert or update on exchange_egress for each row
when (current_setting('titan10.copies', true) is distinct from 'on')
execute function titan10_keep_exchange();

create trigger keep_exchange_on_delete after delete on exchange_egress for each row
execute function titan10_keep_exchange();

-- Who may read or write the state of exchanges may do the same with this table.
select titan10_grant_as('exchanges', 'exchange_egress');
