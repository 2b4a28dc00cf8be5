/** The one parser of seccomp profiles given by users: docker's JSON, or the OCI's own. */

import { RootlessError } from '../errors.ts';
import type { OciSyscallArg } from './oci.ts';
import type { Condition, DockerProfile, DockerRule } from './seccomp.ts';

type Fields = Readonly<Record<string, unknown>>;

/** @throws RootlessError SECCOMP_PROFILE_INVALID with the path of the wrong value */
export function parseProfile(json: string): DockerProfile {
  const root = object(parseJson(json), '$');
  const rules = root['syscalls'] === undefined || root['syscalls'] === null ? [] : array(root['syscalls'], '$.syscalls');
  const architectures = root['architectures'] ?? archMapNames(root['archMap']);
  return {
    defaultAction: text(root['defaultAction'], '$.defaultAction'),
    ...(isPresent(root['defaultErrnoRet']) ? { defaultErrnoRet: count(root['defaultErrnoRet'], '$.defaultErrnoRet') } : {}),
    ...(isPresent(architectures) ? { architectures: texts(architectures, '$.architectures') } : {}),
    ...(isPresent(root['flags']) ? { flags: texts(root['flags'], '$.flags') } : {}),
    syscalls: rules.map((rule, index) => parseRule(rule, `$.syscalls[${index}]`)),
  };
}

function parseRule(value: unknown, at: string): DockerRule {
  const rule = object(value, at);
  // Very old profiles have one `name` instead of `names`.
  const names = isPresent(rule['name']) && rule['name'] !== '' ? [text(rule['name'], `${at}.name`)] : texts(rule['names'], `${at}.names`);
  return {
    names,
    action: text(rule['action'], `${at}.action`),
    ...(isPresent(rule['errnoRet']) ? { errnoRet: count(rule['errnoRet'], `${at}.errnoRet`) } : {}),
    ...(isPresent(rule['args'])
      ? { args: array(rule['args'], `${at}.args`).map((arg, index) => parseArg(arg, `${at}.args[${index}]`)) }
      : {}),
    ...(isPresent(rule['includes']) ? { includes: parseCondition(rule['includes'], `${at}.includes`) } : {}),
    ...(isPresent(rule['excludes']) ? { excludes: parseCondition(rule['excludes'], `${at}.excludes`) } : {}),
  };
}

function parseArg(value: unknown, at: string): OciSyscallArg {
  const arg = object(value, at);
  return {
    index: count(arg['index'], `${at}.index`),
    value: count(arg['value'], `${at}.value`),
    ...(isPresent(arg['valueTwo']) ? { valueTwo: count(arg['valueTwo'], `${at}.valueTwo`) } : {}),
    op: text(arg['op'], `${at}.op`),
  };
}

function parseCondition(value: unknown, at: string): Condition {
  const condition = object(value, at);
  return {
    ...(isPresent(condition['caps']) ? { caps: texts(condition['caps'], `${at}.caps`) } : {}),
    ...(isPresent(condition['arches']) ? { arches: texts(condition['arches'], `${at}.arches`) } : {}),
    ...(isPresent(condition['minKernel']) ? { minKernel: text(condition['minKernel'], `${at}.minKernel`) } : {}),
  };
}

/** docker's `archMap` lists every architecture there is; the entry of this machine names it and those that it also runs. */
function archMapNames(value: unknown): string[] | undefined {
  if (!isPresent(value)) return undefined;
  const own = { x64: 'SCMP_ARCH_X86_64', arm64: 'SCMP_ARCH_AARCH64' }[process.arch as string];
  const entries = array(value, '$.archMap').map((entry, index) => object(entry, `$.archMap[${index}]`));
  const entry = entries.find((one) => one['architecture'] === own);
  if (!entry || own === undefined) return undefined;
  return [own, ...(isPresent(entry['subArchitectures']) ? texts(entry['subArchitectures'], '$.archMap.subArchitectures') : [])];
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new RootlessError({
      code: 'SECCOMP_PROFILE_INVALID',
      message: 'invalid seccomp profile: not JSON',
      why: (cause as Error).message,
      cause,
    });
  }
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function object(value: unknown, at: string): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : wrong(at, 'not an object');
}

function array(value: unknown, at: string): readonly unknown[] {
  return Array.isArray(value) ? value : wrong(at, 'not a list');
}

function texts(value: unknown, at: string): string[] {
  return array(value, at).map((one, index) => text(one, `${at}[${index}]`));
}

function text(value: unknown, at: string): string {
  return typeof value === 'string' ? value : wrong(at, 'not a text');
}

function count(value: unknown, at: string): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : wrong(at, 'not a whole number');
}

function wrong(at: string, what: string): never {
  throw new RootlessError({ code: 'SECCOMP_PROFILE_INVALID', message: `invalid seccomp profile: ${at} is ${what}` });
}
