/** The program that started this one as its child, and becomes the helper's verb that it is told: `front` of docs/contract.md. */

import { fstatSync, writeSync } from 'node:fs';

export type Front = {
  readonly fd: number;
  readonly pid: number;
};

/** What it shall become. */
export type Order = {
  /** The helper's command line. */
  readonly args: readonly string[];
  /** The caller's standard input is for the verb; otherwise it gets /dev/null. */
  readonly input: boolean;
  /** `session`: what it asks the monitor. */
  readonly request?: unknown;
};

/** Takes the descriptor's number out of the environment, so that no other program hears of it. */
export function takeFront(env: NodeJS.ProcessEnv): Front | undefined {
  // It says its own number: by now it may have been killed, and our parent be another process.
  const [fd = Number.NaN, pid = process.ppid] = (env['ROOTLESS_FRONT'] ?? 'none').split(' ').map(Number);
  delete env['ROOTLESS_FRONT'];
  return Number.isInteger(fd) && fd > 2 && isSocket(fd) ? { fd, pid } : undefined;
}

/** It was killed: whoever asked is not there any more. */
export function isGone(front: Front | undefined): boolean {
  return front !== undefined && process.ppid !== front.pid;
}

/** Can be done once. */
export function handOver(front: Front, order: Order): void {
  say(front, `${JSON.stringify(order)}\n`);
}

/** What serves the network of `run --wait`, before the bundle stands. */
export function serveEarly(front: Front, companion: readonly string[]): void {
  say(front, earlyLine(companion));
}

export function earlyLine(companion: readonly string[]): string {
  return `${JSON.stringify({ companion })}\n`;
}

/** The bundle stands (`run --wait`). */
export function letGo(front: Front): void {
  say(front, 'g');
}

function say({ fd }: Front, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket();
  } catch {
    return false;
  }
}
