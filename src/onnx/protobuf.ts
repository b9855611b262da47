/** The protobuf wire format, writing side only (https://protobuf.dev/programming-guides/encoding). */

export class ProtoWriter {
  #buffer = new Uint8Array(256)
  #length = 0

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  /** A varint field; 0 is written too, because AttributeProto needs explicit zeros. */
  int(field: number, value: number | bigint): void {
    this.#varint(BigInt(field << 3))
    this.#varint(BigInt.asUintN(64, BigInt(value)))
  }

  float(field: number, value: number): void {
    this.#varint(BigInt((field << 3) | 5))
    this.#reserve(4)
    new DataView(this.#buffer.buffer).setFloat32(this.#length, value, true)
    this.#length += 4
  }

  raw(field: number, data: Uint8Array): void {
    this.#varint(BigInt((field << 3) | 2))
    this.#varint(BigInt(data.length))
    this.#reserve(data.length)
    this.#buffer.set(data, this.#length)
    this.#length += data.length
  }

  text(field: number, value: string): void {
    this.raw(field, new TextEncoder().encode(value))
  }

  message(field: number, write: (writer: ProtoWriter) => void): void {
    const inner = new ProtoWriter()
    write(inner)
    this.raw(field, inner.bytes())
  }

  #varint(value: bigint): void {
    this.#reserve(10)
    let rest = value
    while (rest > 127n) {
      this.#buffer[this.#length++] = Number(rest & 127n) | 128
      rest >>= 7n
    }
    this.#buffer[this.#length++] = Number(rest)
  }

  #reserve(extra: number): void {
    if (this.#length + extra <= this.#buffer.length) return
    const grown = new Uint8Array(Math.max(this.#buffer.length * 2, this.#length + extra))
    grown.set(this.#buffer.subarray(0, this.#length))
    this.#buffer = grown
  }
}
