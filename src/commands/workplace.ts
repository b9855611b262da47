/** Where commands find models and data, and how they open a model's text side. */
import { homedir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { AttributeSet } from '../../schemas/attributes.ts'
import type { ModelManifest } from '../../schemas/model-manifest.ts'
import { createPromptTemplate, type PromptTemplate } from '../datasets/prompt-template.ts'
import { locateModel } from '../registry/locate-model.ts'
import { readManifest, type ModelPlaces } from '../registry/model-folder.ts'
import { loadChatTemplate } from '../text/chat-template.ts'
import { loadTokenizer, type Tokenizer } from '../text/tokenizer.ts'

const bundledDir = fileURLToPath(new URL('../../models', import.meta.url))

/** `--home`, else STEERLM_HOME, else ~/.steerlm. */
export function modelPlaces(home?: string): ModelPlaces {
  const chosen = home ?? process.env.STEERLM_HOME ?? join(homedir(), '.steerlm')
  return { home: resolve(chosen), bundledDir }
}

/** Overrides of the manifest's attributes and template. */
export interface TextChoice {
  readonly attributes?: AttributeSet
  readonly kind?: 'chat' | 'nemo'
}

export interface OpenedModel {
  /** What names exactly this model: `village@3` where it was asked for as `village@prod`. */
  readonly name: string
  readonly dir: string
  readonly manifest: ModelManifest
  readonly tokenizer: Tokenizer
  /** The prompt template with the manifest's attributes, or with those given. */
  readonly template: PromptTemplate
}

/** Reads manifest, tokenizer and templates of a model; weights are not touched. */
export async function openModelText(
  name: string,
  places: ModelPlaces,
  chosen: TextChoice = {},
): Promise<OpenedModel> {
  const located = await locateModel(name, places)
  return { ...(await openModelFolder(located.dir, chosen)), name: located.name }
}

/** The same for a folder, which needs no `config.json`. */
export async function openModelFolder(dir: string, chosen: TextChoice = {}): Promise<OpenedModel> {
  const manifest = await readManifest(dir)
  const tokenizer = await loadTokenizer(dir)
  const template = createPromptTemplate({
    kind: chosen.kind ?? manifest.template,
    tokenizer,
    chatTemplate: await loadChatTemplate(dir),
    attributes: chosen.attributes ?? manifest.attributes,
  })
  return { name: basename(resolve(dir)), dir, manifest, tokenizer, template }
}
