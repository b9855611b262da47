/** An upload must not take the last of a disk that the database and the jobs write to as well. */
import { mkdir, statfs } from 'node:fs/promises'
import { fail } from '../errors.ts'
import type { ByteChunks } from '../util/byte-chunks.ts'

export const defaultReserveBytes = 64 * 1024 * 1024
const checkEveryBytes = 8 * 1024 * 1024

/** Passes the bytes on; fails DISK_FULL when less than `reserveBytes` are free where `dir` lies. */
export async function* guardFreeSpace(
  chunks: ByteChunks,
  dir: string,
  reserveBytes = defaultReserveBytes,
): AsyncGenerator<Uint8Array> {
  await refuseFullDisk(dir, reserveBytes)
  let unchecked = 0
  for await (const chunk of chunks) {
    unchecked += chunk.length
    if (unchecked > checkEveryBytes) {
      await refuseFullDisk(dir, reserveBytes)
      unchecked = 0
    }
    yield chunk
  }
}

async function refuseFullDisk(dir: string, reserveBytes: number): Promise<void> {
  await mkdir(dir, { recursive: true })
  const { bavail, bsize } = await statfs(dir)
  const free = bavail * bsize
  if (free < reserveBytes) {
    fail('DISK_FULL', `${dir}: ${free} bytes are free, expected ${reserveBytes} to stay free`)
  }
}
