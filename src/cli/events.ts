/** `rootless events`: what happens to containers, images and volumes, as it happens. */

import { findPaths } from '../paths.ts';
import type { Event } from '../runtime/events.ts';
import { followEvents, readEvents } from '../runtime/events-read.ts';
import { command } from './command.ts';
import { eventRow, eventText } from './event-row.ts';
import { formatFlag, render } from './format.ts';
import { print } from './output.ts';
import { filterParser, hasLabel, passes } from './values/filter.ts';
import { parseTime } from './values/time.ts';

const keys = ['container', 'daemon', 'event', 'image', 'label', 'name', 'network', 'scope', 'type', 'volume'];
const timeHint = 'TIME';

export default command({
  name: 'events',
  flags: {
    filter: {
      type: 'string',
      alias: 'f',
      valueHint: 'KEY=VALUE',
      repeat: true,
      parse: filterParser(keys),
      choices: keys.map((key) => `${key}=`),
      description: 'only some: type=container, event=die, container=NAME, label=KEY',
    },
    since: {
      type: 'string',
      valueHint: timeHint,
      parse: (text) => parseTime(text),
      description: 'first those since then: 10m, 2026-01-31',
    },
    until: { type: 'string', valueHint: timeHint, parse: (text) => parseTime(text), description: 'stop then' },
    stream: { type: 'boolean', default: true, description: 'wait for more; =false prints what is kept and ends' },
    'no-trunc': { type: 'boolean', default: true, description: '=false shortens ids' },
    format: formatFlag,
  },
  words: { usage: '', min: 0, max: 0 },
  examples: ['rootless events --filter event=die', "rootless events --since 1h --until 0s --format '{{.Name}} {{.Action}}'"],
  run: async ({ flags, env }) => {
    const paths = findPaths(env);
    const { since, until, format } = flags;
    const show = (event: Event) => {
      if (!passes(flags.filter, (key, value) => matches(event, key, value))) return;
      const shown = flags['no-trunc'] ? event : { ...event, id: shortId(event.id) };
      print(format === undefined ? `${eventText(shown)}\n` : render(format, [eventRow(shown)], 'list'));
    };
    if (flags.stream) for await (const event of followEvents(paths, { since, until })) show(event);
    else for (const event of readEvents(paths, { since, until })) show(event);
    return 0;
  },
});

function matches({ type, action, id, attributes }: Event, key: string, value: string): boolean {
  const name = attributes['name'] ?? '';
  switch (key) {
    case 'event':
      return action === value || action.startsWith(`${value}:`);
    case 'type':
      return type === value;
    case 'scope':
      return value === 'local';
    case 'name':
      return name === value;
    case 'label':
      return hasLabel(attributes, value);
    case 'image': {
      const image = type === 'image' ? name : (attributes['image'] ?? '');
      return [id, image, withoutTag(image)].includes(value) && (type === 'image' || type === 'container');
    }
    default:
      return type === key && (id.startsWith(value) || name.startsWith(value));
  }
}

/** Ids of containers and images; volumes are called by their names. */
function shortId(id: string): string {
  const hex = id.replace(/^sha256:/, '');
  return /^[0-9a-f]{64}$/.test(hex) ? hex.slice(0, 12) : id;
}

function withoutTag(image: string): string {
  return image.replace(/(@.*|:[^:/]*)$/, '');
}
