/** Files that are dropped on a part of the page, folders with all that is in them. */

/** Calls `take` with what is dropped on `zone`. */
export function listenToDrops(/** @type {HTMLElement} */ zone, /** @type {(items: DataTransferItem[]) => void} */ take) {
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("dropping");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("dropping"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("dropping");
    take([...(event.dataTransfer?.items ?? [])]);
  });
}

/** All files among what was dropped, with their paths. @returns {Promise<{path: string, blob: Blob}[]>} */
export async function filesOf(/** @type {DataTransferItem[]} */ items) {
  // Dropped items can only be read before the first await.
  const entries = items.map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  return (await Promise.all(entries.map(filesIn))).flat();
}

/** @returns {Promise<{path: string, blob: Blob}[]>} */
async function filesIn(/** @type {FileSystemEntry} */ entry) {
  if (entry.isFile) {
    const file = /** @type {FileSystemFileEntry} */ (entry);
    const blob = await new Promise((resolve, reject) => file.file(resolve, reject));
    return [{ path: entry.fullPath.slice(1), blob }];
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  const all = [];
  // A reader gives some entries at a time, and none at the end.
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) break;
    all.push(...some);
  }
  return (await Promise.all(all.map(filesIn))).flat();
}
