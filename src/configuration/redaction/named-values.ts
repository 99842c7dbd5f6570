// Values of names that say that they are secret: `password = …` in all the ways in which configuration files write it.

import { Brackets } from './brackets.ts';
import type { Span } from './span.ts';

/** Anywhere in a name, whatever stands before it. No open quantifier in front: it would make the search quadratic. */
const NAME =
  'passw(?:or)?d|passphrase|passcode|(?<![a-z])pass(?![a-z])|(?<![a-z])pwd|root_?(?:bind_?)?pw|bind_?pw|requirepass|masterauth|secret|token|credential|(?<![a-z])psk|(?<![a-z])community' +
  '|(?:api|access|private|encryption|signing|master|account|shared|auth|license|wep|session|cookie)[_-]?key';
const REST_OF_NAME = '[\\w.-]{0,64}';
const QUOTED = `"(?:[^"\\\\\\n]|\\\\.)*"|'(?:[^'\\\\\\n]|\\\\.|'')*'`;
/** Unquoted, everything to the end of the line: a password may hold spaces. */
const VALUE = `${QUOTED}|[^\\s"'][^\\n]*|["'][^\\n]*`;

const ASSIGNED = new RegExp(
  `(?<name>(?:${NAME})${REST_OF_NAME})["'\\]]{0,2}[ \\t]*(?:=>|:=|[=:])[ \\t]*(?<secret>${VALUE})`,
  'gid',
);
/** What `=` does elsewhere a space does in these. */
const FIRST_WORD = new RegExp(
  '^[ \\t]*(?:#[ \\t]*)?(?:password|passwd|passphrase|secret|requirepass|masterauth|rootpw|bindpw|rootbindpw|auth[_-]pass|sentinel[ \\t]+auth-pass[ \\t]+\\S+|token|psk|rocommunity|rwcommunity|sshpass)[ \\t]+' +
    `(?![=:]|(?:required|requisite|sufficient|optional|include|substack)\\b|\\[)(?<secret>${VALUE})`,
  'gimd',
);
/** A name ends where white space begins: given back letter by letter, it would be looked behind once for each. */
const OF_MACHINE = /^[ \t]*(?:machine[ \t]+\S+(?=\s)|default)[^\n]*?\bpassword[ \t]+(?<secret>\S+)/dgim;
const OPTION =
  /(?<![\w-])--?[\w-]{0,40}(?:passw(?:or)?d|passphrase|token|secret|api-?key)[ \t]+(?<secret>"[^"\n]*"|'[^'\n]*'|[^\s"'-]\S*)/dgi;
const USER_OPTION = /(?<![\w-])(?:-u|--user|--proxy-user)[ =]["']?[^\s:"']{1,128}:(?<secret>[^\s"']+)/dg;
/** `CONFIG GET` of redis-cli, and others, give a name and its value a line each. */
const NEXT_LINE = new RegExp(
  `^[ \\t]*(?:\\d+\\)[ \\t]*)?["']?[\\w.-]{0,64}(?:${NAME})${REST_OF_NAME}["']?[ \\t]*\\n(?:[ \\t]*\\d+\\)[ \\t]*)?(?<secret>[^\\n]+)`,
  'gimd',
);
/** All that is indented below such a name: a block of text, or a mapping of secrets. */
const BLOCK = new RegExp(
  `^(?<indent>[ \\t]*)(?:-[ \\t]+)?["']?[\\w.-]{0,64}(?:${NAME})${REST_OF_NAME}["']?[ \\t]*[:=][ \\t]*(?:[|>][^\\n]*)?\\n(?<secret>(?:\\k<indent>[ \\t]+[^\\n]*(?:\\n|$)|[ \\t]*\\n)+)`,
  'gimd',
);
const MANIFEST_OF_SECRET = /^kind:[ \t]*Secret\b/m;
const ITS_DATA = /^(?:data|stringData):[ \t]*\n(?<secret>(?:[ \t]+[^\n]*(?:\n|$))+)/dgm;
const ELEMENT = new RegExp(`<[\\w:.-]{0,64}(?:${NAME})${REST_OF_NAME}[^>\\n]{0,200}>(?<secret>[^<]+)<`, 'gid');
const NAMED_ELEMENT = new RegExp(
  `(?:key|name)=["'][^"'\\n]{0,64}(?:${NAME})[^"'\\n]{0,64}["'][^>\\n]{0,100}?value=(?<secret>"[^"\\n]*"|'[^'\\n]*')`,
  'gid',
);
/** Name and value of their own each, on the same line or the next. */
const NAME_AND_VALUE = new RegExp(
  `\\bname["']?[ \\t]*[:=][ \\t]*["']?[\\w.-]{0,64}(?:${NAME})${REST_OF_NAME}["']?[ \\t]*,?\\s{0,100}["']?value["']?[ \\t]*[:=][ \\t]*(?<secret>${VALUE})`,
  'gid',
);
/** Of PHP, Apache, nginx and images of containers. */
const SECOND_WORD = new RegExp(
  `\\b(?:define[ \\t]{0,8}\\(|SetEnv|fastcgi_param|ENV)[ \\t]{0,64}["']?[\\w.-]{0,64}(?:${NAME})${REST_OF_NAME}["']?(?:[ \\t]{0,64},[ \\t]{0,64}|[ \\t]{1,64})(?<secret>${QUOTED}|[^\\s;"']+)`,
  'gid',
);
const HAPROXY = /\b(?:stats[ \t]+auth[ \t]+[^\s:]{1,128}:|insecure-password[ \t]+)(?<secret>\S+)/dg;
const DOCKER_AUTH = /"auth"[ \t]*:[ \t]*(?<secret>"[^"\n]*")/dg;

