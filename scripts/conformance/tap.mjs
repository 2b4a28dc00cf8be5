// Results of a suite, as its files say them in TAP.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Map of "file: test" to `{ result: 'ok' | 'fails' | 'skipped', said: [lines] }` of all *.tap files in a folder. */
export function readResults(folder) {
  const results = new Map();
  for (const name of readdirSync(folder)
    .filter((file) => file.endsWith('.tap'))
    .sort()) {
    const file = name.replace(/(\.bats|\.py)?\.tap$/, '');
    const text = readFileSync(join(folder, name), 'utf8').replaceAll('\r', '');
    let current;
    for (const line of text.split('\n')) {
      const match = /^(ok|not ok) \d+ (?:- )?(.*)$/.exec(tapOf(line));
      if (match === null) {
        if (line.startsWith('#')) current?.said.push(line);
        continue;
      }
      const [test, skip] = match[2].replace(/ # [\d.]+s$/, '').split(/ # ?skip ?/i);
      current = { result: skip !== undefined ? 'skipped' : match[1] === 'ok' ? 'ok' : 'fails', said: [] };
      results.set(unique(results, `${file}: ${test}`), current);
    }
    // A file may have nothing for this user.
    if (current === undefined && !/^1\.\.0$/m.test(text)) results.set(`${file}: ends without a result`, { result: 'fails', said: [] });
  }
  return results;
}

/** Some tests say the same of several containers. */
function unique(results, name) {
  let key = name;
  for (let count = 2; results.has(key); count++) key = `${name} (${count})`;
  return key;
}

/** What youki's suite says instead. */
function tapOf(line) {
  const [, at, test, result] = /^(\d+) \/ \d+ : (.*) : (ok|not ok|skipped)$/.exec(line) ?? [];
  if (result === undefined) return line;
  return result === 'skipped' ? `ok ${at} ${test} # skip` : `${result} ${at} ${test}`;
}

/** How many of each. */
export function score(results) {
  const count = { ok: 0, fails: 0, skipped: 0 };
  for (const { result } of results.values()) count[result] += 1;
  return count;
}
