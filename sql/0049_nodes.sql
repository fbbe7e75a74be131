-- Several nodes may work on one archive. Which of them asks for what is told by leases, which one function gives out, under one
-- lock and by the clock of this server alone: a node says every few seconds that it lives, and one that has not said so for as
-- long as a lease lasts may lose what it holds. Nothing depends on that the loser knows it: each lease has an epoch that rises
-- with each new holder, and pages tell theirs.

create table nodes (
  -- One process: another one at each start.
  node          uuid primary key,
  -- For people.
  name          text not null,
  kind          text not null check (kind in ('daemon', 'backfill')),
  -- The host, and the port that it listens at. Who has the port now is the successor of who had it.
  place         text,
  version       text not null,
  settings_hash text not null,
  settings      jsonb not null,
  started       timestamptz not null,
  seen          timestamptz not null,
  -- It lives until then, unless it is seen again.
  until         timestamptz not null,
  -- How often it has said so. What it said before, and comes later, changes nothing of what it wants.
  beats         bigint not null,
  -- Of what everything was shared when it called last: while that is the same, there is nothing to do.
  shared        text,
  -- It has ended by itself, and holds nothing.
  leaving       boolean not null default false
) with (fillfactor = 50);

comment on table nodes is 'The processes that work on this archive, and those that ended lately. Each says every few seconds that it lives.';

-- What a node would ask for. Its symbols are known when it has loaded the markets of the exchange.
create table node_symbols (
  node     uuid not null references nodes on delete cascade,
  exchange text not null,
  -- The address by which it reaches the exchange.
  egress   text not null,
  symbols  text[] not null,
  -- Those of the symbols that the list of the exchange lacks: it may list less for one country than for another.
  lacked   text[] not null,
  -- Of the symbols, and of those that are lacked.
  hash     text not null,
  primary key (node, exchange)
);

comment on table node_symbols is 'Which symbols each node would ask for, and by which egress it reaches their exchange.';

create table egress_leases (
  exchange text not null,
  egress   text not null,
  holder   uuid,
  -- Who is to get it when the holder has ended its work.
  next     uuid,
  epoch    bigint not null default 0,
  since    timestamptz not null default clock_timestamp(),
  primary key (exchange, egress)
) with (fillfactor = 70);

comment on table egress_leases is 'Which node may send requests to an exchange, one for each egress: an exchange limits the pace of an address.';

create table leases (
  exchange text not null,
  symbol   text not null,
  holder   uuid,
  next     uuid,
  epoch    bigint not null default 0,
  since    timestamptz not null default clock_timestamp(),
  primary key (exchange, symbol)
) with (fillfactor = 70);

create index leases_holder on leases (holder);

comment on table leases is
  'Which node asks for the candles of a symbol. The one without exchange and symbol: which node does what is done once for all.';
comment on column leases.epoch is 'Rises with each new holder. A page that was asked for by an older lease is refused.';
comment on column leases.next is 'Which node is to get it when the holder has ended its work for it.';

-- Until when an egress is banned by an exchange, as far as is known.
create function titan10_banned_until(of_exchange text, of_egress text) returns timestamptz language sql stable as $$
  select null::timestamptz
$$;

-- A clock that was set back, or that of a standby which was promoted, must keep no dead node alive for long: who was seen in
-- what is the future now has to be seen again.
create function titan10_live_nodes(at timestamptz)
returns table (node uuid, kind text, settings_hash text, started timestamptz) language sql stable as $$
  select node, kind, settings_hash, started from nodes where until > at and seen <= at + interval '15 seconds' and not leaving
$$;

