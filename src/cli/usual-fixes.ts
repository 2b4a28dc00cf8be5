/** What helps against failures that come from many places: the error says what happened, and this what to do. */

const elsewhere = 'ROOTLESS_DATA=FOLDER names another place for images and containers';

const byCode: Readonly<Record<string, string>> = {
  DISK_FULL: `"rootless system prune" makes room, "rootless system df" shows where it is; ${elsewhere}`,
  STORE_UNWRITABLE: elsewhere,
};

export function usualFix(code: string): string | undefined {
  return byCode[code];
}

/** A system error below the store, which the folders of a home that cannot be written lead to. */
export function isUnwritable({ code, path, syscall }: NodeJS.ErrnoException): boolean {
  const refused = /^(EACCES|EPERM|EROFS)$/.test(code ?? '') || (code === 'ENOENT' && syscall === 'mkdir');
  return refused && path !== undefined && /\/store(\/|$)/.test(path);
}
