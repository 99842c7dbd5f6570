// What a database says of one table: what it is, its columns, and everything that hangs on it.

import type { TableDependencies, TableName } from '../../../domain/part.ts';
import type { PlainConnection } from '../../connection/index.ts';

export interface ColumnFacts {
  readonly name: string;
  readonly type: string;
  readonly isRequired: boolean;
  readonly hasDefault: boolean;
  readonly isGenerated: boolean;
  readonly isIdentity: boolean;
}

export interface TableFacts {
  readonly oid: string;
  readonly kind: string;
  readonly owner: string;
  readonly comment: string | null;
  /** It, or a partition. */
  readonly isUnlogged: boolean;
  readonly hasForeignParts: boolean;
  readonly ofExtension: boolean;
  /** Also its owner sees only what the policies let it. */
  readonly isForced: boolean;
  /** Deletes are published only where a row can be named. */
  readonly hasReplicaIdentity: boolean;
  readonly publishesDeletes: boolean;
  readonly sizeBytes: number;
  /** Without indexes. */
  readonly heapBytes: number;
  /** From it, to it, or within it. */
  readonly foreignKeys: number;
  /** The table and its partitions, below each other. */
  readonly tree: readonly string[];
  readonly columns: readonly ColumnFacts[];
  readonly dependencies: TableDependencies;
}

const tableSql = `select c.oid::int8::text as oid, c.relkind::text as kind, pg_get_userbyid(c.relowner)::text as owner,
  obj_description(c.oid, 'pg_class') as comment,
  c.relpersistence = 'u' or exists (select from pg_partition_tree(c.oid) t join pg_class p on p.oid = t.relid
    where p.relpersistence = 'u') as "isUnlogged",
  exists (select from pg_partition_tree(c.oid) t join pg_class p on p.oid = t.relid where p.relkind = 'f') as "hasForeignParts", c.relforcerowsecurity as "isForced",
  c.relrowsecurity as "rowSecurity",
  exists (select from pg_depend where classid = 'pg_class'::regclass and objid = c.oid and deptype = 'e') as "ofExtension",
  array(select t.relid::int8::text from pg_partition_tree(c.oid) t where t.relid <> c.oid order by t.level, t.relid::int8) as parts
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2`;

const columnsSql = `select attname::text as name, format_type(atttypid, atttypmod) as type, attnotnull as "isRequired",
  atthasdef and attgenerated = '' as "hasDefault", attgenerated <> '' as "isGenerated", attidentity <> '' as "isIdentity"
  from pg_attribute where attrelid = $1::int8::oid and attnum > 0 and not attisdropped order by attnum`;

/** `$1`: the tree, `$2`: the table. Names are as a session without a search path says them: qualified. */
const dependenciesSql = `with tree as (select unnest($1::int8[])::oid as oid), view as (
    select distinct v.oid, v.relkind from pg_depend d join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
    join pg_class v on v.oid = r.ev_class where d.refclassid = 'pg_class'::regclass and d.refobjid in (select oid from tree)
    and v.oid not in (select oid from tree)), fk as (
    select conrelid, confrelid from pg_constraint where contype = 'f' and (conparentid = 0 or conrelid = $2::int8::oid)
    and (conrelid in (select oid from tree) or confrelid in (select oid from tree)
      or confrelid in (select relid from pg_partition_ancestors($2::int8::oid))))
  select array(select distinct confrelid::regclass::text from fk where conrelid in (select oid from tree)
      and confrelid not in (select oid from tree) order by 1) as "references",
    array(select distinct conrelid::regclass::text from fk where conrelid not in (select oid from tree) order by 1) as "referencedBy",
    (select count(*) from fk)::int as "foreignKeys",
    array(select oid::regclass::text from view where relkind = 'v' order by 1) as views,
    array(select oid::regclass::text from view where relkind = 'm' order by 1) as "materializedViews",
    (select coalesce(json_agg(json_build_object('name', tgname, 'fires', tgenabled in ('A', 'R')) order by tgname), '[]')
      from pg_trigger where tgrelid in (select oid from tree) and not tgisinternal and tgparentid = 0 and tgenabled <> 'D') as triggers,
    array(select rulename::text from pg_rewrite where ev_class in (select oid from tree) and rulename <> '_RETURN' order by 1) as rules,
    array(select distinct pubname::text from pg_publication_tables p join pg_class c on c.relname = p.tablename
      join pg_namespace n on n.oid = c.relnamespace and n.nspname = p.schemaname where c.oid in (select oid from tree) order by 1) as publications,
    (select count(*) from pg_replication_slots where slot_type = 'logical' and database = current_database())::int as subscribers,
    array(select subname::text from pg_subscription_rel r join pg_stat_subscription s on s.subid = r.srsubid
      where srrelid in (select oid from tree) group by 1 order by 1) as subscriptions,
    array(select s.oid::regclass::text from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S'
      where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid in (select oid from tree)
      and d.deptype in ('a', 'i') order by 1) as sequences,
    array(select oid::regclass::text from tree where oid <> $2::int8::oid order by 1) as partitions,
    (select i.inhparent::regclass::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhrelid = $2::int8::oid and c.relispartition) as "partitionOf",
    array(select inhrelid::regclass::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where inhparent = $2::int8::oid and not c.relispartition order by 1) as children,
    array(select inhparent::regclass::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where inhrelid = $2::int8::oid and not c.relispartition order by 1) as parents,
    array(select attname::text from pg_attribute where attrelid = $2::int8::oid and atttypid = 'oid'::regtype and attnum > 0
      and not attisdropped order by attnum) as "largeObjectColumns",
    (select bool_and(relreplident in ('f', 'i') or (relreplident = 'd' and exists (select from pg_index
      where indrelid = c.oid and indisprimary))) from pg_class c where c.oid in (select oid from tree) and relkind = 'r') as "hasReplicaIdentity",
    coalesce((select bool_or(pubdelete) from pg_publication p join pg_publication_tables t on t.pubname = p.pubname
      join pg_class c on c.relname = t.tablename join pg_namespace n on n.oid = c.relnamespace and n.nspname = t.schemaname
      where c.oid in (select oid from tree)), false) as "publishesDeletes",
    (select sum(pg_total_relation_size(oid)) from tree)::text as size,
    (select sum(pg_table_size(oid)) from tree)::text as heap`;

