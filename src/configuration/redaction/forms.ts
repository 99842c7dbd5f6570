// A value that is known to be secret, in the forms in which programs print it: as it is, and in JSON, SQL, XML, scripts, addresses, base64.

import { base64FormsOf } from './base64-forms.ts';

/** Of a short one the other forms are too often something else. */
const FORMS_LENGTH = 6;

export function formsOf(value: string): readonly string[] {
  if (value.length < FORMS_LENGTH) return [value];
  const forms = [
    value,
    ...jsonForms(value),
    ...quotedForms(value),
    ...markupForms(value),
    ...addressForms(value),
    ...base64FormsOf(value),
  ];
  return [...new Set(forms)];
}

function jsonForms(value: string): readonly string[] {
  const plain = JSON.stringify(value).slice(1, -1);
  const escaped = (characters: RegExp) => plain.replaceAll(characters, (each) => unicodeEscaped(each));
  // Go's writer escapes for HTML, Python's everything that is not ASCII, PHP's the slash.
  return [plain, escaped(/[<>&]/g), escaped(/[^\x20-\x7e]/g)].flatMap((form) => [form, form.replaceAll('/', '\\/')]);
}

function unicodeEscaped(text: string): string {
  const codes = Array.from({ length: text.length }, (_, at) => text.charCodeAt(at).toString(16).padStart(4, '0'));
  return codes.map((code) => `\\u${code}`).join('');
}

/** Of SQL and YAML, of what takes a backslash, and of two ways in which a shell's word goes around a quote. */
function quotedForms(value: string): readonly string[] {
  return [
    value.replaceAll("'", "''"),
    value.replaceAll('"', '""'),
    value.replaceAll(/['\\]/g, '\\$&'),
    value.replaceAll("'", `'\\''`),
    value.replaceAll("'", `'"'"'`),
    value.replaceAll(/["\\$`]/g, '\\$&'),
  ];
}

function markupForms(value: string): readonly string[] {
  const inText = value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const quotes = [
    ['&quot;', "'"],
    ['&quot;', '&apos;'],
    ['&quot;', '&#39;'],
    ['&quot;', '&#039;'],
    ['&quot;', '&#x27;'],
    ['&#34;', '&#39;'],
  ] as const;
  return [inText, ...quotes.map(([double, single]) => inText.replaceAll('"', double).replaceAll("'", single))];
}

/** By what is left as it is, by the letters of the digits, and by what stands for a blank. Half of a pair has no form in an address. */
function addressForms(value: string): readonly string[] {
  const usual = encodeURIComponent(value.toWellFormed());
  const strict = usual.replaceAll(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);
  const lenient = encodeURI(value.toWellFormed());
  const lower = (form: string) => form.replaceAll(/%[0-9A-F]{2}/g, (each) => each.toLowerCase());
  // Python leaves the slash.
  return [usual, strict, strict.replaceAll('%2F', '/'), lenient]
    .flatMap((form) => [form, lower(form)])
    .flatMap((form) => [form, form.replaceAll('%20', '+')]);
}
