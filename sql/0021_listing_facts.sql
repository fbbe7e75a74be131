-- What makes a market another one is more than its id: an exchange that changes what a contract is worth, or what settles
-- it, under the same id gives volumes that mean something else. So that is kept and compared, too. A list of markets may
-- lack some by mistake, so the absence of a symbol must last, over several programs if need be, before it is believed. And
-- a settling time that was learned is forgotten when no candle needs it any more.

alter table listings
  add column kind          text check (kind in ('spot', 'linear', 'inverse')),
  add column settle        text,
  add column contract_size numeric,
  add column missing_since timestamptz;

-- Where a symbol has meant another market, that is said by noticed_at alone: ids may be spelled anew.
update listings as known set noticed_at = known.since
from (select exchange, symbol, since, market_id <> lag(market_id) over (partition by exchange, symbol order by since) as is_other
      from listings) as told
where (known.exchange, known.symbol, known.since) = (told.exchange, told.symbol, told.since)
  and told.is_other and known.noticed_at is null;

comment on column listings.kind is 'spot, or by what settles the contract; null until the markets are loaded.';
comment on column listings.settle is 'The coin that settles the contract; null of spot.';
comment on column listings.contract_size is 'How much of its base one contract is worth; null of spot, and where it is not known.';
comment on column listings.missing_since is
  'Since when the symbol is missing from the lists of its exchange, while that is not believed yet; null while it is listed.';
comment on column listings.why is
  'Why it ended. replaced: the symbol now means the market of the next row, by its id or what its numbers mean.';

alter table capabilities add column settle_needed_at timestamptz;

update capabilities set settle_needed_at = learned_at where settle_seconds is not null;

comment on column capabilities.settle_needed_at is
  'When candles last changed so late. A week later settle_seconds does not count any more.';
