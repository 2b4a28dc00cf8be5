/** Container ids and the names that are made up for containers without one. */

import { closeSync, openSync, readSync } from 'node:fs';
import { RootlessError } from '../errors.ts';

/** 64 hex digits, from the kernel's generator directly: loading node:crypto for it costs four milliseconds. */
export function newId(): string {
  return randomBytes(32).toString('hex');
}

/** `brave_otter` from the id itself: the same id always has the same name. `attempt` > 0 appends a digit. */
export function inventName(id: string, attempt = 0): string {
  const adjective = adjectives[Number.parseInt(id.slice(0, 6), 16) % adjectives.length] ?? 'plain';
  const noun = nouns[Number.parseInt(id.slice(6, 12), 16) % nouns.length] ?? 'box';
  return `${adjective}_${noun}${attempt > 0 ? Number.parseInt(id.slice(12 + attempt, 16 + attempt), 16) : ''}`;
}

/** docker's rule for names. @throws RootlessError NAME_INVALID */
export function checkName(name: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name) && name.length <= 128) return name;
  throw new RootlessError({
    code: 'NAME_INVALID',
    message: `invalid container name "${name}"`,
    why: 'a name has 2 to 128 letters, digits, "_", "." or "-" and begins with a letter or digit',
  });
}

function randomBytes(size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  const fd = openSync('/dev/urandom', 'r');
  try {
    if (readSync(fd, bytes, 0, size, null) !== size) throw new Error('short read of /dev/urandom');
    return bytes;
  } finally {
    closeSync(fd);
  }
}

const adjectives = (
  'able amber ample avid bold brave breezy bright brisk calm candid clever cosy crisp curious daring deft eager early easy fair ' +
  'fancy fast fond free fresh gentle glad golden grand green happy hardy honest humble jolly keen kind lively loyal lucky mellow ' +
  'merry mild modest neat nimble noble patient polite proud quick quiet rapid ready robust rosy shiny silent smart snug solid ' +
  'spry steady sunny swift tidy vivid warm wise witty young zesty'
).split(' ');

const nouns = (
  'acorn anchor badger beacon beaver birch bison brook canyon cedar cobalt comet coral crane dune eagle ember falcon fern finch ' +
  'fjord fox glacier grove harbor hazel heron island ivy jasper juniper kestrel lagoon lantern lark linden lynx maple marten ' +
  'meadow meteor moss nebula oak ocean orchid osprey otter owl pebble pine plover prairie quartz raven reef river robin rowan ' +
  'saffron seal sparrow spruce stork summit swan thistle tiger tulip valley walnut willow wren yarrow zephyr'
).split(' ');
