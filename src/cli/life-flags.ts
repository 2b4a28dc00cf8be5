/** Flags of `run` and `create` about a container's life after its start: restarts, health, logs, secrets, service managers. */

import type { Flags } from './flags.ts';
import { parseHealthAction, parseHealthCommand, parseHealthTime } from './values/health.ts';
import { parseAnnotation, parseNotify, parseUmask } from './values/ids.ts';
import { driverNames, parseLogDriver, parseLogOption } from './values/log.ts';
import { parseSeconds, parseWhole } from './values/numbers.ts';
import { parseRestart } from './values/restart.ts';
import { parseSecret } from './values/secret.ts';

const life = 'Life';
const health = 'Health';
const program = 'Program';

const text = { type: 'string', group: life } as const;
const check = { type: 'string', group: health } as const;
const time = { ...check, valueHint: 'TIME', parse: parseHealthTime } as const;
const positive = (value: string) => parseWhole(value, 0);

export const lifeFlags = {
  restart: {
    ...text,
    valueHint: 'POLICY',
    parse: parseRestart,
    choices: ['no', 'always', 'unless-stopped', 'on-failure', 'on-failure:'],
    description: 'no (the default), always, unless-stopped, on-failure[:N]',
  },
  'stop-timeout': { ...text, valueHint: 'SECONDS', parse: parseSeconds, description: 'seconds between its stop signal and SIGKILL (10)' },
  timeout: { ...text, valueHint: 'SECONDS', parse: positive, description: 'end it after so many seconds' },
  replace: { type: 'boolean', group: life, description: 'remove the container that has the name' },
  requires: { ...text, valueHint: 'CONTAINER', repeat: true, description: 'containers that have to run before it' },
  annotation: { ...text, valueHint: 'KEY=VALUE', repeat: true, parse: parseAnnotation, description: 'add to config.json as it is' },
  'log-driver': {
    ...text,
    valueHint: 'DRIVER',
    parse: parseLogDriver,
    choices: driverNames,
    description: 'json-file (the default), k8s-file, journald or none',
  },
  'log-opt': {
    ...text,
    valueHint: 'KEY=VALUE',
    repeat: true,
    parse: parseLogOption,
    choices: ['max-size=', 'max-file=', 'path=', 'tag='],
    description: 'max-size=10m, max-file=3, path=FILE, tag=TEMPLATE',
  },
  pidfile: { ...text, valueHint: 'FILE', description: 'write the pid of its program to FILE' },
  'conmon-pidfile': { ...text, valueHint: 'FILE', description: 'write the pid of its monitor to FILE' },
  sdnotify: {
    ...text,
    valueHint: 'MODE',
    parse: parseNotify,
    choices: ['container', 'conmon', 'healthy', 'ignore'],
    description: 'who tells NOTIFY_SOCKET that it is ready',
  },

  'health-cmd': { ...check, valueHint: 'COMMAND', parse: parseHealthCommand, description: 'command that checks its health' },
  'health-interval': { ...time, description: 'time between two checks (30s)' },
  'health-timeout': { ...time, description: 'time that a check may take (30s)' },
  'health-start-period': { ...time, description: 'time in which failures do not count' },
  'health-start-interval': { ...time, description: 'time between two checks until then (5s)' },
  'health-retries': { ...check, valueHint: 'COUNT', parse: positive, description: 'failures that make it unhealthy (3)' },
  'health-on-failure': {
    ...check,
    valueHint: 'ACTION',
    parse: parseHealthAction,
    choices: ['none', 'kill', 'restart', 'stop'],
    description: 'when unhealthy: none, kill, restart or stop',
  },
  'no-healthcheck': { type: 'boolean', group: health, description: "switch off the image's check" },

  secret: {
    type: 'string',
    group: program,
    valueHint: 'NAME[,...]',
    repeat: true,
    parse: parseSecret,
    description: 'give it a secret: type=mount|env,target=,mode=',
  },
  umask: { type: 'string', group: program, valueHint: 'MASK', parse: parseUmask, description: 'its umask (default 0022)' },
  tz: { type: 'string', group: program, valueHint: 'ZONE', description: 'its time zone: Europe/Berlin, local' },
} as const satisfies Flags;
