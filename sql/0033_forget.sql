-- A series can be forgotten with all that is known of it, at once: what is left behind would be taken for an archive that
-- somebody wants, or come to light when the series is archived anew. The program's other writers must not bring it back:
-- a page that was asked for before is refused.

-- Whether a series is still archived. Of a page that was asked of a market (`page_market` is not null) the series was in the
-- ledger before it was asked; where it is not there now it was forgotten meanwhile, and the whole statement is refused.
--
-- Volatile, so that it sees what was deleted while it waited for the row. Keeps the row until the page is stored.
create function titan10_is_archived(page_exchange text, page_symbol text, page_timeframe text, page_market text)
returns boolean language plpgsql volatile as $$
begin
  if page_market is not null then
    perform from checkpoints
    where exchange = page_exchange and symbol = page_symbol and timeframe = page_timeframe for key share;
    if not found then
      raise exception using
        errcode = 'TT003',
        message = format('%s %s %s was forgotten while it was asked for', page_exchange, page_symbol, page_timeframe);
    end if;
  end if;
  return true;
end
$$;

-- Deletes a series and all that is known of it, and with the last series of a symbol what is known of its market. Returns how
-- many candles that were. A test finds every table that has rows of series.
create function titan10_forget(of_exchange text, of_symbol text, of_timeframe text)
returns bigint language plpgsql volatile as $$
declare
  candle_table constant text := (select table_name from timeframes where timeframe = of_timeframe);
  held text;
  deleted bigint := 0;
begin
  -- Rows in compressed chunks are deleted, however many they are.
  perform set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true);
  -- As any statement that writes: the tables first, then the row of the series, for which pages wait.
  perform titan10_lock_candles();
  delete from checkpoints where exchange = of_exchange and symbol = of_symbol and timeframe = of_timeframe;
  if candle_table is not null then
    execute format('delete from %I where exchange = $1 and symbol = $2', candle_table) using of_exchange, of_symbol;
    get diagnostics deleted = row_count;
  end if;
  delete from candle_revisions where exchange = of_exchange and symbol = of_symbol and timeframe = of_timeframe;
  delete from rejected_candles where exchange = of_exchange and symbol = of_symbol and timeframe = of_timeframe;
  delete from import_conflicts where exchange = of_exchange and symbol = of_symbol and timeframe = of_timeframe;
  delete from imports where exchange = of_exchange and symbol = of_symbol and timeframe = of_timeframe;
  delete from gaps where exchange = of_exchange and symbol = of_symbol and timeframe = of_timeframe;
  delete from alerts where exchange = of_exchange and symbol = of_symbol and timeframe = of_timeframe;
  delete from recent_pages where exchange = of_exchange and symbol = of_symbol and timeframe = of_timeframe;
  delete from copied_series where exchange = of_exchange and symbol = of_symbol and timeframe = of_timeframe;
  if not exists (select from checkpoints where exchange = of_exchange and symbol = of_symbol) then
    delete from listings where exchange = of_exchange and symbol = of_symbol;
    delete from alerts where exchange = of_exchange and symbol = of_symbol;
  end if;
  -- What rollups hold of candles that RETENTION has dropped cannot be worked out anew, so nothing is: it is deleted, too.
  if exists (select from rollups where base_timeframe = of_timeframe and titan10_is_aggregate(held_name)) then
    for held in
      select format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name)
      from rollups join timescaledb_information.continuous_aggregates as aggregate on aggregate.view_name = held_name
      where base_timeframe = of_timeframe and aggregate.view_schema = current_schema()
    loop
      execute format('delete from %s where exchange = $1 and symbol = $2', held) using of_exchange, of_symbol;
    end loop;
  end if;
  return deleted;
end
$$;
