// Keeps V8's compiled code of the program beside it, for the Node that built it: 9 ms less for every start on Node 20, which has no
// compile cache of its own. bin/rootless uses it only if it is newer than the program. Run by build.mjs in a throwaway
// home with the program's name and the command line of its hot path (JSON); what it has called by the end is in the cache.
'use strict';

const { readFileSync, renameSync, rmSync, writeFileSync } = require('node:fs');
const Module = require('node:module');
const { join } = require('node:path');
const vm = require('node:vm');

const dist = join(__dirname, '../dist');
const [node, , name, command] = process.argv;
const program = join(dist, `${name}.cjs`);
const cache = join(dist, `${name}-${process.version}-${process.arch}.cache`);

rmSync(cache, { force: true });
const script = new vm.Script(Module.wrap(readFileSync(program, 'latin1')), { filename: program });
// The program reads its arguments as it starts.
process.argv = [node, program, ...JSON.parse(command)];
const module_ = { exports: {} };
script.runInThisContext()(module_.exports, require, module_, program, dist);
process.once('exit', () => {
  writeFileSync(`${cache}.new`, script.createCachedData());
  renameSync(`${cache}.new`, cache);
  process.exitCode = 0;
});
