-- What only a server with ICU has.
set search_path = bank, public;
create collation german (provider = icu, locale = 'de-u-co-phonebk');
create collation caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
create table sorted (w text collate caseless unique, g text collate german);
insert into sorted values ('straße', 'Ärger'), ('Zebra', 'Arzt');
create index sorted_german on sorted (g);
