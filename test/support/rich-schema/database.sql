-- What belongs to the database itself: who may come in, and what is set for whom.
alter database :name set statement_timeout = '1h';
alter database :name set search_path = bank, "Odd ""names""", public;
alter database :name connection limit 93;
alter role clerk in database :name set lock_timeout = '3s';
alter role all in database :name set datestyle = 'ISO, DMY';
revoke all on database :name from public;
grant connect on database :name to clerk, "select";
grant create, temporary on database :name to auditor with grant option;
