/** What `steerlm import` is given: a folder, or a model of a hub, which becomes a folder of the download cache. */
import { stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import type { ModelManifest } from '../../schemas/model-manifest.ts'
import { readModelConfig } from '../arch/index.ts'
import { fetchModel } from '../hub/fetch-model.ts'
import { looksLikeHubId } from '../hub/hub-id.ts'
import { hubSettings } from '../hub/hub-settings.ts'
import { loadTokenizer } from '../text/tokenizer.ts'

export interface ImportSource {
  readonly dir: string
  /** What the model is called unless told otherwise. */
  readonly name: string
  /** Of a model from a hub. */
  readonly source?: ModelManifest['source']
}

/** A folder of that name stands before a model of the hub. Fails as `fetchModel` does. */
export async function openImportSource(given: string, home: string): Promise<ImportSource> {
  const dir = resolve(given)
  const isFolder = await stat(dir).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (isFolder || !looksLikeHubId(given)) return { dir, name: basename(dir) }
  const settings = hubSettings(process.env, home)
  const fetched = await fetchModel(given, { settings, check: checkText })
  const { repo, revision, commit } = fetched
  const source = { hub: repo, revision, commit, endpoint: settings.endpoint }
  return { dir: fetched.dir, name: basename(repo), source }
}

/** What can be known before there are weights. */
async function checkText(dir: string): Promise<void> {
  await readModelConfig(dir)
  await loadTokenizer(dir)
}
