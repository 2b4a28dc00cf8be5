/** The user that a program runs as may be one that neither the image's files nor the usual mapping know: it gets an id too. */

import { parseImageSource } from '../image/reference.ts';
import { resolveImage } from '../image/resolve.ts';
import { toHost } from '../userns/idmap.ts';
import type { RunContext } from './context.ts';
import { findUser } from './image-user.ts';
import type { Mapping } from './options.ts';
import { layersIn, ofImage, type Settled, type Undecided, widener } from './settle-ids.ts';
import { withIds } from './widen-ids.ts';

/** The mapping with the program's user and groups. */
export async function withUser(settled: Settled, undecided: Undecided, context: RunContext): Promise<Settled> {
  const { mapping, layers } = settled;
  const { user, options, host, image } = undecided;
  const ids = /^(0|root)?$/.test(user) ? undefined : findUser(layers, user);
  const groups = options.groupAdd.filter((group) => /^\d{1,10}$/.test(group)).map(Number);
  const lacks = (kind: 'uid' | 'gid', id: number) => toHost(mapping.idMap[kind], id) === undefined;
  const gids = [...(ids ? [ids.gid] : []), ...groups].filter((gid) => lacks('gid', gid));
  const uids = ids ? [ids.uid].filter((uid) => lacks('uid', uid)) : [];
  if (image.kind !== 'layers' || uids.length + gids.length === 0) return settled;
  return unpackedFor(withIds(context.paths, mapping, host, image.diffIds, { uids, gids }), undecided, context);
}

/** The image for another mapping than the one that it was found with. */
export async function unpackedFor(mapping: Mapping, { options, image, base, host }: Undecided, context: RunContext): Promise<Settled> {
  const name = base.kind === 'layers' && base.reference !== undefined ? base.id : options.image;
  const again = await resolveImage(parseImageSource(name), { ...context, pull: 'missing', mapping, widen: widener(mapping, host) });
  return again.kind === image.kind ? { mapping: ofImage(mapping, again), layers: layersIn(again) } : { mapping, layers: layersIn(image) };
}