-- By exchange and egress: who may have the slot, the best first. An exchange is never taken from a daemon, which polls it, for a
-- backfill of the same egress.
create function titan10_slot_seekers(at timestamptz)
returns table (exchange text, egress text, seekers uuid[], holder uuid, next uuid, is_held boolean) language sql stable as $$
  with seeker as (
    select wanted.exchange, wanted.egress, live.*
    from titan10_live_nodes(at) as live join node_symbols as wanted using (node)
  )
  select seeker.exchange, seeker.egress,
         coalesce(array_agg(seeker.node order by seeker.started, seeker.node) filter (where seeker.kind = 'daemon'),
                  array_agg(seeker.node order by seeker.started, seeker.node)),
         slot.holder, slot.next,
         coalesce(slot.holder in (select node from titan10_live_nodes(at)), false)
  from seeker left join egress_leases as slot on slot.exchange = seeker.exchange and slot.egress = seeker.egress
  group by seeker.exchange, seeker.egress, slot.holder, slot.next
$$;

-- Who may have symbols of an exchange: who has, or is about to get, one of its slots. An egress that is banned for long is left
-- out while there is another, and then until its ban is over.
create function titan10_symbol_seekers(at timestamptz)
returns table (exchange text, node uuid, place bigint) language sql stable as $$
  with slot as (
    select seeker.exchange, owner.node,
           coalesce(ban.until > at + interval '2 minutes'
                    or (ban.until > at and not exists (
                          select from leases
                          where leases.exchange = seeker.exchange and owner.node in (leases.holder, leases.next))), false) as rests
    from titan10_slot_seekers(at) as seeker
    cross join lateral (select case when seeker.next = any (seeker.seekers) then seeker.next else seeker.holder end) as owner (node)
    cross join lateral (select titan10_banned_until(seeker.exchange, seeker.egress)) as ban (until)
    where seeker.is_held and owner.node = any (seeker.seekers)
  ),
  able as (
    select slot.exchange, slot.node, slot.rests, bool_and(slot.rests) over (partition by slot.exchange) as all_rest from slot
  )
  select able.exchange, able.node, row_number() over (partition by able.exchange order by nodes.started, able.node)
  from able join nodes using (node)
  where able.all_rest or not able.rests
$$;

-- All that shares depend on, besides the leases themselves, which only the functions below change.
create function titan10_lease_state(at timestamptz) returns text language sql stable as $$
  select coalesce(string_agg(
    concat_ws(' ', live.node, live.settings_hash, wanted.exchange, wanted.egress, wanted.hash,
              ban.until > at + interval '2 minutes', ban.until > at), E'\n'
    order by live.node, wanted.exchange), '')
  from titan10_live_nodes(at) as live
  left join node_symbols as wanted using (node)
  left join lateral (select titan10_banned_until(wanted.exchange, wanted.egress)) as ban (until) on true
$$;

-- The lead: of the nodes whose settings most have, one that began early. It stays where it is as long as that can be.
create function titan10_share_lead(at timestamptz) returns void language plpgsql volatile as $$
declare
  known record;
  chosen uuid;
begin
  select holder, next, holder in (select node from titan10_live_nodes(at)) as is_held into known
  from leases where exchange = '' and symbol = '';
  with live as (
    select node, settings_hash, started from titan10_live_nodes(at) where kind = 'daemon'
  ),
  common as (
    select settings_hash from live group by settings_hash order by count(*) desc, min(started), settings_hash limit 1
  )
  select live.node into chosen from live join common using (settings_hash)
  order by live.node is not distinct from coalesce(known.next, known.holder) desc,
           live.node is not distinct from known.holder desc, live.started, live.node
  limit 1;
  if chosen is null then
    return;
  elsif known.is_held then
    update leases set next = nullif(chosen, holder)
    where exchange = '' and symbol = '' and next is distinct from nullif(chosen, holder);
  else
    insert into leases as lease (exchange, symbol, holder, epoch, since) values ('', '', chosen, 1, at)
    on conflict (exchange, symbol) do update
    set holder = excluded.holder, next = null, epoch = lease.epoch + 1, since = excluded.since;
  end if;
end
$$;

