/** Instructions of `commit --change`: a Dockerfile's, applied to the configuration of an image. Pure. */

import { posix } from 'node:path';
import { RootlessError } from '../errors.ts';
import { parseCheck } from './change-health.ts';
import { pairs, splitWords, wordList } from './change-words.ts';

/** `config` of the image configuration (image-spec, config.md), with docker's OnBuild and Healthcheck. */
export type RunConfig = {
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly OnBuild?: readonly string[];
  readonly Healthcheck?: Readonly<Record<string, unknown>>;
  readonly [other: string]: unknown;
};

/** As docker: an ENTRYPOINT drops the command that was there before, unless a CMD came first. @throws RootlessError CHANGE_INVALID */
export function applyChanges(config: RunConfig, lines: readonly string[]): RunConfig {
  let commandSet = false;
  return lines.reduce((before, line) => {
    const after = applyChange(before, line);
    commandSet ||= /^\s*CMD\b/i.test(line);
    if (commandSet || !/^\s*ENTRYPOINT\b/i.test(line)) return after;
    const { Cmd: _, ...rest } = after;
    return rest;
  }, config);
}

function applyChange(config: RunConfig, line: string): RunConfig {
  const match = /^\s*([A-Za-z]+)(?:\s+([\s\S]*?))?\s*$/.exec(line);
  const [name, rest] = [(match?.[1] ?? '').toUpperCase(), match?.[2] ?? ''];
  const bad = (why: string) =>
    new RootlessError({ code: 'CHANGE_INVALID', message: `invalid change "${line}"`, why, fix: `instructions are ${names.join(', ')}` });
  const instruction = instructions[name];
  if (instruction === undefined) throw bad(`"${name}" is no instruction that changes a configuration`);
  if (rest === '' && name !== 'CMD' && name !== 'ENTRYPOINT') throw bad(`${name} needs an argument`);
  return { ...config, ...instruction(rest, config, bad) };
}

type Bad = (why: string) => RootlessError;
type Instruction = (rest: string, config: RunConfig, bad: Bad) => RunConfig;

const instructions: Readonly<Record<string, Instruction>> = Object.assign(Object.create(null), {
  CMD: (rest) => ({ Cmd: command(rest) }),
  ENTRYPOINT: (rest) => ({ Entrypoint: command(rest) }),
  ENV: (rest, { Env = [] }, bad) => ({ Env: pairs(rest, bad).reduce(setEnv, Env) }),
  LABEL: (rest, { Labels = {} }, bad) => ({ Labels: { ...Labels, ...Object.fromEntries(pairs(rest, bad)) } }),
  EXPOSE: (rest, { ExposedPorts = {} }, bad) => ({
    ExposedPorts: { ...ExposedPorts, ...keys(splitWords(rest, bad).flatMap((word) => ports(word, bad))) },
  }),
  VOLUME: (rest, { Volumes = {} }, bad) => ({ Volumes: { ...Volumes, ...keys(wordList(rest) ?? splitWords(rest, bad)) } }),
  USER: (rest) => ({ User: rest }),
  WORKDIR: (rest, { WorkingDir = '/' }) => ({ WorkingDir: posix.resolve(WorkingDir || '/', rest) }),
  STOPSIGNAL: (rest, _config, bad) => {
    if (!/^(?:SIG)?[A-Z0-9+]+$/i.test(rest)) throw bad(`"${rest}" is no signal`);
    return { StopSignal: rest };
  },
  HEALTHCHECK: (rest, _config, bad) => ({ Healthcheck: parseCheck(rest, bad) }),
  ONBUILD: (rest, { OnBuild = [] }, bad) => {
    if (/^(?:ONBUILD|FROM|MAINTAINER)\b/i.test(rest)) throw bad(`${rest.split(/\s/, 1)[0]} is not allowed as an ONBUILD trigger`);
    return { OnBuild: [...OnBuild, rest] };
  },
} satisfies Record<string, Instruction>);

const names = Object.keys(instructions);

/** `["a", "b"]`, or a line for the shell. */
function command(rest: string): string[] {
  return wordList(rest) ?? (rest === '' ? [] : ['/bin/sh', '-c', rest]);
}

function setEnv(env: readonly string[], [key, value]: readonly [string, string]): string[] {
  const entry = `${key}=${value}`;
  const at = env.findIndex((old) => old.split('=', 1)[0] === key);
  return at === -1 ? [...env, entry] : env.with(at, entry);
}

/** `80`, `80/udp`, `8000-8002`. */
function ports(word: string, bad: Bad): string[] {
  const [, first, last = first, protocol = 'tcp'] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(word) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (first === undefined || from < 1 || to > 65535 || to < from) throw bad(`"${word}" is no port`);
  return Array.from({ length: to - from + 1 }, (_, at) => `${from + at}/${protocol.toLowerCase()}`);
}

function keys(words: readonly string[]): Record<string, object> {
  return Object.fromEntries(words.map((word) => [word, {}]));
}
