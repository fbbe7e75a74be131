-- Who follows a series is told of the revisions since the last one it was told of. No clock says which those are: one that
-- is set back would hide some. So revisions are numbered. What revises or takes back candles of a series holds its row in
-- `checkpoints`, so the revisions of one series have the order in which they are committed.

alter table candle_revisions add column id bigint generated always as identity;

comment on column candle_revisions.id is 'Of two revisions of one series the later one has the larger id.';

create index candle_revisions_since on candle_revisions (exchange, symbol, timeframe, id);
