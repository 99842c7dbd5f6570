-- Text search, foreign servers and tables, publications and a subscription that never starts.
set search_path = bank, public;
create text search dictionary search.unaccented (template = unaccent, rules = 'unaccent');
create text search dictionary search.plain_words (template = simple, accept = false);
create text search configuration search.own (copy = simple);
alter text search configuration search.own alter mapping for word, asciiword with search.unaccented, search.plain_words, simple;
alter text search configuration search.own drop mapping if exists for email;
create text search template search.again (init = dsimple_init, lexize = dsimple_lexize);
create text search parser search.parser (start = prsd_start, gettoken = prsd_nexttoken, end = prsd_end, lextypes = prsd_lextype, headline = prsd_headline);
create text search configuration search.by_parser (parser = search.parser);
comment on text search configuration search.own is 'without accents';
create index indexed_search on indexed using gin (to_tsvector('search.own', words));

create server files foreign data wrapper file_fdw;
create foreign table passwd (name text, x text, uid int) server files options (filename '/etc/passwd', format 'text', delimiter ':');
create foreign data wrapper nothing no handler options (debug 'true');
create server elsewhere type 'postgres' version '9' foreign data wrapper nothing options (host '192.0.2.1', dbname 'with ''quotes''', port '1');
create user mapping for public server elsewhere options (user 'nobody', password 'of-another''s');
create user mapping for clerk server elsewhere options (user 'clerk');
create foreign table far (id int options (column_name 'ID') not null, t text collate "C" default 'x') server elsewhere options (table_name 'far away', fetch_size '7');
create table mixed (n int) partition by range (n);
create table mixed_near partition of mixed for values from (0) to (10);
create foreign table mixed_far partition of mixed for values from (10) to (20) server elsewhere;
insert into mixed values (1), (9);
create server useless foreign data wrapper nothing;
comment on server elsewhere is 'TEST-NET-1';

create publication everything for all tables with (publish = 'insert, truncate');
create publication "some" for table plain (id, owner), indexed where (n > 10 and s is not null), entries with (publish_via_partition_root);
create publication of_schema for tables in schema "Odd ""names""", table empty;
create publication none;
comment on publication "some" is 'some';
create subscription never connection 'host=192.0.2.1 port=1 user=nobody' publication far_away, "odd ""one""" with (connect = false, slot_name = none);
