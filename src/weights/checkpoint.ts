/** The tensors of a checkpoint folder: one `model.safetensors`, or shards with their index. */
import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { fail } from '../errors.ts'
import { readFailure, readRegularFile } from '../util/read-regular-file.ts'
import type { TensorEntry } from './safetensors-header.ts'
import { openSafetensors, type SafetensorsFile } from './safetensors-reader.ts'

export interface StoredTensor {
  readonly file: SafetensorsFile
  readonly entry: TensorEntry
}

export interface Checkpoint {
  readonly dir: string
  readonly tensors: ReadonlyMap<string, StoredTensor>
  close(): Promise<void>
}

export const WEIGHTS = 'model.safetensors'
export const WEIGHT_INDEX = 'model.safetensors.index.json'
const MAX_SHARDS = 1024
const MAX_INDEX_BYTES = 100_000_000
const shardIndex = z.object({ weight_map: z.record(z.string(), z.string()) })

/** Tensor name → file name, as the index says. */
type WeightMap = Readonly<Record<string, string>>

const sizeOf = async (path: string): Promise<number | undefined> =>
  (await stat(path).catch(() => undefined))?.size

async function readIndex(path: string): Promise<WeightMap> {
  const bytes = await readRegularFile(path, MAX_INDEX_BYTES).catch((cause: unknown) =>
    fail('BAD_CHECKPOINT', `${path}: ${readFailure(cause)}`, { cause }),
  )
  let raw: unknown
  try {
    raw = JSON.parse(bytes.toString())
  } catch (cause) {
    fail('BAD_CHECKPOINT', `${path}: not JSON`, { cause })
  }
  const parsed = shardIndex.safeParse(raw)
  if (parsed.success) return parsed.data.weight_map
  return fail('BAD_CHECKPOINT', `${path}: expected {"weight_map": {tensor: file}}`)
}

/** The files that the index of a folder names. Fails BAD_CHECKPOINT. */
export async function shardNames(dir: string): Promise<string[]> {
  const path = join(dir, WEIGHT_INDEX)
  return namedShards(await readIndex(path), path)
}

/** The files named in the index; they must lie in the checkpoint's folder. */
function namedShards(weightMap: WeightMap, path: string): string[] {
  const names = [...new Set(Object.values(weightMap))].sort()
  if (names.length === 0 || names.length > MAX_SHARDS)
    fail('BAD_CHECKPOINT', `${path}: expected 1 to ${MAX_SHARDS} shards, got ${names.length}`)
  for (const name of names) {
    if (name !== basename(name) || name.includes('\\') || !name.endsWith('.safetensors'))
      fail('BAD_CHECKPOINT', `${path}: expected a .safetensors file of the folder, got "${name}"`)
  }
  return names
}

async function openShards(dir: string, names: string[], files: SafetensorsFile[]) {
  const tensors = new Map<string, StoredTensor>()
  for (const name of names) {
    const file = await openSafetensors(join(dir, name))
    files.push(file)
    for (const [tensor, entry] of file.tensors) {
      const other = tensors.get(tensor)?.file.path
      if (other)
        fail('BAD_CHECKPOINT', `${dir}: tensor "${tensor}" stands in ${other} and in ${file.path}`)
      tensors.set(tensor, { file, entry })
    }
  }
  return tensors
}

/** Every tensor of the index must stand in the file that the index names. */
function checkIndex(
  weightMap: WeightMap,
  tensors: ReadonlyMap<string, StoredTensor>,
  path: string,
): void {
  for (const [tensor, name] of Object.entries(weightMap)) {
    const found = tensors.get(tensor)
    if (!found || basename(found.file.path) !== name)
      fail('BAD_CHECKPOINT', `${path}: tensor "${tensor}" is not in ${name}`)
  }
}

/** Fails with BAD_CHECKPOINT naming the file at fault. Close it after use. */
export async function openCheckpoint(dir: string): Promise<Checkpoint> {
  const single = (await sizeOf(join(dir, WEIGHTS))) !== undefined
  const index = join(dir, WEIGHT_INDEX)
  if (!single && (await sizeOf(index)) === undefined)
    fail('BAD_CHECKPOINT', `${dir}: neither ${WEIGHTS} nor ${WEIGHT_INDEX} is there`)
  const weightMap = single ? {} : await readIndex(index)
  const names = single ? [WEIGHTS] : namedShards(weightMap, index)
  const files: SafetensorsFile[] = []
  const close = async () => {
    await Promise.all(files.map((file) => file.close()))
  }
  try {
    const tensors = await openShards(dir, names, files)
    checkIndex(weightMap, tensors, index)
    return { dir, tensors, close }
  } catch (error) {
    await close()
    throw error
  }
}
