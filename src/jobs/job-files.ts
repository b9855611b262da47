/**
 * Which models and data sets a job reads and writes, and the files that its attempts leave in the data folder.
 */
import { readFile, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { JobTask } from '../../schemas/jobs.ts'

export interface JobNames {
  readonly models: readonly string[]
  readonly datasets: readonly string[]
}

const given = (...names: (string | null | undefined)[]): string[] =>
  names.filter((name) => name !== null && name !== undefined)

/** What must exist when the job starts. Models may be `name@alias`. */
export function inputsOf(task: JobTask): JobNames {
  const { kind, spec } = task
  switch (kind) {
    case 'train':
      return { models: [spec.base], datasets: [spec.data] }
    case 'label':
      return { models: [spec.apm], datasets: [spec.data] }
    case 'bootstrap':
      return { models: [spec.model, spec.apm], datasets: [spec.data] }
    case 'evaluate':
      return spec.type === 'apm'
        ? { models: [spec.apm], datasets: [spec.data] }
        : { models: given(spec.model, spec.apm), datasets: given(spec.prompts) }
    case 'import':
      return { models: [], datasets: [] }
    case 'publish':
      return { models: [spec.from], datasets: [] }
  }
}

/** What the job writes, under these names and no others. */
export function outputsOf({ kind, spec }: JobTask): JobNames {
  switch (kind) {
    case 'train':
    case 'import':
      return { models: [spec.name], datasets: [] }
    case 'label':
      return { models: [], datasets: [spec.name] }
    case 'bootstrap':
      return { models: [spec.name], datasets: [`${spec.name}-samples`] }
    case 'evaluate':
    case 'publish':
      return { models: [], datasets: [] }
  }
}

/** Held by the process that works on the job. */
export const lockPath = (home: string, id: string): string => join(home, 'jobs', `${id}.lock`)

/** The result of finished work, until the worker has stored it. */
export const resultPath = (home: string, id: string): string =>
  join(home, 'jobs', `${id}.result.json`)

/** The metrics of all attempts: a killed worker may not have stored the last of them, and a resumed training does not repeat steps before its checkpoint. */
export const metricsPath = (home: string, id: string): string =>
  join(home, 'jobs', `${id}.metrics.ndjson`)

/** Finished rows and replies of a labelling or an evaluation. */
export const workPath = (home: string, id: string): string =>
  join(home, 'jobs', `${id}.work.ndjson`)

/** Says to which job the checkpoints of this name belong. */
export const ownerPath = (home: string, name: string): string =>
  join(home, 'trainings', `${name}.job`)

/** Where a training of this name keeps what a later attempt goes on from. */
export const workFolders = (home: string, name: string): string[] =>
  ['', '-text', '-samples'].map((ending) => join(home, 'trainings', name + ending))

/** The names under which the job keeps checkpoints. */
export const trainingNames = (task: JobTask): readonly string[] =>
  task.kind === 'train' || task.kind === 'bootstrap' ? [task.spec.name] : []

/** Removes checkpoints that a job keeps for later attempts; those of another job of the same name stay. */
export async function removeCheckpoints(
  home: string,
  task: JobTask & { readonly id: string },
): Promise<void> {
  for (const name of trainingNames(task)) {
    const owner = await readFile(ownerPath(home, name), 'utf8').catch(() => '')
    if (owner !== task.id) continue
    for (const path of [...workFolders(home, name), ownerPath(home, name)])
      await rm(path, { recursive: true, force: true })
  }
}

/**
 * Removes half-written folders of the job's outputs, which a kill leaves beside their places, and puts an older
 * output back that was moved aside when the kill came. Nobody else may be writing them.
 */
export async function removeLeftovers(home: string, task: JobTask): Promise<void> {
  const outputs = outputsOf(task)
  const places: [string, readonly string[]][] = [
    ['models', outputs.models],
    ['datasets', outputs.datasets],
    ['trainings', trainingNames(task)],
  ]
  for (const [folder, names] of places)
    for (const name of names) await tidy(join(home, folder), name)
}

async function tidy(folder: string, name: string): Promise<void> {
  for (const entry of await readdir(folder).catch(() => [])) {
    if (!entry.startsWith(`.${name}.`)) continue
    const unique = entry.slice(name.length + 2)
    const path = join(folder, entry)
    if (/^([0-9a-f]{8}-)?\d+-\d+\.(part|gone)$/.test(unique))
      await rm(path, { recursive: true, force: true })
    else if (/^([0-9a-f]{8}-)?\d+-\d+\.old$/.test(unique)) await putBack(path, join(folder, name))
  }
}

async function putBack(old: string, place: string): Promise<void> {
  const isReplaced = await stat(place).then(
    () => true,
    () => false,
  )
  if (isReplaced) await rm(old, { recursive: true, force: true })
  else await rename(old, place)
}
