// What a value means that a file writes in quotes: without them, as a shell takes them away, and as SQL does.

/** With the quote that is around it, if any. Linear: texts come from anywhere. */
export function meaningsOf(value: string, quote: string): readonly string[] {
  const joined = value.replaceAll(/\\\r?\n[ \t]*/g, '');
  return [joined, asShell(`${quote}${joined}${quote}`), joined.replaceAll(`${quote}${quote}`, quote)];
}

/** One that is not closed ends with the text. */
function asShell(text: string): string {
  const parts: string[] = [];
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === '\\' && quote !== "'") parts.push(text.charAt(++at));
    else if (character === quote) quote = '';
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
    else parts.push(character);
  }
  return parts.join('');
}
