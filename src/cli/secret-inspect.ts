/** `rootless secret inspect`: all that is known of secrets; the contents only when asked for. */

import { findPaths } from '../paths.ts';
import { findSecret, type Secret } from '../runtime/secrets.ts';
import { command } from './command.ts';
import { formatFlag, render, type Row } from './format.ts';
import { print } from './output.ts';
import { report } from './ui.ts';

export default command({
  name: 'secret inspect',
  flags: { format: { ...formatFlag, alias: 'f' }, showsecret: { type: 'boolean', description: 'show its contents too' } },
  words: { usage: 'SECRET [SECRET...]', min: 1, max: Number.POSITIVE_INFINITY },
  examples: ["rootless secret inspect --format '{{.Spec.Name}}' token"],
  run: ({ flags, args, debug, env }) => {
    const paths = findPaths(env);
    const rows: Row[] = [];
    let code = 0;
    for (const name of args) {
      try {
        rows.push(row(findSecret(paths, name), flags.showsecret));
      } catch (error) {
        code = report(error, debug);
      }
    }
    print(flags.format === undefined ? `${JSON.stringify(rows, null, 4)}\n` : render(flags.format, rows, 'one'));
    return code;
  },
});

function row({ id, name, created, updated, labels, data }: Secret, shown: boolean): Row {
  return {
    ID: id,
    CreatedAt: created,
    UpdatedAt: updated,
    Spec: { Name: name, Driver: { Name: 'file', Options: {} }, Labels: labels },
    ...(shown ? { SecretData: Buffer.from(data, 'base64').toString() } : {}),
  };
}
