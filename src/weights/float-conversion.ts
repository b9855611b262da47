/** float16 and bfloat16 bits ↔ float32, whole arrays at a time, rounding to nearest even. */

/** IEEE 754 binary16 bits. */
export function float32ToFloat16(data: Float32Array): Uint16Array<ArrayBuffer> {
  const half = new Float16Array(data.length)
  half.set(data)
  return new Uint16Array(half.buffer)
}

export function float16ToFloat32(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const half = new Float16Array(bits.buffer, bits.byteOffset, bits.length)
  return Float32Array.from(half)
}

/** The upper half of a float32; NaN stays NaN. */
export function float32ToBfloat16(data: Float32Array): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(data.buffer, data.byteOffset, data.length)
  const out = new Uint16Array(data.length)
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    const isNaN = (word & 0x7fffffff) > 0x7f800000
    out[i] = isNaN ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16
  }
  return out
}

export function bfloat16ToFloat32(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(bits.length)
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16
  return new Float32Array(words.buffer)
}
