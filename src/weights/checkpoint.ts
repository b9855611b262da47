/** The tensors of a checkpoint folder: one `model.safetensors`, or shards with their index. */
import { readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { fail } from '../errors.ts'
import type { TensorEntry } from './safetensors-header.ts'
import { openSafetensors, type SafetensorsFile } from './safetensors-reader.ts'

export interface Checkpoint {
  readonly dir: string
  readonly tensors: ReadonlyMap<
    string,
    { readonly file: SafetensorsFile; readonly entry: TensorEntry }
  >
  close(): Promise<void>
}

const MAX_SHARDS = 1024
const shardIndex = z.object({ weight_map: z.record(z.string(), z.string()) })

async function shardNames(dir: string): Promise<string[]> {
  const exists = await stat(join(dir, 'model.safetensors')).catch(() => undefined)
  if (exists) return ['model.safetensors']
  const path = join(dir, 'model.safetensors.index.json')
  const text = await readFile(path, 'utf8').catch((cause: unknown) =>
    fail('BAD_CHECKPOINT', `${dir}: neither model.safetensors nor model.safetensors.index.json`, {
      cause,
    }),
  )
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch (cause) {
    fail('BAD_CHECKPOINT', `${path}: not JSON`, { cause })
  }
  const parsed = shardIndex.safeParse(raw)
  if (!parsed.success)
    return fail('BAD_CHECKPOINT', `${path}: expected {"weight_map": {tensor: file}}`)
  const names = [...new Set(Object.values(parsed.data.weight_map))].sort()
  if (names.length > MAX_SHARDS)
    fail('BAD_CHECKPOINT', `${path}: ${names.length} shards; at most ${MAX_SHARDS}`)
  for (const name of names) {
    if (name !== basename(name))
      fail('BAD_CHECKPOINT', `${path}: shard "${name}" lies outside the folder`)
  }
  return names
}

/** Throws BAD_CHECKPOINT naming the file at fault. Close it after use. */
export async function openCheckpoint(dir: string): Promise<Checkpoint> {
  const files: SafetensorsFile[] = []
  const close = async () => {
    await Promise.all(files.map((file) => file.close()))
  }
  const tensors = new Map<string, { file: SafetensorsFile; entry: TensorEntry }>()
  try {
    for (const name of await shardNames(dir)) {
      const file = await openSafetensors(join(dir, name))
      files.push(file)
      for (const [tensor, entry] of file.tensors) {
        if (tensors.has(tensor))
          fail('BAD_CHECKPOINT', `${dir}: tensor "${tensor}" stands in two shards`)
        tensors.set(tensor, { file, entry })
      }
    }
  } catch (error) {
    await close()
    throw error
  }
  return { dir, tensors, close }
}
