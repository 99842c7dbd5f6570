-- Roles with names that must be quoted everywhere, and what is set and granted for the whole cluster.
create role auditor noinherit;
create role clerk login password 'of-the-ledger' connection limit 7 valid until '2999-12-31';
create role "select" createdb;
create role "Röle ""mit"" 'Zeichen' \ und % $1" login bypassrls;
create role r234567890123456789012345678901234567890123456789012345678901ab;
grant auditor to clerk with admin option;
grant auditor to "select";
grant pg_read_all_data to "Röle ""mit"" 'Zeichen' \ und % $1";
alter role clerk set work_mem = '8MB';
alter role clerk set search_path = '$user', "Odd ""names""", public;
alter role "select" set statement_timeout = '17min';
comment on role auditor is 'looks, and ''quotes''';
grant set on parameter log_min_duration_statement to auditor;
