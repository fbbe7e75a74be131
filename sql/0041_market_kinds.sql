-- An exchange's kinds of markets differ: perpetuals have page limits, timeframes and servers of their own, and the mark and
-- index prices of a contract others again. So what was learned is kept by kind, and a ban by the host that it came from.

-- A program of an older version may write pages meanwhile, and has the tables of candles before it waits for a row of the
-- ledger. What changes both tables has them in this order, too: else the two wait for each other.
do $$
declare
  candle_table text;
begin
  for candle_table in select table_name from timeframes order by table_name loop
    execute format('lock table only %I in access exclusive mode', candle_table);
  end loop;
end
$$;

-- What was learned of an exchange was learned of all its kinds together. Where contracts were archived it may be a contract's,
-- so it is forgotten and learned again; only how long candles change is one time an exchange.
delete from capabilities
where exists (select from checkpoints as known
              where known.exchange = capabilities.exchange and known.symbol like '%/%:%')
  and not exists (select from checkpoints as known
                  where known.exchange = capabilities.exchange and known.symbol not like '%/%:%');

update capabilities
set rows_seen = 0, since_honoured = null, until_needed = false, newest_candles = null, omits_silent = null,
    page_rows_source = case page_rows_source when 'answers' then 'default' else page_rows_source end
where exists (select from checkpoints as known
              where known.exchange = capabilities.exchange and known.symbol like '%/%:%');

alter table capabilities
  add column market_kind text not null default 'spot'
    check (market_kind ~ '^(spot|(linear|inverse)(@(mark|index|premium))?)$'),
  drop constraint capabilities_pkey,
  add primary key (exchange, market_kind, timeframe);

comment on table capabilities is
  'What each exchange can do for a kind of market and a timeframe, as its answers have shown; null where they have shown nothing.';
comment on column capabilities.market_kind is
  'spot, linear or inverse; of another price than that of trades with the price behind it: linear@mark.';

alter table exchanges add column banned_hosts jsonb not null default '{}' check (jsonb_typeof(banned_hosts) = 'object');

comment on column exchanges.banned_hosts is
  'The bans by the host that answered with each: {"fapi.binance.com": {"until": milliseconds since 1970, "reason": text}}. The latest is in banned_until.';