-- The slots, evenly among the nodes of each egress. What somebody holds is handed over only if that evens out.
create function titan10_share_slots(at timestamptz) returns void language plpgsql volatile as $$
declare
  slot record;
  chosen uuid;
begin
  update egress_leases as lease set next = null
  where lease.next is not null and not exists (
    select from titan10_slot_seekers(at) as seeker
    where seeker.exchange = lease.exchange and seeker.egress = lease.egress and lease.next = any (seeker.seekers));
  -- One at a time, since each counts for the next.
  loop
    with seeker as materialized (select * from titan10_slot_seekers(at)),
    owned as (
      select egress, coalesce(next, holder) as node, count(*) as slots from seeker where is_held
      group by egress, coalesce(next, holder)
    ),
    move as (
      select seeker.exchange, seeker.egress, seeker.holder, seeker.is_held, one.node, one.n,
             seeker.is_held and coalesce(seeker.next, seeker.holder) = any (seeker.seekers) as is_owned,
             coalesce(taking.slots, 0) as taken, coalesce(giving.slots, 0) as given
      from seeker
      cross join lateral unnest(seeker.seekers) with ordinality as one (node, n)
      left join owned as taking on taking.egress = seeker.egress and taking.node = one.node
      left join owned as giving on giving.egress = seeker.egress and giving.node = coalesce(seeker.next, seeker.holder)
    )
    select * into slot from move
    where not is_owned or given - taken >= 2
    order by is_owned, case when is_owned then taken - given else taken end, exchange, egress, taken, n
    limit 1;
    exit when not found;
    if slot.is_held then
      update egress_leases set next = nullif(slot.node, holder) where exchange = slot.exchange and egress = slot.egress;
    else
      insert into egress_leases as lease (exchange, egress, holder, epoch, since)
      values (slot.exchange, slot.egress, slot.node, 1, at)
      on conflict (exchange, egress) do update
      set holder = excluded.holder, next = null, epoch = lease.epoch + 1, since = excluded.since;
    end if;
  end loop;
end
$$;

-- The symbols of an exchange, evenly among those that may have them: of a symbol that some of their lists lack, among the others.
create function titan10_share_symbols(of_exchange text, able uuid[], live uuid[], at timestamptz)
returns void language plpgsql volatile as $$
declare
  lease record;
  counts int[] := array_fill(0, array[cardinality(able)]);
  owner_at int;
  chosen_at int;
  has_moved boolean;
begin
  -- First it is counted what each has, or is about to get. Then what is nobody's is given away, and something is handed over as
  -- long as that evens out.
  for turn in 0..100 loop
    has_moved := turn = 0;
    for lease in
      with demand as (
        select one.symbol,
               coalesce(array_agg(seeker.place::int order by seeker.place) filter (where one.symbol <> all (wanted.lacked)),
                        array_agg(seeker.place::int order by seeker.place)) as seekers
        from unnest(able) with ordinality as seeker (node, place)
        join node_symbols as wanted on wanted.node = seeker.node and wanted.exchange = of_exchange
        cross join lateral unnest(wanted.symbols) as one (symbol)
        group by one.symbol
      )
      select demand.symbol, demand.seekers, known.holder, known.next, coalesce(known.holder = any (live), false) as is_held
      from demand left join leases as known on known.exchange = of_exchange and known.symbol = demand.symbol
      order by demand.symbol
    loop
      owner_at := null;
      if lease.is_held then
        owner_at := array_position(able, lease.next);
        if lease.next is null or owner_at is null or not owner_at = any (lease.seekers) then
          owner_at := array_position(able, lease.holder);
          owner_at := case when owner_at = any (lease.seekers) then owner_at end;
        end if;
      end if;
      if turn = 0 then
        if owner_at is not null then
          counts[owner_at] := counts[owner_at] + 1;
        end if;
        continue;
      end if;
      chosen_at := lease.seekers[1];
      for n in 2..cardinality(lease.seekers) loop
        if counts[lease.seekers[n]] < counts[chosen_at] then
          chosen_at := lease.seekers[n];
        end if;
      end loop;
      if owner_at is not null and counts[chosen_at] > counts[owner_at] - 2 then
        if lease.next is not null and able[owner_at] = lease.holder then
          update leases set next = null where exchange = of_exchange and symbol = lease.symbol;
        end if;
        continue;
      end if;
      if owner_at is not null then
        counts[owner_at] := counts[owner_at] - 1;
      end if;
      counts[chosen_at] := counts[chosen_at] + 1;
      has_moved := true;
      if lease.is_held then
        update leases set next = nullif(able[chosen_at], holder) where exchange = of_exchange and symbol = lease.symbol;
      else
        insert into leases as known (exchange, symbol, holder, epoch, since)
        values (of_exchange, lease.symbol, able[chosen_at], 1, at)
        on conflict (exchange, symbol) do update
        set holder = excluded.holder, next = null, epoch = known.epoch + 1, since = excluded.since;
      end if;
    end loop;
    exit when not has_moved;
  end loop;
