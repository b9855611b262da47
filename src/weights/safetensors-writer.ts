/** Writes safetensors files: aligned, sorted, flushed, and renamed into place when whole. */
import { open, rename, rm } from 'node:fs/promises'
import { dtypeBytes, type Dtype } from './safetensors-header.ts'

export interface TensorToWrite {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly number[]
  readonly data: ArrayBufferView
}

function headerBytes(
  tensors: readonly TensorToWrite[],
  metadata?: Readonly<Record<string, string>>,
) {
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {}
  let offset = 0
  for (const { name, dtype, shape, data } of tensors) {
    const expected = shape.reduce((n, dim) => n * dim, dtypeBytes[dtype])
    if (expected !== data.byteLength)
      throw new Error(`internal: tensor ${name} [${shape}] ${dtype} has ${data.byteLength} bytes`)
    header[name] = { dtype, shape, data_offsets: [offset, offset + data.byteLength] }
    offset += data.byteLength
  }
  const text = new TextEncoder().encode(JSON.stringify(header))
  const padded = new Uint8Array(Math.ceil(text.length / 8) * 8).fill(0x20)
  padded.set(text)
  const length = new Uint8Array(8)
  new DataView(length.buffer).setBigUint64(0, BigInt(padded.length), true)
  return [length, padded]
}

/** Widest types first, then by name, so that every tensor is aligned to its element. */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorToWrite>,
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  const sorted = [...tensors].sort(
    (a, b) => dtypeBytes[b.dtype] - dtypeBytes[a.dtype] || (a.name < b.name ? -1 : 1),
  )
  const temporary = `${path}.${process.pid}.part`
  try {
    const file = await open(temporary, 'w')
    try {
      for (const bytes of headerBytes(sorted, metadata)) await file.write(bytes)
      for (const { data } of sorted) {
        const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
        for (let done = 0; done < bytes.length;)
          done += (await file.write(bytes, done, Math.min(1 << 30, bytes.length - done)))
            .bytesWritten
      }
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } finally {
    await rm(temporary, { force: true })
  }
}
