/** Every bit pattern, and every rounding boundary, against arithmetic done from the definition. */
import t from 'tap'
import {
  bfloat16ToFloat32,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16,
} from '../../src/weights/float-conversion.ts'

const allBits = Uint16Array.from({ length: 65536 }, (_, i) => i)

/** The value of a binary format with `fraction` bits of fraction and `bias`, 16 bits in all. */
function valueOf(bits: number, fraction: number, bias: number): number {
  const exponentBits = 15 - fraction
  const sign = bits >> 15 ? -1 : 1
  const exponent = (bits >> fraction) & ((1 << exponentBits) - 1)
  const part = (bits & ((1 << fraction) - 1)) / 2 ** fraction
  if (exponent === (1 << exponentBits) - 1) return part ? NaN : sign * Infinity
  return exponent === 0 ? sign * part * 2 ** (1 - bias) : sign * (1 + part) * 2 ** (exponent - bias)
}

const formats = [
  { name: 'float16', fraction: 10, bias: 15, to: float32ToFloat16, from: float16ToFloat32 },
  { name: 'bfloat16', fraction: 7, bias: 127, to: float32ToBfloat16, from: bfloat16ToFloat32 },
]

for (const { name, fraction, bias, to, from } of formats) {
  const infinity = ((1 << (15 - fraction)) - 1) << fraction

  t.test(`${name}: every bit pattern has its value and comes back`, async (t) => {
    const values = from(allBits)
    t.ok(allBits.every((bits, i) => Object.is(values[i], valueOf(bits, fraction, bias))))
    const back = to(values)
    t.ok(allBits.every((bits, i) => back[i] === bits || Number.isNaN(values[i])))
    t.ok(
      [...back].every(
        (bits, i) => Number.isNaN(valueOf(bits, fraction, bias)) === Number.isNaN(values[i]),
      ),
    )
  })

  t.test(`${name}: halves go to the even neighbour, everything else to the nearer`, async (t) => {
    const below = allBits.subarray(0, infinity - 1)
    const middle = (bits: number) =>
      (valueOf(bits, fraction, bias) + valueOf(bits + 1, fraction, bias)) / 2
    const middles = Float32Array.from(below, middle)
    t.ok(
      below.every((bits, i) => middles[i] === middle(bits)),
      'exact in float32',
    )
    const words = new Uint32Array(middles.buffer)
    const justBelow = to(new Float32Array(words.map((word) => word - 1).buffer))
    const justAbove = to(new Float32Array(words.map((word) => word + 1).buffer))
    const exactly = to(middles)
    t.ok(below.every((bits, i) => justBelow[i] === bits))
    t.ok(below.every((bits, i) => justAbove[i] === bits + 1))
    t.ok(below.every((bits, i) => exactly[i] === bits + (bits & 1)))
    const negative = to(middles.map((value) => -value))
    t.ok(below.every((bits, i) => negative[i] === (0x8000 | (bits + (bits & 1)))))
  })

  t.test(`${name}: too large becomes infinity, not a number stays one`, async (t) => {
    const largest = valueOf(infinity - 1, fraction, bias)
    const half = 2 ** (bias - fraction - 1)
    const inputs = Float32Array.of(largest, largest + half / 2, largest + half, Infinity, -Infinity)
    t.same([...to(inputs)], [infinity - 1, infinity - 1, infinity, infinity, infinity | 0x8000])
    // signalling, with its only bits in the half that is cut off
    const nan = new Float32Array(Uint32Array.of(0x7f800001, 0xff800001).buffer)
    t.ok([...from(to(nan))].every(Number.isNaN))
  })

  t.test(`${name}: views into larger arrays and empty arrays`, async (t) => {
    t.same(to(Float32Array.of(9, 1, 2).subarray(1)), to(Float32Array.of(1, 2)))
    t.same(from(to(Float32Array.of(9, 1, 2)).subarray(1)), Float32Array.of(1, 2))
    t.equal(to(new Float32Array(0)).length, 0)
    t.equal(from(new Uint16Array(0)).length, 0)
  })
}
