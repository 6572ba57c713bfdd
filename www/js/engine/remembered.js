/**
 * Small texts that outlive a visit, in IndexedDB. Where there is none, or no room, nothing is remembered: what is
 * kept here can be found out again.
 */

const DATABASE = "driftscope";
const STORE = "texts";

/** @returns {Promise<IDBDatabase>} */
function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** One request on the store; null when it fails. */
async function ask(/** @type {IDBTransactionMode} */ mode, /** @type {(store: IDBObjectStore) => IDBRequest} */ question) {
  try {
    const database = await open();
    try {
      return await new Promise((resolve, reject) => {
        const request = question(database.transaction(STORE, mode).objectStore(STORE));
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    } finally {
      database.close();
    }
  } catch {
    return null;
  }
}

export async function remember(/** @type {string} */ name, /** @type {string} */ text) {
  await ask("readwrite", (store) => store.put(text, name));
}

/** @returns {Promise<string | null>} */
export async function recall(/** @type {string} */ name) {
  const text = await ask("readonly", (store) => store.get(name));
  return typeof text === "string" ? text : null;
}