type TableRow = Pick<
  TableFacts,
  'oid' | 'kind' | 'owner' | 'comment' | 'isUnlogged' | 'hasForeignParts' | 'ofExtension' | 'isForced'
> & {
  readonly rowSecurity: boolean;
  readonly parts: readonly string[];
};
type DependencyRow = Omit<TableDependencies, 'partitionOf' | 'rowSecurity' | 'generated' | 'identity'> & {
  readonly partitionOf: string | null;
  readonly foreignKeys: number;
  readonly hasReplicaIdentity: boolean | null;
  readonly publishesDeletes: boolean;
  readonly size: string;
  readonly heap: string;
};

/** `undefined`: there is nothing of that name. The session speaks as `speakAlike` says. */
export async function lookAtTable(
  plain: PlainConnection,
  { schema, table }: TableName,
): Promise<TableFacts | undefined> {
  const [found] = await plain.query<TableRow>('look at the table', tableSql, [schema, table]);
  if (found === undefined) return undefined;
  const { parts, rowSecurity, ...row } = found;
  const tree = [row.oid, ...parts];
  const columns = await columnsOf(plain, row.oid);
  const [told] = await plain.query<DependencyRow>('look at what hangs on it', dependenciesSql, [tree, row.oid]);
  const { partitionOf, foreignKeys, hasReplicaIdentity, publishesDeletes, size, heap, ...names } =
    told as DependencyRow;
  const of = (pick: (column: ColumnFacts) => boolean) => columns.filter(pick).map(({ name }) => name);
  return {
    ...row,
    ...{
      tree,
      columns,
      foreignKeys,
      publishesDeletes,
      hasReplicaIdentity: hasReplicaIdentity !== false,
      sizeBytes: Number(size),
      heapBytes: Number(heap),
    },
    dependencies: {
      ...names,
      ...(partitionOf === null ? {} : { partitionOf }),
      ...{ rowSecurity, generated: of((column) => column.isGenerated), identity: of((column) => column.isIdentity) },
    },
  };
}

export async function columnsOf(plain: PlainConnection, oid: string): Promise<readonly ColumnFacts[]> {
  return await plain.query<ColumnFacts & Record<string, unknown>>('list its columns', columnsSql, [oid]);
}

/** Names of tables that are like this one, nearest first by the schema; for a hint. */
export async function tablesLike(plain: PlainConnection, { schema, table }: TableName): Promise<readonly string[]> {
  const sql = `select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    order by c.relname = $2 desc, n.nspname = $1 desc, c.relname limit 2000`;
  const rows = await plain.query<{ name: string }>('list tables', sql, [schema, table]);
  return rows.map(({ name }) => name);
}
