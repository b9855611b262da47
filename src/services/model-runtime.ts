/** A model folder into a runtime: reads the manifest, tokenizer and template, then loads the weights. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ModelManifest } from '../../schemas/model-manifest.ts'
import { readModelConfig } from '../arch/index.ts'
import { createPromptTemplate } from '../datasets/prompt-template.ts'
import { createEngine, createScorer, lazyEmbedder, type KvBudget } from '../engine/index.ts'
import { onDevice, type Device } from '../ort/index.ts'
import { checkScheme } from '../registry/check-model.ts'
import { attributeModelOf, readManifest } from '../registry/model-folder.ts'
import { loadChatTemplate } from '../text/chat-template.ts'
import { isObject, readJsonIfPresent } from '../text/json-file.ts'
import { loadTokenizer, type Tokenizer } from '../text/tokenizer.ts'
import { AdapterCache } from './adapter-cache.ts'
import { Constraints } from './constraints.ts'
import type { ModelInfo, ModelRuntime } from './runtime-types.ts'
import { createModelRuntime, type RuntimeParts } from './text-runtime.ts'

export type * from './runtime-types.ts'

export interface LoadOptions {
  /** The name that requests use; the manifest's unless given. */
  id?: string
  /** Replies written at the same time. */
  slots?: number
  contextLength?: number
  /** For keys and values, prefix cache included. */
  kvMemoryBytes?: number
  threads?: number
  queueLimit?: number
  speculative?: 'ngram'
  /** Where the model runs; unset: the best there is. */
  device?: Device
}

/** Fails BAD_CHECKPOINT, BAD_TOKENIZER, BAD_TEMPLATE, ARCHITECTURE_UNSUPPORTED or RUNTIME_ERROR. The caller disposes it. */
export async function loadModelRuntime(
  dir: string,
  options: LoadOptions = {},
  log: (line: string) => void = () => {},
): Promise<ModelRuntime> {
  const [manifest, tokenizer, chatTemplate, sampling] = await Promise.all([
    readManifest(dir),
    loadTokenizer(dir),
    loadChatTemplate(dir),
    readSampling(dir),
  ])
  checkScheme(dir, manifest, await readModelConfig(dir))
  const { kind, attributes } = manifest
  const template =
    manifest.template === 'chat' && !chatTemplate
      ? null
      : createPromptTemplate({ kind: manifest.template, tokenizer, chatTemplate, attributes })
  const { id, device: asked, ...engineOptions } = options
  const loaded = await onDevice(
    asked,
    (device) => loadWeights(kind, tokenizer, { modelDir: dir, ...engineOptions, device }),
    log,
  )
  const info: ModelInfo = {
    id: id ?? manifest.name,
    kind,
    attributes,
    contextLength: loaded.contextLength,
    ...(loaded.kv && { kv: loaded.kv }),
    created: await createdSeconds(dir, manifest),
    template: template ? manifest.template : 'none',
    calibration: manifest.calibration,
    combinations: manifest.combinations,
    presets: manifest.presets,
    sampling,
    attributeModel: attributeModelOf(manifest) ?? undefined,
  }
  const embedder = lazyEmbedder({ modelDir: dir, threads: options.threads })
  return createModelRuntime({ info, tokenizer, template, embedder, ...loaded.parts })
}

async function loadWeights(
  kind: ModelInfo['kind'],
  tokenizer: Tokenizer,
  options: Parameters<typeof createEngine>[0],
): Promise<{
  contextLength: number
  kv?: KvBudget
  parts: Pick<RuntimeParts, 'engine' | 'adapters' | 'constraints' | 'scorer'>
}> {
  if (kind === 'language-model') {
    const engine = await createEngine(options)
    const adapters = new AdapterCache(engine)
    const constraints = new Constraints(tokenizer, engine.config.vocabSize)
    const { contextLength, kv } = engine
    return { contextLength, kv, parts: { engine, adapters, constraints } }
  }
  const { modelDir, threads, device } = options
  const scorer = await createScorer({ modelDir, threads, device })
  return { contextLength: scorer.maxLength, parts: { scorer } }
}

/** The sampling defaults of `generation_config.json`; a value that is not a number is left out. */
async function readSampling(dir: string): Promise<ModelInfo['sampling']> {
  const config = await readJsonIfPresent(dir, 'generation_config.json', 'BAD_CHECKPOINT')
  if (!isObject(config) || config.do_sample === false) return {}
  const number = (name: string): number | undefined =>
    typeof config[name] === 'number' ? config[name] : undefined
  return { temperature: number('temperature'), topP: number('top_p'), topK: number('top_k') }
}

async function createdSeconds(dir: string, manifest: ModelManifest): Promise<number> {
  const stated = Date.parse(manifest.createdAt ?? '')
  const created = Number.isNaN(stated) ? (await stat(join(dir, 'config.json'))).mtimeMs : stated
  return Math.floor(created / 1000)
}
