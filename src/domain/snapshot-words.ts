// What a run that took a snapshot has to say of it: damaged pages by relation, with the way out, and facts that are missing.

import type {
  ConfigurationSummary,
  DamagedRelation,
  FactsSummary,
  FilesSummary,
  Named,
  RedisSummary,
  SnapshotSummary,
} from './component-report.ts';

/** Why a table is not counted: the role of the backup lacks the right, which a statement mends. */
export const NOT_READABLE = 'may not be read';

/** What a restore will not be able to compare. */
export function factsWarnings(facts: FactsSummary | undefined): readonly string[] {
  const { missing } = facts ?? {};
  return missing === undefined
    ? []
    : [`facts are missing, which a restore could have been compared with: ${missing.join('; ')}`];
}

/** One for each relation. */
export function damageWarnings({ damaged }: SnapshotSummary): readonly string[] {
  if (damaged === undefined) return [];
  const { relations, moreRelations = 0 } = damaged;
  const more = moreRelations === 0 ? [] : [`damaged pages in ${moreRelations} more relations`];
  return [...relations.map((relation) => `${damageWords(relation)}; ${relation.hint}`), ...more];
}

/** `damaged pages: index public.account_pkey of public.account in database bank, blocks 3 and 7 to 9`. */
export function damageWords({ kind, name, of, database, part, path, blocks, moreBlocks = 0 }: DamagedRelation): string {
  const what = name === undefined ? `'${path}', which is no relation's that the server knows` : `${kind} ${name}`;
  const whose = of === undefined ? '' : ` of ${of}`;
  const where = database === undefined ? '' : ` in database ${database}`;
  const fork = part === undefined ? '' : `, its ${part}`;
  const ranges = blocks.map(([from, to]) => (from === to ? `${from}` : `${from} to ${to}`));
  const all = [...ranges, ...(moreBlocks > 0 ? [`${moreBlocks} more`] : [])].join(', ');
  return `damaged pages: ${what}${whose}${where}${fork}, block${all === ranges[0] && !all.includes(' ') ? '' : 's'} ${all}`;
}

/** Moments that cannot be restored. */
function windowWarnings(window: RedisSummary['window']): readonly string[] {
  if (window === undefined) return [];
  const { isTimed, gaps, lost = [] } = window;
  return [
    ...(isTimed
      ? []
      : [
          'the server notes no times in its append-only files (`aof-timestamp-enabled yes`): only the beginnings of sets and the end can be restored',
        ]),
    ...(gaps === 0
      ? []
      : [
          `${gaps} rewrites went by unseen, because no worker was there, or what they left was lost: moments in between cannot be restored`,
        ]),
    ...lost.map((why) => `append-only files were lost before they were captured: ${why}`),
  ];
}

/** What a restore from it will need, or cannot be compared with. */
export function redisWarnings(redis: RedisSummary | undefined): readonly string[] {
  const { modules, missing, window } = redis ?? {};
  return [
    ...windowWarnings(window),
    ...(modules === undefined
      ? []
      : [`it holds data of modules, which a server needs to load it: ${modules.join(', ')}`]),
    ...(missing === undefined ? [] : [`what was noted of it is of a part only: ${missing}`]),
  ];
}

const CHANGED = 'changed while it was read';
const OWN_UNREAD = 'secret of our own that cannot be read';
const NOT_LOOKED_THROUGH = [
  'pattern takes too long',
  'takes too long to look through',
  'cannot be looked through',
  'more text than is looked through',
];

/** Whether a text is withheld from Git for something that somebody can mend, and not because of what it is. */
export function isWithheldByMishap(why: string): boolean {
  return why === CHANGED || why === OWN_UNREAD || NOT_LOOKED_THROUGH.includes(why);
}

/** What of a configuration is not in a snapshot, or not in Git. Secrets that Git did not get are no warning: it is what redaction is for. */
export function configurationWarnings(configuration: ConfigurationSummary | undefined): readonly string[] {
  if (configuration === undefined) return [];
  const { failed, missing, unmatched, empty, withheld, begunAnew } = configuration;
  const told: readonly (readonly [string, Named])[] = [
    ['commands failed', failed],
    ['paths are not there', missing],
    ['patterns match nothing', unmatched],
    ['commands printed nothing', empty],
  ];
  const of = (why: readonly string[]) =>
    withheld.first.filter((each) => why.some((word) => each.endsWith(`(${word})`)));
  const [unsettled, unread, ownUnread] = [of([CHANGED]), of(NOT_LOOKED_THROUGH), of([OWN_UNREAD])];
  return [
    ...told.flatMap(([what, named]) => (named.count === 0 ? [] : [`${what}: ${namedWords(named)}`])),
    ...(ownUnread.length === 0
      ? []
      : [`no commit was made, because any text may show a ${OWN_UNREAD}: ${ownUnread.map(placeOf).join(', ')}`]),
    ...(unsettled.length === 0 ? [] : [`Git keeps what it had of ${unsettled.join(', ')}`]),
    ...(unread.length === 0 ? [] : [`not looked through for secrets, and so not in Git: ${unread.join(', ')}`]),
    ...(begunAnew === undefined ? [] : [`the history in Git begins anew: ${begunAnew}`]),
  ];
}

function placeOf(told: string): string {
  return told.slice(0, told.lastIndexOf(' ('));
}

function namedWords({ count, first }: Named): string {
  return `${first.join(', ')}${count > first.length ? ` and ${count - first.length} more` : ''}`;
}

/** Below half of the files that the snapshot before had: a disk may have gone away. */
export function hasFarFewer({ files, filesBefore = 0 }: Pick<FilesSummary, 'files' | 'filesBefore'>): boolean {
  return files * 2 < filesBefore;
}

export function fewerFiles(files: number, filesBefore = 0): string {
  return `only ${files} files, where the snapshot before had ${filesBefore}: is all of it there?`;
}

/** What a snapshot of files lacks, or has from no single moment; and mounts that were left out. */
export function filesWarnings(files: FilesSummary | undefined): readonly string[] {
  if (files === undefined) return [];
  const { filesBefore, parentUnread } = files;
  const fewer = hasFarFewer(files) ? [fewerFiles(files.files, filesBefore)] : [];
  const told: readonly (readonly [string, Named])[] = [
    ['could not be read and are not in the snapshot', files.unseen],
    ['changed again and again while they were read, and are of no single moment', files.torn],
    ['vanished while the snapshot was taken', files.vanished],
    ['left out', files.leftOut],
  ];
  const named = told.flatMap(([what, { count, first }]) => {
    if (count === 0) return [];
    const more = count > first.length ? ` and ${count - first.length} more` : '';
    return [`${count} ${what}: ${first.join(', ')}${more}`];
  });
  const again =
    parentUnread === undefined
      ? []
      : [`everything was read again, because the snapshot before could not be: ${parentUnread}`];
  return [...fewer, ...named, ...again];
}
