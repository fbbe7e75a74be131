-- What is kept only for people who look back is pruned by age, a bounded part in each run. These find what is due
-- without a look at what is not.

create index rejected_candles_last_seen on rejected_candles (last_seen);

-- A filled gap was last seen when it was filled, which is what the last ask for it or for its neighbour did.
create index gaps_filled on gaps (coalesce(last_try, first_seen)) where state = 'filled';

create index alerts_ended on alerts (ended) where ended is not null;
