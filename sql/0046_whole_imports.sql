-- Many files are imported by one command, and it is repeated where it was stopped. A file that was imported as a whole need not
-- be read into the archive again, but only where nothing else would come of it: the same bytes, read in the same way.

-- What decided what came of the file's bytes: how they were to be read, which time was wanted, whether stored candles are
-- replaced. Null of imports that are not known to be whole.
alter table imports add column options jsonb;

-- Whether more can come of the same bytes later: candles were left out because they may still have changed, or because RETENTION
-- had dropped their time.
alter table imports add column may_grow boolean not null default true;

create index imports_sha256 on imports (sha256) where options is not null;

comment on column imports.options is 'How the file was read, where it was imported as a whole: the same bytes and options need not be imported again.';
comment on column imports.may_grow is 'Whether a later import of the same file may store more.';
