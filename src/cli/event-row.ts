/** An event as docker shows it: a line, a row of fields, an object of the API. */

import type { Event } from '../runtime/events.ts';
import type { Row } from './format.ts';
import { plain } from './paint.ts';

/** `2026-01-31T12:00:00.000000000+01:00 container die ID (exitCode=0, image=alpine, name=web)` */
export function eventText({ time, type, action, id, attributes }: Event): string {
  const facts = Object.keys(attributes)
    .sort()
    .map((key) => `${key}=${attributes[key]}`);
  const tail = facts.length === 0 ? '' : ` (${facts.join(', ')})`;
  // Labels come from images of others.
  return plain(`${localTime(time)} ${type} ${action} ${id}${tail}`).replaceAll('\n', '\\n');
}

/** Fields for templates; as JSON it has the names of docker's API. */
export function eventRow(event: Event): Row {
  return new EventRow(event) as unknown as Row;
}

class EventRow {
  readonly Type: string;
  readonly Action: string;
  readonly Status: string;
  readonly ID: string;
  readonly From: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly Attributes: Readonly<Record<string, string>>;
  readonly Name: string;
  readonly Image: string;
  readonly Scope = 'local';
  readonly Time: number;
  readonly TimeNano: number;

  constructor({ time, type, action, id, attributes }: Event) {
    this.Type = type;
    this.Action = action;
    this.Status = action;
    this.ID = id;
    this.Image = attributes['image'] ?? '';
    this.From = this.Image;
    this.Name = attributes['name'] ?? '';
    this.Actor = { ID: id, Attributes: attributes };
    this.Attributes = attributes;
    this.Time = Math.floor(Date.parse(time) / 1000);
    this.TimeNano = this.Time * 1e9 + Number(fraction(time));
  }

  toJSON(): object {
    const { Status, ID, From, Type, Action, Actor, Scope, Time, TimeNano } = this;
    return {
      status: Status,
      id: ID,
      ...(From === '' ? {} : { from: From }),
      Type,
      Action,
      Actor,
      scope: Scope,
      time: Time,
      timeNano: TimeNano,
    };
  }
}

/** Nine digits. */
function fraction(time: string): string {
  return (/\.(\d+)/.exec(time)?.[1] ?? '').padEnd(9, '0').slice(0, 9);
}

/** RFC 3339 in this machine's zone, always with nanoseconds. */
export function localTime(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return time;
  const offset = -date.getTimezoneOffset();
  const local = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, 19);
  const two = (count: number) => String(count).padStart(2, '0');
  const size = Math.abs(offset);
  const zone = offset === 0 ? 'Z' : `${offset < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
  return `${local}.${fraction(time)}${zone}`;
}
