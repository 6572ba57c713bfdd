// What the page uses of zip.js's index.d.ts.

declare class BlobReader {
  constructor(blob: Blob);
}

declare class BlobWriter {
  constructor(type?: string);
}

export interface Entry {
  filename: string;
  directory: boolean;
  encrypted: boolean;
  /** As the archive claims. */
  uncompressedSize: number;
  getData?(writer: WritableStream<Uint8Array<ArrayBuffer>>, options?: { signal?: AbortSignal }): Promise<unknown>;
}

interface ReaderOptions {
  /** Compares the checksum of what is read with the archive's. */
  checkSignature?: boolean;
  checkOverlappingEntry?: boolean;
}

declare class ZipReader {
  constructor(reader: BlobReader, options?: ReaderOptions);
  getEntriesGenerator(): AsyncGenerator<Entry, boolean>;
  close(): Promise<void>;
}

declare class ZipWriter {
  /** `level` 0 stores; `bufferedWrite` and the others as in zip.js. */
  constructor(writer: BlobWriter, options?: { level?: number; extendedTimestamp?: boolean });
  add(name: string, reader: BlobReader): Promise<Entry>;
  close(): Promise<Blob>;
}

declare const zip: {
  BlobReader: typeof BlobReader;
  BlobWriter: typeof BlobWriter;
  ZipReader: typeof ZipReader;
  ZipWriter: typeof ZipWriter;
  configure(configuration: { useWebWorkers?: boolean }): void;
  ERR_UNSAFE_FILENAME: string;
};
export default zip;