end
$$;

create function titan10_share(at timestamptz) returns void language plpgsql volatile as $$
declare
  live constant uuid[] := array(select node from titan10_live_nodes(at));
  of record;
begin
  perform titan10_share_lead(at);
  perform titan10_share_slots(at);
  for of in
    select exchange, array_agg(node order by place) as able from titan10_symbol_seekers(at) group by exchange order by exchange
  loop
    perform titan10_share_symbols(of.exchange, of.able, live, at);
  end loop;
end
$$;

-- Says that a node lives, and shares everything anew where that is needed. A node's first call has an `entry`, as has one whose
-- settings are others now; `wanted` is what it would ask for, where that has changed: by exchange its egress and symbols. `released`
-- is what its work has ended for. Calls are counted, since one may come after the next one. Returns what it holds, and the newest
-- call that was known before: if an answer has come to a later one, a server has taken over that lacks it. Returns null where the
-- node is not known any more: it begins anew then. A lock is not waited for longer than the node waits for the answer: behind a
-- pooler that ends no statement, calls that were given up would take all connections of the server.
create function titan10_heartbeat(of_node uuid, beat bigint, lease_s float8, entry jsonb, wanted jsonb, released jsonb)
returns jsonb language plpgsql volatile set jit to off set lock_timeout to '4s' as $$
declare
  at timestamptz;
  known_beats bigint;
  is_late boolean;
  state text;
