-- Extensions, collations and types of every kind, each used by a table further on.
set search_path = public;
create schema bank authorization clerk;
create schema "Odd ""names""";
create schema "schema with spaces, ünïcødé and 63 bytes of name; here ends";
create schema search;
create extension hstore schema bank;
create extension pg_trgm;
create extension citext;
create extension btree_gist;
create extension btree_gin;
create extension pgcrypto;
create extension ltree;
create extension intarray;
create extension cube;
create extension isn;
create extension bloom;
create extension unaccent;
create extension tablefunc;
create extension file_fdw;
create extension lo;
create extension amcheck;
set search_path = bank, public;

create collation bank.exact (provider = libc, locale = 'C');
create collation bank.utf8 (provider = libc, lc_collate = 'C.UTF-8', lc_ctype = 'C.UTF-8');

create type bank.mood as enum ('calm', 'busy', 'it''s "odd"', '');
alter type bank.mood add value 'before' before 'calm';
alter type bank.mood rename value 'busy' to 'very busy';
create type bank.address as (street text collate bank.exact, number int, tags text[]);
alter type bank.address add attribute gone int;
alter type bank.address drop attribute gone;
create type bank.person as (name text, home bank.address, since date);
create domain bank.amount as numeric(12, 2) default 0 constraint "not below" check (value >= 0);
create domain bank.postcode as citext not null check (value ~ '^[a-z0-9 ]+$');
create domain bank.grid as int[] check (array_ndims(value) = 2);
create domain bank.known_person as bank.person check (value is null or (value).name is not null);
create type bank.span as range (subtype = float8, subtype_diff = float8mi, multirange_type_name = bank.spans);
create type bank.words as range (subtype = text, collation = "C");
create type bank.shell;

create type bank.pair;
create function bank.pair_in(cstring) returns bank.pair language internal immutable strict as 'point_in';
create function bank.pair_out(bank.pair) returns cstring language internal immutable strict as 'point_out';
create type bank.pair (input = bank.pair_in, output = bank.pair_out, internallength = 16, alignment = double, category = 'P');
comment on type bank.pair is 'a base type of our own';
comment on type bank.mood is E'two\nlines';
comment on domain bank.amount is 'money, that is';
