/** A folder of this browser's private files (OPFS). */

/** @returns {Promise<any>} null where this browser has no such place */
export async function privateFolder(/** @type {string} */ name) {
  try {
    if (!("createWritable" in FileSystemFileHandle.prototype)) return null; // Safari before 26: nothing can be written here
    const top = await navigator.storage.getDirectory();
    return await top.getDirectoryHandle(name, { create: true });
  } catch {
    return null;
  }
}
