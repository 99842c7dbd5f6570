// Digests over the catalogue's definitions, one for each kind of object: what changed can be told, and nothing of the definitions themselves is kept.

import type { SchemaDigest, SchemaKind } from './types.ts';

/** What belongs to the user: neither the system's, nor an extension's, which is told by the extension's own name and version. */
const own = (catalogue: string, alias: string) => `not exists (select from pg_depend e
  where e.classid = 'pg_catalog.${catalogue}'::regclass and e.objid = ${alias}.oid and e.deptype = 'e')`;
const userSchema = `n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`;
/** A table as text; without quotes, because what needs them differs between major versions. */
const relation = `n.nspname || '.' || c.relname`;

/** Columns by name: where an inherited one stands can differ after a dump was loaded. */
const columns = `(select string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), case when attnotnull then 'not null' end,
    (select collname from pg_collation l where l.oid = attcollation and l.collname <> 'default')), ', ' order by attname collate "C")
  from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped)`;
const columnDetails = `(select string_agg(concat_ws(' ', attname, attidentity::text, attgenerated::text, attstorage::text, attcompression::text,
    pg_get_expr(adbin, adrelid)), ', ' order by attnum)
  from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
  where attrelid = c.oid and attnum > 0 and not attisdropped)`;

/** Each gives rows of `s`, the structure (null: not the same after a dump is loaded, so not part of it), and `d`, the definition. */
const objects: Readonly<Record<SchemaKind, string>> = {
  tables: `select concat_ws(' ', c.relkind::text, ${relation}, ${columns}) as s,
      concat_ws(' ', ${relation}, c.relpersistence::text, c.relreplident::text, c.relrowsecurity::text, c.reloptions::text,
        pg_get_expr(c.relpartbound, c.oid), case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end,
        (select string_agg(inhparent::regclass::text, ',' order by inhseqno) from pg_inherits where inhrelid = c.oid), ${columnDetails}) as d
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'f', 'c', 'v', 'm') and ${userSchema} and ${own('pg_class', 'c')}`,
  constraints: `select case when k.conparentid = 0 then concat_ws(' ', k.contype::text, coalesce(${relation}, t.typname), k.conname,
        (select string_agg(attname, ',' order by nr) from unnest(k.conkey) with ordinality as key(num, nr)
          join pg_attribute on attrelid = k.conrelid and attnum = key.num),
        case when k.confrelid <> 0 then k.confrelid::regclass::text end) end as s,
      concat_ws(' ', coalesce(${relation}, t.typname), k.conname, pg_get_constraintdef(k.oid), k.convalidated::text) as d
    from pg_constraint k join pg_namespace n on n.oid = k.connamespace
      left join pg_class c on c.oid = k.conrelid left join pg_type t on t.oid = k.contypid
    where k.contype <> 'n' and ${userSchema} and ${own('pg_constraint', 'k')}
      and (c.oid is null or ${own('pg_class', 'c')})`,
  indexes: `select case when i.indisvalid then concat_ws(' ', ${relation}, x.relname, a.amname, i.indisunique::text, i.indisprimary::text, i.indnkeyatts::text) end as s,
      concat_ws(' ', pg_get_indexdef(i.indexrelid), i.indisvalid::text, i.indisreplident::text, i.indisclustered::text) as d
    from pg_index i join pg_class x on x.oid = i.indexrelid join pg_class c on c.oid = i.indrelid
      join pg_namespace n on n.oid = c.relnamespace join pg_am a on a.oid = x.relam
    where ${userSchema} and ${own('pg_class', 'c')}`,
  views: `select concat_ws(' ', c.relkind::text, ${relation}) as s, concat_ws(' ', ${relation}, pg_get_viewdef(c.oid)) as d
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('v', 'm') and ${userSchema} and ${own('pg_class', 'c')}`,
  functions: `select concat_ws(' ', p.prokind::text, n.nspname || '.' || p.proname, '(' || pg_get_function_identity_arguments(p.oid) || ')',
        pg_get_function_result(p.oid), l.lanname) as s,
      concat_ws(' ', n.nspname || '.' || p.proname, pg_get_function_identity_arguments(p.oid),
        case when p.prokind = 'a' then (select concat_ws(' ', aggtransfn::text, aggfinalfn::text, aggtranstype::regtype::text, agginitval)
          from pg_aggregate where aggfnoid = p.oid) else pg_get_functiondef(p.oid) end) as d
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
    where ${userSchema} and ${own('pg_proc', 'p')}`,
  sequences: `select concat_ws(' ', ${relation}, format_type(q.seqtypid, null), q.seqstart::text, q.seqincrement::text, q.seqmin::text, q.seqmax::text,
        q.seqcycle::text) as s, ${relation} || ' ' || q.seqcache as d
    from pg_sequence q join pg_class c on c.oid = q.seqrelid join pg_namespace n on n.oid = c.relnamespace
    where ${userSchema} and ${own('pg_class', 'c')}`,
  types: `select concat_ws(' ', t.typtype::text, n.nspname || '.' || t.typname, case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod) end,
        case when t.typnotnull then 'not null' end,
        (select string_agg(enumlabel, ',' order by enumsortorder) from pg_enum where enumtypid = t.oid)) as s,
      concat_ws(' ', n.nspname || '.' || t.typname, t.typdefault,
        (select concat_ws(' ', rngsubtype::regtype::text, rngsubdiff::text) from pg_range where rngtypid = t.oid)) as d
    from pg_type t join pg_namespace n on n.oid = t.typnamespace
    where t.typtype in ('e', 'd', 'r') and ${userSchema} and ${own('pg_type', 't')}`,
  triggers: `select case when g.tgparentid = 0 then concat_ws(' ', ${relation}, g.tgname) end as s,
      concat_ws(' ', pg_get_triggerdef(g.oid), g.tgenabled::text) as d
    from pg_trigger g join pg_class c on c.oid = g.tgrelid join pg_namespace n on n.oid = c.relnamespace
    where not g.tgisinternal and ${userSchema} and ${own('pg_class', 'c')}`,
  rules: `select concat_ws(' ', 'rule', ${relation}, r.rulename) as s, pg_get_ruledef(r.oid) as d
    from pg_rewrite r join pg_class c on c.oid = r.ev_class join pg_namespace n on n.oid = c.relnamespace
    where r.rulename <> '_RETURN' and ${userSchema} and ${own('pg_class', 'c')}
    union all select concat_ws(' ', 'policy', ${relation}, y.polname, y.polcmd::text),
      concat_ws(' ', ${relation}, y.polname, y.polpermissive::text, pg_get_expr(y.polqual, y.polrelid), pg_get_expr(y.polwithcheck, y.polrelid))
    from pg_policy y join pg_class c on c.oid = y.polrelid join pg_namespace n on n.oid = c.relnamespace
    where ${userSchema} and ${own('pg_class', 'c')}`,
  // Every database that is made has plpgsql, also where the one that was dumped had not.
  extensions:
    'select extname::text as s, concat_ws($$ $$, extname, extversion) as d from pg_extension where extname <> $$plpgsql$$',
};

/** 128 bits tell any change that is not made on purpose to go unseen. */
const digest = (column: string) =>
  `left(encode(sha256(convert_to(coalesce(string_agg(${column}, E'\\n' order by ${column} collate "C"), ''), 'UTF8')), 'hex'), 32)`;

export function schemaSql(kind: SchemaKind): string {
  return `select count(*)::int as objects, ${digest('s')} as structure, ${digest('d')} as definitions from (${objects[kind]}) as defined(s, d)`;
}

export type SchemaRow = SchemaDigest & Record<string, unknown>;
