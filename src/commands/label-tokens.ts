/**
 * `train sft --label-tokens`: every `name:value` of the label line becomes one token. A model binds
 * one token to an effect far sooner than a digit whose meaning depends on the name before it
 * (docs/experiments.md). The text of the label line stays the same.
 */
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AttributeSet } from '../../schemas/attributes.ts'
import { parseModelConfig, type ModelConfig } from '../arch/index.ts'
import { addTokens } from '../text/add-tokens.ts'
import { parseJsonObject } from '../text/json-file.ts'
import type { TokenParts } from '../training/grow-vocabulary.ts'
import { textFiles } from './write-model.ts'
import { openModelFolder, type OpenedModel } from './workplace.ts'

/** Matrix kernels like row counts that are multiples of this. */
const MULTIPLE = 8

export interface GrownText {
  readonly text: OpenedModel
  readonly rawConfig: Record<string, unknown>
  readonly config: ModelConfig
  readonly tokenParts: TokenParts
}

const labelTexts = (attributes: AttributeSet): string[] =>
  attributes.flatMap(({ name, min, max }) =>
    Array.from({ length: max - min + 1 }, (_, i) => `${name}:${min + i}`),
  )

/** Writes the grown tokenizer into `dir` (removed by the caller) and opens it. */
export async function addLabelTokens(
  base: {
    readonly text: OpenedModel
    readonly rawConfig: Record<string, unknown>
    readonly config: ModelConfig
  },
  attributes: AttributeSet,
  dir: string,
): Promise<GrownText> {
  const { tokenizer } = base.text
  const encode = (text: string) => tokenizer.encode(text, { addSpecialTokens: false })
  const wanted = labelTexts(attributes).filter((text) => encode(text).length > 1)
  const firstId = tokenizer.vocabSize
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { recursive: true })
  for (const file of textFiles)
    await copyFile(join(base.text.dir, file), join(dir, file)).catch(() => {})
  const path = join(base.text.dir, 'tokenizer.json')
  const json = parseJsonObject(await readFile(path, 'utf8'), path, 'BAD_TOKENIZER')
  await writeFile(join(dir, 'tokenizer.json'), JSON.stringify(addTokens(json, wanted, firstId)))
  const needed = Math.max(base.config.vocabSize, firstId + wanted.length)
  const vocabSize = Math.ceil(needed / MULTIPLE) * MULTIPLE
  const rawConfig = { ...base.rawConfig, vocab_size: vocabSize }
  const { template } = base.text
  const opened = await openModelFolder(dir, { attributes, kind: template.kind })
  return {
    text: { ...opened, name: base.text.name, manifest: base.text.manifest },
    rawConfig,
    config: parseModelConfig(rawConfig, 'config.json'),
    tokenParts: new Map(wanted.map((text, i) => [firstId + i, encode(text)])),
  }
}
