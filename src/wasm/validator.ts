/** The specification validator, from the bytes of its WebAssembly: for any JavaScript host, browsers too. */

/// <reference path="./webassembly.d.ts" />

import { initSync, rules as rulesJson, validate as validateJson } from '../../helper-rs/pkg/rootless_web.js';

/** The kinds of documents; `seccomp` takes docker's profiles too. */
export const documentKinds = ['config', 'manifest', 'index', 'image-config', 'layout', 'seccomp'] as const;
export type DocumentKind = (typeof documentKinds)[number];

export type Level = 'error' | 'warning';

/** One thing that is wrong with a document. */
export type Problem = {
  /** `$.process.args[0]` */
  readonly path: string;
  /** Stable: `namespace-duplicate`. */
  readonly rule: string;
  /** `config-linux.md#namespaces` */
  readonly section: string;
  readonly level: Level;
  readonly message: string;
};

export type RuleInfo = {
  /** `any` for rules of every kind. */
  readonly kind: DocumentKind | 'any';
  readonly rule: string;
  readonly section: string;
  readonly level: Level;
  /** What must hold, in one sentence. */
  readonly text: string;
};

export type Validator = {
  /** All problems of a document; text that is no JSON is a problem. */
  readonly validate: (kind: DocumentKind, json: string) => readonly Problem[];
  readonly rules: () => readonly RuleInfo[];
};

/** Compiles and starts the validator; further calls return the one that runs. */
export function startValidator(bytes: Uint8Array): Validator {
  initSync({ module: bytes });
  return {
    validate: (kind, json) => JSON.parse(validateJson(kind, json)),
    rules: () => JSON.parse(rulesJson()),
  };
}
