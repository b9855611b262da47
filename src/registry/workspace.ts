/** The user's own models, `$STEERLM_HOME/models`: what trainings write and what is published from. */
import { randomUUID } from 'node:crypto'
import { rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ModelManifest } from '../../schemas/model-manifest.ts'
import { SteerError, fail } from '../errors.ts'
import { listFiles } from './copy-model.ts'
import {
  isModelFolder,
  modelFoldersIn,
  readManifest,
  workspaceDir,
  type ModelFolder,
} from './model-folder.ts'
import { modelNamePattern } from './model-name.ts'

export interface WorkspaceModel extends ModelFolder {
  readonly bytes: number
  /** Seconds since 1970. */
  readonly created: number
  /** Null where `problem` says what is wrong with it. */
  readonly manifest: ModelManifest | null
  readonly problem: string | null
}

/** By name, broken ones too. */
export async function listWorkspace(home: string): Promise<WorkspaceModel[]> {
  return Promise.all((await modelFoldersIn(workspaceDir(home))).map(describe))
}

async function describe({ name, dir }: ModelFolder): Promise<WorkspaceModel> {
  const paths = await listFiles(dir)
  const sizes = await Promise.all(paths.map(async (path) => (await stat(join(dir, path))).size))
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  const created = Math.floor((await stat(join(dir, 'config.json'))).mtimeMs / 1000)
  const common = { name, dir, bytes, created }
  try {
    return { ...common, manifest: await readManifest(dir), problem: null }
  } catch (error) {
    if (!(error instanceof SteerError)) throw error
    return { ...common, manifest: null, problem: error.detail.replaceAll(`${dir}/`, '') }
  }
}

/** Its folder. Fails MODEL_NOT_FOUND. */
export async function workspaceModel(name: string, home: string): Promise<string> {
  const dir = join(workspaceDir(home), name)
  if (modelNamePattern.test(name) && (await isModelFolder(dir))) return dir
  const detail = `"${name.slice(0, 100)}" is not in the workspace`
  return fail('MODEL_NOT_FOUND', detail, { param: 'model' })
}

/** Gone at once, then removed. Published versions of it stay. Fails MODEL_NOT_FOUND. */
export async function deleteWorkspaceModel(name: string, home: string): Promise<void> {
  const dir = await workspaceModel(name, home)
  const hidden = join(workspaceDir(home), `.${name}.${randomUUID()}.deleted`)
  await rename(dir, hidden)
  await rm(hidden, { recursive: true, force: true })
}
