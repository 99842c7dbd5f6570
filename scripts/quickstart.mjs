// Sets the machine up, then tells the story of a lost and recovered database on real servers.
import path from 'node:path';
import { become } from './become.mjs';
import { explainAndExit, repositoryRoot, setUp } from './setup.mjs';

const { node } = await setUp('quickstart').catch(explainAndExit);
const story = path.join(repositoryRoot, 'src', 'sandbox', 'quickstart', 'main.ts');
become(node.path, [story, ...process.argv.slice(2)]);
