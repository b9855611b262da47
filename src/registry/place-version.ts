/** A model folder becomes a version's folder: copied and checked beside, then renamed to the next free number. */
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ModelManifest } from '../../schemas/model-manifest.ts'
import { SteerError, fail } from '../errors.ts'
import { syncFolder } from '../util/atomic-file.ts'
import { checkModel } from './check-model.ts'
import { copyModel, listFiles, sealFolder } from './copy-model.ts'
import type { LocatedModel } from './locate-model.ts'
import { cardFile, modelCard } from './model-card.ts'
import { ownTag } from './owner-tag.ts'
import {
  readModelState,
  versionDir,
  versionFile,
  versionsDir,
  type VersionRecord,
} from './registry-store.ts'

/**
 * Gives the number. The version is there once its change is in the list. Fails as `checkModel` does; then nothing is
 * left.
 */
export async function placeVersion(
  home: string,
  model: string,
  source: LocatedModel,
  note: string | null,
): Promise<number> {
  const publisher = ownTag()
  const beside = join(versionsDir(home, model), `.${publisher}.part`)
  try {
    await mkdir(beside, { recursive: true })
    await copyModel(source.dir, beside)
    await rm(join(beside, versionFile), { force: true }) // where a version is published anew
    const manifest = await checkCopy(beside, source)
    await addCard(beside, model, manifest)
    const { files, sha256 } = await sealFolder(beside)
    return await takeNumber(home, model, beside, {
      model,
      sha256,
      files,
      bytes: files.reduce((sum, file) => sum + file.bytes, 0),
      from: source.name,
      note,
      kind: manifest.kind,
      attributes: manifest.attributes.map((spec) => spec.name),
      createdAt: new Date().toISOString(),
      publisher,
    })
  } catch (error) {
    await rm(beside, { recursive: true, force: true })
    throw error
  }
}

/** What is wrong is said of the model, not of the folder of the copy. */
async function checkCopy(beside: string, source: LocatedModel): Promise<ModelManifest> {
  try {
    return await checkModel(beside)
  } catch (error) {
    if (!(error instanceof SteerError)) throw error
    const detail = error.detail.replaceAll(`${beside}/`, '').replaceAll(beside, 'the folder')
    return fail(error.code, `"${source.name}": ${detail}`, { cause: error, param: 'from' })
  }
}

async function addCard(dir: string, model: string, manifest: ModelManifest): Promise<void> {
  const paths = await listFiles(dir)
  if (paths.includes(cardFile)) return
  const sizes = await Promise.all(paths.map((path) => stat(join(dir, path))))
  const files = paths.map((path, i) => ({ path, bytes: sizes[i]!.size }))
  await writeFile(join(dir, cardFile), modelCard(model, manifest, files))
}

/** A folder cannot be renamed to one that holds files, so of several publishers each gets its own number. */
async function takeNumber(
  home: string,
  model: string,
  beside: string,
  record: Omit<VersionRecord, 'version'>,
): Promise<number> {
  for (;;) {
    const { highest } = await readModelState(home, model)
    const taken = (await readdir(versionsDir(home, model))).map(Number).filter(Number.isInteger)
    const version = Math.max(highest, ...taken) + 1
    const text = `${JSON.stringify({ ...record, version }, null, 2)}\n`
    await writeFile(join(beside, versionFile), text, { flush: true })
    await syncFolder(beside)
    if (await renameIfFree(beside, versionDir(home, model, version))) {
      await syncFolder(versionsDir(home, model))
      return version
    }
  }
}

async function renameIfFree(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (error) {
    const isTaken = await stat(to).then(
      () => true,
      () => false,
    )
    if (isTaken) return false
    throw error
  }
}
