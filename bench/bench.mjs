// `npm run bench [-- start|runtime|unpack|memory|lifecycle|network… --write]`: runs what is installed side by side, as an unprivileged user, and prints ratios.
// `npm run bench -- fuzz` is something else: a bounded run of the fuzzers. Started as root it makes that user, and gives its processes a pure cgroup v2 (crun and podman need one). Nothing here is a test.
import { dirname } from 'node:path';
import { setUp } from '../scripts/setup.mjs';
import { benchPackages } from '../scripts/packages.mjs';
import { asBenchUser } from './lab.mjs';
import { printReport, writeReport } from './report.mjs';

const sections = ['start', 'runtime', 'unpack', 'memory', 'images', 'lifecycle', 'network'];
const asked = process.argv.slice(2);
const picked = sections.filter((name) => asked.includes(name));
const wanted = picked.length > 0 ? picked : sections;

if (asked.includes('fuzz')) {
  process.exitCode = (await import('./fuzz.mjs')).fuzz(asked);
} else if (asked.includes('--inside')) {
  // The program is started as a user does, and finds the Node that runs this in PATH.
  process.env.PATH = `${dirname(process.execPath)}:${process.env.PATH}`;
  const results = [];
  for (const name of wanted) results.push(...(await (await import(`./${name}.mjs`)).measure()));
  (await import('./podman.mjs')).removePodman();
  console.log(`\0${JSON.stringify(results)}`);
} else {
  setUp(benchPackages, { optional: process.getuid() !== 0 });
  const output = asBenchUser(wanted);
  const results = JSON.parse(output.slice(output.lastIndexOf('\0') + 1));
  printReport(results);
  if (asked.includes('--write')) writeReport(results);
}
