/**
 * Checkpoints of a running training: `<work>/step-00000100/{params,m,v}.safetensors, state.json`.
 * A folder is written beside its final place and renamed, so a kill at any moment leaves the last
 * whole checkpoint; resuming from it repeats the uninterrupted run bit for bit.
 */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fail } from '../errors.ts'
import { writeFolder } from '../util/folder.ts'
import { openSafetensors } from '../weights/safetensors-reader.ts'
import { writeSafetensors } from '../weights/safetensors-writer.ts'
import type { Shapes } from './initial-state.ts'
import type { TrainState } from './train-session.ts'

const KEPT = 2
const FOLDER = /^step-(\d{8})$/
const PARTS = ['params', 'm', 'v'] as const

export interface SavedTraining {
  readonly step: number
  /** Where the batches stand; see `row-source.ts`. */
  readonly batches: unknown
  /** Everything that decides the result; a resume with other settings is refused. */
  readonly settings: Readonly<Record<string, unknown>>
  /** What the loop keeps between steps, such as the best validation loss. */
  readonly progress: Readonly<Record<string, unknown>>
}

const folderOf = (work: string, step: number) => join(work, `step-${String(step).padStart(8, '0')}`)

async function savedSteps(work: string): Promise<number[]> {
  const names = await readdir(work).catch(() => [])
  const steps = names.flatMap((name) => {
    const match = FOLDER.exec(name)
    return match ? [Number(match[1])] : []
  })
  return steps.sort((a, b) => a - b)
}

export async function saveTraining(
  work: string,
  state: TrainState,
  shapes: Shapes,
  saved: SavedTraining,
): Promise<void> {
  await writeFolder(folderOf(work, saved.step), async (dir) => {
    for (const part of PARTS) {
      const tensors = [...state[part]].map(([name, data]) => {
        return { name, dtype: 'F32' as const, shape: shapes.get(name)!, data }
      })
      await writeSafetensors(join(dir, `${part}.safetensors`), tensors)
    }
    await writeFile(join(dir, 'state.json'), JSON.stringify(saved))
  })
  const steps = await savedSteps(work)
  for (const step of steps.slice(0, -KEPT))
    await rm(folderOf(work, step), { recursive: true, force: true })
}

/** The newest checkpoint's state, with the parameters and moments copied into `state`'s arrays. */
export async function restoreTraining(
  work: string,
  state: TrainState,
): Promise<SavedTraining | null> {
  const step = (await savedSteps(work)).at(-1)
  if (step === undefined) return null
  const dir = folderOf(work, step)
  for (const part of PARTS) {
    const path = join(dir, `${part}.safetensors`)
    const file = await openSafetensors(path)
    try {
      for (const [name, data] of state[part]) {
        const stored = await file.readFloat32(name)
        if (stored.length !== data.length)
          fail(
            'BAD_CHECKPOINT',
            `${path}: "${name}": expected ${data.length} numbers, file has ${stored.length}`,
          )
        data.set(stored)
      }
    } finally {
      await file.close()
    }
  }
  const path = join(dir, 'state.json')
  try {
    return JSON.parse(await readFile(path, 'utf8')) as SavedTraining
  } catch (cause) {
    return fail('BAD_CHECKPOINT', `${path}: cannot be read as JSON`, { cause })
  }
}

/** Removes all checkpoints: once the result is written, or before a training from the start. */
export async function clearTraining(work: string): Promise<void> {
  await rm(work, { recursive: true, force: true })
}

/**
 * Names the settings in which a resumed run differs from the saved one. Settings that the saved
 * run's version did not know yet cannot be compared.
 */
export function changedSettings(
  saved: Readonly<Record<string, unknown>>,
  now: Readonly<Record<string, unknown>>,
): string[] {
  return Object.keys(saved).filter((key) => JSON.stringify(saved[key]) !== JSON.stringify(now[key]))
}
