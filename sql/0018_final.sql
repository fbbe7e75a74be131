-- A candle that closed only just may still change at its exchange. It is stored, but not covered until it is final, so
-- that it is asked for again. And an answer that was asked for before another one was written must not take the newer
-- values back, whichever of several programs wrote them.

alter table checkpoints add column unsettled tstzmultirange not null default '{}';

comment on column checkpoints.unsettled is
  'Stored candles that are not covered yet, because they closed only just and may still change.';

alter table capabilities add column settle_seconds int check (settle_seconds between 10 and 900);

comment on column capabilities.settle_seconds is
  'How long after their close candles were seen to change; null where none has changed so late that it matters.';

-- Numbers the pages in the order in which they are written. A program that asks an exchange knows by the number of the
-- newest page that it has heard of what was written before it asked. No clock is compared.
create sequence page_numbers;

-- Which candles the newest pages held. A page of 100,000 numbers ago is forgotten: no request takes that long.
create table recent_pages (
  exchange   text not null,
  symbol     text not null,
  timeframe  text not null,
  number     bigint not null,
  -- Open times.
  first_time timestamptz not null,
  last_time  timestamptz not null,
  primary key (exchange, symbol, timeframe, number)
);

comment on table recent_pages is
  'The newest pages that were written, so that an answer asked for earlier does not revise their candles.';

-- Whether an answer may revise a stored candle. `known` is the number of the newest page that was known to be written
-- when it was asked for; null for what is not an answer. If a page that may be newer holds the candle, the whole
-- statement is refused: what the exchange says by now must be asked for again.
--
-- Volatile, so that it sees pages that were written while the statement waited for the row.
create function titan10_may_revise(
  page_exchange text, page_symbol text, page_timeframe text, candle_time timestamptz, known bigint
) returns boolean language plpgsql volatile as $$
begin
  if known is not null and (
    known < (select last_value from page_numbers) - 100000
    or exists (
      select from recent_pages as page
      where page.exchange = page_exchange and page.symbol = page_symbol and page.timeframe = page_timeframe
        and page.number > known and candle_time between page.first_time and page.last_time)
  ) then
    raise exception using
      errcode = 'TT001',
      message = format('the candle of %s was written while its newer values were asked for', candle_time);
  end if;
  return true;
end
$$;
