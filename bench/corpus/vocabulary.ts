// Words of no language, from syllables: what the texts of the corpus are made of.

import { Random } from './random.ts';

const openings = 'b c d f g h j k l m n p r s t v w z br cl cr dr fl gr pl pr sl st str th tr'.split(' ');
const vowels = 'a e i o u ai ea ou'.split(' ');
const endings = ['', '', 'n', 'r', 's', 't', 'l', 'm', 'nd', 'st', 'ck'];

function words(count: number): string[] {
  const random = new Random('vocabulary');
  const made = new Set<string>();
  while (made.size < count) {
    let word = '';
    for (let left = 1 + random.below(3); left > 0; left--) {
      word += random.pick(openings) + random.pick(vowels) + random.pick(endings);
    }
    made.add(word);
  }
  return [...made].sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
}

/** Short words first: they are the frequent ones. */
export const vocabulary: readonly string[] = words(4096);

export function capitalized(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
