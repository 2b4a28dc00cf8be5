/** The specification validator in process: dist/validator.wasm, loaded once, on first use. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { type DocumentKind, type Problem, type RuleInfo, startValidator, type Validator } from './validator.ts';

export type { DocumentKind, Level, Problem, RuleInfo } from './validator.ts';
export { documentKinds } from './validator.ts';

let running: Validator | undefined;

/**
 * All problems of a document, each with JSON path, rule and section; about a millisecond for a config.json.
 * @throws RootlessError VALIDATOR_MISSING when this checkout has not been built
 */
export function validate(kind: DocumentKind, json: string, paths: Pick<Paths, 'dist'>): readonly Problem[] {
  running ??= load(paths.dist);
  return running.validate(kind, json);
}

/** Every rule that `validate` knows. */
export function rules(paths: Pick<Paths, 'dist'>): readonly RuleInfo[] {
  running ??= load(paths.dist);
  return running.rules();
}

function load(dist: string): Validator {
  const path = join(dist, 'validator.wasm');
  try {
    return startValidator(readFileSync(path));
  } catch (cause) {
    throw new RootlessError({
      code: 'VALIDATOR_MISSING',
      message: `cannot load the validator from "${path}"`,
      why: (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'this checkout has not been built' : String(cause),
      fix: 'npm run build',
      cause,
    });
  }
}
