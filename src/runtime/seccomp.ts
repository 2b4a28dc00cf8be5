/** Seccomp profiles: docker's form (conditions on capabilities, architecture, kernel) or the OCI's → config.json's. Pure but for lazy loading. */

import { release } from 'node:os';
import { RootlessError } from '../errors.ts';
import { chooseCapabilities } from './capabilities.ts';
import type { OciSeccomp, OciSyscallArg, OciSyscallRule } from './oci.ts';
import type { ContainerOptions } from './options.ts';
import { emulateRoot } from './seccomp-root.ts';

export type Condition = {
  readonly caps?: readonly string[];
  /** docker's names: amd64, x86, x32, arm64, arm. */
  readonly arches?: readonly string[];
  /** `MAJOR.MINOR` */
  readonly minKernel?: string;
};

export type DockerRule = {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly OciSyscallArg[];
  readonly includes?: Condition;
  readonly excludes?: Condition;
};

export type DockerProfile = {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly flags?: readonly string[];
  readonly syscalls: readonly DockerRule[];
};

/** What conditions are compared with. */
export type SeccompFacts = { readonly capabilities: readonly string[]; readonly arch: string; readonly kernel: string };

type Asked = Pick<ContainerOptions, 'seccomp' | 'privileged' | 'capAdd' | 'capDrop'>;

/** @throws RootlessError SECCOMP_PROFILE_INVALID */
export async function chooseSeccomp(options: Asked, mode: 'ranges' | 'direct' | 'single'): Promise<OciSeccomp | undefined> {
  const facts = {
    capabilities: chooseCapabilities(options.capAdd, options.capDrop, options.privileged),
    arch: process.arch,
    kernel: release(),
  };
  const filter = await loadFilter(options, facts);
  return mode === 'single' ? emulateRoot(filter, architectures(facts.arch)) : filter;
}

async function loadFilter({ seccomp, privileged }: Asked, facts: SeccompFacts): Promise<OciSeccomp | undefined> {
  if (seccomp.kind === 'profile') {
    const { parseProfile } = await import('./seccomp-profile.ts');
    return convertProfile(parseProfile(seccomp.json), facts);
  }
  if (privileged || seccomp.kind === 'unconfined') return undefined;
  const { defaultProfile } = await import('./seccomp-default/profile.ts');
  return convertProfile(defaultProfile, facts);
}

/** Rules whose conditions hold here, without the conditions. */
export function convertProfile(profile: DockerProfile, facts: SeccompFacts): OciSeccomp {
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    architectures: profile.architectures ?? architectures(facts.arch),
    ...(profile.flags ? { flags: profile.flags } : {}),
    syscalls: profile.syscalls.filter((rule) => applies(rule, facts)).map(plainRule),
  };
}

/** The machine's own architecture and those that it also runs. */
export function architectures(arch: string): string[] {
  if (arch === 'x64') return ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'];
  if (arch === 'arm64') return ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'];
  throw new RootlessError({
    code: 'ARCH_UNSUPPORTED',
    message: `no seccomp filter for the architecture "${arch}"`,
    why: 'x86-64 and arm64 are supported',
  });
}

/** docker's rule: all included capabilities must be there, none of the excluded ones may; one of the architectures is enough. */
function applies({ includes = {}, excludes = {} }: DockerRule, facts: SeccompFacts): boolean {
  const arches = dockerArches[facts.arch] ?? [];
  const here = (list: readonly string[] | undefined) => list?.some((arch) => arches.includes(arch));
  if (includes.caps?.some((name) => !facts.capabilities.includes(name))) return false;
  if (excludes.caps?.some((name) => facts.capabilities.includes(name))) return false;
  if (includes.arches?.length && !here(includes.arches)) return false;
  if (excludes.arches?.length && here(excludes.arches)) return false;
  if (includes.minKernel && !isAtLeast(facts.kernel, includes.minKernel)) return false;
  return !(excludes.minKernel && isAtLeast(facts.kernel, excludes.minKernel));
}

const dockerArches: Readonly<Record<string, readonly string[]>> = { x64: ['amd64', 'x86', 'x32'], arm64: ['arm64', 'arm'] };

export function isAtLeast(kernel: string, wanted: string): boolean {
  const [major = 0, minor = 0] = kernel.split(/[.-]/).map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

function plainRule({ names, action, errnoRet, args }: DockerRule): OciSyscallRule {
  return { names, action, ...(errnoRet === undefined ? {} : { errnoRet }), ...(args?.length ? { args } : {}) };
}
