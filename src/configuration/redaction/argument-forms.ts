// Passwords in command lines, of scripts, units, schedules and lists of arguments: what follows the option of a program that takes one there.

/** Behind a backslash, the next line. */
const NEXT = '\\\\\\r?\\n';
/** An option and its value: on a line or two of a command, in a list of JSON or of YAML. */
const GAP =
  `(?:["']?[ \\t]{1,64}${NEXT}[ \\t]{0,64}|["']?${NEXT}[ \\t]{1,64}` +
  `|["']?[ \\t]{1,64}|["'][ \\t]{0,64},\\s{0,64}|["']?[ \\t]{0,64}\\n[ \\t]{0,64}-[ \\t]{1,64})`;
const QUOTED = `"[^"\\n]*"|'[^'\\n]*'`;
const WORD = `${QUOTED}|(?!${NEXT})[^\\s"'-]\\S*`;
/** Behind an option that may have none. */
const WORD_OF_OPTION = `${QUOTED}|(?!${NEXT}|\\d{1,5}:\\d{1,5}(?:[\\s"']|$))[^\\s"'<>|&;-]\\S*`;
/** The rest of one command, on a line or a list of them. */
const BETWEEN = '(?:[^\\n;|&]|\\n(?:(?<=[\\\\,]\\n)|(?=[ \\t]{0,64}-[ \\t]))){0,256}?';

const OPTION = new RegExp(
  `(?<![\\w-])--?(?!-?no-)[\\w-]{0,40}(?:passw(?:or)?d|passphrase|(?<![a-z])pass|requirepass|masterauth|token|secret|(?:api|auth|access|secret|encryption)-?key)${GAP}(?<secret>${WORD})`,
  'dgi',
);
const USER = `(?<![\\w-])(?:(?:-[uU]|--user|--proxy-user)(?:${GAP}|=))`;
const USER_OPTION = new RegExp(`${USER}${passwordOf('[^\\s:"\']', ':')}`, 'dg');
const QUOTED_USER_OPTION = new RegExp(`${USER}${quotedPasswordOf('[^\\s:"\']', ':')}`, 'dg');

/** Programs, and the letters of options that give them a password. */
const PROGRAMS: readonly { readonly name: string; readonly letters: string }[] = [
  { name: '(?:redis|valkey)-(?:cli|benchmark)', letters: 'a' },
  { name: '(?:mysql|mariadb)[\\w-]{0,24}|mydumper|myloader|mongo\\w{0,16}|cqlsh|sshpass|7z[ar]?', letters: 'p' },
  { name: '(?:docker|podman|buildah|skopeo|helm)[ \\t]{1,8}(?:registry[ \\t]{1,8})?login', letters: 'p' },
  { name: 'mosquitto_\\w{3,4}|(?:un)?zip|ipmitool', letters: 'P' },
  { name: 'ldap\\w{2,12}', letters: 'w' },
  { name: 'snmp\\w{2,16}', letters: 'cAX' },
];
const OF_PROGRAM = PROGRAMS.map(
  ({ name, letters }) =>
    new RegExp(
      `(?<![\\w.-])(?:${name})(?!\\w)${BETWEEN}(?<=[\\s"'])-[${letters}]${GAP}?(?<secret>${WORD_OF_OPTION})`,
      'dg',
    ),
);
/** In front of `u` the letters that take no value, in the same word. */
const CURL = `(?<![\\w.-])curl(?!\\w)${BETWEEN}(?<=[\\s"'])-[#0-6aBfgGiIjJklLMnNOpqRsSvVZ]{0,16}[uU](?:${GAP})?`;
const OF_CURL = new RegExp(`${CURL}${passwordOf('[^\\s:"\']', ':')}`, 'dg');
const QUOTED_OF_CURL = new RegExp(`${CURL}${quotedPasswordOf('[^\\s:"\']', ':')}`, 'dg');
const SAMBA = `(?<![\\w-])-U(?:${GAP}|=)?`;
const OF_SAMBA = new RegExp(`${SAMBA}${passwordOf('[\\w.\\\\/-]', '%')}`, 'dg');
const QUOTED_OF_SAMBA = new RegExp(`${SAMBA}${quotedPasswordOf('[\\w.\\\\/-]', '%')}`, 'dg');
const AUTH_OF_REDIS = new RegExp(
  `(?<![\\w.-])(?:redis|valkey)-cli(?!\\w)[^\\n;|&]{0,256}?[ \\t](?:AUTH|auth)[ \\t]{1,64}(?<secret>${WORD})`,
  'dg',
);
const OF_CHPASSWD =
  /\becho[ \t]{1,64}["']?[\w.-]{1,64}:(?<secret>[^\s"'|]{1,256})["']?[ \t]{0,64}\|[ \t]{0,64}(?:sudo[ \t]{1,64})?chpasswd\b/dg;
const SET_BY = new RegExp(
  `\\b(?:mysqladmin\\b[^\\n;|&]{0,256}?[ \\t]password|rabbitmqctl\\b[^\\n;|&]{0,256}?[ \\t](?:add_user|change_password|authenticate_user)[ \\t]{1,64}\\S{1,128})[ \\t]{1,64}(?<secret>${WORD})`,
  'dg',
);

export const ARGUMENT_FORMS: readonly RegExp[] = [
  ...[OPTION, USER_OPTION, OF_CURL, OF_SAMBA, AUTH_OF_REDIS, SET_BY],
  ...OF_PROGRAM,
];
/** These say where it ends. */
export const WHOLE_ARGUMENT_FORMS: readonly RegExp[] = [
  ...[QUOTED_USER_OPTION, QUOTED_OF_CURL, QUOTED_OF_SAMBA],
  OF_CHPASSWD,
];

/** Behind a user and a separator. Each may be quoted by itself; a quote that only ends its line opens nothing. */
function passwordOf(letter: string, separator: string): string {
  const user = `${letter}{1,128}`;
  const quoted = `(?<open>["'])${user}(?:\\k<open>${separator}|${separator}\\k<open>(?=\\S)|${separator}(?!\\k<open>))`;
  return `(?:${quoted}|${user}${separator})(?!["'][\\]},;)]{0,8}[ \\t\\r]{0,64}(?:\\n|$))(?<secret>${QUOTED}|\\S+)`;
}

/** Both in one pair of quotes. */
function quotedPasswordOf(letter: string, separator: string): string {
  return `(?<quote>["'])${letter}{1,128}${separator}(?!\\k<quote>)(?<secret>[^\\n]{1,1024}?)\\k<quote>`;
}
