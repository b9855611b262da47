/** What jobs find in the data folder, asked before a job is stored. */
import { realpath, stat } from 'node:fs/promises'
import { isAbsolute, join, relative, resolve, sep } from 'node:path'
import { datasetPath } from '../datasets/dataset-store.ts'
import { SteerError, fail } from '../errors.ts'
import { parseHubId } from '../hub/hub-id.ts'
import { attributeSets } from '../labels/attribute-sets.ts'
import { locateModel } from '../registry/locate-model.ts'
import { isModelFolder, readManifest, userModelPath, type ModelPlaces } from '../registry/model-folder.ts' // prettier-ignore
import type { JobPlaces } from './job-service.ts'

export function createJobPlaces(places: ModelPlaces, importDir: string): JobPlaces {
  const { home } = places
  return {
    async findModel(name) {
      try {
        const found = await locateModel(name, places, { paths: false })
        return { name: found.name, kind: (await readManifest(found.dir)).kind }
      } catch (error) {
        if (error instanceof SteerError && error.code === 'MODEL_NOT_FOUND') return null
        throw error
      }
    },
    hasWorkspaceModel: (name) => isModelFolder(userModelPath(name, home)),
    hasDataset: (name) =>
      stat(join(datasetPath(name, home), 'manifest.json')).then(
        () => true,
        () => false,
      ),
    hasAttributeSet: (name) => Object.hasOwn(attributeSets, name),
    async checkImport({ path, hub }) {
      if (path != null) await checkedImportPath(path, importDir)
      if (hub != null) checkHubId(hub)
    },
  }
}

/** The folder that an import means. Fails BAD_FILE unless it really lies below the import folder. */
export async function checkedImportPath(
  path: string,
  importDir: string,
  param = 'spec.path',
): Promise<string> {
  const refuse = (why: string, cause?: unknown): never =>
    fail('BAD_FILE', `path: "${path.slice(0, 200)}" ${why} the import folder of the server`, {
      cause,
      param,
    })
  if (isAbsolute(path)) refuse('must be relative to')
  const root = await realpath(importDir).catch((cause: unknown) => refuse('is not in', cause))
  const found = await realpath(resolve(root, path)).catch((cause: unknown) => refuse('is not in', cause)) // prettier-ignore
  const inside = relative(root, found)
  if (inside === '' || inside === '..' || inside.startsWith(`..${sep}`)) refuse('is not below')
  return found
}

function checkHubId(hub: string): void {
  try {
    parseHubId(hub)
  } catch (error) {
    if (!(error instanceof SteerError)) throw error
    fail('BAD_REQUEST', error.detail, { cause: error, param: 'spec.hub' })
  }
}
