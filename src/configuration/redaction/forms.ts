// A value that is known to be secret, in the forms in which programs print it: as it is, in JSON, in an address, in base64.

/** Of a short one the other forms are too often something else. */
const FORMS_LENGTH = 6;

export function formsOf(value: string): readonly string[] {
  if (value.length < FORMS_LENGTH) return [value];
  const inJson = JSON.stringify(value).slice(1, -1);
  // Padding depends on what follows, and the last letter with it.
  const inBase64 = Buffer.from(value).toString('base64').replace(/.?=+$/, '');
  return [...new Set([value, inJson, percentEncoded(value), inBase64])];
}

/** Half of a pair has no form in an address. */
function percentEncoded(value: string): string {
  return encodeURIComponent(value.toWellFormed());
}
