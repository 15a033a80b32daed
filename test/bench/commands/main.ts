import { join } from 'node:path';
import { loadScenarios, scoreScenario } from './scenarios.ts';
import { isPerfect, total } from './score.ts';

/** `main.ts [--folder DIR] [id pattern]`: precision and recall by line over recorded terminals; fails below the promise. */
const bound = 0.99;

const words = process.argv.slice(2);
const folderAt = words.indexOf('--folder');
const folder =
  folderAt < 0 ? join(import.meta.dirname, '../../vectors/commands') : (words.splice(folderAt, 2)[1] ?? '.');
const scenarios = loadScenarios(folder, new RegExp(words[0] ?? '.'));
const scores = scenarios.map((scenario) => ({ id: scenario.id, score: scoreScenario(scenario) }));

for (const { id, score } of scores) {
  const { wanted, found, told, wrong, missing, extra, leaked } = score;
  const details = [
    missing.length > 0 ? `missing ${JSON.stringify(missing).slice(0, 250)}` : '',
    extra.length > 0 ? `extra ${JSON.stringify(extra).slice(0, 250)}` : '',
    leaked.length > 0 ? `LEAKED ${leaked.length}` : '',
  ];
  process.stdout.write(
    `${isPerfect(score) ? 'ok  ' : 'FAIL'} ${id.padEnd(28)} lines ${String(found).padStart(3)}/${String(wanted).padEnd(3)} told ${String(told).padStart(3)} wrong ${wrong}  ${details.join(' ').trim()}\n`,
  );
}
const { precision, recall, leaks, perfect } = total(scores.map(({ score }) => score));
process.stdout.write(
  `TOTAL scenarios=${scores.length} perfect=${perfect} lines P=${precision.toFixed(4)} R=${recall.toFixed(4)} leaks=${leaks}\n`,
);
process.exitCode = precision >= bound && recall >= bound && leaks === 0 ? 0 : 1;
