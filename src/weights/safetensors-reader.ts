/** Reads safetensors files by ranges: the header once, each tensor when asked. */
import { open, stat, type FileHandle } from 'node:fs/promises'
import { fail } from '../errors.ts'
import { bfloat16ToFloat32, float16ToFloat32 } from './float-conversion.ts'
import {
  parseHeader,
  parseHeaderLength,
  type Header,
  type TensorEntry,
} from './safetensors-header.ts'

export interface SafetensorsFile extends Header {
  readonly path: string
  /** The tensor's bytes as they lie in the file. */
  read(name: string): Promise<Uint8Array<ArrayBuffer>>
  /** The tensor's numbers; F32, F16 and BF16 only. */
  readFloat32(name: string): Promise<Float32Array<ArrayBuffer>>
  /** The bytes of rows `first` to `end` − 1, a row being an entry of the first dimension. */
  readRowBytes(name: string, first: number, end: number): Promise<Uint8Array<ArrayBuffer>>
  /** The numbers of those rows; F32, F16 and BF16 only. */
  readRows(name: string, first: number, end: number): Promise<Float32Array<ArrayBuffer>>
  close(): Promise<void>
}

/** Node reads at most 2 GiB at once. */
const CHUNK_BYTES = 1 << 30

function allocate(length: number, path: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length)
  } catch (cause) {
    return fail('BAD_CHECKPOINT', `${path}: a tensor of ${length} bytes does not fit the memory`, {
      cause,
    })
  }
}

async function readRange(
  file: FileHandle,
  entry: { offset: number; length: number },
  path: string,
) {
  const bytes = allocate(entry.length, path)
  for (let done = 0; done < entry.length;) {
    const length = Math.min(CHUNK_BYTES, entry.length - done)
    const { bytesRead } = await file.read(bytes, done, length, entry.offset + done)
    if (bytesRead === 0) fail('BAD_CHECKPOINT', `${path}: ends at byte ${entry.offset + done}`)
    done += bytesRead
  }
  return bytes
}

async function readHeader(file: FileHandle, path: string): Promise<Header> {
  const { size } = await file.stat()
  const first = await readRange(file, { offset: 0, length: Math.min(8, size) }, path)
  const length = parseHeaderLength(first, size, path)
  return parseHeader(await readRange(file, { offset: 8, length }, path), size, path)
}

function toFloat32(bytes: Uint8Array<ArrayBuffer>, { dtype }: TensorEntry, where: string) {
  if (dtype === 'F32') return new Float32Array(bytes.buffer)
  if (dtype === 'F16') return float16ToFloat32(new Uint16Array(bytes.buffer))
  if (dtype === 'BF16') return bfloat16ToFloat32(new Uint16Array(bytes.buffer))
  return fail('BAD_CHECKPOINT', `${where}: expected F32, F16 or BF16, file has ${dtype}`)
}

/** Opens a regular file; a pipe or a device could block for ever. */
async function openFile(path: string): Promise<FileHandle> {
  try {
    if ((await stat(path)).isFile()) return await open(path)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'there is no such file' : `cannot be opened (${code})`
    fail('BAD_CHECKPOINT', `${path}: ${why}`, { cause })
  }
  return fail('BAD_CHECKPOINT', `${path}: expected a file`)
}

/** Throws BAD_CHECKPOINT where the file is missing or not valid. Close it after use. */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const file = await openFile(path)
  let header: Header
  try {
    header = await readHeader(file, path)
  } catch (error) {
    await file.close()
    throw error
  }
  const entryOf = (name: string): TensorEntry =>
    header.tensors.get(name) ?? fail('BAD_CHECKPOINT', `${path}: tensor "${name}" is missing`)
  const readRows = ({ offset, length, shape }: TensorEntry, first: number, end: number) => {
    const rowBytes = length / (shape[0] ?? 1)
    return readRange(
      file,
      { offset: offset + first * rowBytes, length: (end - first) * rowBytes },
      path,
    )
  }
  return {
    ...header,
    path,
    read: async (name) => readRange(file, entryOf(name), path),
    async readFloat32(name) {
      const entry = entryOf(name)
      return toFloat32(await readRange(file, entry, path), entry, `${path}: tensor "${name}"`)
    },
    readRowBytes: async (name, first, end) => readRows(entryOf(name), first, end),
    async readRows(name, first, end) {
      const entry = entryOf(name)
      const bytes = await readRows(entry, first, end)
      return toFloat32(bytes, entry, `${path}: tensor "${name}"`)
    },
    close: () => file.close(),
  }
}
