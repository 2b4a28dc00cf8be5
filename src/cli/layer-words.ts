/** What the codes of `layer check` mean, for people. */

const words: Readonly<Record<string, string>> = Object.assign(Object.create(null), {
  absolute: 'the name is absolute; it is taken from the root of the image',
  'aufs-metadata': 'a file of aufs, which is ignored',
  'bad-whiteout': 'a whiteout of no name',
  bomb: 'it unpacks to far more than any image holds',
  decode: 'the compressed stream is broken',
  device: 'a device node; only a bind mount of the host can provide one without root',
  'dot-dot': 'the name has ".." in it',
  duplicate: 'the name was there before; the last one counts',
  'empty-link': 'a symbolic link to nothing',
  escape: 'the name leads out of the layer',
  'hardlink-escape': 'a hard link to something outside of the layer',
  'hardlink-missing': 'a hard link to something that the layer does not have',
  'hardlink-to-folder': 'a hard link to a folder',
  'high-id': 'its owner is above 65535, more than one usual subordinate range holds',
  'huge-file': 'it claims to be larger than any file of an image',
  'link-escape': 'a symbolic link that leads out of the layer',
  'name-too-long': 'the name is longer than the kernel takes',
  'not-a-folder': 'what should be its folder is something else',
  'odd-whiteout': 'a whiteout that is not an empty file',
  'reserved-xattr': 'an extended attribute that belongs to overlayfs',
  'root-not-folder': 'the root of the layer is not a folder',
  setuid: 'it runs with the ids of its owner (set-uid or set-gid)',
  'through-symlink': 'its way leads through a symbolic link',
  'trailing-data': 'bytes follow the end of the archive',
});

/** What the reader said goes with the words, or stands for them. */
export function layerWords(code: string, said: string | undefined): string {
  return [words[code], said].filter((part) => part !== undefined).join(': ') || code;
}