/** A line of libpq's password file, whatever the file is called. */
const PASSWORD_FILE = /^[^\s:#]{1,255}:(?:\d{1,5}|\*):[^\s:]{1,255}:[^\s:]{1,255}:(?<secret>\S+)$/dgm;

const PLAIN: readonly RegExp[] = [
  PASSWORD_FILE,
  FIRST_WORD,
  OF_MACHINE,
  OPTION,
  USER_OPTION,
  NEXT_LINE,
  BLOCK,
  ELEMENT,
  NAMED_ELEMENT,
  NAME_AND_VALUE,
  SECOND_WORD,
  HAPROXY,
  DOCKER_AUTH,
];

/** Words that are no secret under any name. */
const WORDS = /^(?:on|off|yes|no|true|false|none|null|nil|~|\{\}|\[\])[,;]?$/i;
const LEADS_TO_FILE = /(?:file|path|dir|directory)$/i;
const PLACE = /^["']?[/~][\w./@~-]*["']?[,;]?$/;
/** Settings whose value is the name of a method, and the name services of `nsswitch.conf`. */
const METHOD = /^password_encryption$/i;
const PLAIN_WORD = /^[\w-]+[,;]?(?:\s*#.*)?$/;
const NAME_SERVICES = /^(?:(?:files|compat|systemd|sss|ldap|nis|nisplus|db|winbind|\[[^\]]*\])\s*)+$/;

export function namedValues(text: string): Span[] {
  const spans: Span[] = [];
  const brackets = new Brackets(text);
  for (const match of text.matchAll(ASSIGNED)) {
    const span = spanOf(text, match, brackets);
    if (span && !isHarmless(match.groups?.name ?? '', text.slice(span.from, span.to))) spans.push(span);
  }
  for (const pattern of PLAIN) addAll(text, pattern, brackets, spans);
  if (MANIFEST_OF_SECRET.test(text)) addAll(text, ITS_DATA, brackets, spans);
  return spans;
}

function addAll(text: string, pattern: RegExp, brackets: Brackets, spans: Span[]): void {
  for (const match of text.matchAll(pattern)) {
    const span = spanOf(text, match, brackets);
    if (span && !WORDS.test(text.slice(span.from, span.to))) spans.push(span);
  }
}

function isHarmless(name: string, value: string): boolean {
  if (WORDS.test(value) || (METHOD.test(name) && PLAIN_WORD.test(value))) return true;
  if (LEADS_TO_FILE.test(name) && PLACE.test(value)) return true;
  return name.toLowerCase() === 'passwd' && NAME_SERVICES.test(value);
}

/** Without the quotes and the white space around it; of a bracket, all that is in it. Nothing when that is nothing. */
function spanOf(text: string, match: RegExpExecArray, brackets: Brackets): Span | undefined {
  let [from, to] = match.indices?.groups?.secret ?? [0, 0];
  const opening = text.charAt(from);
  if (opening === '{' || opening === '[') to = Math.max(to, brackets.endOf(from, opening));
  while (to > from && /\s/.test(text.charAt(to - 1))) to--;
  while (from < to && /\s/.test(text.charAt(from))) from++;
  const isQuoted = to - from >= 2 && (opening === '"' || opening === "'") && text.charAt(to - 1) === opening;
  if (isQuoted) {
    from++;
    to--;
  }
  return from < to ? { from, to, kind: 'password' } : undefined;
}
