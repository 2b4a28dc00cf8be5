// Times commands with hyperfine in alternating rounds, so that a noisy minute hits all of them; peak memory with getrusage(2).
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onPath } from '../scripts/packages.mjs';

export const checkout = process.env.ROOTLESS_CHECKOUT ?? process.cwd();
export const helper = join(checkout, 'dist/rootless-helper');
export const rootless = [join(checkout, 'bin/rootless')];

/**
 * @param commands {name, argv, prepare?, shell?}; one whose program is not installed is left out, one that fails is reported and left out
 * @returns Map of name to median seconds
 */
export function timeAll(commands, { rounds = 4, runs = 10 } = {}) {
  const present = commands.filter((command) => onPath(command.argv[0]) || command.argv[0].startsWith('/'));
  const able = present.filter(works);
  const times = new Map(able.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) for (const command of able) times.get(command.name).push(...hyperfine(command, runs));
  return new Map([...times].map(([name, list]) => [name, median(list)]));
}

function works(command) {
  if (command.prepare) spawnSync('sh', ['-c', command.prepare], { stdio: 'ignore' });
  const run = spawnSync(command.argv[0], command.argv.slice(1), { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
  if (run.status !== 0) console.error(`bench: ${command.name} does not run here: ${run.stderr?.trim().split('\n').pop()}`);
  return run.status === 0;
}

function hyperfine(command, runs) {
  const folder = mkdtempSync(join(tmpdir(), 'time-'));
  const file = join(folder, 'times.json');
  const prepare = command.prepare ? ['--prepare', command.prepare] : ['-N', '--warmup', '2'];
  const args = [...prepare, '--runs', String(runs), '--style', 'none', '--export-json', file, command.argv.map(quote).join(' ')];
  const run = spawnSync('hyperfine', args, { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`hyperfine ${command.name}: ${run.stderr}`);
  const { times } = JSON.parse(readFileSync(file, 'utf8')).results[0];
  rmSync(folder, { recursive: true });
  return times;
}

/** Peak resident size in bytes of the largest process of a command. */
export function peakMemory(argv) {
  const script =
    'import resource,subprocess,sys\nr=subprocess.call(sys.argv[1:])\nprint(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\nsys.exit(r)';
  const run = spawnSync('python3', ['-c', script, ...argv], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`${argv[0]}: ${run.stderr}`);
  return Number(run.stdout.trim().split('\n').pop()) * 1024;
}

export function median(list) {
  const sorted = [...list].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function quote(word) {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
