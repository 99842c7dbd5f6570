// Text that looks like a program: few names of its own in every file, indentation, comments.

import type { Random } from '../random.ts';
import { capitalized, vocabulary } from '../vocabulary.ts';

function identifier(random: Random): string {
  const first = random.pickSkewed(vocabulary);
  return random.next() < 0.4 ? first : first + capitalized(random.pick(vocabulary));
}

function comment(random: Random): string {
  const words = Array.from({ length: 5 + random.below(10) }, () => random.pickSkewed(vocabulary));
  return `// ${capitalized(words.join(' '))}.`;
}

export function source(random: Random): () => string {
  const names = Array.from({ length: 30 + random.below(120) }, () => identifier(random));
  const name = () => random.pickSkewed(names);
  const statements = [
    () => `const ${name()} = await ${name()}(${name()}, ${name()});`,
    () => `const ${name()} = ${name()}.${name()} ?? ${random.below(1000)};`,
    () => `${name()}.${name()}(${name()});`,
    () => `if (${name()}.${name()} > ${random.below(100)}) throw new ${capitalized(name())}('${name()}');`,
    () => `return ${name()}.${name()}((${name()}) => ${name()} + ${random.below(10)});`,
    () => comment(random),
    () => '',
  ];
  let left = 0;
  return () => {
    if (left-- > 0) return `${'  '.repeat(1 + random.below(2))}${random.pick(statements)()}\n`;
    left = 3 + random.below(14);
    return `}\n\nexport function ${name()}(${name()}: ${capitalized(name())}, ${name()}: number) {\n`;
  };
}
