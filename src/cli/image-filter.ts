/** `--filter` of commands that choose among images: docker's keys. */

import { RootlessError } from '../errors.ts';
import { shownName } from '../image/facts.ts';
import { requireStored } from '../image/find.ts';
import { briefOf } from '../image/facts.ts';
import { listImages, readConfig, type StoredImage } from '../image/store.ts';
import { isTagged } from '../image/store-write.ts';
import type { Paths } from '../paths.ts';
import { BadValue } from './values/bad.ts';
import { type Filter, glob, hasLabel, passes } from './values/filter.ts';
import { parseTime } from './values/time.ts';

export type ImageTest = (image: StoredImage) => boolean;

/** A test of single images. What a filter names is looked up once. @throws RootlessError IMAGE_NOT_FOUND, FILTER_INVALID */
export function imageTest(paths: Paths, filters: readonly Filter[]): ImageTest {
  const tests = new Map(filters.map((filter) => [filter, one(paths, filter)]));
  return (image) =>
    passes(filters, (key, value) => {
      const filter = filters.find((each) => each.key === key && each.value === value);
      return filter !== undefined && tests.get(filter)?.(image) === true;
    });
}

function one(paths: Paths, { key, value }: Filter): ImageTest {
  const created = (image: StoredImage) => Date.parse((image.brief ?? briefOf(paths, image))?.created ?? '') || 0;
  switch (key) {
    case 'dangling': {
      const wanted = parseTruth(value);
      const tagged = new Set(
        listImages(paths)
          .filter(isTagged)
          .map(({ id }) => id),
      );
      return ({ id }) => tagged.has(id) !== wanted;
    }
    case 'reference':
      return (image) => isNamed(image, value);
    case 'label':
      return (image) => hasLabel(readConfig(paths, image).labels, value);
    case 'label!':
      return (image) => !hasLabel(readConfig(paths, image).labels, value);
    case 'before': {
      const limit = created(requireStored(listImages(paths), value));
      return (image) => created(image) < limit;
    }
    case 'since':
    case 'after': {
      const limit = created(requireStored(listImages(paths), value));
      return (image) => created(image) > limit;
    }
    default: {
      const limit = parseLimit(value);
      return (image) => created(image) < limit;
    }
  }
}

/** `alpine`, `alpine:3.*`, `*\/*:latest`, as docker shows it; a whole canonical name as well. */
export function isNamed(image: StoredImage, pattern: string): boolean {
  const { repository, tag } = shownName(image.name);
  const canonical = image.name?.replace(/(@.*|:[^:/]*)$/, '') ?? '';
  const wanted = glob(pattern);
  const names = [repository, canonical].flatMap((name) => [name, `${name}:${tag}`, `${name}@${image.source}`]);
  return image.name !== undefined && names.some((name) => wanted.test(name));
}

function parseTruth(text: string): boolean {
  if (/^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false)$/i.test(text)) return false;
  throw invalid(`invalid filter 'dangling=${text}'`, 'it is true or false');
}

function parseLimit(text: string): number {
  try {
    return parseTime(text);
  } catch (error) {
    if (error instanceof BadValue) throw invalid(`invalid filter 'until=${text}'`, error.message);
    throw error;
  }
}

function invalid(message: string, why: string): RootlessError {
  return new RootlessError({ code: 'FILTER_INVALID', message, why });
}
