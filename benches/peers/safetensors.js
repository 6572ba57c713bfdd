/**
 * The safetensors format: the header's length in 8 bytes, a JSON header, the tensors.
 *
 * @typedef {{shape: number[], data: Float32Array}} Tensor
 */

/** @param {number} bits of a half-precision number */
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function header(/** @type {Uint8Array} */ bytes) {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const entries = Object.entries(JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))));
  return { entries: entries.filter(([name]) => name !== "__metadata__"), begin: 8 + length };
}

/**
 * All tensors by name, as f32.
 * @returns {Record<string, Tensor>}
 */
export function read(/** @type {Uint8Array} */ bytes) {
  const { entries, begin } = header(bytes);
  const tensor = ({ dtype, shape, data_offsets: [from, to] }) => {
    const raw = bytes.slice(begin + from, begin + to).buffer; // a copy, so that it is aligned
    if (dtype === "F32") return { shape, data: new Float32Array(raw) };
    if (dtype === "F16") return { shape, data: Float32Array.from(new Uint16Array(raw), half) };
    throw new Error(`safetensors: ${dtype} is not read here`);
  };
  return Object.fromEntries(entries.map(([name, entry]) => [name, tensor(entry)]));
}

/** The same file with only the tensors whose name `keep` likes. */
export function filter(/** @type {Uint8Array} */ bytes, /** @type {(name: string) => boolean} */ keep) {
  const { entries, begin } = header(bytes);
  const [kept, parts] = [{}, []];
  let end = 0;
  for (const [name, { dtype, shape, data_offsets: [from, to] }] of entries) {
    if (!keep(name)) continue;
    kept[name] = { dtype, shape, data_offsets: [end, end + to - from] };
    parts.push(bytes.subarray(begin + from, begin + to));
    end += to - from;
  }
  let text = JSON.stringify(kept);
  text = text.padEnd(Math.ceil(text.length / 8) * 8);
  const out = new Uint8Array(8 + text.length + end);
  new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
  out.set(new TextEncoder().encode(text), 8);
  let offset = 8 + text.length;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}