begin
  perform pg_advisory_xact_lock(hashtextextended('titan10_leases', 'leases'::regclass::oid::bigint));
  at := clock_timestamp();
  delete from nodes where until < at - interval '1 day' or (leaving and until < at - interval '10 minutes');
  known_beats := (select beats from nodes where node = of_node);
  is_late := beat <= known_beats;
  if entry is not null and is_late is not true then
    if (entry -> 'succeeds')::boolean then
      delete from nodes where place = entry ->> 'place' and node <> of_node;
    end if;
    insert into nodes as known (node, name, kind, place, version, settings_hash, settings, started, seen, until, beats)
    values (of_node, entry ->> 'name', entry ->> 'kind', entry ->> 'place', entry ->> 'version', entry ->> 'settings_hash',
            entry -> 'settings', at, at, at, beat)
    on conflict (node) do update set settings_hash = excluded.settings_hash, settings = excluded.settings;
  end if;
  update nodes set seen = at, until = at + make_interval(secs => lease_s), beats = greatest(beats, beat)
  where node = of_node and not leaving;
  if not found then
    return null;
  end if;

  update egress_leases as lease set holder = null, next = null
  from jsonb_to_recordset(released -> 'slots') as one (exchange text, egress text, epoch bigint)
  where lease.exchange = one.exchange and lease.egress = one.egress and lease.epoch = one.epoch and lease.holder = of_node;
  update leases as lease set holder = null, next = null
  from jsonb_to_recordset(released -> 'leases') as one (exchange text, symbol text, epoch bigint)
  where lease.exchange = one.exchange and lease.symbol = one.symbol and lease.epoch = one.epoch and lease.holder = of_node;

  if wanted is not null and is_late is not true then
    delete from node_symbols where node = of_node and not wanted ? exchange;
    insert into node_symbols as known (node, exchange, egress, symbols, lacked, hash)
    select of_node, one.key, one.value ->> 'egress', array(select jsonb_array_elements_text(one.value -> 'symbols')),
           array(select jsonb_array_elements_text(one.value -> 'lacked')), md5((one.value - 'egress')::text)
    from jsonb_each(wanted) as one
    on conflict (node, exchange) do update
    set egress = excluded.egress, symbols = excluded.symbols, lacked = excluded.lacked, hash = excluded.hash
    where (known.egress, known.symbols, known.lacked) is distinct from (excluded.egress, excluded.symbols, excluded.lacked);
    update egress_leases as lease set holder = null, next = null
    where lease.holder = of_node and not exists (
      select from node_symbols as known
      where known.node = of_node and known.exchange = lease.exchange and known.egress = lease.egress);
    update leases as lease set holder = null, next = null
    where lease.holder = of_node and lease.exchange <> '' and not exists (
      select from node_symbols as known
      where known.node = of_node and known.exchange = lease.exchange and lease.symbol = any (known.symbols));
  end if;

  state := md5(titan10_lease_state(at));
  if released is not null or not exists (select from nodes where node = of_node and shared = state) then
    perform titan10_share(at);
    update nodes set shared = state where node = of_node;
  end if;
  return jsonb_build_object(
    'known_beats', known_beats,
    'slots', (
      select coalesce(jsonb_agg(jsonb_build_object(
               'exchange', exchange, 'egress', egress, 'epoch', epoch, 'leaving', next is not null)), '[]')
      from egress_leases where holder = of_node),
    'leases', (
      select coalesce(jsonb_agg(one), '[]')
      from (
        select exchange, jsonb_agg(symbol) as symbols, jsonb_agg(epoch) as epochs,
               coalesce(jsonb_agg(symbol) filter (where next is not null), '[]') as leaving
        from leases where holder = of_node group by exchange
      ) as one),
    'is_waiting', exists (select from egress_leases where next = of_node) or exists (select from leases where next = of_node)
  );
end
$$;

-- Ends a node: others have what it held from now on.
create function titan10_release(of_node uuid) returns void language plpgsql volatile set jit to off as $$
declare
  at timestamptz;
begin
  perform pg_advisory_xact_lock(hashtextextended('titan10_leases', 'leases'::regclass::oid::bigint));
  at := clock_timestamp();
  update nodes set leaving = true, seen = at, until = at where node = of_node;
  delete from node_symbols where node = of_node;
  update egress_leases set holder = null, next = null where holder = of_node;
  update leases set holder = null, next = null where holder = of_node;
  perform titan10_share(at);
end
$$;

-- Whoever may read or write a table of before may do the same with tables that are new.
create function titan10_grant_as(known regclass, variadic added regclass[]) returns void language plpgsql as $$
declare
  allowed record;
  one regclass;
begin
  for allowed in
    select distinct case grantee when 0 then 'public' else grantee::regrole::text end as role, privilege_type
    from pg_class cross join lateral aclexplode(relacl)
    where pg_class.oid = known and grantee <> relowner
      and privilege_type in ('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
  loop
    foreach one in array added loop
      execute format('grant %s on %s to %s', allowed.privilege_type, one, allowed.role);
    end loop;
  end loop;
end
$$;

-- Who may read or write the ledger may do the same with these tables.
select titan10_grant_as('checkpoints', 'nodes', 'node_symbols', 'egress_leases', 'leases');
