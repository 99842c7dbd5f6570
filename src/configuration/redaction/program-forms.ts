// Passwords in the files of single programs, which write them in forms of their own.

import { NAME, QUOTED, REST_OF_NAME } from './secret-words.ts';

/** A name ends where white space begins: given back letter by letter, it would be looked behind once for each. */
const OF_MACHINE = /^[ \t]*(?:machine[ \t]+\S+(?=\s)|default)[^\n]*?\bpassword[ \t]+(?<secret>\S+)/dgim;
/** A line of libpq's password file, whatever the file is called. */
const PASSWORD_FILE = /^[^\s:#]{1,255}:(?:\d{1,5}|\*):[^\s:]{1,255}:[^\s:]{1,255}:(?<secret>\S+)$/dgm;
/** Of PHP, Apache, nginx and images of containers. */
const SECOND_WORD = new RegExp(
  `\\b(?:define[ \\t]{0,8}\\(|SetEnv|fastcgi_param|ENV)[ \\t]{0,64}["']?[\\w.-]{0,64}(?:${NAME})${REST_OF_NAME}["']?(?:[ \\t]{0,64},[ \\t]{0,64}|[ \\t]{1,64})(?<secret>${QUOTED}|[^\\s;"']+)`,
  'gid',
);
/** A pair of Erlang's, of RabbitMQ and its kin: `{default_pass, <<"…">>}`. */
const PAIR = new RegExp(
  `\\{\\s{0,64}["']?[\\w.-]{0,64}(?:${NAME})${REST_OF_NAME}["']?\\s{0,64},\\s{0,64}(?:<<)?(?<secret>${QUOTED})`,
  'gid',
);
const HAPROXY = /\b(?:stats[ \t]+auth[ \t]+[^\s:]{1,128}:|insecure-password[ \t]+)(?<secret>\S+)/dg;
const DOCKER_AUTH = /"auth"[ \t]*:[ \t]*(?<secret>"[^"\n]*")/dg;

/** Of SNMP a community is the password. A name is as long as its line: what follows it is looked for once. */
const SNMP_COMMUNITY =
  /^[ \t]{0,64}(?:com2sec(?:6|unix)?[ \t]{1,64}(?:-Cn[ \t]{1,64}\S{1,128}[ \t]{1,64})?\S{1,128}[ \t]{1,64}\S{1,256}|(?:trap2?|inform)sink[ \t]{1,64}\S{1,256}|(?:ro|rw|trap|def)community6?|def(?:auth|priv)?passphrase)[ \t]{1,64}(?<secret>"[^"\n]*"|\S+)/dgim;
const SNMP_AUTHENTICATION =
  /\bcreateUser\b[^\n]{0,256}?[ \t](?:MD5|SHA[\d-]{0,4})[ \t]{1,64}(?:-[ml][ \t]{1,64})?(?<secret>"[^"\n]*"|\S+)/dgi;
const SNMP_PRIVACY =
  /\bcreateUser\b[^\n]{0,512}?[ \t](?:DES|AES[\w-]{0,8})[ \t]{1,64}(?:-[ml][ \t]{1,64})?(?<secret>"[^"\n]*"|\S+)/dgi;
/** What the daemon makes of it: keys. */
const SNMP_KEPT = /^[ \t]{0,64}usmUser[ \t](?<secret>[^\n]+)/dgm;

export const PROGRAM_FORMS: readonly RegExp[] = [
  OF_MACHINE,
  PASSWORD_FILE,
  SECOND_WORD,
  PAIR,
  HAPROXY,
  DOCKER_AUTH,
  SNMP_COMMUNITY,
  SNMP_AUTHENTICATION,
  SNMP_PRIVACY,
  SNMP_KEPT,
];
